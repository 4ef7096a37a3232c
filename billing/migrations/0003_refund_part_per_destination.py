"""A refund of one payment may go to two places: to credit that is still owed, and to the balance."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_ledger_triggers")]

    operations = [
        migrations.RemoveConstraint(model_name="refundpart", name="refund_part_once"),
        migrations.AddConstraint(
            model_name="refundpart",
            constraint=models.UniqueConstraint(fields=("refund", "payment", "destination"), name="refund_part_once"),
        ),
    ]
