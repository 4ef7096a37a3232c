"""Drop indexes that others cover, so that a sweep over orders writes fewer; see docs/decisions on indexes."""

import django.db.models.deletion
from django.db import migrations, models

COVERED = """
DROP INDEX IF EXISTS orders_order_account_id_cf843c80;
DROP INDEX IF EXISTS orders_order_seller_id_9df17eb1;
DROP INDEX IF EXISTS orders_order_product_id_096244de;
DROP INDEX IF EXISTS orders_order_reseller_id_d12c3b92;
DROP INDEX IF EXISTS orders_order_number_abc9e0f2_like;
DROP INDEX IF EXISTS orders_order_quote_id_e9d7d3c6_like;
DROP INDEX IF EXISTS orders_orderline_number_e474ac6b_like;
DROP INDEX IF EXISTS orders_orderline_once_key_f2694f7c_like;
DROP INDEX IF EXISTS orders_orderevent_order_id_b26297f3;
DROP INDEX IF EXISTS orders_resource_account_id_3cd2da43;
DROP INDEX IF EXISTS orders_resource_line_id_8fb251e1;
DROP INDEX IF EXISTS orders_resource_seller_id_fb2c9fd7;
DROP INDEX IF EXISTS orders_resource_number_39f0ca96_like;
DROP INDEX IF EXISTS orders_resourceterm_resource_id_3448b33c;
"""

BACK = """
CREATE INDEX orders_order_account_id_cf843c80 ON orders_order (account_id);
CREATE INDEX orders_order_seller_id_9df17eb1 ON orders_order (seller_id);
CREATE INDEX orders_order_product_id_096244de ON orders_order (product_id);
CREATE INDEX orders_order_reseller_id_d12c3b92 ON orders_order (reseller_id);
CREATE INDEX orders_order_number_abc9e0f2_like ON orders_order (number varchar_pattern_ops);
CREATE INDEX orders_order_quote_id_e9d7d3c6_like ON orders_order (quote_id varchar_pattern_ops);
CREATE INDEX orders_orderline_number_e474ac6b_like ON orders_orderline (number varchar_pattern_ops);
CREATE INDEX orders_orderline_once_key_f2694f7c_like ON orders_orderline (once_key varchar_pattern_ops);
CREATE INDEX orders_orderevent_order_id_b26297f3 ON orders_orderevent (order_id);
CREATE INDEX orders_resource_account_id_3cd2da43 ON orders_resource (account_id);
CREATE INDEX orders_resource_line_id_8fb251e1 ON orders_resource (line_id);
CREATE INDEX orders_resource_seller_id_fb2c9fd7 ON orders_resource (seller_id);
CREATE INDEX orders_resource_number_39f0ca96_like ON orders_resource (number varchar_pattern_ops);
CREATE INDEX orders_resourceterm_resource_id_3448b33c ON orders_resourceterm (resource_id);
"""


def unindexed(model: str, name: str, to: str, *, related_name: str, verbose_name: str, **options: object):
    field = models.ForeignKey(
        to,
        on_delete=django.db.models.deletion.PROTECT,
        db_index=False,
        related_name=related_name,
        verbose_name=verbose_name,
        **options,
    )
    return migrations.AlterField(model, name, field)


class Migration(migrations.Migration):
    dependencies = [("orders", "0005_monthly_settlement")]

    operations = [
        migrations.AddIndex(
            "order",
            models.Index(fields=["reseller"], name="order_of_reseller", condition=models.Q(reseller__isnull=False)),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COVERED, BACK)],
            [
                unindexed("order", "account", "identity.account", related_name="orders", verbose_name="account"),
                unindexed("order", "seller", "catalog.seller", related_name="orders", verbose_name="seller"),
                unindexed("order", "product", "catalog.product", related_name="orders", verbose_name="product"),
                unindexed(
                    "order",
                    "reseller",
                    "identity.account",
                    related_name="customer_orders",
                    verbose_name="reseller",
                    null=True,
                    blank=True,
                ),
                unindexed("orderevent", "order", "orders.order", related_name="events", verbose_name="order"),
                unindexed("resource", "account", "identity.account", related_name="resources", verbose_name="account"),
                unindexed("resource", "line", "orders.orderline", related_name="resources", verbose_name="order line"),
                unindexed("resource", "seller", "catalog.seller", related_name="resources", verbose_name="seller"),
                unindexed("resourceterm", "resource", "orders.resource", related_name="terms", verbose_name="resource"),
            ],
        ),
    ]
