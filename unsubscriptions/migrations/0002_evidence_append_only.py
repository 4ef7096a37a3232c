"""What a seller adds to its answer is evidence: the database refuses to change or delete it."""

from django.db import migrations

APPEND_ONLY = (
    "CREATE TRIGGER unsubscriptions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON unsubscriptions_requestfile "
    "FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change();"
)
BACK = "DROP TRIGGER unsubscriptions_append_only ON unsubscriptions_requestfile;"


class Migration(migrations.Migration):
    dependencies = [("unsubscriptions", "0001_initial"), ("kernel", "0004_stored_files_append_only")]
    operations = [migrations.RunSQL(APPEND_ONLY, BACK)]
