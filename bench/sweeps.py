"""Part `sweeps`: what falls due for thousands at once, in chunks, against raw statements with the same writes."""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from bench.ground import Bench
from bench.orders import fields_of
from bench.parts import part
from bench.table import Row

CHUNK = 1_000
CHUNKS = 6
WORKERS = 2
SELLERS = 5
REPEATS = 3
RATIO_TARGET = 0.6
RATE_TARGET = 5_000
BUYER = "bench-sweeps"
PRODUCT = "bench-licence"

CATALOGUE = f"""
format: 1
sellers:
  - {{code: {BUYER}, account: {BUYER}-seller, name: {{en: Bench Seller}}, email: bench@seller.example}}
products:
  - code: {PRODUCT}
    seller: {BUYER}
    categories: [crm]
    delivery: license
    supervised: true
    released: 2026-01-01
    name: {{en: Bench Licence}}
    summary: {{en: A product that is accepted often.}}
    specifications:
      - code: standard
        name: {{en: Standard}}
        attributes:
          - {{code: users, name: {{en: Users}}, quantity: {{from: 1, to: 1000, unit: {{one: user, many: users}}}}}}
        plans:
          - {{mode: PERIOD, model: linear, term: month, lengths: [1], prices: {{USD: "10.00"}}}}
"""

TABLES = (
    "orders_order", "orders_resource", "orders_resourceterm", "orders_orderevent", "billing_posting", "billing_entry",
    "billing_ledgeraccount", "notifications_message", "kernel_outboxmessage", "audit_trace", "audit_traceseal",
    "audit_tracewriter",
)  # fmt: skip

COPIES = {
    "orders_order": {
        "id": "to_jsonb(%(base)s + n)",
        "number": "to_jsonb('B' || %(base)s + n)",
        "quote_id": "NULL::text",
    },
    "orders_orderline": {
        "id": "to_jsonb(%(base)s + n)",
        "order_id": "to_jsonb(%(base)s + n)",
        "number": "to_jsonb('B' || %(base)s + n || '-000001')",
    },
    "orders_resource": {
        "id": "to_jsonb(%(base)s + n)",
        "line_id": "to_jsonb(%(base)s + n)",
        "number": "to_jsonb('BR' || %(base)s + n)",
        "order_number": "to_jsonb('B' || %(base)s + n)",
    },
    "billing_payment": {
        "id": "to_jsonb(%(base)s + n)",
        "number": "to_jsonb('BP' || %(base)s + n)",
        "order_number": "to_jsonb('B' || %(base)s + n)",
        "line_number": "to_jsonb('B' || %(base)s + n || '-000001')",
        "seller_id": "to_jsonb(1 + n %% %(sellers)s)",
    },
}

RAW = """
WITH due AS (
    SELECT * FROM unnest(%(orders)s::bigint[], %(moments)s::timestamptz[]) AS d(id, at)
), moved AS (
    UPDATE bench_orders_order o SET state = 'completed', completed_at = d.at FROM due d
    WHERE o.id = ANY (%(orders)s::bigint[]) AND o.id = d.id AND o.state = 'processing'
    RETURNING o.id, o.number, o.account_id, o.user_id, o.product_name, d.at
), lines AS MATERIALIZED (
    SELECT m.*, l.id AS line_id, l.number AS line, l.list_amount, l.discount_share, l.amount, l.currency,
        r.id AS resource_id, r.number AS resource, h.id AS held, h.balance, e.id AS earned
    FROM moved m
    CROSS JOIN LATERAL (SELECT * FROM orders_orderline x WHERE x.order_id = m.id OFFSET 0) l
    CROSS JOIN LATERAL (SELECT id, number FROM bench_orders_resource x WHERE x.line_id = l.id OFFSET 0) r
    CROSS JOIN LATERAL (
        SELECT seller_id FROM billing_payment
        WHERE line_number = l.number AND line_number <> '' AND state = 'succeeded' OFFSET 0
    ) p
    CROSS JOIN LATERAL (
        SELECT id, balance FROM bench_billing_ledgeraccount WHERE kind = 'held' AND owner = l.number OFFSET 0
    ) h
    CROSS JOIN LATERAL (
        SELECT id FROM bench_billing_ledgeraccount WHERE kind = 'earned' AND owner = p.seller_id::text OFFSET 0
    ) e
), posted AS (
    INSERT INTO bench_billing_posting (key, kind, about, at)
    SELECT 'earn:' || line, 'earning', line, at FROM lines RETURNING id, about
), booked AS (
    INSERT INTO bench_billing_entry (posting_id, account_id, amount, currency)
    SELECT p.id, side.account, side.amount, h.currency FROM posted p JOIN lines h ON h.line = p.about,
        LATERAL (VALUES (h.held, -h.balance), (h.earned, h.balance)) AS side(account, amount)
    RETURNING account_id, amount
), balances AS (
    UPDATE bench_billing_ledgeraccount a SET balance = a.balance + n.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM booked GROUP BY account_id ORDER BY account_id) n
    WHERE a.id = n.account_id
), enabled AS (
    UPDATE bench_orders_resource r SET status = 'enabled', enabled_at = n.at, expires_at = n.at + interval '1 month',
        anchor_day = extract(day FROM n.at)
    FROM lines n WHERE r.id = n.resource_id
), terms AS (
    INSERT INTO bench_orders_resourceterm (resource_id, line_id, start, "end", price, discount_share, paid, currency)
    SELECT resource_id, line_id, at::date, (at + interval '1 month')::date, list_amount, discount_share, amount,
        currency
    FROM lines
), told AS (
    INSERT INTO bench_orders_orderevent (order_id, at, step, actor, note)
    SELECT id, at, 'delivered', '', '' FROM lines
), messages AS (
    INSERT INTO bench_notifications_message (user_id, account_id, kind, topic, severity, params, link, key, created_at)
    SELECT user_id, account_id, side.kind, 'orders', 'info',
        jsonb_build_object('order', number, 'product', product_name, 'resource', resource), '/console/' || number,
        side.kind || ':' || number, at
    FROM lines, LATERAL (VALUES ('order_completed'), ('resource_ready')) AS side(kind)
), waiting AS (
    INSERT INTO bench_kernel_outboxmessage (kind, key, payload, created_at, next_try_at, attempts, error)
    SELECT 'mail', 'mail:' || user_id || ':resource-ready:' || resource,
        jsonb_build_object('user', user_id, 'key', 'resource-ready:' || resource), at, at, 0, ''
    FROM lines
), traces AS (
    INSERT INTO bench_audit_trace (id, trace_id, time, record_time, account_id, user_type, user_id, user_name,
        user_account, user_is_root, access_key, source_ip, resource_type, resource_id, resource_name, trace_name,
        trace_rating, trace_type, request, response, code, message, request_id, read_only, enterprise_project_id)
    SELECT nextval('audit_trace_id_seq'), gen_random_uuid(), at, at, account_id, 'system', NULL, '', '', FALSE, '', '',
        'Order', number, product_name, 'completeOrder', 'normal', 'SystemAction', jsonb_build_object('order', number),
        jsonb_build_object('state', 'completed', 'resource', resource), '200', '', '', FALSE, '0'
    FROM lines RETURNING trace_id, account_id, time, resource_id
)
INSERT INTO bench_audit_traceseal (trace_id, account_id, time, seal, writer, number)
SELECT trace_id, account_id, time, encode(sha256(convert_to(resource_id, 'UTF8')), 'hex'), 1,
    %(number)s + row_number() OVER () FROM traces
"""


@part("sweeps")
def sweeps(bench: Bench) -> Iterator[Row]:
    """Orders completed after their three hours, with all that goes with it, by two workers; median of 3."""
    from koogallery import clock
    from orders.operations import finishing

    base, due = _load(REPEATS * CHUNKS * CHUNK), clock.real_now()

    def moments(chunk: range) -> dict[int, datetime]:
        return {base + number: due - timedelta(seconds=number) for number in chunk}

    def finish(chunk: range) -> None:
        finishing.finish_deliveries(
            [
                finishing.Ending(order_id=order, at=at, starts_at=at - timedelta(hours=3))
                for order, at in moments(chunk).items()
            ]
        )

    def raw(chunk: range) -> None:
        given = moments(chunk)
        done = execute(RAW, {"orders": list(given), "moments": list(given.values()), "number": chunk.start})
        assert done == CHUNK

    yield _compared("sweep: completed with resource, money, messages, trace", finish, raw)
    for table in TABLES:
        execute(f"DROP TABLE bench_{table}")


def _compared(what: str, act: Callable[[range], None], raw: Callable[[range], None]) -> Row:
    """A row that compares two ways of acting on chunks, each in its transaction; two workers share what is due."""
    rates: tuple[list[float], list[float]] = ([], [])
    for repeat in range(REPEATS):
        due = [
            range(number * CHUNK + 1, (number + 1) * CHUNK + 1)
            for number in range(repeat * CHUNKS, (repeat + 1) * CHUNKS)
        ]
        for way, work in enumerate((act, raw)):
            rates[way].append(CHUNKS * CHUNK / _seconds(work, due))
    reached, limit = (statistics.median(each) for each in rates)
    return Row(
        what,
        f"≥ {RATIO_TARGET} of raw, ≥ {RATE_TARGET:,}/s",
        f"{reached:,.0f}/s, raw {limit:,.0f}/s",
        reached / limit,
        reached >= RATIO_TARGET * limit and reached >= RATE_TARGET,
    )


def _seconds(work: Callable[[range], None], due: list[range]) -> float:
    """How long the workers take for these chunks, each with every other one."""
    from django.db import transaction

    from koogallery.kernel import guard

    def act(worker: int) -> None:
        for chunk in due[worker::WORKERS]:
            with transaction.atomic(), guard.opened("bench"):
                work(chunk)

    return in_workers(act)


def in_workers(act: Callable[[int], None]) -> float:
    """How many seconds two worker processes take, each of which acts with its number, once both are connected."""
    from django.db import connections

    connections.close_all()
    fork = multiprocessing.get_context("fork")
    ready, done = fork.Barrier(WORKERS + 1), fork.Barrier(WORKERS + 1)
    workers = [fork.Process(target=_act, args=(act, number, ready, done), daemon=True) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    ready.wait(60)
    began = time.monotonic()
    done.wait(900)
    passed = time.monotonic() - began
    for worker in workers:
        worker.join()
    return passed


def _act(act: Callable[[int], None], worker: int, ready: Barrier, done: Barrier) -> None:
    """What a worker process does; when it fails, so does the waiting for it."""
    from django.db import connection

    try:
        connection.ensure_connection()
        ready.wait(60)
        act(worker)
        connection.close()
        done.wait(900)
    except Exception:  # whatever it was, nobody is to wait for this worker; it is raised again
        ready.abort()
        done.abort()
        raise


# Loading


def _load(count: int) -> int:
    """Copy a bought order `count` times, here and in the raw tables; the number before the first id."""
    from django.db import connection

    template = bought_order()
    with connection.cursor() as cursor:
        cursor.execute("SELECT greatest(max(id), 10000000) FROM orders_order")
        base = int(cursor.fetchone()[0])
    for table, changes in COPIES.items():
        made = ", ".join(f"'{column}', {value}" for column, value in changes.items())
        execute(
            f"INSERT INTO {table} SELECT r.* FROM {table} t, generate_series(1, %(count)s) n, "
            f"jsonb_populate_record(t, jsonb_build_object({made})) r WHERE t.id = %(template)s",
            {"base": base, "count": count, "sellers": SELLERS, "template": template[table]},
        )
    for first in range(1, count, CHUNK):
        _hold([f"B{base + number}-000001" for number in range(first, first + CHUNK)])
    make_raw_tables(TABLES)
    for table, condition in (
        ("orders_order", "id > %(base)s"),
        ("orders_resource", "id > %(base)s"),
        ("billing_ledgeraccount", "TRUE"),
    ):
        execute(f"INSERT INTO bench_{table} SELECT * FROM {table} WHERE {condition}", {"base": base})
    execute(
        "INSERT INTO bench_billing_ledgeraccount (id, kind, owner, currency, balance, may_be_negative) "
        "SELECT -n, 'earned', n::text, 'USD', 0, FALSE FROM generate_series(1, %(sellers)s) n ON CONFLICT DO NOTHING",
        {"sellers": SELLERS},
    )
    execute("VACUUM (ANALYZE)")
    return base


def copy_rows(
    table: str,
    *,
    of: tuple[str, int],
    differences: Mapping[str, str],
    values: Mapping[str, str],
    numbers: range,
    where: str = "TRUE",
) -> None:
    """Copy the row whose column `of[0]` is `of[1]` once for each number `n`; `differences` are SQL, with `values`."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table],
        )
        columns = [name for (name,) in cursor.fetchall() if name != "id" or name in differences]
        taken = [differences[name].format(**values) if name in differences else f't."{name}"' for name in columns]
        named = ", ".join(f'"{name}"' for name in columns)
        cursor.execute(
            f"INSERT INTO {table} ({named}) SELECT {', '.join(taken)} FROM {table} t, "
            f"generate_series({numbers.start}, {numbers.stop - 1}) n WHERE t.{of[0]} = {of[1]} AND ({where})"
        )


def make_raw_tables(tables: Sequence[str]) -> None:
    """Empty tables like these under names of their own, without triggers and foreign keys."""
    from django.db import connection

    for table in tables:
        execute(f"DROP TABLE IF EXISTS bench_{table}")
        execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, array_to_string(reloptions, ', ') FROM pg_class "
            "WHERE relname = ANY (%s) AND relkind = 'r' AND reloptions IS NOT NULL",
            [list(tables)],
        )
        for table, options in cursor.fetchall():
            execute(f"ALTER TABLE bench_{table} SET ({options})")


def bought_order() -> dict[str, int]:
    """An order of a supervised product, paid by balance over the site's own pages: its rows' ids by table."""
    from django.core.management import call_command
    from django.test import Client

    from billing.models import Payment
    from koogallery.identity.queries import account_by_name, root_user
    from orders.models import Order

    if account_by_name(BUYER) is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bench.yaml"
            file.write_text(CATALOGUE)
            call_command("load_catalogue", str(file), verbosity=0)
        call_command("create_account", BUYER, "--balance", "900000", verbosity=0)
    account = account_by_name(BUYER)
    assert account is not None
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(root_user(account))
    page = client.get("/console/checkout/", {"product": PRODUCT}).content.decode()
    placed = client.post("/console/checkout/", {**fields_of(page), "terms": "on"})
    client.post(placed["Location"], {"method": "balance", "idempotency_key": f"sweeps-{time.monotonic_ns()}"})
    order = Order.objects.filter(account=account, state="processing").latest("placed_at")
    return {
        "orders_order": order.pk,
        "orders_orderline": order.line.pk,
        "orders_resource": order.line.resources.get().pk,
        "billing_payment": Payment.objects.get(line_number=order.line.number).pk,
    }


def _hold(lines: list[str]) -> None:
    from decimal import Decimal

    from billing.operations import ledger
    from billing.states import PostingKind
    from koogallery import clock
    from koogallery.kernel import guard
    from koogallery.kernel.money import Money

    at, ten = clock.now(), Money(Decimal(10), "USD")
    with guard.opened("bench"):
        ledger.post_many(
            [
                ledger.NewPosting(
                    key=f"pay:{line}",
                    kind=PostingKind.PAYMENT,
                    at=at,
                    about=line,
                    entries=[(ledger.funding(), -ten), (ledger.held(line), ten)],
                )
                for line in lines
            ]
        )


def execute(sql: str, given: dict[str, Any] | None = None) -> int:
    """Run a statement; how many rows it gave or changed."""
    from django.db import connection

    from koogallery.kernel import guard

    with guard.opened("bench"), connection.cursor() as cursor:
        cursor.execute(sql, given)
        return int(cursor.rowcount)
