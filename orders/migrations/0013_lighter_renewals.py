"""Orders, their lines and resources with fewer indexes; lines uncompressed: see docs/decisions on indexes."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COVERED = """
DROP INDEX IF EXISTS orders_order_user_id_e9b59eb1;
DROP INDEX IF EXISTS orders_resource_product_id_57bf266d;
DROP INDEX IF EXISTS orders_resourceterm_line_id_d93b4e17;
"""

BACK = """
CREATE INDEX orders_order_user_id_e9b59eb1 ON orders_order (user_id);
CREATE INDEX orders_resource_product_id_57bf266d ON orders_resource (product_id);
CREATE INDEX orders_resourceterm_line_id_d93b4e17 ON orders_resourceterm (line_id);
"""

PLAIN = "ALTER TABLE orders_orderline SET (toast_tuple_target = 4080);"
PACKED = "ALTER TABLE orders_orderline RESET (toast_tuple_target);"


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_offers_free_by_time"),
        ("orders", "0012_lighter_histories"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(PLAIN, PACKED),
        migrations.AlterField("orderline", "once_key", models.CharField(blank=True, max_length=100, null=True)),
        migrations.AddConstraint(
            "orderline",
            models.UniqueConstraint(
                condition=models.Q(once_key__isnull=False), fields=("once_key",), name="line_once_per_key"
            ),
        ),
        migrations.AlterField(
            "orderline",
            "product",
            models.ForeignKey(
                "catalog.product",
                on_delete=django.db.models.deletion.PROTECT,
                db_constraint=False,
                db_index=False,
                related_name="+",
                verbose_name="product",
            ),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COVERED, BACK)],
            [
                migrations.AlterField(
                    "order",
                    "user",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL,
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        verbose_name="user",
                    ),
                ),
                migrations.AlterField(
                    "resource",
                    "product",
                    models.ForeignKey(
                        "catalog.product",
                        on_delete=django.db.models.deletion.PROTECT,
                        db_index=False,
                        related_name="resources",
                        verbose_name="product",
                    ),
                ),
                migrations.AlterField(
                    "resourceterm",
                    "line",
                    models.ForeignKey(
                        "orders.orderline",
                        on_delete=django.db.models.deletion.PROTECT,
                        db_index=False,
                        related_name="+",
                        verbose_name="order line",
                    ),
                ),
            ],
        ),
    ]
