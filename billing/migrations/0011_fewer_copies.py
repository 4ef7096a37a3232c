"""Lines of Bills without what their payments and refunds keep; see docs/decisions on indexes."""

import django.db.models.deletion
from django.db import migrations, models

# Going back, lines of Bills get again what their payments and refunds keep.
COPIED = """
UPDATE billing_charge c SET explanation = p.explanation FROM billing_payment p WHERE p.number = c.number;
UPDATE billing_charge c SET explanation = r.explanation FROM billing_refund r WHERE r.number = c.number;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0010_lighter_payments"),
        ("identity", "0003_terms"),
    ]

    operations = [
        migrations.RunSQL(migrations.RunSQL.noop, COPIED),
        migrations.RemoveField(
            model_name="charge",
            name="explanation",
        ),
        migrations.AlterField(
            model_name="payment",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payments",
                to="identity.account",
            ),
        ),
    ]
