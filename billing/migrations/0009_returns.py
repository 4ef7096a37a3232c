"""Bills that wait while an order may be given back, and bills lowered when it is."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

import koogallery.kernel.fields


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("billing", "0008_bills_copied_from_milestones")]
    operations = [
        migrations.AlterField(
            model_name="posting",
            name="kind",
            field=models.CharField(
                choices=[
                    ("top_up", "Top-up"),
                    ("funds", "Funds added by operations"),
                    ("bank_transfer", "Bank transfer"),
                    ("bill", "Milestone bill"),
                    ("bill_ended", "Milestone bill repaid or withdrawn"),
                    ("bill_lowered", "Milestone bill lowered"),
                    ("credit", "Credit limit"),
                    ("repayment", "Repayment"),
                    ("payment", "Payment"),
                    ("earning", "Earned"),
                    ("refund", "Refund"),
                    ("card_refund", "Refund to card"),
                    ("pay_out", "Pay-out"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddField(model_name="milestone", name="held_at", field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name="milestonebill",
            name="lowered",
            field=koogallery.kernel.fields.AmountField(
                db_default=0, decimal_places=4, default=0, max_digits=19, verbose_name="lowered by"
            ),
        ),
        migrations.AddConstraint(
            model_name="milestonebill",
            constraint=models.CheckConstraint(
                condition=models.Q(("lowered__gte", 0)), name="milestone_bill_lowered_not_negative"
            ),
        ),
        RemoveIndexConcurrently(model_name="milestone", name="milestone_bill_due"),
        AddIndexConcurrently(
            model_name="milestone",
            index=models.Index(
                condition=models.Q(("bill_due_at__isnull", False), ("held_at__isnull", True)),
                fields=["bill_due_at"],
                name="milestone_bill_due",
            ),
        ),
    ]
