"""Part `subscriptions`: resources due for grace, retention and auto-renewal, of a million; against raw statements."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import sweeps
from bench.ground import Bench
from bench.orders import fields_of
from bench.parts import part
from bench.table import Row

DUE = int(os.environ.get("BENCH_SUBSCRIPTIONS", "100000"))
STORED = int(os.environ.get("BENCH_SUBSCRIPTIONS_STORED", "1000000"))
FEW_STORED = STORED // 10
FEW = STORED // 100
ACCOUNTS = 5_000
REPEATS = 3
STEP = 25_000
FIRST = 2_000_000_000
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
GRACE = 15 * DAY
GROWTH_TARGET = 1.2
BUYER = "bench-subscriptions"
SELLERS = [f"{BUYER}-seller-{number}" for number in range(1, 6)]
CATALOGUE = (
    "format: 1\nsellers:\n"
    + "".join(
        f"  - {{code: {seller}, account: {seller}, name: {{en: Bench Seller}}, email: {seller}@seller.example}}\n"
        for seller in SELLERS
    )
    + "products:\n"
    + "".join(
        f"""  - code: {seller}-product
    seller: {seller}
    categories: [crm]
    delivery: saas
    supports_auto_renewal: true
    released: 2026-01-01
    name: {{en: Bench Subscription}}
    summary: {{en: A product that is renewed often.}}
    specifications:
      - code: standard
        name: {{en: Standard}}
        attributes:
          - {{code: users, name: {{en: Users}}, quantity: {{from: 1, to: 1000, unit: {{one: user, many: users}}}}}}
        plans:
          - {{mode: PERIOD, model: linear, term: month, lengths: [1], prices: {{USD: "10.00"}}}}
"""
        for seller in SELLERS
    )
)

ACCOUNT = "({first} + n % {accounts})"
SELLER = "(ARRAY{sellers})[1 + n % 5]"
PRODUCT = "(ARRAY{products})[1 + n % 5]"
COPIES = {
    "orders_order": {
        "id": "{first} + n",
        "number": "'BS' || n",
        "quote_id": "NULL",
        "account_id": ACCOUNT,
        "user_id": "NULL",
        "seller_id": SELLER,
        "product_id": PRODUCT,
    },
    "orders_orderline": {
        "id": "{first} + n",
        "order_id": "{first} + n",
        "number": "'BS' || n || '-000001'",
        "product_id": PRODUCT,
    },
    "orders_resource": {
        "id": "{first} + n",
        "number": "'BSR' || n",
        "order_number": "'BS' || n",
        "line_id": "{first} + n",
        "account_id": ACCOUNT,
        "seller_id": SELLER,
        "product_id": PRODUCT,
        "purchased_at": "{expires} - interval '31 days'",
        "expires_at": "{expires}",
        "anchor_day": "extract(day FROM {expires} AT TIME ZONE '{zone}')",
        "life_due_at": "{expires} + interval '1 second'",
        "notice_due_at": "NULL",
        "expiration_policy": "CASE WHEN {attempt} IS NULL THEN 'manual' ELSE 'auto' END",
    },
    "orders_resourceterm": {
        "id": "{first} + n",
        "resource_id": "{first} + n",
        "line_id": "{first} + n",
        "start": "(({expires} - interval '31 days') AT TIME ZONE '{zone}')::date",
        "end": "({expires} AT TIME ZONE '{zone}')::date",
    },
    "orders_autorenewal": {
        "id": "{first} + n",
        "resource_id": "{first} + n",
        "enabled": "{attempt} IS NOT NULL",
        "next_attempt_at": "{attempt}",
        "preflight_due_at": "NULL",
    },
}
"""What differs from the row that is copied; `n` counts the copies."""

CUSTOMERS = {
    "identity_account": {"id": "{first} + n", "number": "'BSA' || n", "name": "'bench-subscriptions-' || n"},
    "identity_user": {
        "id": "{first} + n",
        "account_id": "{first} + n",
        "number": "'BSU' || n",
        "sign_in_name": "'bench-subscriptions-' || n",
        "email": "'bench-subscriptions-' || n || '@example.com'",
    },
}
TABLES = (
    "orders_order", "orders_orderline", "orders_resource", "orders_resourceterm", "orders_autorenewal",
    "billing_payment", "billing_charge", "billing_posting", "billing_entry", "billing_ledgeraccount",
    "notifications_message", "kernel_outboxmessage", "audit_trace", "audit_traceseal", "audit_tracewriter",
)  # fmt: skip
DUE_ROWS = {
    "grace": ("resource-life", "orders_resource", "life_due_at"),
    "retention": ("resource-life", "orders_resource", "life_due_at"),
    "renewed": ("auto-renewals", "orders_autorenewal", "next_attempt_at"),
}
CLAIM = """
SELECT id FROM bench_{table} WHERE {column} <= %s ORDER BY {column}, id LIMIT %s FOR UPDATE SKIP LOCKED
"""

TOLD = """
messages AS (
    INSERT INTO bench_notifications_message (user_id, account_id, kind, topic, severity, params, link, key, created_at)
    SELECT user_id, account_id, kind, 'resources', 'warning', params, link, kind || ':' || key, at FROM told
), waiting AS (
    INSERT INTO bench_kernel_outboxmessage (kind, key, payload, created_at, next_try_at, attempts, error)
    SELECT 'mail', 'mail:' || user_id || ':' || kind || ':' || key,
        jsonb_build_object('user', user_id, 'key', kind || ':' || key), at, at, 0, ''
    FROM told
), traces AS (
    INSERT INTO bench_audit_trace (id, trace_id, time, record_time, account_id, user_type, user_id, user_name,
        user_account, user_is_root, access_key, source_ip, resource_type, resource_id, resource_name, trace_name,
        trace_rating, trace_type, request, response, code, message, request_id, read_only, enterprise_project_id)
    SELECT nextval('audit_trace_id_seq'), gen_random_uuid(), at, at, account_id, 'system', NULL, '', '', FALSE, '', '',
        type, number, product_name, operation, 'normal', 'SystemAction', request, response, '200', '', '', FALSE, '0'
    FROM done RETURNING trace_id, account_id, time, resource_id
)
INSERT INTO bench_audit_traceseal (trace_id, account_id, time, seal, writer, number)
SELECT trace_id, account_id, time, encode(sha256(convert_to(resource_id, 'UTF8')), 'hex'), 1,
    %(number)s + row_number() OVER () FROM traces
"""
ADVANCED = (
    """
WITH moved AS (
    UPDATE bench_orders_resource r SET status = %(status)s, life_due_at = r.life_due_at + interval '15 days',
        notice_due_at = NULL
    FROM unnest(%(ids)s::bigint[]) AS d(id) WHERE r.id = ANY (%(ids)s::bigint[]) AND r.id = d.id
    RETURNING r.id, r.number, r.order_number, r.account_id, r.seller_id, r.product_name, r.spec_text, r.expires_at,
        r.life_due_at AS until, r.life_due_at - interval '15 days' AS at
), lines AS MATERIALIZED (
    SELECT m.*, u.id AS user_id, s.account_id AS seller_account, w.id AS seller_user FROM moved m
    CROSS JOIN LATERAL (SELECT id FROM identity_user WHERE account_id = m.account_id AND is_root OFFSET 0) u
    CROSS JOIN LATERAL (SELECT account_id FROM catalog_seller WHERE id = m.seller_id OFFSET 0) s
    CROSS JOIN LATERAL (SELECT id FROM identity_user WHERE account_id = s.account_id AND is_root OFFSET 0) w
), told AS (
    SELECT user_id, account_id, 'resource_in_' || %(status)s AS kind, number || ':20260101' AS key, at,
        jsonb_build_object('product', product_name, 'specification', spec_text, 'resource', number,
            'expires', jsonb_build_object('moment', expires_at),
            'until', jsonb_build_object('moment', until)) AS params,
        '/console/apps/' || number AS link
    FROM lines {and_sellers}
), done AS (
    SELECT account_id, 'Resource' AS type, number, product_name, 'advanceResource' AS operation, at,
        jsonb_build_object('resource', number) AS request, jsonb_build_object('status', %(status)s) AS response
    FROM lines
), """
    + TOLD
)
AND_SELLERS = """
    UNION ALL SELECT seller_user, seller_account, 'resource_to_freeze', number || ':202601010000', at,
        jsonb_build_object('product', product_name, 'specification', spec_text, 'resource', number, 'order',
            order_number, 'expires', jsonb_build_object('moment', expires_at)), '/seller/orders/' || order_number
    FROM lines
"""
RENEWED = (
    """
WITH sources AS MATERIALIZED (
    SELECT a.id AS auto, r.id AS resource_id, r.number AS resource, r.account_id, r.seller_id, r.product_id,
        r.product_name, r.spec_text, r.project_code, r.tags, r.expires_at,
        'BR' || r.id AS number, l.*, o.policy, o.form, o.product_code AS code, t."end" AS ends, u.id AS user_id,
        c.id AS cash, e.id AS earned,
        %(at)s::timestamptz AS at
    FROM unnest(%(ids)s::bigint[]) AS d(id)
    CROSS JOIN LATERAL (SELECT * FROM bench_orders_autorenewal x WHERE x.id = d.id OFFSET 0) a
    CROSS JOIN LATERAL (SELECT * FROM bench_orders_resource x WHERE x.id = a.resource_id OFFSET 0) r
    CROSS JOIN LATERAL (
        SELECT order_id, specification_code, sku_code, delivery_method, supervised, billing_mode, quantity, items,
            term_unit, term_count, configuration, list_amount, discount_share, amount, currency, explanation,
            fee_percent
        FROM orders_orderline x WHERE x.id = r.line_id OFFSET 0
    ) l
    CROSS JOIN LATERAL (SELECT policy, form, product_code FROM orders_order x WHERE x.id = l.order_id OFFSET 0) o
    CROSS JOIN LATERAL (
        SELECT "end" FROM bench_orders_resourceterm x WHERE x.resource_id = r.id ORDER BY start DESC LIMIT 1
    ) t
    CROSS JOIN LATERAL (SELECT id FROM identity_user WHERE account_id = r.account_id AND is_root OFFSET 0) u
    CROSS JOIN LATERAL (
        SELECT id FROM bench_billing_ledgeraccount x WHERE x.kind = 'cash' AND x.owner = r.account_id::text OFFSET 0
    ) c
    CROSS JOIN LATERAL (
        SELECT id FROM bench_billing_ledgeraccount x WHERE x.kind = 'earned' AND x.owner = r.seller_id::text OFFSET 0
    ) e
), placed AS (
    INSERT INTO bench_orders_order (number, account_id, seller_id, product_id, product_name, product_code, spec_text,
        spec_text_zh, type, state, amount, list_amount, currency, paid_by, policy, form, project_code, tags,
        contact_kind, placed_at, paid_at, completed_at, cancel_reason, cancel_note)
    SELECT number, account_id, seller_id, product_id, product_name, code, spec_text, spec_text, 'RENEW', 'completed',
        amount, list_amount, currency, 'balance', policy, form, project_code, tags, '',
        at, at, at, '', ''
    FROM sources RETURNING id, number
), lined AS (
    INSERT INTO bench_orders_orderline (order_id, number, product_id, product_code, product_name, specification_code,
        sku_code, spec_text, delivery_method, supervised, billing_mode, quantity, items, term_unit, term_count,
        configuration, list_amount, discount_share, discount_source, discount_reference, amount, currency, explanation,
        fee_percent, milestones, resource_id)
    SELECT p.id, number || '-000001', product_id, code, product_name, specification_code, sku_code, spec_text,
        delivery_method, supervised, billing_mode, quantity, items, term_unit, term_count, configuration, list_amount,
        discount_share, '', '', amount, currency, explanation, fee_percent, 0, resource_id
    FROM sources JOIN placed p USING (number) RETURNING id, resource_id
), terms AS (
    INSERT INTO bench_orders_resourceterm (resource_id, line_id, start, "end", price, extra_days, discount_share, paid,
        currency)
    SELECT resource_id, l.id, ends, (ends + interval '1 month')::date, list_amount, 0, discount_share, amount, currency
    FROM sources JOIN lined l USING (resource_id)
), prolonged AS (
    UPDATE bench_orders_resource r SET expires_at = r.expires_at + interval '1 month', status = 'enabled',
        life_due_at = r.life_due_at + interval '1 month', notice_due_at = r.expires_at + interval '1 day'
    FROM sources s WHERE r.id = s.resource_id
), followed AS (
    UPDATE bench_orders_autorenewal a SET next_attempt_at = a.next_attempt_at + interval '1 month',
        preflight_due_at = a.next_attempt_at + interval '1 day', failed_at = NULL, failure = '', failure_params = '{}'
    FROM sources s WHERE a.id = s.auto
), paid AS (
    INSERT INTO bench_billing_payment (number, purpose, method, state, account_id, payer_id, order_number, line_number,
        part, seller_id, fee_percent, amount, refunded, currency, description, description_zh, project_code, tags,
        explanation, note, outcome, gateway_reference, failure, attempts, created_at, finished_at)
    SELECT 'PY' || resource_id, 'order', 'balance', 'succeeded', account_id, account_id, number, number || '-000001',
        '', seller_id, fee_percent, amount, 0, currency, product_name || ' · ' || spec_text,
        product_name || ' · ' || spec_text, project_code, tags, explanation, '', '', '', '', 0, at, at
    FROM sources
), charged AS (
    INSERT INTO bench_billing_charge (number, kind, account_id, order_number, line_number, method, amount, currency,
        description, description_zh, project_code, tags, at)
    SELECT 'PY' || resource_id, 'charge', account_id, number, number || '-000001', 'balance', amount, currency,
        product_name || ' · ' || spec_text, product_name || ' · ' || spec_text, project_code, tags, at
    FROM sources
), posted AS (
    INSERT INTO bench_billing_posting (key, kind, about, at)
    SELECT 'pay:PY' || resource_id, 'payment', number || '-000001', at FROM sources RETURNING id, about
), booked AS (
    INSERT INTO bench_billing_entry (posting_id, account_id, amount, currency)
    SELECT p.id, side.account, side.amount, s.currency
    FROM posted p JOIN sources s ON s.number || '-000001' = p.about,
        LATERAL (VALUES (s.cash, -s.amount), (s.earned, s.amount)) AS side(account, amount)
    RETURNING account_id, amount
), balances AS (
    UPDATE bench_billing_ledgeraccount a SET balance = a.balance + n.amount
    FROM (SELECT account_id, sum(amount) AS amount FROM booked GROUP BY account_id ORDER BY account_id) n
    WHERE a.id = n.account_id
), told AS (
    SELECT user_id, account_id, 'resource_renewed' AS kind, number AS key, at,
        jsonb_build_object('product', product_name, 'specification', spec_text, 'resource', resource, 'order', number,
            'amount', jsonb_build_object('money', jsonb_build_object('amount', amount::text, 'currency', currency)),
            'expires', jsonb_build_object('moment', expires_at)) AS params,
        '/console/apps/' || resource AS link
    FROM sources
), done AS (
    SELECT account_id, 'Resource' AS type, resource AS number, product_name, 'renewAutomatically' AS operation, at,
        jsonb_build_object('resource', resource, 'enabled_by', '') AS request,
        jsonb_build_object('order', number, 'amount', 'USD ' || amount, 'state', 'completed') AS response
    FROM sources
), """
    + TOLD
)
RAW = {
    "grace": ADVANCED.replace("{and_sellers}", ""),
    "retention": ADVANCED.replace("{and_sellers}", AND_SELLERS),
    "renewed": RENEWED,
}
STATUS = {"grace": "grace", "retention": "retention", "renewed": ""}


@part("subscriptions")
def subscriptions(bench: Bench) -> Iterator[Row]:
    """Resources that enter grace and retention, and that renew themselves by balance; two workers, median of 3."""
    from koogallery import clock

    stock = _Stock(clock.now())
    few_stored = stock.store_idle(FEW_STORED)
    few = [FEW / _seconds(_swept("renewed"), stock.store_renewing(FEW)) for _ in range(REPEATS)]
    stock.store_idle(STORED)
    many = [FEW / _seconds(_swept("renewed"), stock.store_renewing(FEW)) for _ in range(REPEATS)]
    growth = statistics.median(few) / statistics.median(many)
    yield Row(
        f"sweep: {FEW:,} auto-renewals due of {stock.count:,}",
        f"≤ {GROWTH_TARGET:g} × of {few_stored:,}",
        f"{statistics.median(many):,.0f}/s, of {few_stored:,} {statistics.median(few):,.0f}/s",
        growth,
        growth <= GROWTH_TARGET,
    )

    expired = [stock.store_expired(DUE, ago=20 - place) for place in range(REPEATS)]
    _make_raw_tables()
    for name, after in (("grace", timedelta()), ("retention", GRACE)):
        yield _compared(name, [moment + after for moment in expired], stock)
    _drop_raw_tables()

    renewing = [stock.store_renewing(DUE) for _ in range(REPEATS)]
    _make_raw_tables()
    yield _compared("renewed", renewing, stock)
    _drop_raw_tables()


def _compared(name: str, moments: list[datetime], stock: _Stock) -> Row:
    rates: tuple[list[float], list[float]] = ([], [])
    for upto in moments:
        for way, work in enumerate((_swept(name), _raw(name))):
            rates[way].append(DUE / _seconds(work, upto))
        _check(name, upto)
    reached, limit = (statistics.median(each) for each in rates)
    what = "renewed by balance" if name == "renewed" else f"entering {name}"
    return Row(
        f"sweep: {DUE:,} resources {what}, of {stock.count:,}",
        f"≥ {sweeps.RATIO_TARGET} of raw, ≥ {sweeps.RATE_TARGET:,}/s",
        f"{reached:,.0f}/s, raw {limit:,.0f}/s",
        reached / limit,
        reached >= sweeps.RATIO_TARGET * limit and reached >= sweeps.RATE_TARGET,
    )


def _seconds(work: Callable[[datetime], None], upto: datetime) -> float:
    return sweeps.in_workers(lambda worker: work(upto))


def _swept(name: str) -> Callable[[datetime], None]:
    from koogallery.kernel import sweeps as kernel

    def run(upto: datetime) -> None:
        kernel.sweeps[DUE_ROWS[name][0]].run(upto)

    return run


def _raw(name: str) -> Callable[[datetime], None]:
    from django.db import connection, transaction

    from koogallery.kernel import guard

    _sweep, table, column = DUE_ROWS[name]
    claim = CLAIM.format(table=table, column=column)

    def run(upto: datetime) -> None:
        with guard.opened("bench"), connection.cursor() as cursor:
            while True:
                with transaction.atomic():
                    cursor.execute(claim, [upto, sweeps.CHUNK])
                    if not (ids := [row[0] for row in cursor.fetchall()]):
                        return
                    given: dict[str, Any] = {
                        "ids": ids,
                        "number": (ids[0] * len(RAW) + list(RAW).index(name)) * 2 * sweeps.CHUNK,
                        "status": STATUS[name],
                        "at": upto,
                    }
                    cursor.execute(RAW[name], given)

    return run


def _check(name: str, upto: datetime) -> None:
    """Raise `RuntimeError` if something that was due was left."""
    from koogallery.kernel import sweeps as kernel
    from koogallery.kernel.models import SweepFailure

    due = kernel.sweeps[DUE_ROWS[name][0]].next_due()
    if (due is not None and due <= upto) or SweepFailure.objects.exists():
        raise RuntimeError(f"{name} left something that was due.")


# Loading


class _Stock:
    """Copies of one resource with its order and term, for many customers; `count` are stored."""

    def __init__(self, now: datetime) -> None:
        from koogallery import clock

        self.now = now
        self.today: date = clock.platform_date(now)
        self.zone = str(clock.platform_zone())
        self.template = _subscribed()
        self.values = {
            "first": str(FIRST), "accounts": str(ACCOUNTS), "zone": self.zone, **_sold_by(),
        }  # fmt: skip
        self.count = self._kept()
        self.start = now - 24 * HOUR
        if not self.count:
            self._store_customers()

    def store_idle(self, count: int) -> int:
        """Copy until so many are stored, all enabled, half of them renewing themselves later; how many there are."""
        expires = self._end("20 + n % 300")
        self._store(count, expires=expires, attempt=f"CASE n % 2 WHEN 0 THEN {expires} - interval '7 days' END")
        return self.count

    def store_expired(self, count: int, *, ago: int) -> datetime:
        """Copy so many that expired so many days ago; when their grace is due."""
        from koogallery import clock

        self._store(self.count + count, expires=self._end(f"-{ago}"), attempt="NULL::timestamptz")
        return clock.day_start(self.today - timedelta(days=ago - 1))

    def store_renewing(self, count: int) -> datetime:
        """Copy so many that are to be renewed within an hour of their own; when that hour is over."""
        start, self.start = self.start, self.start + HOUR
        apart = HOUR / (count + 1)
        at = f"(timestamptz '{start}' + (n - {self.count}) * interval '{apart.total_seconds():.6f} s')"
        self._store(self.count + count, expires=self._end("7"), attempt=at)
        return start + HOUR

    def _end(self, days: str) -> str:
        """23:59:59 of the day so many days from today, as SQL."""
        return f"((date '{self.today}' + ({days}) + time '23:59:59') AT TIME ZONE '{self.zone}')"

    def _kept(self) -> int:
        """How many an earlier run left on this ground."""
        from orders.models import AutoRenewal

        last = AutoRenewal.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        return max(0, last - FIRST)

    def _store(self, until: int, *, expires: str, attempt: str) -> None:
        from django.db import connection, transaction

        from koogallery.kernel import guard

        values = self.values | {"expires": expires, "attempt": attempt}
        firsts = range(self.count + 1, until + 1, STEP)

        def load(worker: int) -> None:
            with guard.opened("bench"):
                for first in firsts[worker :: sweeps.WORKERS]:
                    numbers = range(first, min(first + STEP, until + 1))
                    with transaction.atomic():
                        with connection.cursor() as cursor:
                            cursor.execute("SET LOCAL session_replication_role = replica")
                        for table, differences in COPIES.items():
                            row = "id", self.template[table]
                            sweeps.copy_rows(table, of=row, differences=differences, values=values, numbers=numbers)

        sweeps.in_workers(load)
        sweeps.execute("VACUUM (ANALYZE)")
        sweeps.execute("CHECKPOINT")
        self.count = max(self.count, until)

    def _store_customers(self) -> None:
        """Customers with a root user each, and a balance that covers all."""
        from django.db import connection, transaction

        from koogallery.kernel import guard

        with guard.opened("bench"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            for table, differences in CUSTOMERS.items():
                row = "id", self.template[table]
                sweeps.copy_rows(
                    table, of=row, differences=differences, values={"first": str(FIRST)}, numbers=range(ACCOUNTS)
                )
            cursor.execute(
                "INSERT INTO billing_ledgeraccount (kind, owner, currency, balance, may_be_negative) "
                "SELECT 'cash', (%(first)s + n)::text, 'USD', 1000000000, FALSE "
                "FROM generate_series(0, %(accounts)s - 1) n",
                {"first": FIRST, "accounts": ACCOUNTS},
            )


def _subscribed() -> dict[str, int]:
    """A resource that renews itself, bought over the site's own pages: its rows' ids by table."""
    from django.core.management import call_command
    from django.test import Client

    from koogallery import clock
    from koogallery.identity.queries import account_by_name, root_user
    from koogallery.kernel.calls import Call, Role
    from koogallery.kernel.pages import new_key
    from orders.models import AutoRenewal, Resource
    from orders.operations import auto_renewing

    if account_by_name(BUYER) is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bench.yaml"
            file.write_text(CATALOGUE)
            call_command("load_catalogue", str(file), verbosity=0)
        call_command("create_account", BUYER, "--balance", "900000", verbosity=0)
    account = account_by_name(BUYER)
    assert account is not None
    user = root_user(account)
    if not AutoRenewal.objects.filter(resource__account=account).exists():
        client = Client(SERVER_NAME="127.0.0.1")
        client.force_login(user)
        page = client.get("/console/checkout/", {"product": f"{SELLERS[0]}-product"}).content.decode()
        placed = client.post("/console/checkout/", {**fields_of(page), "terms": "on"})
        client.post(placed["Location"], {"method": "balance", "idempotency_key": f"bench-{time.monotonic_ns()}"})
        call = Call(role=Role.BUYER, at=clock.now(), account=account, user=user, idempotency_key=new_key())
        chosen = auto_renewing.Chosen(length="1-month", times=None, days_before=7, method="balance")
        bought = Resource.objects.get(account=account)
        auto_renewing.enable(call, resource=bought.number, chosen=chosen)
    resource = Resource.objects.select_related("line__order").get(account=account)
    return {
        "orders_order": resource.line.order_id,
        "orders_orderline": resource.line_id,
        "orders_resource": resource.pk,
        "orders_resourceterm": resource.terms.get().pk,
        "orders_autorenewal": AutoRenewal.objects.get(resource=resource).pk,
        "identity_account": account.pk,
        "identity_user": user.pk,
    }


def _sold_by() -> dict[str, str]:
    """The sellers and their products, as SQL arrays in the same order."""
    from catalog.models import Product

    rows = Product.objects.filter(seller__code__in=SELLERS).order_by("seller__code").values_list("seller_id", "pk")
    sellers, products = zip(*rows, strict=True)
    return {"sellers": str(list(sellers)), "products": str(list(products))}


def _make_raw_tables() -> None:
    """Tables like those that the sweeps write, with the same rows, without triggers and foreign keys."""
    sweeps.make_raw_tables(TABLES)
    for table in ("orders_resource", "orders_resourceterm", "orders_autorenewal", "orders_order", "orders_orderline",
                  "billing_ledgeraccount"):  # fmt: skip
        sweeps.execute(f"INSERT INTO bench_{table} SELECT * FROM {table}")
        sweeps.execute(f"ALTER TABLE bench_{table} ALTER id RESTART WITH {2 * FIRST}")
    sweeps.execute(
        "INSERT INTO bench_billing_ledgeraccount (id, kind, owner, currency, balance, may_be_negative) "
        "SELECT -id, 'earned', id::text, 'USD', 0, FALSE FROM catalog_seller ON CONFLICT DO NOTHING"
    )
    sweeps.execute("VACUUM (ANALYZE)")
    sweeps.execute("CHECKPOINT")


def _drop_raw_tables() -> None:
    for table in TABLES:
        sweeps.execute(f"DROP TABLE bench_{table}")
