"""Part `flows`: service flows due to be completed, against raw statements with the same writes, and among a million."""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench import sweeps
from bench.ground import Bench
from bench.parts import part
from bench.table import Row

DUE = int(os.environ.get("BENCH_FLOWS", "100000"))
STORED = int(os.environ.get("BENCH_FLOWS_STORED", "1000000"))
FEW_STORED = STORED // 10
FEW = STORED // 100
REPEATS = 3
STEP = 25_000
FIRST = 2_000_000_000
GROWTH_TARGET = 1.2
HOUR = timedelta(hours=1)
SELLERS = [f"bench-flows-{number}" for number in range(1, 6)]

CATALOGUE = "format: 1\nsellers:\n" + "".join(
    f"  - {{code: {seller}, account: {seller}, name: {{en: Bench Seller}}, email: {seller}@seller.example}}\n"
    for seller in SELLERS
)

COPIES = {
    "orders_order": {
        "number": "'BF' || n",
        "quote_id": "NULL",
        "state": "CASE WHEN {is_over} THEN 'completed' ELSE 'processing' END",
        "completed_at": "CASE WHEN {is_over} THEN {at} END",
    },
    "orders_orderline": {"number": "'BF' || n || '-000001'", "order_id": "{first} + n"},
    "orders_resource": {"number": "'BFR' || n", "order_number": "'BF' || n", "line_id": "{first} + n"},
    "billing_payment": {
        "number": "'BFP' || n",
        "order_number": "'BF' || n",
        "line_number": "'BF' || n || '-000001'",
        "seller_id": "{seller}",
    },
    "billing_ledgeraccount": {"owner": "'BF' || n || '-000001'"},
    "billing_posting": {"key": "'pay:BF' || n || '-000001'", "about": "'BF' || n || '-000001'"},
    "billing_entry": {
        "posting_id": "{first} + n",
        "account_id": "CASE WHEN t.amount > 0 THEN {first} + n ELSE {funding} END",
    },
    "supervision_flow": {
        "number": "'BF' || n || '-000001'",
        "order_number": "'BF' || n",
        "order_id": "{first} + n",
        "line_id": "{first} + n",
        "seller_id": "{seller}",
        "step": "{step}",
        "step_since": "{at}",
        "turn_since": "{at}",
        "accepted_at": "{at} - interval '3 hours'",
        "completion_due_at": "CASE WHEN {step} = 'accepted' THEN {at} END",
        "auto_close_due_at": "{closes}",
        "frozen_at": "{frozen}",
        "ended_at": "CASE WHEN {step} = 'completed' THEN {at} END",
    },
    "supervision_flowrecord": {"flow_id": "{first} + n"},
}
"""What differs from the row that is copied; `n` counts the copies."""

SEVERAL = {"billing_entry": "posting_id", "supervision_flowrecord": "flow_id"}
"""Of which there is more than one, and what they belong to; the database gives their ids."""

TABLES = (*sweeps.TABLES, "supervision_flow", "supervision_flowrecord")

CLAIM = """
SELECT id, order_id, completion_due_at FROM bench_supervision_flow WHERE completion_due_at <= %s AND frozen_at IS NULL
    AND held_at IS NULL
ORDER BY completion_due_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
RAW = """
WITH closed AS (
    UPDATE bench_supervision_flow f SET step = 'completed', step_since = c.at, turn_since = c.at, ended_at = c.at,
        reminded_at = NULL, completion_due_at = NULL, auto_close_due_at = NULL
    FROM unnest(%(flows)s::bigint[], %(moments)s::timestamptz[]) AS c(id, at)
    WHERE f.id = ANY (%(flows)s::bigint[]) AND f.id = c.id
    RETURNING f.id, f.number, f.order_number, f.product_name, f.seller_id, f.milestone, c.at
), noted AS (
    INSERT INTO bench_supervision_flowrecord (flow_id, at, kind, step, milestone, actor, name, comment, data)
    SELECT id, at, 'complete', 'accepted', milestone, 'system', '', '', '{}' FROM closed
), heard AS (
    INSERT INTO bench_notifications_message (user_id, account_id, kind, topic, severity, params, link, key, created_at)
    SELECT u.id, s.account_id, 'service_completed', 'delivery', 'success',
        jsonb_build_object('order', c.order_number, 'product', c.product_name, 'seller', s.name),
        '/seller/supervision/' || c.number, 'service_completed:' || c.number || ':end:seller', c.at
    FROM closed c JOIN catalog_seller s ON s.id = c.seller_id JOIN identity_user u USING (account_id)
    WHERE u.is_root
), """ + sweeps.RAW.strip().removeprefix("WITH ")


@part("flows")
def flows(bench: Bench) -> Iterator[Row]:
    """Flows completed three hours after their acceptance, with order, resource, money, messages, trace; median of 3."""
    from koogallery import clock

    stock = _Stock(clock.now())
    _complete(0, stock.now)
    few_stored = stock.store_idle(FEW_STORED)
    few = _median(FEW, stock, _complete)

    starts = [stock.store_due(DUE) for _ in range(REPEATS)]
    _make_raw_tables()
    rates: tuple[list[float], list[float]] = ([], [])
    for start in starts:
        for way, work in enumerate((_complete, _complete_raw)):
            rates[way].append(DUE / _seconds(work, start + HOUR))
    _check(stock)
    reached, limit = (statistics.median(each) for each in rates)
    yield Row(
        f"sweep: {DUE:,} service flows completed",
        f"≥ {sweeps.RATIO_TARGET} of raw, ≥ {sweeps.RATE_TARGET:,}/s",
        f"{reached:,.0f}/s, raw {limit:,.0f}/s",
        reached / limit,
        reached >= sweeps.RATIO_TARGET * limit and reached >= sweeps.RATE_TARGET,
    )
    for table in TABLES:
        sweeps.execute(f"DROP TABLE bench_{table}")

    many_stored = stock.store_idle(STORED)
    many = _median(FEW, stock, _complete)
    yield Row(
        f"sweep: {FEW:,} service flows due of {many_stored:,}",
        f"≤ {GROWTH_TARGET:g} × of {few_stored:,}",
        f"{many:,.0f}/s, of {few_stored:,} {few:,.0f}/s",
        few / many,
        few / many <= GROWTH_TARGET,
    )


def _median(count: int, stock: _Stock, work: Callable[[int, datetime], None]) -> float:
    """How many flows a second, when so many are due; median of 3."""
    starts = [stock.store_due(count) for _ in range(REPEATS)]
    rates = [count / _seconds(work, start + HOUR) for start in starts]
    _check(stock)
    return statistics.median(rates)


def _seconds(work: Callable[[int, datetime], None], upto: datetime) -> float:
    return sweeps.in_workers(lambda worker: work(worker, upto))


def _complete(worker: int, upto: datetime) -> None:
    from koogallery.kernel import sweeps as kernel

    kernel.sweeps["completing-flows"].run(upto)


def _complete_raw(worker: int, upto: datetime) -> None:
    from django.db import connection, transaction

    from koogallery.kernel import guard

    with guard.opened("bench"), connection.cursor() as cursor:
        while True:
            with transaction.atomic():
                cursor.execute(CLAIM, [upto, sweeps.CHUNK])
                if not (claimed := cursor.fetchall()):
                    return
                ids, orders, moments = zip(*claimed, strict=True)
                given: dict[str, Any] = {
                    "flows": list(ids),
                    "orders": list(orders),
                    "moments": list(moments),
                    "number": ids[0] * sweeps.CHUNK,
                }
                cursor.execute(RAW, given)
                assert cursor.rowcount == len(claimed)


def _check(stock: _Stock) -> None:
    """Raise `RuntimeError` if a flow that was due was left."""
    from koogallery.kernel.models import SweepFailure
    from supervision.models import Flow

    left = Flow.objects.filter(frozen_at=None, completion_due_at__lte=stock.now).count()
    if left or SweepFailure.objects.exists():
        raise RuntimeError(f"{left} flows were not completed.")


# Loading


class _Stock:
    """Copies of one flow that was bought, delivered and accepted; `count` of them are stored."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.template = _accepted()
        self.sellers = _sellers()
        self.count = self._kept()
        self.start = now - 24 * HOUR

    def store_idle(self, count: int) -> int:
        """Copy until so many are stored: accepted just now, frozen, in delivery, or completed; how many there are."""
        kind = "n % 4"
        self._store(
            count,
            step=f"(ARRAY['accepted', 'accepted', 'hand_over', 'completed'])[1 + {kind}]",
            at=f"(timestamptz '{self.now}' + (CASE {kind} WHEN 0 THEN 1 ELSE -1 END) * (1 + n % 9) * interval '1 day')",
            closes=f"CASE WHEN {kind} < 3 THEN timestamptz '{self.now}' + (30 + n % 300) * interval '1 day' END",
            frozen=f"CASE {kind} WHEN 1 THEN timestamptz '{self.now}' - interval '40 days' END",
        )
        return self.count

    def store_due(self, count: int) -> datetime:
        """Copy so many that are due within an hour of their own; when that hour starts."""
        start, self.start = self.start, self.start + HOUR
        apart = HOUR / (count + 1)
        self._store(
            self.count + count,
            step="'accepted'",
            at=f"(timestamptz '{start}' + (n - {self.count}) * interval '{apart.total_seconds():.6f} s')",
            closes=f"timestamptz '{start}' + interval '365 days'",
            frozen="NULL",
        )
        return start

    def _kept(self) -> int:
        """How many an earlier run left on this ground."""
        from supervision.models import Flow

        last = Flow.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return max(0, last - FIRST)

    def _store(self, until: int, **values: str) -> None:
        from django.db import connection, transaction

        from koogallery.kernel import guard

        values |= {
            "first": str(FIRST),
            "seller": f"(ARRAY{self.sellers})[1 + n % {len(self.sellers)}]",
            "is_over": f"{values['step']} = 'completed'",
            "funding": str(self.template["funding"]),
        }
        firsts = range(self.count + 1, until + 1, STEP)

        def load(worker: int) -> None:
            with guard.opened("bench"), connection.cursor() as cursor:
                for first in firsts[worker :: sweeps.WORKERS]:
                    last = min(first + STEP - 1, until)
                    with transaction.atomic():
                        cursor.execute("SET LOCAL session_replication_role = replica")
                        for table in COPIES:
                            self._copy(table, values, numbers=range(first, last + 1))
                        cursor.execute(
                            "UPDATE billing_ledgeraccount a SET balance = a.balance - %s * h.balance "
                            "FROM billing_ledgeraccount h WHERE a.id = %s AND h.id = %s",
                            [last - first + 1, self.template["funding"], self.template["billing_ledgeraccount"]],
                        )

        sweeps.in_workers(load)
        sweeps.execute("VACUUM (ANALYZE)")
        sweeps.execute("CHECKPOINT")
        self.count = max(self.count, until)

    def _copy(self, table: str, values: dict[str, str], *, numbers: range) -> None:
        differences = COPIES[table] if table in SEVERAL else {"id": "{first} + n", **COPIES[table]}
        row = SEVERAL.get(table, "id"), self.template[table]
        sweeps.copy_rows(table, of=row, differences=differences, values=values, numbers=numbers)


def _accepted() -> dict[str, int]:
    """An order of a supervised product, delivered and accepted: its rows' ids by table."""
    from billing.models import Entry, LedgerAccount
    from koogallery import clock
    from koogallery.identity.queries import root_user
    from koogallery.kernel import files
    from koogallery.kernel.calls import Call, Role
    from koogallery.kernel.pages import new_key
    from supervision.models import Flow
    from supervision.operations import accepting, delivering

    rows = sweeps.bought_order()
    flow = Flow.objects.get(order=rows["orders_order"])

    def call(role: Role, account: Any) -> Call:
        return Call(role=role, at=clock.now(), account=account, user=root_user(account), idempotency_key=new_key())

    proof = files.Upload(key="bench", name="proof.pdf", size=1, sha256="0" * 64, content_type="application/pdf")
    delivery = delivering.Delivery(proof=[proof], license_key="BENCH")
    delivering.deliver(call(Role.SELLER, flow.seller.account), flow=flow.number, delivery=delivery)
    accepting.accept(call(Role.BUYER, flow.account), flow=flow.number)
    held = LedgerAccount.objects.get(kind="held", owner=flow.number)
    posting = Entry.objects.get(account=held).posting_id
    return rows | {
        "supervision_flow": flow.pk,
        "supervision_flowrecord": flow.pk,
        "billing_ledgeraccount": held.pk,
        "billing_posting": posting,
        "billing_entry": posting,
        "funding": LedgerAccount.objects.get(kind="funding", currency=held.currency).pk,
    }


def _sellers() -> list[int]:
    """Sellers whose flows these are, each with an account; their ids."""
    from django.core.management import call_command

    from catalog.models import Seller

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.yaml"
        file.write_text(CATALOGUE)
        call_command("load_catalogue", str(file), verbosity=0)
    return list(Seller.objects.filter(code__in=SELLERS).values_list("pk", flat=True))


def _make_raw_tables() -> None:
    """Tables like those that the sweep writes, with the same flows, without triggers and foreign keys."""
    sweeps.make_raw_tables(TABLES)
    for table in ("supervision_flow", "orders_order", "orders_resource", "billing_ledgeraccount"):
        sweeps.execute(f"INSERT INTO bench_{table} SELECT * FROM {table}")
    sweeps.execute(
        "INSERT INTO bench_billing_ledgeraccount (id, kind, owner, currency, balance, may_be_negative) "
        "SELECT -id, 'earned', id::text, 'USD', 0, FALSE FROM catalog_seller ON CONFLICT DO NOTHING"
    )
    sweeps.execute("VACUUM (ANALYZE)")
    sweeps.execute("CHECKPOINT")
