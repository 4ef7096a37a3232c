"""What an account's resources cost in the months ahead if they go on: by themselves, or if renewed by hand.

Each renewal is priced by the function that charges it, at the plans of today. The number of questions does not depend
on the number of resources.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from billing.rules.terms import Term, TermLength, TermUnit
from catalog.queries import Configuration
from catalog.queries.products import products_by_id
from catalog.queries.sheets import read_once
from koogallery import clock
from koogallery.kernel import policies, prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.models import AutoRenewal, OrderLine, Resource, ResourceTerm
from orders.operations.deciding_renewals import out_of_scope
from orders.queries import renewals, renewing
from orders.rules import life
from orders.rules.ahead import Automation, renewals_ahead
from orders.states import IN_USE_STATUSES, ExpirationPolicy, ResourceStatus

if TYPE_CHECKING:
    from catalog.models import Product

_HELD = """
SELECT r.number, r.product_id, r.product_name, r.status, r.billing_mode = 'PERIOD' AND NOT r.trial, r.trial,
    r.delivery_method, r.expires_at, r.life_due_at, coalesce(r.anchor_day, extract(day FROM t."end")::integer),
    r.expiration_policy, r.project_code, r.tags::text, coalesce(r.configuration, l.configuration)::text,
    t.start, t."end", t.discount_share, b.term_unit, b.term_count,
    a.enabled, a.term_unit, a.term_count, a."left", a.days_before, a.next_attempt_at, a.failed_at, a.failure,
    a.failure_params::text, w.effective_at, o.form ->> 'until', c.configuration::text
FROM orders_resource r
JOIN orders_orderline l ON l.id = r.line_id
LEFT JOIN LATERAL (
    SELECT start, "end", discount_share, line_id FROM orders_resourceterm x WHERE x.resource_id = r.id
    ORDER BY start DESC LIMIT 1
) t ON true
LEFT JOIN orders_orderline b ON b.id = t.line_id
LEFT JOIN orders_autorenewal a ON a.resource_id = r.id
LEFT JOIN orders_renewalchange w ON w.resource_id = r.id AND w.state = 'waiting'
LEFT JOIN orders_order o ON o.id = w.order_id
LEFT JOIN orders_orderline c ON c.order_id = o.id
WHERE r.account_id = %s AND r.status = ANY(%s::text[]) AND r.expires_at IS NOT NULL
"""
_ORDERED = " ORDER BY r.expires_at, r.id"
_TRIED_BY_THEN_OR_FAILED = " AND a.enabled AND (a.next_attempt_at <= %s OR a.failed_at IS NOT NULL)"


class Held(NamedTuple):
    """A resource in use that ends: its last paid term, how it renews itself, the change upon renewal that waits."""

    number: str
    product_id: int
    product_name: str
    status: str
    has_term: bool
    trial: bool
    delivery_method: str
    expires_at: datetime
    life_due_at: datetime | None
    anchor_day: int
    policy: str
    project_code: str
    tags_text: str
    configuration: str
    start: date
    end: date
    share: Decimal
    bought_unit: str
    bought_count: int
    enabled: bool | None
    term_unit: str
    term_count: int
    left: int | None
    days_before: int
    next_attempt_at: datetime | None
    failed_at: datetime | None
    failure: str
    failure_params: str
    changes_at: datetime | None
    changed_until: str | None
    changed_configuration: str

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags."""
        found: Mapping[str, str] = json.loads(self.tags_text)
        return found

    @property
    def last_term(self) -> Term:
        """The term after which a renewal goes on; of a change upon renewal that waits, the one it buys."""
        if self.changed_until is not None:
            return Term(start=self.end, end=date.fromisoformat(self.changed_until), anchor_day=self.anchor_day)
        return Term(start=self.start, end=self.end, anchor_day=self.anchor_day)

    @property
    def configuration_then(self) -> str:
        """The configuration that is renewed, as JSON."""
        return self.changed_configuration if self.changed_until is not None else self.configuration

    @property
    def is_automatic(self) -> bool:
        """Whether it renews itself."""
        return bool(self.enabled) and self.policy == ExpirationPolicy.AUTO

    @property
    def failed(self) -> Refused | None:
        """Why the last automatic renewal failed."""
        if not self.is_automatic or self.failed_at is None:
            return None
        params = json.loads(self.failure_params)
        return renewals.failure_of(AutoRenewal(failed_at=self.failed_at, failure=self.failure, failure_params=params))

    def status_at(self, at: datetime, in_force: PolicySet) -> ResourceStatus:
        """Where it stands at a moment, whether or not the sweep has run (R19)."""
        status = ResourceStatus(self.status)
        if self.life_due_at is None or self.life_due_at > at:
            return status
        if not self.has_term:
            return ResourceStatus.CLOSED
        return life.stage(
            expiry=clock.platform_date(self.expires_at),
            at=at,
            grace_days=in_force["grace_days"],
            retention_days=in_force["retention_days"],
            reached=status,
        ).status


@dataclass(frozen=True, slots=True)
class RenewalCost:
    """What one renewal of a resource will cost, and when it is charged; `position` counts those of the resource."""

    held: Held
    name: str
    at: datetime
    amount: Money
    term: Term
    automatic: bool
    position: int


@dataclass(slots=True)
class Ahead:
    """The resources of an account that end, by expiry, and what renewing them costs until a moment.

    `unpriced` are those whose renewal has no price today: nothing fitting is sold any more.
    """

    held: list[Held] = field(default_factory=list)
    statuses: dict[str, ResourceStatus] = field(default_factory=dict)
    products: Mapping[int, Product] = field(default_factory=dict)
    costs: list[RenewalCost] = field(default_factory=list)
    unpriced: list[Held] = field(default_factory=list)
    specifications: dict[str, str] = field(default_factory=dict)

    def name_of(self, held: Held) -> str:
        """What the product of a resource is called, in the language in force."""
        return self.products[held.product_id].label

    def specification_of(self, held: Held) -> str:
        """What a resource is at present, in one line, in the language in force."""
        text = held.configuration
        if text not in self.specifications:
            self.specifications[text] = Configuration.from_json(json.loads(text)).spec_text
        return self.specifications[text]


def ahead(account_id: int, *, at: datetime, until: datetime, in_force: PolicySet, by_hand: bool) -> Ahead:
    """All resources of an account that end, and every renewal of them that is charged from `at` to `until`.

    `by_hand` adds those that nobody has asked for yet: what renewing the others would cost.
    """
    return _ahead(_rows(_HELD + _ORDERED, account_id), at=at, until=until, in_force=in_force, by_hand=by_hand)


def automatic_ahead(account_id: int, *, at: datetime, until: datetime) -> Ahead:
    """The same for what renews itself by `until` or failed to: nothing more is asked when there is none."""
    rows = _rows(_HELD + _TRIED_BY_THEN_OR_FAILED + _ORDERED, account_id, until)
    if not rows:
        return Ahead()
    return _ahead(rows, at=at, until=until, in_force=policies.in_force(at), by_hand=False)


def _rows(statement: str, account_id: int, *given: Any) -> list[Held]:
    with prepared.cursor() as cursor:
        cursor.execute(statement, [account_id, array(status.value for status in IN_USE_STATUSES), *given])
        return [Held(*row) for row in cursor.fetchall()]


def _ahead(rows: Sequence[Held], *, at: datetime, until: datetime, in_force: PolicySet, by_hand: bool) -> Ahead:
    found = Ahead()
    if not rows:
        return found
    found.products = products_by_id(row.product_id for row in rows)
    for row in rows:
        status = row.status_at(at, in_force)
        if status.is_in_use:
            found.held.append(row)
            found.statuses[row.number] = status
    pricing = _Pricing(found.products)
    going_on = {ExpirationPolicy.AUTO, ExpirationPolicy.MANUAL} if by_hand else {ExpirationPolicy.AUTO}
    wanted = [row for row in found.held if row.has_term and row.policy in going_on]
    with read_once(skus=[pricing.sku_of(row) for row in wanted]):
        for row in wanted:
            _add_costs(found, row, pricing, at=at, until=until, in_force=in_force)
    if not by_hand:
        found.costs = [cost for cost in found.costs if cost.automatic]
    found.costs.sort(key=lambda cost: cost.at)
    return found


def _add_costs(
    found: Ahead, row: Held, pricing: _Pricing, *, at: datetime, until: datetime, in_force: PolicySet
) -> None:
    product = found.products[row.product_id]
    is_sold = not renewing.is_withdrawn(product) or row.policy == ExpirationPolicy.AUTO
    by_hand = pricing.length_by_hand(row) if is_sold else None
    automation = _automation(row, product, status=found.statuses[row.number], in_force=in_force)
    now = max(at, row.changes_at) if row.changes_at is not None else at
    coming = renewals_ahead(
        last=row.last_term,
        length=by_hand or TermLength(row.bought_count or 1, TermUnit(row.bought_unit or TermUnit.MONTH)),
        automation=automation,
        now=now,
        until=until,
    )
    name = product.label
    for position, renewal in enumerate(coming):
        amount = None
        if renewal.automatic or by_hand is not None:
            amount = pricing.price(row, renewal.length)
        if amount is None:
            if not position:
                found.unpriced.append(row)
            return
        found.costs.append(
            RenewalCost(row, name, renewal.at, amount, renewal.term, renewal.automatic, position),
        )


def _automation(row: Held, product: Product, *, status: ResourceStatus, in_force: PolicySet) -> Automation | None:
    """How a resource goes on renewing itself; None once its attempts have ended, or when it may no longer."""
    if not row.is_automatic or out_of_scope(row.delivery_method, product, in_force=in_force) is not None:
        return None
    if status is not ResourceStatus.ENABLED and row.next_attempt_at is None:
        return None
    return Automation(
        length=TermLength(row.term_count, TermUnit(row.term_unit)),
        left=row.left,
        days_before=row.days_before,
        hour=time.fromisoformat(in_force["autorenew.hour"]),
        next_at=None if row.changes_at is not None else row.next_attempt_at,
    )


class _Pricing:
    """Prices of renewals, each worked out once for all resources that have it in common."""

    def __init__(self, products: Mapping[int, Product]) -> None:
        self._products = products
        self._configurations: dict[str, Configuration] = {}
        self._lengths: dict[Any, TermLength | None] = {}
        self._prices: dict[Any, Money | None] = {}

    def sku_of(self, row: Held) -> tuple[int, str]:
        return row.product_id, self._configuration(row).sku_code

    def length_by_hand(self, row: Held) -> TermLength | None:
        """For how long it is usually renewed: as last bought, else the first length that is sold."""
        key = (row.product_id, row.configuration_then, row.bought_unit, row.bought_count)
        if key not in self._lengths:
            resource, terms = self._resource(row), [self._last_term(row)]
            lengths = renewals.lengths_for(resource, terms, renewing.cycles_for(resource))
            self._lengths[key] = renewals.usual_length(lengths, terms)
        return self._lengths[key]

    def price(self, row: Held, length: TermLength) -> Money | None:
        """What a renewal for a length costs today; None when it is not sold."""
        key = (row.product_id, row.configuration_then, row.share, length)
        if key not in self._prices:
            try:
                renewal = renewing.renewal(self._resource(row), length=length, terms=[self._last_term(row)])
            except Refused:
                self._prices[key] = None
            else:
                self._prices[key] = renewal.price.amount
        return self._prices[key]

    def _configuration(self, row: Held) -> Configuration:
        text = row.configuration_then
        if text not in self._configurations:
            self._configurations[text] = Configuration.from_json(json.loads(text))
        return self._configurations[text]

    def _resource(self, row: Held) -> Resource:
        return Resource(
            product=self._products[row.product_id],
            configuration=json.loads(row.configuration_then),
            anchor_day=row.anchor_day,
        )

    def _last_term(self, row: Held) -> ResourceTerm:
        last = row.last_term
        line = OrderLine(term_unit=row.bought_unit or "", term_count=row.bought_count)
        return ResourceTerm(start=last.start, end=last.end, discount_share=row.share, line=line)
