"""What was said and done in a flow is evidence: the database refuses to change or delete it."""

from django.db import migrations

TABLES = ("supervision_flowrecord", "supervision_flowmessage", "supervision_flowfile")

APPEND_ONLY = "".join(
    f"CREATE TRIGGER supervision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change();\n"
    for table in TABLES
)

BACK = "".join(f"DROP TRIGGER supervision_append_only ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("supervision", "0001_initial"), ("kernel", "0004_stored_files_append_only")]

    operations = [migrations.RunSQL(APPEND_ONLY, BACK)]
