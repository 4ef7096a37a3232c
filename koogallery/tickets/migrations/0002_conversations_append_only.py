"""What was said in a ticket stays as it was said: the database refuses to change or delete it."""

from django.db import migrations

TABLES = ("tickets_ticketmessage", "tickets_ticketfile")

APPEND_ONLY = "".join(
    f"CREATE TRIGGER tickets_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change();\n"
    for table in TABLES
)

BACK = "".join(f"DROP TRIGGER tickets_append_only ON {table};\n" for table in TABLES)


class Migration(migrations.Migration):
    dependencies = [("tickets", "0001_initial"), ("kernel", "0004_stored_files_append_only")]

    operations = [migrations.RunSQL(APPEND_ONLY, BACK)]
