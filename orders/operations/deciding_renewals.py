"""Whether automatic renewals can be charged, for a chunk of them: what an attempt charges, and what a pre-flight asks.

An attempt and its pre-flight take the same decision here; only the moment and the lock differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import OuterRef
from django.utils import translation

from billing.operations import charging
from billing.queries import card_payment_pending
from billing.rules.terms import Term, TermLength, TermUnit
from billing.states import PayMethod
from catalog.queries.products import products_by_id
from catalog.queries.sheets import read_once
from catalog.states import DeliveryMethod
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.states import AccountKind, FrozenBy
from koogallery.kernel import jsontext, policies, prepared
from koogallery.kernel.arrays import array
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.prepared import GivenEach, Prepared
from koogallery.kernel.reasons import Refused
from orders.models import OrderLine, RenewalChange, Resource, ResourceTerm
from orders.queries import renewing as queries
from orders.queries import returns
from orders.rules import life
from orders.states import OrderState, OrderType, RenewalChangeState, ResourceStatus

if TYPE_CHECKING:
    from catalog.models import Product

SCOPE = {
    "image": DeliveryMethod.IMAGE,
    "saas": DeliveryMethod.SAAS,
    "license": DeliveryMethod.LICENSE,
    "professional_service": DeliveryMethod.PROFESSIONAL_SERVICE,
}
CARD = "card:"

_CANDIDATES = """
SELECT a.id, a.term_unit, a.term_count, a."left", a.days_before, a.method, a.enabled_by, a.next_attempt_at,
    a.preflight_due_at, r.id, r.number, r.account_id, r.product_id, r.product_name, r.spec_text, r.status,
    r.billing_mode = 'PERIOD' AND NOT r.trial, r.delivery_method, r.expires_at, r.life_due_at,
    coalesce(r.anchor_day, extract(day FROM t."end")::integer), r.instance_id, r.project_code, r.tags::text,
    coalesce(r.configuration, l.configuration)::text, t.start, t."end", t.discount_share,
    l.discount_source, l.discount_reference
FROM orders_autorenewal a
JOIN orders_resource r ON r.id = a.resource_id
JOIN orders_orderline l ON l.id = r.line_id
CROSS JOIN LATERAL (
    SELECT start, "end", discount_share FROM orders_resourceterm x WHERE x.resource_id = r.id
    ORDER BY start DESC LIMIT 1
) t
WHERE a.enabled AND {condition}
ORDER BY a.next_attempt_at, a.id
"""
BY_ID = "r.id = ANY(ARRAY(SELECT x.resource_id FROM orders_autorenewal x WHERE x.id = ANY(%s::bigint[])))"
BY_ACCOUNT = "r.account_id = ANY(%s::bigint[]) AND a.next_attempt_at <= %s"
LOCKED = "FOR NO KEY UPDATE OF r SKIP LOCKED"
_WAITING: Prepared[int] = Prepared(
    lambda: RenewalChange.objects.filter(
        resource__in=GivenEach("resources"), state=RenewalChangeState.WAITING
    ).values_list("resource_id", flat=True)
)
_UNPAID = Prepared(
    lambda: (
        OrderLine.objects.filter(resource__in=GivenEach("resources"), order__state=OrderState.PENDING_PAYMENT)
        .select_related("order")
        .annotate(is_paying=card_payment_pending(OuterRef("order__number")))
    )
)
_ASKED_BACK = Prepared(lambda: returns.open_requests_of(GivenEach("resources")))


class Candidate(NamedTuple):
    """An auto-renewal that is on, with what its resource and its last paid term say."""

    pk: int
    term_unit: str
    term_count: int
    left: int | None
    days_before: int
    method: str
    enabled_by: str
    next_attempt_at: datetime | None
    preflight_due_at: datetime | None
    resource_id: int
    number: str
    account_id: int
    product_id: int
    product_name: str
    spec_text: str
    status: str
    has_term: bool
    delivery_method: str
    expires_at: datetime
    life_due_at: datetime | None
    anchor_day: int
    instance_id: str
    project_code: str
    tags: str
    configuration: str
    start: date
    end: date
    share: Decimal
    discount_source: str
    discount_reference: str

    @property
    def length(self) -> TermLength:
        """For how long it renews."""
        return TermLength(self.term_count, TermUnit(self.term_unit))

    @property
    def expiry(self) -> date:
        """The expiry date."""
        return clock.platform_date(self.expires_at)

    @property
    def told(self) -> dict[str, Any]:
        """What messages about it name."""
        return {
            "product": self.product_name,
            "specification": self.spec_text,
            "resource": self.number,
            "expires": self.expires_at,
        }


@dataclass(frozen=True, slots=True)
class Priced:
    """What a renewal costs and buys, worked out once for all that have it in common, with its JSON texts."""

    renewal: queries.Renewal
    length: TermLength
    product: Product
    spec_text: str
    spec_text_zh: str
    configuration: str
    explanation: str
    form: str
    full_price: Decimal

    @property
    def described(self) -> tuple[str, str]:
        """The line of Bills, in English and Chinese."""
        names = self.product.name, self.product.name_zh or self.product.name
        english, chinese = (
            f"{name} · {spec}" if spec else name
            for name, spec in zip(names, (self.spec_text, self.spec_text_zh), strict=True)
        )
        return english, chinese

    @property
    def amount(self) -> Money:
        """What is charged."""
        return self.renewal.price.amount

    @property
    def term(self) -> Term:
        """The term it buys."""
        return self.renewal.price.term


class Decision(NamedTuple):
    """What would become of an attempt: it charges a price, is refused, or is left for later.

    `unpaid` is a renewal that the buyer ordered and has not paid; it gives way to the attempt.
    """

    candidate: Candidate
    account: identity.Standing
    priced: Priced | None = None
    refused: Refused | None = None
    later: bool = False
    busy: bool = False
    unpaid: bool = False


def candidates(condition: str, *given: Any, locked: bool = False) -> list[Candidate]:
    """Auto-renewals in the order of their attempts; `locked`, without those whose resource somebody works on."""
    statement = _CANDIDATES.format(condition=condition) + (LOCKED if locked else "")
    with prepared.cursor() as cursor:
        cursor.execute(statement, list(given))
        return [Candidate(*row) for row in cursor.fetchall()]


def by_id(ids: Sequence[int], *, locked: bool = False) -> list[Candidate]:
    """The auto-renewals with these ids."""
    return candidates(BY_ID, array(ids), locked=locked)


def rivals(account_ids: Sequence[int], *, upto: datetime) -> list[Candidate]:
    """All auto-renewals of accounts that are tried at or before a moment: they spend from the same purses."""
    return candidates(BY_ACCOUNT, array(account_ids), upto)


def decide(found: Sequence[Candidate], *, when: Callable[[Candidate], datetime], locked: bool) -> list[Decision]:
    """What becomes of attempts, in this order, each at its moment; what one charges is missing for the next."""
    deciding = _Deciding(found, locked=locked)
    with read_once(skus=_skus(found)):
        return [deciding.decide(candidate, at=when(candidate)) for candidate in found]


def _skus(found: Sequence[Candidate]) -> list[tuple[int, str]]:
    """The SKUs that renewals are of, by product and code, each once."""
    configured = {(candidate.product_id, candidate.configuration) for candidate in found}
    return [(product_id, json.loads(stored)["sku_code"]) for product_id, stored in configured]


class _Deciding:
    """Everything that the decisions on a chunk need, read at once."""

    def __init__(self, found: Sequence[Candidate], *, locked: bool) -> None:
        resources = [candidate.resource_id for candidate in found]
        self.accounts = identity.standings(each.account_id for each in found)
        self.products = products_by_id(each.product_id for each in found)
        methods = {candidate.method for candidate in found}
        self.purses = charging.purses(
            self.accounts,
            locked=locked,
            credit=PayMethod.CREDIT in methods,
            cards=any(method.startswith(CARD) for method in methods),
        )
        self.waiting = set(_WAITING.all(resources=array(resources)))
        self.unpaid: dict[int, list[OrderLine]] = {}
        for line in _UNPAID.all(resources=array(resources)):
            assert line.resource_id is not None
            self.unpaid.setdefault(line.resource_id, []).append(line)
        self.asked_back = dict(_ASKED_BACK.all(resources=array(resources)))
        self.in_force: dict[datetime, PolicySet] = {}
        self.scopes: dict[tuple[str, int, datetime], Refused | None] = {}
        self.prices: dict[Any, Priced | Refused] = {}

    def decide(self, candidate: Candidate, *, at: datetime) -> Decision:
        account = self.accounts[candidate.account_id]
        follow_ups = self.unpaid.get(candidate.resource_id, ())
        if candidate.resource_id in self.waiting:
            return Decision(candidate, account, later=True)
        if any(line.is_paying for line in follow_ups):  # type: ignore[attr-defined]
            return Decision(candidate, account, later=True, busy=True)
        try:
            self._check(candidate, account, follow_ups, at=at)
            priced = self._price(candidate)
            self._spend(candidate, account, priced.amount, at=at)
        except Refused as refused:
            return Decision(candidate, account, refused=refused)
        return Decision(candidate, account, priced=priced, unpaid=bool(follow_ups))

    def _check(
        self, candidate: Candidate, account: identity.Standing, follow_ups: Sequence[OrderLine], *, at: datetime
    ) -> None:
        if account.is_frozen:
            by_reseller = account.frozen_by == FrozenBy.RESELLER
            raise Refused("autorenew_frozen_by_reseller" if by_reseller else "account_frozen")
        if at not in self.in_force:
            self.in_force[at] = policies.in_force(at)
        in_force = self.in_force[at]
        if not candidate.has_term:
            raise Refused("renewal_no_term")
        status = status_at(candidate, at=at, in_force=in_force)
        if not status.is_in_use:
            raise Refused("renewal_not_in_use", state=status.label)
        sold = candidate.delivery_method, candidate.product_id, at
        if sold not in self.scopes:
            product = self.products[candidate.product_id]
            self.scopes[sold] = out_of_scope(candidate.delivery_method, product, in_force=in_force)
        if (refused := self.scopes[sold]) is not None:
            raise refused
        if (number := self.asked_back.get(candidate.resource_id)) is not None:
            raise Refused("resource_unsub_open", number=number)
        for line in follow_ups:
            order = line.order
            if order.type == OrderType.CHANGE and order.is_payable(at):
                raise Refused("renewal_order_unpaid", order=order.number)

    def _price(self, candidate: Candidate) -> Priced:
        key = (
            candidate.product_id, candidate.configuration, candidate.term_unit, candidate.term_count,
            candidate.start, candidate.end, candidate.anchor_day, candidate.share,
        )  # fmt: skip
        if key not in self.prices:
            try:
                self.prices[key] = priced(candidate, self.products[candidate.product_id])
            except Refused as refused:
                self.prices[key] = refused
        known = self.prices[key]
        if isinstance(known, Refused):
            raise known
        return known

    def _spend(self, candidate: Candidate, account: identity.Standing, amount: Money, *, at: datetime) -> None:
        """Take an amount from the purse of the chosen method, never from another. Raises `Refused`."""
        method, purse = candidate.method, self.purses[account.pk]
        is_customer = account.kind == AccountKind.RESELLER_CUSTOMER
        if not amount:
            return
        if is_customer != (method == PayMethod.RESELLER):
            raise Refused("reseller_pays" if is_customer else "not_a_reseller_customer")
        if method == PayMethod.BALANCE:
            _take(purse.cash, amount, code="autorenew_balance")
        elif method == PayMethod.CREDIT:
            late = purse.overdue(at=at)
            if late:
                raise Refused("autorenew_credit_overdue", missing=Money(late, amount.currency), amount=amount)
            _take(purse.credit, amount, code="autorenew_credit")
        elif method.startswith(CARD):
            card = purse.cards.get(method.removeprefix(CARD))
            if card is None:
                raise Refused("autorenew_card_gone")
            today = clock.platform_date(at)
            if (card.expires_year, card.expires_month) < (today.year, today.month):
                raise Refused("autorenew_card_expired", card=str(card), amount=amount)


def _take(purse: dict[str, Decimal], amount: Money, *, code: str) -> None:
    left = purse.get(amount.currency, Decimal(0))
    if left < amount.amount:
        raise Refused(code, missing=Money(amount.amount - left, amount.currency), amount=amount)
    purse[amount.currency] = left - amount.amount


def status_at(candidate: Candidate, *, at: datetime, in_force: PolicySet) -> ResourceStatus:
    """Where its resource stands at a moment, whether or not the sweep has run (R19)."""
    status = ResourceStatus(candidate.status)
    if candidate.life_due_at is None or candidate.life_due_at > at:
        return status
    stage = life.stage(
        expiry=candidate.expiry,
        at=at,
        grace_days=in_force["grace_days"],
        retention_days=in_force["retention_days"],
        reached=status,
    )
    return stage.status


def out_of_scope(delivery_method: str, product: Product, *, in_force: PolicySet) -> Refused | None:
    """Why nothing of a product renews itself: the policy's scope, or its seller does not support it."""
    if delivery_method not in {SCOPE[name] for name in in_force["autorenew.scope"]}:
        return Refused("autorenew_scope")
    return None if product.supports_auto_renewal else Refused("autorenew_not_supported")


def priced(candidate: Candidate, product: Product) -> Priced:
    """What the renewal of a candidate costs today. Raises `Refused("term_not_sold")`."""
    length = candidate.length
    resource = Resource(
        product=product, configuration=json.loads(candidate.configuration), anchor_day=candidate.anchor_day
    )
    last = ResourceTerm(start=candidate.start, end=candidate.end, discount_share=candidate.share)
    renewal = queries.renewal(resource, length=length, terms=[last])
    form = {
        "length": f"{length.count}-{length.unit.value}",
        "until": renewal.price.term.end.isoformat(),
        "automatic": "1",
        "from": queries.configured_now(resource),
    }
    with translation.override("en"):
        spec_text = renewal.configuration.spec_text[:300]
    with translation.override("zh-hans"):
        spec_text_zh = renewal.configuration.spec_text[:300]
    return Priced(
        spec_text=spec_text,
        spec_text_zh=spec_text_zh,
        renewal=renewal,
        length=length,
        product=product,
        configuration=jsontext.text(dict(renewal.configuration.to_json())),
        explanation=jsontext.text(dict(renewal.price.explanation.to_json())),
        form=jsontext.text(form),
        full_price=queries.full_price(renewal.configuration, length),
    )
