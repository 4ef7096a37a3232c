"""Part `ledger`: chunks of order lines earned through `earn_many` against raw inserts into the same tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from decimal import Decimal

from bench.ground import Bench
from bench.parts import part
from bench.table import Row

CHUNK = 1_000
CHUNKS = 10
REPEATS = 3
SELLERS = 5
RATIO_TARGET = 0.6
RATE_TARGET = 5_000
TABLES = ("posting", "entry", "ledgeraccount")

RAW_PAY = """
WITH posted AS (
    INSERT INTO bench_posting (key, kind, about, at)
    SELECT 'pay:' || line, 'payment', line, now() FROM unnest(%(lines)s::text[]) AS g(line) RETURNING id, about
), accounts AS (
    INSERT INTO bench_ledgeraccount (kind, owner, currency, balance, may_be_negative)
    SELECT 'held', about, 'USD', 10, FALSE FROM posted RETURNING id, owner
)
INSERT INTO bench_entry (posting_id, account_id, amount, currency)
SELECT p.id, side.account, side.amount, 'USD' FROM posted p JOIN accounts a ON a.owner = p.about,
    LATERAL (VALUES (1, -10), (a.id, 10)) AS side(account, amount)
"""
RAW_EARN = """
WITH due AS (
    SELECT * FROM unnest(%(lines)s::text[]) AS g(line)
), held AS (
    SELECT d.line, a.id, a.balance, p.seller_id, e.id AS earned FROM due d
    CROSS JOIN LATERAL (
        SELECT id, balance FROM bench_ledgeraccount WHERE kind = 'held' AND owner = d.line AND balance > 0 OFFSET 0
    ) a
    CROSS JOIN LATERAL (
        SELECT seller_id FROM billing_payment
        WHERE line_number = d.line AND line_number <> '' AND state = 'succeeded' OFFSET 0
    ) p
    CROSS JOIN LATERAL (
        SELECT id FROM bench_ledgeraccount WHERE kind = 'earned' AND owner = p.seller_id::text OFFSET 0
    ) e
), posted AS (
    INSERT INTO bench_posting (key, kind, about, at)
    SELECT 'earn:' || line, 'earning', line, now() FROM held RETURNING id, about
), booked AS (
    INSERT INTO bench_entry (posting_id, account_id, amount, currency)
    SELECT p.id, side.account, side.amount, 'USD' FROM posted p JOIN held h ON h.line = p.about,
        LATERAL (VALUES (h.id, -h.balance), (h.earned, h.balance)) AS side(account, amount)
    RETURNING account_id, amount
)
UPDATE bench_ledgeraccount a SET balance = a.balance + n.amount
FROM (SELECT account_id, sum(amount) AS amount FROM booked GROUP BY account_id) n WHERE a.id = n.account_id
"""


@part("ledger")
def ledger(bench: Bench) -> Iterator[Row]:
    """Held becomes earned for 10,000 paid lines of five sellers, in chunks of 1,000, taking turns; median of 3."""
    from django.db import connection, transaction

    from billing.operations import earning
    from koogallery import clock
    from koogallery.kernel import guard

    run = f"B{clock.real_now():%y%m%d%H%M%S}"

    def lines(repeat: int, chunk: int) -> list[str]:
        return [f"{run}-{repeat}-{chunk}-{number}" for number in range(CHUNK)]

    def through_the_door(repeat: int, chunk: int) -> None:
        earned = earning.earn_many(at=clock.now(), keys={line: line for line in lines(repeat, chunk)})
        assert len(earned) == CHUNK

    def raw(repeat: int, chunk: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(RAW_EARN, {"lines": lines(repeat, chunk)})

    def seconds(work: Callable[[int, int], None], repeat: int, chunk: int) -> float:
        began = time.monotonic()
        with transaction.atomic(), guard.opened("bench"):
            work(repeat, chunk)
        return time.monotonic() - began

    _make_raw_tables()
    for repeat in range(REPEATS):
        for chunk in range(CHUNKS):
            with transaction.atomic(), guard.opened("bench"):
                _pay(lines(repeat, chunk))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    earned, bare = [], []
    for repeat in range(REPEATS):
        spent = [0.0, 0.0]
        for chunk in range(CHUNKS):
            spent[0] += seconds(through_the_door, repeat, chunk)
            spent[1] += seconds(raw, repeat, chunk)
        earned.append(CHUNKS * CHUNK / spent[0])
        bare.append(CHUNKS * CHUNK / spent[1])
    _drop_raw_tables()
    reached, limit = statistics.median(earned), statistics.median(bare)
    yield Row(
        "ledger: held → earned in chunks of 1,000",
        f"≥ {RATIO_TARGET} of raw, ≥ {RATE_TARGET:,}/s",
        f"{reached:,.0f}/s, raw {limit:,.0f}/s",
        reached / limit,
        reached >= RATIO_TARGET * limit and reached >= RATE_TARGET,
    )


def _make_raw_tables() -> None:
    """Tables with the indexes, checks and free space of the ledger's, without its triggers; five sellers' accounts."""
    from django.db import connection

    _drop_raw_tables()
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE billing_{table} INCLUDING ALL)")
            cursor.execute(
                "SELECT array_to_string(reloptions, ', ') FROM pg_class WHERE relname = %s", [f"billing_{table}"]
            )
            if options := cursor.fetchone()[0]:
                cursor.execute(f"ALTER TABLE bench_{table} SET ({options})")
        cursor.execute(
            "INSERT INTO bench_ledgeraccount (kind, owner, currency, balance, may_be_negative) "
            "SELECT 'earned', n::text, 'USD', 0, FALSE FROM generate_series(1, %s) n",
            [SELLERS],
        )


def _drop_raw_tables() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS bench_{table}")


def _pay(lines: list[str]) -> None:
    """A succeeded payment for each line, with its money in *held*, here and in the raw tables."""
    from django.db import connection

    from billing.models import Payment
    from billing.operations import ledger as books
    from billing.states import PaymentState, PayMethod, PostingKind
    from koogallery import clock
    from koogallery.kernel.money import Money

    at, ten, account = clock.now(), Money(Decimal(10), "USD"), _account()
    Payment.objects.bulk_create(
        Payment(
            number=line,
            method=PayMethod.BALANCE,
            state=PaymentState.SUCCEEDED,
            account_id=account,
            payer_id=account,
            line_number=line,
            seller_id=number % SELLERS + 1,
            amount=ten.amount,
            currency=ten.currency,
            created_at=at,
            finished_at=at,
        )
        for number, line in enumerate(lines)
    )
    books.post_many(
        [
            books.NewPosting(
                key=f"pay:{line}",
                kind=PostingKind.PAYMENT,
                at=at,
                about=line,
                entries=[(books.funding(), -ten), (books.held(line), ten)],
            )
            for line in lines
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(RAW_PAY, {"lines": lines})


def _account() -> int:
    from django.core.management import call_command

    from koogallery.identity.queries import account_by_name

    if account_by_name("bench-payer") is None:
        call_command("create_account", "bench-payer", verbosity=0)
    account = account_by_name("bench-payer")
    assert account is not None
    return int(account.pk)
