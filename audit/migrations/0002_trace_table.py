"""The trace table: partitioned by time, append-only by trigger, with the indexes its list and object pages use."""

from datetime import timedelta

from django.db import migrations

TABLE = """
CREATE SEQUENCE audit_trace_id_seq;
CREATE TABLE audit_trace (
    id bigint NOT NULL DEFAULT nextval('audit_trace_id_seq'),
    trace_id uuid NOT NULL,
    time timestamptz NOT NULL,
    record_time timestamptz NOT NULL,
    account_id bigint,
    user_type varchar(16) NOT NULL,
    user_id bigint,
    user_name varchar(150) NOT NULL,
    user_account varchar(150) NOT NULL,
    user_is_root boolean NOT NULL,
    access_key varchar(64) NOT NULL,
    source_ip varchar(45) NOT NULL,
    resource_type varchar(64) NOT NULL,
    resource_id varchar(128) NOT NULL,
    resource_name varchar(255) NOT NULL,
    trace_name varchar(64) NOT NULL,
    trace_rating varchar(8) NOT NULL CHECK (trace_rating IN ('normal', 'warning', 'incident')),
    trace_type varchar(16) NOT NULL,
    request jsonb NOT NULL,
    response jsonb NOT NULL,
    code varchar(64) NOT NULL,
    message text NOT NULL,
    request_id varchar(64) NOT NULL,
    read_only boolean NOT NULL,
    enterprise_project_id varchar(64) NOT NULL,
    parent_trace uuid,
    PRIMARY KEY (time, id)
) PARTITION BY RANGE (time);
ALTER SEQUENCE audit_trace_id_seq OWNED BY audit_trace.id;
CREATE INDEX audit_trace_account ON audit_trace (account_id, time DESC, id DESC);
CREATE INDEX audit_trace_resource ON audit_trace (account_id, resource_id, time DESC);
CREATE INDEX audit_trace_name ON audit_trace (account_id, trace_name, time DESC);
CREATE INDEX audit_trace_uuid ON audit_trace (trace_id);
"""

APPEND_ONLY = """
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'traces are append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_trace
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_trace
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_tracedigest
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_tracedigest
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();
"""

# The platform's role owns no table, so the owner's functions make and drop partitions for it. Whoever is not a member
# of the owner drops none that ended less than 30 days ago.
PARTITIONS = """
CREATE FUNCTION audit_partition_name(first timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'audit_trace_p' || to_char(first AT TIME ZONE 'UTC', 'YYYYMMDD')
$$;
CREATE FUNCTION audit_make_partition(first timestamptz, length interval) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text := audit_partition_name(first);
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit-partitions'));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE audit_trace INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', name);
    EXECUTE format(
        'ALTER TABLE audit_trace ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, first + length
    );
    EXECUTE format(
        'CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change()',
        name
    );
    RETURN true;
END $$;
CREATE FUNCTION audit_drop_partition(first timestamptz, length interval) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF first + length > clock_timestamp() - interval '30 days' AND NOT pg_has_role(session_user, current_user, 'MEMBER') THEN
        RAISE EXCEPTION 'the traces from % are too young to be dropped', first USING ERRCODE = 'restrict_violation';
    END IF;
    EXECUTE format('DROP TABLE %I', audit_partition_name(first));
END $$;
"""

BACK = """
DROP TABLE audit_trace;
DROP TRIGGER audit_append_only ON audit_tracedigest;
DROP TRIGGER audit_no_truncate ON audit_tracedigest;
DROP FUNCTION audit_refuse_change();
DROP FUNCTION audit_make_partition(timestamptz, interval);
DROP FUNCTION audit_drop_partition(timestamptz, interval);
DROP FUNCTION audit_partition_name(timestamptz);
"""


def make_partitions(apps, schema_editor):
    """A year back, for what is loaded from before, and 90 days ahead; the daily sweep goes on from there."""
    from audit import partitions
    from koogallery import clock

    now = clock.real_now()
    for days in range(-390, 91, 30):
        partitions.ensure(now + timedelta(days=days))


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("kernel", "0002_extensions")]

    operations = [
        migrations.RunSQL(TABLE + APPEND_ONLY + PARTITIONS, BACK),
        migrations.RunPython(make_partitions, migrations.RunPython.noop),
    ]
