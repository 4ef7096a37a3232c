"""Orders that give others back: negative lines, each of the line it reverses.

No lock lasts: constraints are checked after they are there.
"""

import django.db.models.deletion
from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("orders", "0010_auto_renewal_times_and_foreseen")]
    operations = [
        migrations.AddField(
            "order", "unsubscribed_at", models.DateTimeField(blank=True, null=True, verbose_name="unsubscribed")
        ),
        migrations.AlterField(
            "orderevent",
            "step",
            models.CharField(
                choices=[
                    ("placed", "Order placed"),
                    ("payment_started", "Payment started"),
                    ("payment_failed", "Payment failed"),
                    ("paid", "Paid"),
                    ("delivery_started", "Delivery started"),
                    ("delivery_failed", "Delivery failed"),
                    ("delivered", "Delivered"),
                    ("completed", "Order completed"),
                    ("canceled", "Order canceled"),
                    ("refunded", "Money refunded"),
                    ("unsubscribed", "Unsubscribed"),
                ],
                max_length=20,
                verbose_name="step",
            ),
        ),
        migrations.AddField(
            "orderline",
            "reverses",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reversals",
                to="orders.orderline",
                verbose_name="reverses",
            ),
        ),
        migrations.RemoveConstraint("order", "order_amount_not_negative"),
        AddConstraintNotValid(
            "order",
            models.CheckConstraint(
                condition=~Q(type="UNSUBSCRIBE") & Q(amount__gte=0, list_amount__gte=0)
                | Q(type="UNSUBSCRIBE", amount__lte=0, list_amount__lte=0),
                name="order_amount_not_negative",
            ),
        ),
        ValidateConstraint("order", "order_amount_not_negative"),
        AddConstraintNotValid(
            "order",
            models.CheckConstraint(
                condition=Q(unsubscribed_at__isnull=True) | Q(state="completed"),
                name="order_unsubscribed_is_completed",
            ),
        ),
        ValidateConstraint("order", "order_unsubscribed_is_completed"),
        migrations.RemoveConstraint("orderline", "line_amount_not_negative"),
        AddConstraintNotValid(
            "orderline",
            models.CheckConstraint(
                condition=Q(reverses__isnull=True, amount__gte=0, list_amount__gte=0)
                | Q(reverses__isnull=False, amount__lte=0, list_amount__lte=0),
                name="line_amount_not_negative",
            ),
        ),
        ValidateConstraint("orderline", "line_amount_not_negative"),
        migrations.AddConstraint(
            "orderline",
            models.UniqueConstraint(
                condition=Q(reverses__isnull=False), fields=("reverses",), name="line_reversed_once"
            ),
        ),
    ]
