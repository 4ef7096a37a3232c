"""Payments and lines of Bills with fewer indexes and foreign keys; see docs/decisions on indexes."""

import django.db.models.deletion
from django.db import migrations, models

COVERED = """
DROP INDEX IF EXISTS billing_payment_card_id_5157c64d;
DROP INDEX IF EXISTS billing_charge_number_a1e422d3_like;
"""

BACK = """
CREATE INDEX billing_payment_card_id_5157c64d ON billing_payment (card_id);
CREATE INDEX billing_charge_number_a1e422d3_like ON billing_charge (number varchar_pattern_ops);
"""


def copied(model: str, name: str, *, related_name: str, **options: object):
    """A foreign key whose value is copied from a row that has it."""
    field = models.ForeignKey(
        "identity.account",
        on_delete=django.db.models.deletion.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name=related_name,
        **options,
    )
    return migrations.AlterField(model, name, field)


class Migration(migrations.Migration):
    dependencies = [("billing", "0009_returns"), ("identity", "0003_terms")]

    operations = [
        migrations.RemoveIndex("posting", "posting_recent"),
        copied("charge", "account", related_name="charges"),
        copied("charge", "customer", related_name="+", null=True),
        copied("payment", "payer", related_name="+"),
        migrations.AddIndex(
            "payment", models.Index(fields=["payer"], name="payment_on_credit", condition=models.Q(method="credit"))
        ),
        migrations.AddIndex(
            "payment", models.Index(fields=["card"], name="payment_by_card", condition=models.Q(card__isnull=False))
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COVERED, BACK)],
            [
                migrations.AlterField(
                    "payment",
                    "card",
                    models.ForeignKey(
                        "billing.card",
                        on_delete=django.db.models.deletion.PROTECT,
                        db_index=False,
                        null=True,
                        related_name="payments",
                    ),
                )
            ],
        ),
    ]
