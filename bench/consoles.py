"""Part `consoles`: a signed-in buyer's lists and details, among a thousand orders and among a million."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from bench.ground import Bench
from bench.load import http_load
from bench.orders import BUYERS, NOTES, confirm, signed_in
from bench.parts import part
from bench.table import Row

ORDERS = int(os.environ.get("BENCH_ORDERS", "1000000"))
OWN = 1_000
FIRST = 1_000_000_000
STEP = 100_000
QUERIES_TARGET = 8
SHARE_TARGET = 0.04
GROWTH_TARGET = 1.3

COPIES = {
    "orders_order": {
        "number": "'CSB' || n",
        "quote_id": "NULL",
        "account_id": "{account}",
        "state": "{state}",
        "placed_at": "{at}",
        "payment_due_at": "NULL",
        "paid_at": "{at}",
        "completed_at": "CASE WHEN {state} = 'completed' THEN {at} END",
    },
    "orders_orderline": {"number": "'CSB' || n || '-000001'", "order_id": "{first} + n"},
    "orders_resource": {
        "number": "'bench' || n",
        "order_number": "'CSB' || n",
        "account_id": "{account}",
        "line_id": "{first} + n",
        "purchased_at": "{at}",
        "enabled_at": "{at}",
        "expires_at": "{at} + interval '400 days'",
    },
}
"""What differs from the row that is copied; `n` counts the copies."""
COPIED = {"orders_order": "number", "orders_orderline": "number", "orders_resource": "order_number"}


@part("consoles")
def consoles(bench: Bench) -> Iterator[Row]:
    """My Orders, an order's details, Purchased Apps: their queries, their speed, and that both stay."""
    session = signed_in()[0]
    _fill(OWN, session)
    order = "CSB" + str(OWN // 2)
    paths = {
        "My Orders": "/console/orders/",
        "order details": f"/console/orders/{order}/",
        "Purchased Apps": "/console/apps/",
    }
    few = {name: _rate(bench, path, session) for name, path in paths.items()}
    _fill(ORDERS, session)
    for name, path in paths.items():
        queries, body = _queries(path, session)
        rate = _rate(bench, path, session)
        with bench.bare(body) as port:
            bare = http_load(port=port, paths=["/"]).rate
        growth = few[name] / rate
        yield Row(
            f"{name}, {ORDERS:,} orders",
            f"≥ {SHARE_TARGET:g} of bare, ≤ {QUERIES_TARGET} queries, ≤ {GROWTH_TARGET:g} × of {OWN:,}",
            f"{rate:,.0f}/s, bare {bare:,.0f}/s, {queries} queries, {growth:.2f} ×",
            rate / bare,
            rate >= SHARE_TARGET * bare and queries <= QUERIES_TARGET and growth <= GROWTH_TARGET,
        )


def _rate(bench: Bench, path: str, session: str) -> float:
    with bench.server() as port:
        load = http_load(port=port, paths=[path], headers={"Cookie": f"sessionid={session}"})
    if load.errors:
        raise RuntimeError(f"{path} failed {load.errors} times.")
    return load.rate


def _queries(path: str, session: str) -> tuple[int, bytes]:
    """How many queries a page needs the second time, and the page."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    client.cookies["sessionid"] = session
    client.get(path)
    with CaptureQueriesContext(connection) as caught:
        page = client.get(path)
    return len(caught), page.content


def _fill(rows: int, session: str) -> None:
    """Copy one purchase until there are so many; the first `OWN` are the buyer's, the others the other buyers'."""
    from django.db import connection, transaction

    from koogallery.kernel import guard

    with guard.opened("bench"), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orders_order WHERE number LIKE 'CSB%'")
        there = cursor.fetchone()[0]
        if there >= rows:
            return
        values = _differences(confirm(session, NOTES)())
        for first in range(there + 1, rows + 1, STEP):
            with transaction.atomic():
                cursor.execute("SET LOCAL session_replication_role = replica")
                for table in COPIES:
                    _copy(cursor, table, values, numbers=(first, min(first + STEP - 1, rows)))
        cursor.execute("VACUUM (ANALYZE) orders_order, orders_orderline, orders_resource")


def _copy(cursor: Any, table: str, values: dict[str, Any], *, numbers: tuple[int, int]) -> None:
    differences = {"id": "{first} + n"} | COPIES[table]
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped", [table]
    )
    columns = [name for (name,) in cursor.fetchall()]
    taken = [differences[name].format(**values) if name in differences else f't."{name}"' for name in columns]
    named = ", ".join(f'"{name}"' for name in columns)
    cursor.execute(
        f"INSERT INTO {table} ({named}) SELECT {', '.join(taken)} FROM {table} t, generate_series({numbers[0]}, "
        f"{numbers[1]}) n WHERE t.{COPIED[table]} LIKE '{values['order']}%'"
    )


def _differences(order: str) -> dict[str, Any]:
    """What the copies of an order are to hold, as SQL of their number `n`."""
    from koogallery.clock import now
    from koogallery.identity.queries import account_by_name

    buyers = [account_by_name(f"bench-buyer-{number}") for number in range(BUYERS)]
    first, *others = [buyer.pk for buyer in buyers if buyer is not None]
    return {
        "first": FIRST,
        "order": order,
        "account": f"CASE WHEN n <= {OWN} THEN {first} ELSE (ARRAY{others})[1 + n % {len(others)}] END",
        "state": "CASE WHEN n % 10 = 0 THEN 'processing' ELSE 'completed' END",
        "at": f"(timestamptz '{now().isoformat()}' - n % 300 * interval '1 day')",
    }
