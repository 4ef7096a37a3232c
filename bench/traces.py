"""Part `traces`: the trace list with any filter over ten million rows, and what recording one trace costs."""

from __future__ import annotations

import os
import random
import statistics
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from bench.ground import Bench
from bench.parts import part
from bench.table import Row

ROWS = int(os.environ.get("BENCH_TRACES", "10000000"))
STEP = 500_000
ACCOUNTS = 5_000
DAYS = 300
ASKED = 600
TARGET = 50.0

FILL = """
INSERT INTO audit_trace (trace_id, time, record_time, account_id, user_type, user_id, user_name, user_account,
    user_is_root, access_key, source_ip, resource_type, resource_id, resource_name, trace_name, trace_rating,
    trace_type, request, response, code, message, request_id, read_only, enterprise_project_id)
SELECT gen_random_uuid(), m.at, m.at, m.account, 'buyer', m.account, 'user' || m.n %% 20, 'account' || m.account,
    false, CASE WHEN m.n %% 50 = 0 THEN 'AK' || m.account ELSE '' END, '203.0.113.7', 'Order', 'CS' || m.n,
    'order ' || m.n %% 1000, (ARRAY['createOrder', 'queryOrderList', 'queryOrderDetail', 'cancelOrder',
    'queryResourceDetail', 'addFavorites', 'queryFavorites', 'signIn'])[1 + m.n %% 8],
    CASE WHEN m.n %% 40 = 0 THEN 'warning' ELSE 'normal' END, 'ConsoleAction', '{"order": "CS"}', '{}', '200', '',
    'r' || m.n, m.n %% 8 IN (1, 2, 4, 6), CASE WHEN m.n %% 10 = 0 THEN 'p1' ELSE '0' END
FROM (SELECT n, %(upto)s - random() * %(days)s * interval '1 day' AS at,
      1 + floor(power(random(), 2) * %(accounts)s)::bigint AS account
      FROM generate_series(%(first)s, %(last)s) n) m
"""


@part("traces")
def traces(bench: Bench) -> Iterator[Row]:
    """Every filter alone and in pairs, for accounts of any size, first and later pages; then 2,000 single records."""
    from koogallery import clock

    at = clock.real_now()
    _fill(at)
    spent = sorted(_ask(at))
    p50, p99 = spent[len(spent) // 2], spent[int(len(spent) * 0.99)]
    yield Row(
        f"trace list, any filters, {ROWS:,} rows",
        f"p99 ≤ {TARGET:g} ms",
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
        p99 / TARGET,
        p99 <= TARGET,
    )
    each = _record(at)
    yield Row("one trace in its transaction", "–", f"{each:.2f} ms", None, None)


def _fill(at: Any) -> None:
    from django.db import connection

    from audit import partitions
    from koogallery.kernel import guard

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(reltuples)::bigint FROM pg_class WHERE relname LIKE 'audit_trace_p%' AND relkind = 'r'"
        )
        if (cursor.fetchone()[0] or 0) >= ROWS * 0.9:
            return
        for days in range(0, DAYS + 31, 30):
            partitions.ensure(at - timedelta(days=days))
        for first in range(0, ROWS, STEP):
            with guard.opened("bench"):
                cursor.execute(
                    FILL,
                    {
                        "upto": at,
                        "days": DAYS,
                        "accounts": ACCOUNTS,
                        "first": first,
                        "last": min(first + STEP, ROWS) - 1,
                    },
                )
        cursor.execute("VACUUM (ANALYZE) audit_trace")


def _ask(at: Any) -> Iterator[float]:
    """Milliseconds of each query of a page, as the page asks it."""
    from django.db import connection

    from audit import queries
    from audit.forms import TraceFilterForm
    from audit.models import Trace

    chosen = random.Random(7)
    filters = [
        {},
        {"trace_name": "createOrder"},
        {"trace_name": "neverHappened"},
        {"resource_id": "CS123456"},
        {"resource_name": "order 7"},
        {"trace_status": "warning"},
        {"trace_status": "incident"},
        {"enterprise_project_id": "p1"},
        {"access_key": "AK-none"},
        {"operator": ["user1", "user2"]},
        {"trace_id": str(uuid.uuid4())},
        {"resource_type": "Resource"},
        {"range": "hour"},
        {"trace_name": "signIn", "trace_status": "warning", "range": "day"},
    ]
    connection.ensure_connection()
    for number in range(ASKED):
        account = 1 + int(chosen.random() ** 2 * ACCOUNTS)
        asked = filters[number % len(filters)]
        form = TraceFilterForm(asked, operators=["user1", "user2"])
        assert form.is_valid(), form.errors
        oldest = at - timedelta(days=7)
        shown = form.narrow(Trace.objects.filter(account_id=account, time__gte=oldest), at=at)
        before = f"{int((at - timedelta(days=chosen.random() * 6)).timestamp() * 1e6)}.1" if number % 3 == 0 else ""
        began = time.perf_counter()
        queries.page_of(shown, size=20, before=before)
        yield (time.perf_counter() - began) * 1000


def _record(at: Any) -> float:
    """Milliseconds of one record, median over 2,000 in transactions of 10."""
    from django.db import transaction

    from audit import recording
    from koogallery.kernel.calls import system_call
    from koogallery.kernel.operations import Rating, TraceEntry, registry

    spent = []
    for _batch in range(200):
        with transaction.atomic():
            for _one in range(10):
                entry = TraceEntry(
                    operation=registry["choosePolicies"],
                    call=system_call(at=at),
                    trace_id=uuid.uuid4(),
                    rating=Rating.NORMAL,
                    code="200",
                    message="",
                    request={"pack": "2025"},
                    response={"pack": "2025"},
                    resource_id="1",
                    resource_name="2025",
                    account_id=1,
                )
                began = time.perf_counter()
                recording.record(entry)
                spent.append((time.perf_counter() - began) * 1000)
    return statistics.median(spent)
