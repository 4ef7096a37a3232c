"""Drop indexes that others cover, so that a completion writes fewer; see docs/decisions on indexes."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COVERED = """
DROP INDEX IF EXISTS supervision_flow_account_id_db400aa8;
DROP INDEX IF EXISTS supervision_flow_seller_id_c828fe4c;
DROP INDEX IF EXISTS supervision_flow_number_aea4c1f9_like;
DROP INDEX IF EXISTS supervision_flowrecord_flow_id_07d46b6a;
DROP INDEX IF EXISTS supervision_flowrecord_user_id_14c80113;
DROP INDEX IF EXISTS supervision_flowrecord_appeal_id_2ee4ae67;
"""

BACK = """
CREATE INDEX supervision_flow_account_id_db400aa8 ON supervision_flow (account_id);
CREATE INDEX supervision_flow_seller_id_c828fe4c ON supervision_flow (seller_id);
CREATE INDEX supervision_flow_number_aea4c1f9_like ON supervision_flow (number varchar_pattern_ops);
CREATE INDEX supervision_flowrecord_flow_id_07d46b6a ON supervision_flowrecord (flow_id);
CREATE INDEX supervision_flowrecord_user_id_14c80113 ON supervision_flowrecord (user_id);
CREATE INDEX supervision_flowrecord_appeal_id_2ee4ae67 ON supervision_flowrecord (appeal_id);
"""


def unindexed(to: str, *, related_name: str, verbose_name: str, **options: object) -> models.ForeignKey:
    return models.ForeignKey(
        to,
        on_delete=django.db.models.deletion.PROTECT,
        db_index=False,
        related_name=related_name,
        verbose_name=verbose_name,
        **options,
    )


class Migration(migrations.Migration):
    dependencies = [("supervision", "0002_evidence_append_only")]

    operations = [
        migrations.AddIndex(
            "flowrecord",
            models.Index(fields=["user"], name="record_by_user", condition=models.Q(user__isnull=False)),
        ),
        migrations.AddIndex(
            "flowrecord",
            models.Index(fields=["appeal"], name="record_of_appeal", condition=models.Q(appeal__isnull=False)),
        ),
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COVERED, BACK)],
            [
                migrations.AlterField(
                    "flow", "account", unindexed("identity.account", related_name="flows", verbose_name="account")
                ),
                migrations.AlterField(
                    "flow", "seller", unindexed("catalog.seller", related_name="flows", verbose_name="seller")
                ),
                migrations.AlterField(
                    "flowrecord",
                    "flow",
                    unindexed("supervision.flow", related_name="records", verbose_name="service flow"),
                ),
                migrations.AlterField(
                    "flowrecord",
                    "user",
                    unindexed(settings.AUTH_USER_MODEL, related_name="+", verbose_name="user", null=True, blank=True),
                ),
                migrations.AlterField(
                    "flowrecord",
                    "appeal",
                    unindexed(
                        "supervision.appeal", related_name="records", verbose_name="appeal", null=True, blank=True
                    ),
                ),
            ],
        ),
    ]
