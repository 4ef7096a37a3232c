"""Stored files are evidence: the database refuses to change or delete their rows."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION kernel_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER kernel_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON kernel_storedfile
    FOR EACH STATEMENT EXECUTE FUNCTION kernel_refuse_change();
"""

BACK = """
DROP TRIGGER kernel_append_only ON kernel_storedfile;
DROP FUNCTION kernel_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0003_holiday_storedfile")]

    operations = [migrations.RunSQL(APPEND_ONLY, BACK)]
