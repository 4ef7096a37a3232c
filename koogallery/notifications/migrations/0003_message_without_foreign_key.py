"""Messages keep no foreign key to their reader: parallel sweeps would lock its row for each message to the same one."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0002_fewer_indexes")]

    operations = [
        migrations.AlterField(
            "message",
            "user",
            models.ForeignKey(
                settings.AUTH_USER_MODEL,
                on_delete=django.db.models.deletion.CASCADE,
                db_constraint=False,
                db_index=False,
                related_name="messages_received",
                verbose_name="user",
            ),
        )
    ]
