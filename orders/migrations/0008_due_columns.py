"""Give resources that were there before their due columns: the next step after the expiry, the next notice of it.

Rows are changed in small transactions, so that no lock lasts.
"""

from django.conf import settings
from django.db import migrations

from koogallery import clock

CHUNK = 5_000
NEXT = "SELECT max(id) FROM (SELECT id FROM orders_resource WHERE id > %s ORDER BY id LIMIT %s) chunk"
FILL = """
WITH days AS (
    SELECT id, ((expires_at AT TIME ZONE %(zone)s)::date) AS expiry, billing_mode = 'PERIOD' AND NOT trial AS has_term,
        status
    FROM orders_resource r
    WHERE id > %(after)s AND id <= %(upto)s AND expires_at IS NOT NULL AND life_due_at IS NULL
        AND status IN ('enabled', 'grace', 'retention')
        AND NOT EXISTS (SELECT 1 FROM orders_renewalchange c WHERE c.resource_id = r.id AND c.state = 'waiting')
)
UPDATE orders_resource r SET
    life_due_at = (d.expiry + 1 + CASE
        WHEN NOT d.has_term OR d.status = 'enabled' THEN 0
        WHEN d.status = 'grace' THEN %(grace)s::integer
        ELSE %(grace)s::integer + %(retention)s::integer END)::timestamp AT TIME ZONE %(zone)s,
    notice_due_at = CASE WHEN d.status = 'enabled' THEN (
        SELECT min(told) FROM unnest(ARRAY[30, 15, 7, 3, 1]) AS before,
            LATERAL (SELECT (d.expiry - before + time '10:00') AT TIME ZONE %(zone)s AS told) t
        WHERE told > %(now)s) END
FROM days d WHERE r.id = d.id
"""


def fill(apps, schema_editor):
    choices = apps.get_model("kernel", "PolicyChoice").objects
    now = clock.now()
    chosen = choices.filter(since__lte=now).order_by("-since", "-pk").first()
    days = {"grace_days": 15, "retention_days": 15, **(chosen.overrides if chosen else {})}
    given = {"zone": settings.PLATFORM_ZONE, "grace": days["grace_days"], "retention": days["retention_days"]}
    after = 0
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT, [after, CHUNK])
            (upto,) = cursor.fetchone()
            if upto is None:
                return
            cursor.execute(FILL, {**given, "now": now, "after": after, "upto": upto})
            after = upto


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("kernel", "0005_fewer_indexes"), ("orders", "0007_full_price")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
