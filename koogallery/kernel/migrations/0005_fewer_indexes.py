"""Drop an index that another covers, so that an outgoing message writes fewer; see docs/decisions on indexes."""

from django.db import migrations

COVERED = "DROP INDEX IF EXISTS kernel_outboxmessage_key_5c08d54a_like;"
BACK = "CREATE INDEX kernel_outboxmessage_key_5c08d54a_like ON kernel_outboxmessage (key varchar_pattern_ops);"


class Migration(migrations.Migration):
    dependencies = [("kernel", "0004_stored_files_append_only")]

    operations = [migrations.RunSQL(COVERED, BACK)]
