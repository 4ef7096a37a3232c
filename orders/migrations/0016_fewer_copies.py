"""Orders, lines and terms with fewer indexes and foreign keys; see docs/decisions on indexes."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalog", "0005_offers_free_by_time"),
        ("identity", "0003_terms"),
        ("orders", "0015_kept_agreement"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="order",
            name="order_of_account_state",
        ),
        migrations.RemoveIndex(
            model_name="order",
            name="order_of_seller_state",
        ),
        migrations.AlterField(
            model_name="order",
            name="seller",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="orders",
                to="catalog.seller",
                verbose_name="seller",
            ),
        ),
        migrations.AlterField(
            model_name="orderline",
            name="resource",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="follow_ups",
                to="orders.resource",
                verbose_name="resource",
            ),
        ),
        migrations.AlterField(
            model_name="resourceterm",
            name="line",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="orders.orderline",
                verbose_name="order line",
            ),
        ),
        migrations.AlterField(
            model_name="resourceterm",
            name="resource",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="terms",
                to="orders.resource",
                verbose_name="resource",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("state", "completed"), _negated=True),
                fields=["account", "state", "-placed_at"],
                name="order_open_of_account",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("state", "completed"), _negated=True),
                fields=["seller", "state", "-placed_at"],
                name="order_open_of_seller",
            ),
        ),
    ]
