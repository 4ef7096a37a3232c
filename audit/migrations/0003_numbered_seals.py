"""Seals are numbered by writer without a gap, and leave only with the digest that holds what they sealed."""

from django.db import migrations, models

NUMBER = """
UPDATE audit_traceseal s SET number = n.number
FROM (SELECT trace_id, row_number() OVER (ORDER BY time, trace_id) AS number FROM audit_traceseal) n
WHERE n.trace_id = s.trace_id;
INSERT INTO audit_tracewriter (writer, count) SELECT 0, count(*) FROM audit_traceseal HAVING count(*) > 0;
ALTER TABLE audit_tracewriter SET (fillfactor = 50);
"""

# Only the owner's function may delete seals, and only as many as a digest of its own transaction holds. The setting
# holds inside the function; the platform's role may make it, too, but is not the owner.
APPEND_ONLY = """
CREATE FUNCTION audit_refuse_seal_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('audit.taking_seals', true) = 'on'
        AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'seals are append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_traceseal
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_seal_change();

CREATE FUNCTION audit_refuse_counting_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.writer = OLD.writer AND NEW.count > OLD.count THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'counts of traces are append-only: % on % is refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_tracewriter
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_counting_back();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_tracewriter
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

CREATE FUNCTION audit_take_seals(account bigint, digest bigint, taken uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM audit_tracedigest d
        WHERE d.account_id = account AND d.number = digest AND d.count = cardinality(taken)
            AND age(d.xmin) <= age(pg_current_xact_id()::xid)
    ) THEN
        RAISE EXCEPTION 'no digest of this transaction holds these % traces', cardinality(taken)
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM set_config('audit.taking_seals', 'on', true);
    DELETE FROM audit_traceseal s WHERE s.trace_id = ANY (taken) AND coalesce(s.account_id, 0) = account;
    PERFORM set_config('audit.taking_seals', 'off', true);
END $$;
"""

BACK = """
DROP FUNCTION audit_take_seals(bigint, bigint, uuid[]);
DROP TRIGGER audit_append_only ON audit_traceseal;
DROP TRIGGER audit_append_only ON audit_tracewriter;
DROP TRIGGER audit_no_truncate ON audit_tracewriter;
DROP FUNCTION audit_refuse_seal_change();
DROP FUNCTION audit_refuse_counting_back();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_trace_table")]

    operations = [
        migrations.CreateModel(
            name="TraceWriter",
            fields=[
                ("writer", models.BigIntegerField(primary_key=True, serialize=False)),
                ("count", models.BigIntegerField()),
            ],
            options={"base_manager_name": "objects"},
        ),
        migrations.AddField("traceseal", "writer", models.BigIntegerField(default=0), preserve_default=False),
        migrations.AddField("traceseal", "number", models.BigIntegerField(default=0), preserve_default=False),
        migrations.RunSQL(NUMBER, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "traceseal", models.UniqueConstraint(fields=("writer", "number"), name="audit_seal_number")
        ),
        migrations.RunSQL(APPEND_ONLY, BACK),
    ]
