"""Part `bills`: milestone bills due to be written, unpaid ones due to become overdue, of a million; against raw."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bench import sweeps
from bench.ground import Bench
from bench.parts import part
from bench.table import Row

DUE = int(os.environ.get("BENCH_BILLS", "100000"))
STORED = int(os.environ.get("BENCH_BILLS_STORED", "1000000"))
ACCOUNTS = 5_000
REPEATS = 3
STEP = 25_000
FIRST = 2_000_000_000
HOUR = timedelta(hours=1)
CUSTOMER = "bench-bills"
SWEEPS = {"milestone-bills": "written", "overdue-milestone-bills": "become overdue"}

ACCOUNT = "({first} + n % {accounts})"
COPIES = {
    "billing_milestone": {
        "id": "{first} + n",
        "order_number": "'BM' || n",
        "line_number": "'BM' || n || '-000001'",
        "account_id": ACCOUNT,
        "bill_due_at": "{due}",
    },
    "billing_milestonebill": {
        "id": "{first} + n",
        "number": "'BMB' || n",
        "milestone_id": "{first} + n",
        "order_number": "'BM' || n",
        "account_id": ACCOUNT,
        "state": "CASE WHEN {overdue} IS NULL THEN 'repaid' ELSE 'open' END",
        "generated_at": "timestamptz '{now}' - interval '40 days'",
        "written_at": "timestamptz '{now}' - interval '40 days'",
        "due_at": "coalesce({overdue}, timestamptz '{now}') - interval '1 second'",
        "overdue_due_at": "{overdue}",
        "remind_at": "{overdue} + interval '9 hours'",
        "ended_at": "CASE WHEN {overdue} IS NULL THEN timestamptz '{now}' END",
    },
}
"""What differs from the row that is copied; `n` counts the copies."""

CUSTOMERS = {
    "identity_account": {"id": "{first} + n", "number": "'BBA' || n", "name": "'bench-bills-' || n"},
    "identity_user": {
        "id": "{first} + n",
        "account_id": "{first} + n",
        "number": "'BBU' || n",
        "sign_in_name": "'bench-bills-' || n",
        "email": "'bench-bills-' || n || '@example.com'",
    },
}
TABLES = (
    "billing_milestone", "billing_milestonebill", "billing_posting", "billing_entry", "billing_ledgeraccount",
    "notifications_message", "kernel_outboxmessage", "audit_trace", "audit_traceseal", "audit_tracewriter",
)  # fmt: skip

CLAIM = """
SELECT id, {column} FROM bench_{table} WHERE {column} <= %s ORDER BY {column}, id LIMIT %s FOR UPDATE SKIP LOCKED
"""
TRACED = """
traces AS (
    INSERT INTO bench_audit_trace (id, trace_id, time, record_time, account_id, user_type, user_id, user_name,
        user_account, user_is_root, access_key, source_ip, resource_type, resource_id, resource_name, trace_name,
        trace_rating, trace_type, request, response, code, message, request_id, read_only, enterprise_project_id)
    SELECT nextval('audit_trace_id_seq'), gen_random_uuid(), at, at, account_id, 'system', NULL, '', '', FALSE, '', '',
        'MilestoneBill', bill, order_number, %(operation)s, 'normal', 'SystemAction',
        jsonb_build_object('order', order_number, 'milestone', position::text),
        jsonb_build_object('amount', 'USD ' || amount, 'due', due_at), '200', '', '', FALSE, '0'
    FROM lines RETURNING trace_id, account_id, time, resource_id
)
INSERT INTO bench_audit_traceseal (trace_id, account_id, time, seal, writer, number)
SELECT trace_id, account_id, time, encode(sha256(convert_to(resource_id, 'UTF8')), 'hex'), 1,
    %(number)s + row_number() OVER () FROM traces
"""
RAW = {
    "milestone-bills": """
WITH due AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(moments)s::timestamptz[]) AS d(id, at)
), cleared AS (
    UPDATE bench_billing_milestone m SET bill_due_at = NULL FROM due d WHERE m.id = ANY (%(ids)s::bigint[])
        AND m.id = d.id
    RETURNING m.id, m.account_id, m.order_number, m.line_number, m.position, m.count,
        m.description, m.name, m.amount, m.currency, d.at
), lines AS MATERIALIZED (
    SELECT c.*, 'MBR' || c.id AS bill, c.at + interval '30 days' AS due_at, f.id AS free, r.id AS used, u.id AS user_id
    FROM cleared c
    CROSS JOIN LATERAL (
        SELECT id FROM bench_billing_ledgeraccount
        WHERE kind = 'milestone_credit' AND owner = c.account_id::text OFFSET 0
    ) f CROSS JOIN LATERAL (
        SELECT id FROM bench_billing_ledgeraccount WHERE kind = 'receivable' AND owner = c.account_id::text OFFSET 0
    ) r CROSS JOIN LATERAL (SELECT id FROM identity_user WHERE account_id = c.account_id AND is_root OFFSET 0) u
), billed AS (
    INSERT INTO bench_billing_milestonebill (number, milestone_id, account_id, order_number, amount, currency, state,
        generated_at, written_at, due_at, overdue_due_at, remind_at, payment_number)
    SELECT bill, id, account_id, order_number, amount, currency, 'open', at, at, due_at, due_at + interval '1 second',
        due_at - interval '7 days', ''
    FROM lines
), posted AS (
    INSERT INTO bench_billing_posting (key, kind, about, at)
    SELECT 'bill:' || line_number, 'bill', line_number, at FROM lines RETURNING id, about
), booked AS (
    INSERT INTO bench_billing_entry (posting_id, account_id, amount, currency)
    SELECT p.id, side.account, side.amount, h.currency FROM posted p JOIN lines h ON h.line_number = p.about,
        LATERAL (VALUES (h.free, -h.amount), (h.used, h.amount)) AS side(account, amount)
    RETURNING account_id, amount
), balances AS (
    UPDATE bench_billing_ledgeraccount a SET balance = a.balance + n.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM booked GROUP BY account_id ORDER BY account_id) n
    WHERE a.id = n.account_id
), messages AS (
    INSERT INTO bench_notifications_message (user_id, account_id, kind, topic, severity, params, link, key, created_at)
    SELECT user_id, account_id, 'milestone_bill', 'billing', 'info',
        jsonb_build_object('bill', bill, 'order', order_number, 'product', description, 'milestone', position::text,
            'milestones', count::text, 'name', name, 'amount', jsonb_build_object('money', jsonb_build_object('amount',
            amount::text, 'currency', currency)), 'due', jsonb_build_object('moment', due_at)),
        '/console/billing/' || bill, 'milestone-bill:' || bill, at
    FROM lines
), waiting AS (
    INSERT INTO bench_kernel_outboxmessage (kind, key, payload, created_at, next_try_at, attempts, error)
    SELECT 'mail', 'mail:' || user_id || ':milestone-bill:' || bill,
        jsonb_build_object('user', user_id, 'key', 'milestone-bill:' || bill), at, at, 0, ''
    FROM lines
), """
    + TRACED,
    "overdue-milestone-bills": """
WITH due AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(moments)s::timestamptz[]) AS d(id, at)
), lines AS (
    UPDATE bench_billing_milestonebill b SET state = 'overdue', overdue_due_at = NULL FROM due d
    WHERE b.id = ANY (%(ids)s::bigint[]) AND b.id = d.id
    RETURNING b.account_id, b.order_number, b.number AS bill, b.amount, b.due_at, d.at,
        (SELECT position FROM bench_billing_milestone m WHERE m.id = b.milestone_id)
), """
    + TRACED,
}
DUE_ROWS = {
    "milestone-bills": ("billing_milestone", "bill_due_at", "generateMilestoneBill"),
    "overdue-milestone-bills": ("billing_milestonebill", "overdue_due_at", "markMilestoneBillOverdue"),
}


@part("bills")
def bills(bench: Bench) -> Iterator[Row]:
    """Milestone bills written and marked overdue, with credit, messages and traces, by two workers; median of 3."""
    from django.urls import get_resolver

    from koogallery import clock

    stock = _Stock(clock.now())
    stock.store_idle(STORED)
    assert get_resolver().url_patterns, "workers are forked with the addresses they link to, as they are in production"
    for name, what in SWEEPS.items():
        starts = [stock.store_due(DUE, name) for _ in range(REPEATS)]
        _make_raw_tables()
        rates: tuple[list[float], list[float]] = ([], [])
        for start in starts:
            for way, work in enumerate((_swept(name), _raw(name))):
                rates[way].append(DUE / _seconds(work, start + HOUR))
        _check(name, stock.now)
        reached, limit = (statistics.median(each) for each in rates)
        yield Row(
            f"sweep: {DUE:,} milestone bills {what}, of {stock.count:,}",
            f"≥ {sweeps.RATIO_TARGET} of raw, ≥ {sweeps.RATE_TARGET:,}/s",
            f"{reached:,.0f}/s, raw {limit:,.0f}/s",
            reached / limit,
            reached >= sweeps.RATIO_TARGET * limit and reached >= sweeps.RATE_TARGET,
        )
        for table in TABLES:
            sweeps.execute(f"DROP TABLE bench_{table}")


def _seconds(work: Callable[[datetime], None], upto: datetime) -> float:
    return sweeps.in_workers(lambda worker: work(upto))


def _swept(name: str) -> Callable[[datetime], None]:
    from koogallery.kernel import sweeps as kernel

    def run(upto: datetime) -> None:
        kernel.sweeps[name].run(upto)

    return run


def _raw(name: str) -> Callable[[datetime], None]:
    from django.db import connection, transaction

    from koogallery.kernel import guard

    table, column, operation = DUE_ROWS[name]
    claim = CLAIM.format(table=table, column=column)

    def run(upto: datetime) -> None:
        with guard.opened("bench"), connection.cursor() as cursor:
            while True:
                with transaction.atomic():
                    cursor.execute(claim, [upto, sweeps.CHUNK])
                    if not (claimed := cursor.fetchall()):
                        return
                    ids, moments = zip(*claimed, strict=True)
                    given: dict[str, Any] = {
                        "ids": list(ids),
                        "moments": list(moments),
                        "number": ids[0] * sweeps.CHUNK,
                        "operation": operation,
                    }
                    cursor.execute(RAW[name], given)
                    assert cursor.rowcount == len(claimed)

    return run


def _check(name: str, now: datetime) -> None:
    """Raise `RuntimeError` if something that was due was left."""
    from koogallery.kernel import sweeps as kernel
    from koogallery.kernel.models import SweepFailure

    due = kernel.sweeps[name].next_due()
    if (due is not None and due <= now) or SweepFailure.objects.exists():
        raise RuntimeError(f"{name} left something that was due.")


# Loading


class _Stock:
    """Copies of one milestone and its bill, for many customers; `count` milestones are stored."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.template = _billed()
        self.count = self._kept()
        self.start = now - 24 * HOUR
        if not self.count:
            self._store_customers()

    def store_idle(self, count: int) -> None:
        """Copy until so many are stored: to be billed later, not yet due, billed and open, repaid."""
        later = f"timestamptz '{self.now}' + (1 + n % 29) * interval '1 day'"
        self._store(
            count, due=f"CASE n % 4 WHEN 0 THEN {later} END", overdue=f"CASE n % 4 WHEN 2 THEN {later} END",
            billed="n % 4 > 1",
        )  # fmt: skip

    def store_due(self, count: int, name: str) -> datetime:
        """Copy so many that are due within an hour of their own; when that hour starts."""
        start, self.start = self.start, self.start + HOUR
        apart = HOUR / (count + 1)
        at = f"(timestamptz '{start}' + (n - {self.count}) * interval '{apart.total_seconds():.6f} s')"
        if name == "milestone-bills":
            self._store(self.count + count, due=at, overdue="NULL::timestamptz", billed="FALSE")
        else:
            self._store(self.count + count, due="NULL::timestamptz", overdue=at, billed="TRUE")
        return start

    def _kept(self) -> int:
        """How many an earlier run left on this ground."""
        from billing.models import Milestone

        last = Milestone.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return max(0, last - FIRST)

    def _store(self, until: int, *, due: str, overdue: str, billed: str) -> None:
        from django.db import connection, transaction

        from koogallery.kernel import guard

        values = {
            "first": str(FIRST), "accounts": str(ACCOUNTS), "now": str(self.now), "due": due, "overdue": overdue,
        }  # fmt: skip
        firsts = range(self.count + 1, until + 1, STEP)

        def load(worker: int) -> None:
            with guard.opened("bench"):
                for first in firsts[worker :: sweeps.WORKERS]:
                    numbers = range(first, min(first + STEP, until + 1))
                    with transaction.atomic():
                        with connection.cursor() as cursor:
                            cursor.execute("SET LOCAL session_replication_role = replica")
                        for table, where in (("billing_milestone", "TRUE"), ("billing_milestonebill", billed)):
                            row = "id", self.template[table]
                            sweeps.copy_rows(
                                table, of=row, differences=COPIES[table], values=values, numbers=numbers, where=where
                            )

        sweeps.in_workers(load)
        sweeps.execute("VACUUM (ANALYZE)")
        sweeps.execute("CHECKPOINT")
        self.count = max(self.count, until)

    def _store_customers(self) -> None:
        """Customers with a root user each, and a milestone credit that covers all."""
        from django.db import connection, transaction

        from koogallery.kernel import guard

        with guard.opened("bench"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table, differences in CUSTOMERS.items():
                sweeps.copy_rows(
                    table,
                    of=("id", self.template[table]),
                    differences=differences,
                    values={"first": str(FIRST)},
                    numbers=range(ACCOUNTS),
                )
            for kind, balance in (("milestone_credit", 1_000_000_000), ("receivable", 0)):
                cursor.execute(
                    "INSERT INTO billing_ledgeraccount (kind, owner, currency, balance, may_be_negative) "
                    "SELECT %(kind)s, (%(first)s + n)::text, 'USD', %(balance)s, FALSE "
                    "FROM generate_series(0, %(accounts)s - 1) n",
                    {"kind": kind, "first": FIRST, "balance": balance, "accounts": ACCOUNTS},
                )


def _billed() -> dict[str, int]:
    """A customer with a milestone and its bill: its rows' ids by table."""
    from django.core.management import call_command

    from billing.models import Milestone
    from koogallery.identity.queries import account_by_name, root_user

    line, account = "BM0-000001", account_by_name(CUSTOMER)
    if account is None:
        call_command("create_account", CUSTOMER, "--kind", "postpaid", "--milestone-credit", "1000", verbosity=0)
        account = account_by_name(CUSTOMER)
        assert account is not None
        _order(account, line)
    first = Milestone.objects.select_related("bill").get(line_number=line, position=1)
    return {
        "identity_account": account.pk,
        "identity_user": root_user(account).pk,
        "billing_milestone": first.pk,
        "billing_milestonebill": first.bill.pk,
    }


def _order(account: Any, line: str) -> None:
    """Plan milestones of that customer and have the first billed."""
    from decimal import Decimal

    from django.db import transaction

    from billing.operations import milestones
    from billing.operations.paying import PaymentSubject
    from koogallery import clock
    from koogallery.kernel import guard
    from koogallery.kernel.calls import system_call
    from koogallery.kernel.money import Money

    subject = PaymentSubject(
        order_number="BM0",
        line_number=line,
        account_id=account.pk,
        seller_id=None,
        description="A portal for a thousand branches · Standard, 12 users",
    )
    parts = [milestones.Part(name=name, delivery=f"The {name}", share=Decimal(50)) for name in ("concept", "portal")]
    call = system_call(at=clock.now())
    with transaction.atomic(), guard.opened("bench"):
        milestones.plan(call, subject=subject, total=Money(Decimal(1000), "USD"), parts=parts, due_days=30)
        milestones.start(call, line_number=line)


def _make_raw_tables() -> None:
    """Tables like those that the sweeps write, with the same bills, without triggers and foreign keys."""
    sweeps.make_raw_tables(TABLES)
    for table, copies in (("billing_milestone", FIRST), ("billing_milestonebill", FIRST), ("billing_ledgeraccount", 0)):
        sweeps.execute(f"INSERT INTO bench_{table} SELECT * FROM {table} WHERE id > {copies}")
    sweeps.execute("VACUUM (ANALYZE)")
    sweeps.execute("CHECKPOINT")
