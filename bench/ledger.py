"""Part `ledger`: chunks of postings through `post_many` against raw inserts into the same tables."""

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
SELLERS = 5
RATIO_TARGET = 0.6
RATE_TARGET = 5_000

RAW = """
WITH given AS (
    SELECT * FROM unnest(%(keys)s::text[], %(held)s::bigint[], %(earned)s::bigint[]) AS g(key, held, earned)
), posted AS (
    INSERT INTO bench_posting (key, kind, about, at) SELECT key, 'earning', key, now() FROM given RETURNING id, key
), booked AS (
    INSERT INTO bench_entry (posting_id, account_id, amount, currency)
    SELECT p.id, side.account, side.amount, 'USD' FROM posted p JOIN given g USING (key),
        LATERAL (VALUES (g.held, -10), (g.earned, 10)) AS side(account, amount)
    RETURNING account_id, amount
)
UPDATE bench_ledgeraccount a SET balance = a.balance + n.amount
FROM (SELECT account_id, sum(amount) AS amount FROM booked GROUP BY account_id) n WHERE a.id = n.account_id
"""


@part("ledger")
def ledger(bench: Bench) -> Iterator[Row]:
    """Held becomes earned for 10,000 order lines of five sellers, in chunks of 1,000, taking turns; median of 3."""
    from django.db import connection, transaction

    from billing.operations import ledger as books
    from billing.states import PostingKind
    from koogallery import clock
    from koogallery.kernel import guard
    from koogallery.kernel.money import Money

    ten, run = Money(Decimal(10), "USD"), f"bench-{clock.real_now():%y%m%d%H%M%S}"

    def lines(repeat: int, chunk: int) -> list[str]:
        return [f"{run}-{repeat}-{chunk}-{number}" for number in range(CHUNK)]

    def through_post(repeat: int, chunk: int) -> None:
        books.post_many(
            [
                books.NewPosting(
                    key=f"earn:{line}",
                    kind=PostingKind.EARNING,
                    at=clock.now(),
                    about=line,
                    entries=[(books.held(line), -ten), (books.earned(number % SELLERS), ten)],
                )
                for number, line in enumerate(lines(repeat, chunk))
            ]
        )

    def fill(repeat: int, chunk: int) -> None:
        books.post_many(
            [
                books.NewPosting(
                    key=f"pay:{line}",
                    kind=PostingKind.PAYMENT,
                    at=clock.now(),
                    about=line,
                    entries=[(books.funding(), -ten), (books.held(line), ten)],
                )
                for line in lines(repeat, chunk)
            ]
        )

    def raw(repeat: int, chunk: int) -> None:
        first = 100 + (repeat * CHUNKS + chunk) * CHUNK
        keys = {
            "keys": [f"raw:{line}" for line in lines(repeat, chunk)],
            "held": list(range(first, first + CHUNK)),
            "earned": [number % SELLERS + 1 for number in range(CHUNK)],
        }
        with connection.cursor() as cursor:
            cursor.execute(RAW, keys)

    def seconds(work: Callable[[int, int], None], repeat: int, chunk: int) -> float:
        began = time.monotonic()
        with transaction.atomic(), guard.opened("bench"):
            work(repeat, chunk)
        return time.monotonic() - began

    with connection.cursor() as cursor:
        for table in ("posting", "entry", "ledgeraccount"):
            cursor.execute(f"DROP TABLE IF EXISTS bench_{table}")
            cursor.execute(f"CREATE TABLE bench_{table} (LIKE billing_{table} INCLUDING ALL)")
        cursor.execute(
            "INSERT INTO bench_ledgeraccount (id, kind, owner, currency, balance, may_be_negative) "
            "OVERRIDING SYSTEM VALUE SELECT n, 'earned', n::text, 'USD', 10, TRUE FROM generate_series(1, 100 + %s) n",
            [3 * CHUNKS * CHUNK],
        )
    posted, bare = [], []
    for repeat in range(3):
        spent = [0.0, 0.0]
        for chunk in range(CHUNKS):
            seconds(fill, repeat, chunk)
            spent[0] += seconds(through_post, repeat, chunk)
            spent[1] += seconds(raw, repeat, chunk)
        posted.append(CHUNKS * CHUNK / spent[0])
        bare.append(CHUNKS * CHUNK / spent[1])
    with connection.cursor() as cursor:
        for table in ("posting", "entry", "ledgeraccount"):
            cursor.execute(f"DROP TABLE bench_{table}")
    reached, limit = statistics.median(posted), statistics.median(bare)
    yield Row(
        "ledger: held → earned in chunks of 1,000",
        f"≥ {RATIO_TARGET} of raw, ≥ {RATE_TARGET:,}/s",
        f"{reached:,.0f}/s, raw {limit:,.0f}/s",
        reached / limit,
        reached >= RATIO_TARGET * limit and reached >= RATE_TARGET,
    )
