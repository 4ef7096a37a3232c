"""Automatic renewals of a chunk at once, by balance, credit or reseller: what `renewing` and `paying` do for one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from random import SystemRandom
from typing import Any

from django.db import IntegrityError, transaction
from django.urls import reverse

from audit.recording import system_traces
from billing.operations import charging
from billing.states import PayMethod
from koogallery import clock
from koogallery.kernel import ids, jsontext, policies, prepared
from koogallery.kernel.addresses import Address
from koogallery.kernel.arrays import array
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.prepared import GivenEach, Prepared
from koogallery.notifications.operations import Notice, notify_many
from orders.models import Order
from orders.operations import interface_calls
from orders.operations.deciding_renewals import CARD, Candidate, Decision, Priced
from orders.queries import eligibility
from orders.rules import life
from orders.saas.activities import Activity, Scene, expire_time
from orders.states import OrderState, OrderType, PaidBy, ResourceStatus

_PAID_BY = {
    PayMethod.BALANCE.value: PaidBy.BALANCE.value,
    PayMethod.CREDIT.value: PaidBy.CREDIT.value,
    PayMethod.RESELLER.value: PaidBy.RESELLER.value,
}
_PAGE = Address("orders:resource")
_LETTER = """
SELECT letter FROM unnest(%s::text[]) letter
WHERE pg_try_advisory_xact_lock(hashtext('order-numbers'), ascii(letter)) LIMIT 1
"""
_TAKEN: Prepared[str] = Prepared(
    lambda: Order.objects.filter(number__in=GivenEach("numbers", "text")).values_list("number", flat=True)
)
_RENEW = """
WITH variants AS MATERIALIZED (
    SELECT * FROM unnest(%(places)s::integer[], %(products)s::bigint[], %(sellers)s::bigint[], %(names)s::text[],
        %(codes)s::text[], %(specs)s::text[], %(specs_zh)s::text[], %(contacts)s::text[], %(amounts)s::numeric[],
        %(listed)s::numeric[], %(currencies)s::text[], %(forms)s::jsonb[], %(specifications)s::text[],
        %(skus)s::text[], %(methods)s::text[], %(supervised)s::boolean[], %(modes)s::text[], %(quantities)s::numeric[],
        %(items)s::integer[], %(units)s::text[], %(counts)s::integer[], %(configurations)s::jsonb[],
        %(shares)s::numeric[], %(explanations)s::jsonb[], %(fees)s::numeric[], %(full)s::numeric[], %(starts)s::date[],
        %(ends)s::date[], %(expiries)s::timestamptz[], %(steps)s::timestamptz[], %(notices)s::timestamptz[])
        AS v(place, product_id, seller_id, product_name, product_code, spec_text, spec_text_zh, contact_kind, amount,
            list_amount, currency, form, specification_code, sku_code, delivery_method, supervised, billing_mode,
            quantity, items, term_unit, term_count, configuration, share, explanation, fee_percent, full_price, starts,
            ends, expires_at, life_due_at, notice_due_at)
), given AS MATERIALIZED (
    SELECT * FROM unnest(%(autos)s::bigint[], %(resources)s::bigint[], %(places_of)s::integer[], %(numbers)s::text[],
        %(accounts)s::bigint[], %(paid_by)s::text[], %(resellers)s::bigint[], %(projects)s::text[],
        %(tags)s::jsonb[], %(sources)s::text[], %(references)s::text[], %(attempts)s::timestamptz[],
        %(preflights)s::timestamptz[])
        AS g(auto_id, resource_id, place, number, account_id, paid_by, reseller_id, project_code, tags,
            discount_source, discount_reference, next_attempt_at, preflight_due_at)
), placed AS (
    INSERT INTO orders_order (number, account_id, seller_id, product_id, product_name, product_code, spec_text,
        spec_text_zh, type, state, amount, list_amount, currency, paid_by, reseller_id, policy, form,
        project_code, tags, contact_kind, placed_at, paid_at, completed_at, cancel_reason, cancel_note)
    SELECT s.number, s.account_id, v.seller_id, v.product_id, v.product_name, v.product_code, v.spec_text,
        v.spec_text_zh, 'RENEW', 'completed', v.amount, v.list_amount, v.currency, s.paid_by,
        s.reseller_id, %(policy)s::jsonb, v.form, s.project_code, s.tags, v.contact_kind, %(at)s, %(at)s, %(at)s, '', ''
    FROM given s JOIN variants v USING (place)
    RETURNING id, number
), lines AS (
    INSERT INTO orders_orderline (order_id, number, product_id, product_code, product_name, specification_code,
        sku_code, spec_text, delivery_method, supervised, billing_mode, quantity, items, term_unit, term_count,
        configuration, list_amount, discount_share, discount_source, discount_reference, amount, currency, explanation,
        fee_percent, milestones, resource_id)
    SELECT p.id, s.number || '-000001', v.product_id, v.product_code, v.product_name, v.specification_code, v.sku_code,
        v.spec_text, v.delivery_method, v.supervised, v.billing_mode, v.quantity, v.items, v.term_unit, v.term_count,
        v.configuration, v.list_amount, v.share, CASE WHEN v.share = 1 THEN '' ELSE s.discount_source END,
        CASE WHEN v.share = 1 THEN '' ELSE s.discount_reference END, v.amount, v.currency, v.explanation,
        v.fee_percent, 0, s.resource_id
    FROM given s JOIN variants v USING (place) JOIN placed p USING (number)
    RETURNING id, order_id, resource_id
), terms AS (
    INSERT INTO orders_resourceterm (resource_id, line_id, start, "end", price, extra_days, discount_share, paid,
        currency)
    SELECT s.resource_id, l.id, v.starts, v.ends, v.full_price, 0, v.share, v.amount, v.currency
    FROM lines l JOIN given s USING (resource_id) JOIN variants v USING (place)
), prolonged AS (
    UPDATE orders_resource r SET expires_at = v.expires_at, status = 'enabled', life_due_at = v.life_due_at,
        notice_due_at = v.notice_due_at
    FROM given g JOIN variants v USING (place) WHERE r.id = g.resource_id
), followed AS (
    UPDATE orders_autorenewal a SET next_attempt_at = g.next_attempt_at, preflight_due_at = g.preflight_due_at,
        "left" = a."left" - 1, failed_at = NULL, failure = '', failure_params = '{}', foreseen = ''
    FROM given g JOIN variants v USING (place) WHERE a.id = g.auto_id
)
SELECT l.resource_id, l.order_id, l.id FROM lines l
"""


def is_plain(decision: Decision) -> bool:
    """Whether it is renewed with many others; cards, freezes, last renewals and rivals take the way of one."""
    candidate, priced = decision.candidate, decision.priced
    return (
        priced is not None
        and bool(priced.amount)
        and not candidate.method.startswith(CARD)
        and not decision.unpaid
        and candidate.left != 1
        and candidate.status != ResourceStatus.RETENTION
    )


def renew_many(decisions: Sequence[Decision], *, at: datetime) -> None:
    """Renew what was decided to be charged, dated at `at`, with as many statements for a thousand as for one.

    Orders of type RENEW, Completed, with payment and earning; terms from the original expiry; the auto-renewals wait
    for the end of these; buyers are told once each, sellers once a day. Nobody above has to hear of renewals one by
    one. Each is one trace, which names its order and that this is Completed.
    """
    if not decisions:
        return
    renewals, made = _written(decisions, at=at)
    notify_many(_told(renewals, at=at))
    notify_many(_told_sellers(renewals, at=at))
    _trace(renewals, at=at)
    _refresh(renewals, made, at=at)
    charging.pay_and_earn(_payments(renewals), at=at)


class _Renewals:
    """A chunk that is to be renewed, by columns: what each has of its own, and the prices that many have in common."""

    def __init__(self, decisions: Sequence[Decision], numbers: Sequence[str]) -> None:
        self.candidates = [decision.candidate for decision in decisions]
        self.accounts = [decision.account for decision in decisions]
        self.priced = [decision.priced for decision in decisions if decision.priced is not None]
        self.numbers = numbers
        self.lines = [f"{number}-000001" for number in numbers]
        self.columns = dict(zip(Candidate._fields, zip(*self.candidates, strict=True), strict=True))
        self.prices = list({id(priced): priced for priced in self.priced}.values())
        places = {id(priced): place for place, priced in enumerate(self.prices, 1)}
        self.places = [places[id(priced)] for priced in self.priced]


def _written(decisions: Sequence[Decision], *, at: datetime) -> tuple[_Renewals, dict[int, tuple[int, int]]]:
    """Write the rows under new numbers, and under others when somebody who has not committed has drawn one, too."""
    in_force = policies.in_force(at)

    def written() -> tuple[_Renewals, dict[int, tuple[int, int]]]:
        renewals = _Renewals(decisions, _free_numbers(at, len(decisions)))
        return renewals, _write(renewals, in_force, at=at)

    try:
        with transaction.atomic():
            return written()
    except IntegrityError:
        return written()


def _free_numbers(at: datetime, count: int) -> list[str]:
    """New order numbers that nobody has; thousands of one minute often meet."""
    found: list[str] = []
    letter = _letter()
    while len(found) < count:
        drawn = charging.new_numbers("CS", at=at, count=count - len(found), length=5, letter=letter)
        taken = set(_TAKEN.all(numbers=array(drawn)))
        found += [number for number in drawn if number not in taken]
        found = list(dict.fromkeys(found))
    return found


def _letter() -> str:
    """The first random character of a chunk's numbers, one that no other running transaction draws thousands under."""
    shuffled = SystemRandom().sample(ids.ALPHABET, len(ids.ALPHABET))
    with prepared.cursor() as cursor:
        cursor.execute(_LETTER, [array(shuffled)])
        found = cursor.fetchone()
    return str(found[0]) if found else shuffled[0]


def _write(renewals: _Renewals, in_force: PolicySet, *, at: datetime) -> dict[int, tuple[int, int]]:
    """Write the rows; the ids of order and line by resource."""
    columns, places = renewals.columns, renewals.places
    following = {
        (place, days): _following(renewals.prices[place - 1], days, in_force, at=at)
        for place, days in set(zip(places, columns["days_before"], strict=True))
    }
    after = [following[each] for each in zip(places, columns["days_before"], strict=True)]
    given = {
        **_variants(renewals.prices, at=at),
        "autos": array(columns["pk"]),
        "resources": array(columns["resource_id"]),
        "places_of": array(places),
        "numbers": array(renewals.numbers),
        "accounts": array(columns["account_id"]),
        "paid_by": array(map(_PAID_BY.__getitem__, columns["method"])),
        "resellers": array(account.reseller_id for account in renewals.accounts),
        "projects": array(columns["project_code"]),
        "tags": array(columns["tags"]),
        "sources": array(columns["discount_source"]),
        "references": array(columns["discount_reference"]),
        "attempts": array(moment for moment, _preflight in after),
        "preflights": array(preflight for _moment, preflight in after),
        "policy": jsontext.text(in_force.to_json()),
        "at": at,
    }
    with prepared.cursor(planned=False) as cursor:
        cursor.execute(_RENEW, given)
        return {resource: (order, line) for resource, order, line in cursor.fetchall()}


def _following(
    priced: Priced, days_before: int, in_force: PolicySet, *, at: datetime
) -> tuple[datetime, datetime | None]:
    """When a resource with this new term is next tried, so many days before its end, and simulated."""
    hour = time.fromisoformat(in_force["autorenew.hour"])
    expiry = priced.term.end
    return (
        life.first_attempt(expiry=expiry, days_before=days_before, hour=hour, now=at),
        life.next_preflight(expiry=expiry, after=at),
    )


def _variants(found: Sequence[Priced], *, at: datetime) -> dict[str, Any]:
    configurations = [priced.renewal.configuration for priced in found]
    prices = [priced.renewal.price for priced in found]
    due = [life.due_columns(priced.term.expires_at, after=at) for priced in found]
    return {
        "places": array(range(1, len(found) + 1)),
        "products": array(priced.product.pk for priced in found),
        "sellers": array(priced.product.seller_id for priced in found),
        "names": array(priced.product.name for priced in found),
        "codes": array(priced.product.code for priced in found),
        "specs": array(priced.spec_text for priced in found),
        "specs_zh": array(priced.spec_text_zh for priced in found),
        "contacts": array(eligibility.contact_kind(priced.product.contact_data) for priced in found),
        "amounts": array(price.amount.amount for price in prices),
        "listed": array(price.list_price.rounded().amount for price in prices),
        "currencies": array(price.amount.currency for price in prices),
        "forms": array(priced.form for priced in found),
        "specifications": array(configuration.specification_code for configuration in configurations),
        "skus": array(configuration.sku_code for configuration in configurations),
        "methods": array(configuration.delivery_method for configuration in configurations),
        "supervised": array(configuration.supervised for configuration in configurations),
        "modes": array(str(configuration.billing_mode) for configuration in configurations),
        "quantities": array(configuration.quantity for configuration in configurations),
        "items": array(configuration.items for configuration in configurations),
        "units": array(configuration.term_unit for configuration in configurations),
        "counts": array(configuration.term_count for configuration in configurations),
        "configurations": array(priced.configuration for priced in found),
        "shares": array(priced.renewal.share for priced in found),
        "explanations": array(priced.explanation for priced in found),
        "fees": array(configuration.fee_percent for configuration in configurations),
        "full": array(priced.full_price for priced in found),
        "starts": array(priced.term.start for priced in found),
        "ends": array(priced.term.end for priced in found),
        "expiries": array(priced.term.expires_at for priced in found),
        "steps": array(columns["life_due_at"] for columns in due),
        "notices": array(columns["notice_due_at"] for columns in due),
    }


def _told(renewals: _Renewals, *, at: datetime) -> list[Notice]:
    """One notice for each buyer."""
    told: list[Notice] = []
    shared: dict[tuple[Any, ...], dict[str, Any]] = {}
    for candidate, priced, number in zip(renewals.candidates, renewals.priced, renewals.numbers, strict=True):
        names = id(priced), candidate.product_name, candidate.spec_text
        if (renewed := shared.get(names)) is None:
            renewed = shared[names] = {
                "product": candidate.product_name, "specification": candidate.spec_text, "amount": priced.amount,
                "expires": priced.term.expires_at,
            }  # fmt: skip
        resource = candidate.number
        told.append(
            Notice(
                candidate.account_id, "resource_renewed", f"resource-renewed:{number}", at,
                {"resource": resource, "order": number}, _PAGE(resource), shared=renewed,
            )
        )  # fmt: skip
    return told


def _told_sellers(renewals: _Renewals, *, at: datetime) -> list[Notice]:
    """One notice a day for each seller, which chunks after the first find sent."""
    sellers = {priced.product.seller.account_id for priced in renewals.prices}
    return [renewals_received(account_id, at=at) for account_id in sorted(sellers)]


def renewals_received(seller_account_id: int, *, at: datetime) -> Notice:
    """The one notice of a platform day's automatic renewals to a seller; the first renewal of the day brings it.

    It leads to the seller's renewals, newest first: filters by day go by the days of the reader's zone.
    """
    day = clock.platform_date(at)
    return Notice(
        account_id=seller_account_id,
        kind="renewals_received",
        key=f"renewals-received:{day.isoformat()}",
        at=at,
        params={"on": day},
        link=f"{reverse('orders:seller_list')}?type={OrderType.RENEW.value}",
    )


def _trace(renewals: _Renewals, *, at: datetime) -> None:
    amounts = {id(priced): str(priced.amount) for priced in renewals.prices}
    system_traces(
        "renewAutomatically",
        rows=[
            (
                candidate.account_id,
                candidate.number,
                candidate.product_name,
                at,
                {"resource": candidate.number, "enabled_by": candidate.enabled_by},
                {"order": number, "amount": amounts[id(priced)], "state": OrderState.COMPLETED.value},
            )
            for candidate, priced, number in zip(renewals.candidates, renewals.priced, renewals.numbers, strict=True)
        ],
    )


def _refresh(renewals: _Renewals, made: dict[int, tuple[int, int]], *, at: datetime) -> None:
    """Tell sellers' servers the new expiry of the instances that there are."""
    if not any(priced.product.has_interface for priced in renewals.prices):
        return
    calls = []
    rows = zip(renewals.candidates, renewals.priced, renewals.numbers, renewals.lines, strict=True)
    for candidate, priced, number, line_number in rows:
        if not candidate.instance_id or not priced.product.has_interface:
            continue
        product = priced.product
        order, line = made[candidate.resource_id]
        calls.append(
            interface_calls.new_call(
                activity=Activity.REFRESH_INSTANCE,
                parameters={
                    "scene": Scene.RENEWAL.value,
                    "orderId": number,
                    "orderLineId": line_number,
                    "instanceId": candidate.instance_id,
                    "productId": product.code,
                    "expireTime": expire_time(priced.term.expires_at),
                },
                key=f"{Activity.REFRESH_INSTANCE}:{line_number}",
                version=product.interface_version,
                seller_id=product.seller_id,
                product_id=product.pk,
                order_id=order,
                line_id=line,
                resource_id=candidate.resource_id,
                at=at,
            )
        )
    interface_calls.enqueue_many(calls)


def _payments(renewals: _Renewals) -> charging.Payments:
    return charging.Payments(
        sold=[
            charging.Sold(
                priced.product.seller_id,
                priced.renewal.configuration.fee_percent,
                priced.amount,
                *priced.described,
                priced.explanation,
            )
            for priced in renewals.prices
        ],
        places=renewals.places,
        methods=renewals.columns["method"],
        accounts=renewals.columns["account_id"],
        payers=[
            account.reseller_id if account.reseller_id and method == PayMethod.RESELLER.value else account.pk
            for account, method in zip(renewals.accounts, renewals.columns["method"], strict=True)
        ],
        orders=renewals.numbers,
        lines=renewals.lines,
        projects=renewals.columns["project_code"],
        tags=renewals.columns["tags"],
    )


__all__ = ["is_plain", "renew_many", "renewals_received"]
