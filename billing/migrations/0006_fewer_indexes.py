"""Drop indexes that others cover, so that postings and payments write fewer; see docs/decisions on indexes."""

import django.db.models.deletion
from django.db import migrations, models

COVERED = """
DROP INDEX IF EXISTS billing_posting_key_dd5a1205_like;
DROP INDEX IF EXISTS billing_payment_account_id_411a2f8d;
DROP INDEX IF EXISTS billing_payment_number_f2d892a1_like;
"""

BACK = """
CREATE INDEX billing_posting_key_dd5a1205_like ON billing_posting (key varchar_pattern_ops);
CREATE INDEX billing_payment_account_id_411a2f8d ON billing_payment (account_id);
CREATE INDEX billing_payment_number_f2d892a1_like ON billing_payment (number varchar_pattern_ops);
"""


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_milestones")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COVERED, BACK)],
            [
                migrations.AlterField(
                    "payment",
                    "account",
                    models.ForeignKey(
                        "identity.account",
                        on_delete=django.db.models.deletion.PROTECT,
                        db_index=False,
                        related_name="payments",
                    ),
                )
            ],
        ),
    ]
