"""Drop an index that others cover, so that a message writes fewer; see docs/decisions on indexes."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

COVERED = "DROP INDEX IF EXISTS notifications_message_user_id_89f939e6;"
BACK = "CREATE INDEX notifications_message_user_id_89f939e6 ON notifications_message (user_id);"


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.SeparateDatabaseAndState(
            [migrations.RunSQL(COVERED, BACK)],
            [
                migrations.AlterField(
                    "message",
                    "user",
                    models.ForeignKey(
                        settings.AUTH_USER_MODEL,
                        on_delete=django.db.models.deletion.CASCADE,
                        db_index=False,
                        related_name="messages_received",
                        verbose_name="user",
                    ),
                )
            ],
        ),
    ]
