"""Whether a resource can be renewed or changed, for what, and what it costs: quotes of renewals and changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, QuerySet, Subquery

from billing.rules.changes import (
    ChangePrice,
    PaidTerm,
    Proration,
    price_change_upon_renewal,
    price_scale_out,
    price_upgrade,
)
from billing.rules.explanation import to_decimal
from billing.rules.plans import NotPriced
from billing.rules.pricing import RenewalPrice, price_renewal
from billing.rules.terms import LAST_DAY_OF_MONTH, Term, TermLength, TermUnit
from catalog.queries import Configuration
from catalog.queries.changing import (
    Cycles,
    cycles_of,
    quantity_of,
    reconfigured,
    targets_of,
    usage_plan_of,
    with_plan,
)
from catalog.states import DeliveryMethod, ProductState
from koogallery import clock
from koogallery.kernel import ids, policies
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.models import Order, OrderLine, RenewalChange, Resource, ResourceTerm
from orders.queries import returns
from orders.rules.quote import Quote
from orders.states import ChangeKind, ExpirationPolicy, OrderState, OrderType, RenewalChangeState, ResourceStatus

if TYPE_CHECKING:
    from catalog.queries.sheets import PlanSheet
    from koogallery.kernel.policies import PolicySet
    from koogallery.kernel.prepared import Given

CHANGE_UPON_RENEWAL_DAYS = 30
ANY_LENGTHS = {TermUnit.MONTH: (1, 2, 3, 6), TermUnit.YEAR: (1, 2, 3)}


def waiting_change(resource: Resource) -> RenewalChange | None:
    """The change upon renewal that waits for a resource; asked anew unless it was read along (`with_follow_ups`)."""
    if is_read_along(resource):
        return _waiting_read_along(resource)
    rows = RenewalChange.objects.filter(resource=resource, state=RenewalChangeState.WAITING)
    return rows.select_related("order").first()


def with_follow_ups(resources: QuerySet[Resource], *, at: datetime | Given) -> QuerySet[Resource]:
    """The same resources, each with what waits for it: for pages; what changes a resource asks anew, under its lock."""
    waiting = RenewalChange.objects.filter(
        resource=OuterRef("pk"), state=RenewalChangeState.WAITING, effective_at__gt=at
    )
    unpaid = OrderLine.objects.filter(
        resource=OuterRef("pk"), order__state=OrderState.PENDING_PAYMENT, order__payment_due_at__gt=at
    )
    return resources.annotate(
        waiting_number=Subquery(waiting.values("order__number")),
        waiting_at=Subquery(waiting.values("effective_at")),
        unpaid_number=Subquery(unpaid.order_by("order_id").values("order__number")[:1]),
        unsub_number=Subquery(returns.open_request_numbers()),
    )


def is_read_along(resource: Resource) -> bool:
    """Whether a resource was read `with_follow_ups`."""
    return "unpaid_number" in resource.__dict__


def _waiting_read_along(resource: Any) -> RenewalChange | None:
    if resource.waiting_number is None:
        return None
    return RenewalChange(
        resource=resource,
        order=Order(number=resource.waiting_number),
        state=RenewalChangeState.WAITING,
        effective_at=resource.waiting_at,
    )


def unpaid_number(resource: Any, at: datetime) -> str:
    """The number of the unpaid order that renews or changes a resource; empty when there is none."""
    if is_read_along(resource):
        return resource.unpaid_number or ""
    order = unpaid_follow_up(resource, at)
    return order.number if order is not None else ""


def unpaid_follow_up(resource: Resource, at: datetime) -> Order | None:
    """The unpaid order that renews or changes a resource; one past its payment deadline is none (R19)."""
    orders = Order.objects.filter(
        lines__resource=resource, state=OrderState.PENDING_PAYMENT, payment_due_at__gt=at
    ).order_by("pk")
    return orders.first()


def goes_by_use(resource: Resource, at: datetime) -> bool:
    """Whether a resource that was to go on by use has outlived its term, though the sweep may not have run (R19)."""
    is_over = resource.life_due_at is not None and resource.life_due_at <= at
    wants = resource.has_term and resource.expiration_policy == ExpirationPolicy.PAY_PER_USE
    return is_over and wants and resource.status == ResourceStatus.ENABLED and usage_plan(resource) is not None


def status_now(resource: Resource, *, at: datetime, in_force: PolicySet) -> ResourceStatus:
    """Where a resource stands at a moment, as pages show it and operations judge it (R19)."""
    return ResourceStatus.ENABLED if goes_by_use(resource, at) else resource.status_at(at, in_force)


def why_not_renewable(resource: Resource, *, at: datetime, in_force: PolicySet | None = None) -> Refused | None:
    """Why a resource cannot be renewed at a moment, by hand or automatically; None when it can."""
    if not resource.has_term or goes_by_use(resource, at):
        return Refused("renewal_no_term")
    status = resource.status_at(at, in_force or policies.in_force(at))
    if not status.is_in_use:
        return Refused("renewal_not_in_use", state=status.label)
    change = waiting_change(resource)
    if change is not None:
        return Refused("renewal_change_waits", order=change.order.number, date=change.effective_at)
    if unpaid := unpaid_number(resource, at):
        return Refused("renewal_order_unpaid", order=unpaid)
    if (asked_back := returns.why_asked_back(resource)) is not None:
        return asked_back
    if is_withdrawn(resource.product) and resource.expiration_policy != ExpirationPolicy.AUTO:
        return Refused("renewal_withdrawn")
    return None


def is_withdrawn(product: Any) -> bool:
    """Whether a product has left the catalogue; one that is hidden or off sale for a while can still be renewed."""
    return bool(product.state == ProductState.REMOVED)


def why_not_changeable(resource: Resource, *, at: datetime, in_force: PolicySet | None = None) -> Refused | None:
    """Why the specification of a resource cannot be changed within its term at a moment; None when it can."""
    refused = _why_no_change_at_all(resource)
    if refused is not None:
        return refused
    if resource.status_at(at, in_force or policies.in_force(at)) is not ResourceStatus.ENABLED:
        return Refused("change_not_valid")
    change = waiting_change(resource)
    if change is not None:
        return Refused("renewal_change_waits", order=change.order.number, date=change.effective_at)
    if unpaid := unpaid_number(resource, at):
        return Refused("renewal_order_unpaid", order=unpaid)
    if (asked_back := returns.why_asked_back(resource)) is not None:
        return asked_back
    return Refused("renewal_withdrawn") if not resource.product.is_on_sale else None


def why_no_change_upon_renewal(
    resource: Resource, *, at: datetime, in_force: PolicySet | None = None
) -> Refused | None:
    """Why a renewal cannot change the specification, too: from 30 days before the expiry, not in grace."""
    refused = why_not_changeable(resource, at=at, in_force=in_force)
    if refused is not None:
        return refused
    assert resource.expires_at is not None
    opens = clock.day_start(clock.platform_date(resource.expires_at) - timedelta(days=CHANGE_UPON_RENEWAL_DAYS))
    return Refused("change_upon_renewal_early", opens=opens) if at < opens else None


def _why_no_change_at_all(resource: Resource) -> Refused | None:
    if resource.delivery_method != DeliveryMethod.SAAS or not resource.has_term:
        return Refused("change_only_saas")
    if not resource.product.supports_change:
        return Refused("change_not_supported")
    if resource.line.order.state != OrderState.COMPLETED:
        return Refused("change_not_completed")
    return None


# Terms


def terms_of(resource: Resource) -> list[ResourceTerm]:
    """The paid terms of a resource, oldest first."""
    if "terms" in getattr(resource, "_prefetched_objects_cache", {}):
        return list(resource.terms.all())
    return list(resource.terms.select_related("line").order_by("start"))


def length_of(term: ResourceTerm) -> TermLength:
    """The length that a term was bought for."""
    return TermLength(term.line.term_count or 1, TermUnit(term.line.term_unit or TermUnit.MONTH))


def last_term(resource: Resource, terms: Sequence[ResourceTerm]) -> Term:
    """The term after which a renewal goes on: to the expiry date, with the kept anchor day."""
    end = terms[-1].end
    return Term(start=terms[-1].start, end=end, anchor_day=resource.anchor_day or end.day)


def paid_terms(resource: Resource, terms: Sequence[ResourceTerm]) -> list[PaidTerm]:
    """The terms as the rules of change fees count them."""
    return [
        PaidTerm(
            term=Term(start=each.start, end=each.end, anchor_day=resource.anchor_day or each.end.day),
            length=length_of(each),
            list_price=_full_price(resource, each),
            share=each.discount_share,
            extra_days=each.extra_days,
        )
        for each in terms
    ]


def _full_price(resource: Resource, term: ResourceTerm) -> Decimal:
    """The full price of the configuration in force for a term, unrounded.

    As long as nothing was changed that is what the term's line says; the term itself may hold it rounded.
    """
    return term.price if resource.configuration else full_price(term.line.configured, length_of(term))


def changed_price(term: ResourceTerm) -> Money | None:
    """The full price that a change gave a term afterwards, extra days included; None while it is as it was bought."""
    line = term.line
    bought = full_price(line.configured, length_of(term)) if term.extra_days else line.list_amount or Decimal(0)
    if Money(bought, term.currency).rounded() == term.full_price:
        return None
    days = (term.end - term.start).days
    return Money(term.price * days / (days - term.extra_days), term.currency).rounded()


def full_price(configuration: Configuration, length: TermLength) -> Decimal:
    """The full price of a configuration for a length by its own plan, before discount, unrounded."""
    return to_decimal(
        configuration.plan.term_price(months=length.months, quantity=configuration.quantity, items=configuration.items)
    )


# Renewal


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """A renewal as quoted: the price, the term it buys, and the configuration with the plan it is bought by."""

    configuration: Configuration
    price: RenewalPrice
    share: Decimal

    @property
    def expires_at(self) -> datetime:
        """The new expiry."""
        return self.price.term.expires_at


def cycles_for(resource: Resource) -> Cycles:
    """The yearly/monthly plans in which a resource's configuration is sold now."""
    configuration = resource.configured
    return cycles_of(resource.product, configuration.sku_code, currency=configuration.currency)


def usage_plan(resource: Resource) -> PlanSheet | None:
    """The pay-per-use plan to which a yearly/monthly resource may change after its term."""
    configuration = resource.configured
    return usage_plan_of(resource.product, configuration.sku_code, currency=configuration.currency)


def lengths_offered(cycles: Cycles) -> list[TermLength]:
    """The lengths for which the plans are sold, months first."""
    found = []
    for unit, plan in ((TermUnit.MONTH, cycles.monthly), (TermUnit.YEAR, cycles.yearly)):
        if plan is not None:
            found += [TermLength(count, unit) for count in plan.lengths or ANY_LENGTHS[unit]]
    return found


def parse_length(text: str) -> TermLength:
    """`1-year` or `3-month`. Raises `Refused("term_not_sold")`."""
    count, _separator, unit = str(text).partition("-")
    if not count.isdecimal() or not 0 < int(count) <= 120 or unit not in (TermUnit.MONTH.value, TermUnit.YEAR.value):
        raise Refused("term_not_sold", field="length")
    return TermLength(int(count), TermUnit(unit))


def parse_day(text: str) -> int | None:
    """A unified renewal date: 1 to 28, 31 for the month's last day, empty for none. Raises `Refused`."""
    if not text:
        return None
    if not text.isdecimal() or int(text) not in (*range(1, 29), LAST_DAY_OF_MONTH):
        raise Refused("unified_day", field="unified")
    return int(text)


def renewal(
    resource: Resource,
    *,
    length: TermLength,
    unified_day: int | None = None,
    target: Configuration | None = None,
    terms: Sequence[ResourceTerm] | None = None,
) -> Renewal:
    """What renewing for a length costs, by the plan sold now; by the resource's own plan when none is sold any more.

    With a `target` configuration it is a change upon renewal, for which there is no unified date. Raises `Refused`:
    `term_not_sold`, `unified_day_not_with_change`.
    """
    known = terms if terms is not None else terms_of(resource)
    configuration = target or resource.configured
    cycles = cycles_of(resource.product, configuration.sku_code, currency=configuration.currency)
    sheet = cycles.plan_for(length)
    if sheet is not None:
        configuration = with_plan(configuration, sheet, length=length)
    elif target is not None or not cycles.is_empty or not configuration.plan.offers(length):
        raise Refused("term_not_sold", field="length")
    if target is not None and unified_day is not None:
        raise Refused("unified_day_not_with_change", field="unified")
    share = known[-1].discount_share
    arguments: dict[str, Any] = {
        "plan": configuration.plan,
        "term": last_term(resource, known),
        "length": length,
        "quantity": configuration.quantity,
        "items": configuration.items,
        "share": share,
    }
    try:
        priced = (
            price_change_upon_renewal(**arguments)
            if target is not None
            else price_renewal(**arguments, unified_day=unified_day)
        )
    except NotPriced as error:
        raise Refused("term_not_sold", field="length") from error
    return Renewal(configuration=configuration, price=priced, share=share)


def renewal_quote(
    resource: Resource,
    *,
    form: Mapping[str, str],
    at: datetime,
    quote_id: str = "",
    in_force: PolicySet | None = None,
    terms: Sequence[ResourceTerm] | None = None,
) -> Quote:
    """A quote of a renewal: `length` (`1-year`), `unified` (a day), and for a change upon renewal `target`, `quantity`.

    Raises `Refused` for what cannot be renewed, or not so.
    """
    changes = bool(form.get("target") or form.get("quantity"))
    why_not = why_no_change_upon_renewal if changes else why_not_renewable
    refused = why_not(resource, at=at, in_force=in_force)
    if refused is not None:
        raise refused
    target = change_target(resource, form=form) if changes else None
    if target is not None and _is_same(target, resource.configured):
        target = None
    length = parse_length(form.get("length", ""))
    unified_day = parse_day(form.get("unified", ""))
    priced = renewal(resource, length=length, unified_day=unified_day, target=target, terms=terms)
    kept = {name: form[name] for name in ("length", "unified", "target", "quantity") if form.get(name)}
    return _quote(
        resource,
        OrderType.RENEW,
        configuration=priced.configuration,
        amount=priced.price.amount,
        listed=priced.price.list_price.rounded(),
        share=priced.share,
        explanation=priced.price.explanation.to_json(),
        form={**kept, "until": priced.price.term.end.isoformat(), "changes": "1" if target is not None else ""},
        at=at,
        quote_id=quote_id,
    )


def automatic_quote(resource: Resource, *, length: TermLength, at: datetime) -> Quote:
    """The quote of an automatic renewal. Raises `Refused("renewal_not_in_use")`, `Refused("term_not_sold")`."""
    status = resource.status_at(at, policies.in_force(at))
    if not status.is_in_use:
        raise Refused("renewal_not_in_use", state=status.label)
    priced = renewal(resource, length=length)
    return _quote(
        resource,
        OrderType.RENEW,
        configuration=priced.configuration,
        amount=priced.price.amount,
        listed=priced.price.list_price.rounded(),
        share=priced.share,
        explanation=priced.price.explanation.to_json(),
        form={
            "length": f"{length.count}-{length.unit.value}",
            "until": priced.price.term.end.isoformat(),
            "automatic": "1",
        },
        at=at,
        quote_id="",
    )


# Change within the term


def change_target(resource: Resource, *, form: Mapping[str, str]) -> Configuration:
    """The configuration that a form asks for: `target` is a SKU that a change path leads to, `quantity` a number."""
    sku_code = form.get("target", "")
    configuration = resource.configured
    reachable = {configuration.sku_code, *targets_of(resource.product, configuration.sku_code, upgrades_only=False)}
    if sku_code and sku_code not in reachable:
        raise Refused("change_no_path", field="target")
    return reconfigured(
        resource.product, configuration, sku_code=sku_code, quantity=_parse_quantity(form.get("quantity", ""))
    )


def _parse_quantity(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        raise Refused("change_quantity", field="quantity") from None
    if not number.is_finite() or number <= 0 or number > Decimal(10) ** 9 or "e" in text.lower():
        raise Refused("change_quantity", field="quantity")
    return number


def change_quote(
    resource: Resource,
    *,
    form: Mapping[str, str],
    at: datetime,
    quote_id: str = "",
    in_force: PolicySet | None = None,
) -> Quote:
    """A quote of a change within the term: `kind` upgrade with `target`, or expansion with a greater `quantity`.

    Raises `Refused` for what cannot be changed, or not so.
    """
    in_force = in_force or policies.in_force(at)
    refused = why_not_changeable(resource, at=at, in_force=in_force)
    if refused is not None:
        raise refused
    kind = form.get("kind", "")
    if kind not in ChangeKind.values:
        raise Refused("change_kind", field="kind")
    current = resource.configured
    if kind == ChangeKind.UPGRADE:
        sku_code = form.get("target", "")
        if sku_code not in targets_of(resource.product, current.sku_code, upgrades_only=True):
            raise Refused("change_no_path", field="target")
        target = reconfigured(resource.product, current, sku_code=sku_code)
    else:
        counted = quantity_of(resource.product, current.sku_code)
        wanted = _parse_quantity(form.get("quantity", ""))
        if counted is None:
            raise Refused("change_no_quantity", field="kind")
        if wanted is None or wanted <= current.quantity:
            raise Refused("change_greater_only", field="quantity", now=f"{current.quantity.normalize():f}")
        target = reconfigured(resource.product, current, quantity=wanted)
    terms = terms_of(resource)
    priced, configuration = _change_price(resource, kind=kind, target=target, terms=terms, at=at, in_force=in_force)
    kept = {name: form[name] for name in ("kind", "target", "quantity") if form.get(name)}
    return _quote(
        resource,
        OrderType.CHANGE,
        configuration=configuration,
        amount=priced.amount,
        listed=priced.amount,
        share=terms[-1].discount_share,
        explanation=priced.explanation.to_json(),
        form={**kept, "until": terms[-1].end.isoformat()},
        at=at,
        quote_id=quote_id,
    )


def _change_price(
    resource: Resource,
    *,
    kind: str,
    target: Configuration,
    terms: Sequence[ResourceTerm],
    at: datetime,
    in_force: PolicySet,
) -> tuple[ChangePrice, Configuration]:
    cycles = cycles_of(resource.product, target.sku_code, currency=target.currency)
    current = resource.configured
    common: dict[str, Any] = {
        "changed_at": at,
        "terms": paid_terms(resource, terms),
        "monthly": cycles.month,
        "yearly": cycles.year,
        "items": target.items,
        "floor_zero": in_force["change.floor_zero"],
    }
    try:
        if kind == ChangeKind.UPGRADE:
            proration = Proration(in_force["proration.new_price"])
            priced = price_upgrade(**common, quantity=target.quantity, proration=proration)
        else:
            priced = price_scale_out(**common, old_quantity=current.quantity, new_quantity=target.quantity)
    except NotPriced as error:
        raise Refused("change_not_priced", field="target") from error
    if priced.amount.amount < 0:
        raise Refused("change_below_zero", field="target" if kind == ChangeKind.UPGRADE else "quantity")
    length = length_of(terms[-1])
    sheet = (cycles.yearly if length.unit is TermUnit.YEAR else cycles.monthly) or cycles.monthly or cycles.yearly
    assert sheet is not None  # a price was found by one of them
    return priced, with_plan(target, sheet, length=length)


def quoted_again(quote: Quote, resource: Resource, *, at: datetime) -> Quote:
    """The same renewal or change at today's price, under the same id. Raises what the first quote raises."""
    again = renewal_quote if quote.type is OrderType.RENEW else change_quote
    return again(resource, form=quote.form, at=at, quote_id=quote.quote_id)


def still_true(quote: Quote, resource: Resource, *, at: datetime) -> Quote:
    """The quote, if today's is the same or its 30 minutes run, and the resource is still what it was quoted for.

    Raises `Refused`: `change_meanwhile`, `quote_changed`, and why the resource cannot be renewed or changed.
    """
    fresh = quoted_again(quote, resource, at=at)
    if any(fresh.form.get(name) != quote.form.get(name) for name in ("from", "until")):
        raise Refused("change_meanwhile")
    if quote.is_expired(at) and fresh.amount != quote.amount:
        raise Refused("quote_changed", old=str(quote.amount), new=str(fresh.amount))
    return quote


def configured_now(resource: Resource) -> str:
    """What a quote starts from: a change that another tab brought about meanwhile makes it worth nothing."""
    configuration = resource.configured
    return f"{configuration.sku_code} {configuration.quantity.normalize():f}"


def _is_same(target: Configuration, current: Configuration) -> bool:
    return (target.sku_code, target.quantity) == (current.sku_code, current.quantity)


def _quote(
    resource: Resource,
    order_type: OrderType,
    *,
    configuration: Configuration,
    amount: Money,
    listed: Money,
    share: Decimal,
    explanation: Mapping[str, Any],
    form: Mapping[str, str],
    at: datetime,
    quote_id: str,
) -> Quote:
    return Quote(
        quote_id=quote_id or ids.public_id(),
        account_id=resource.account_id,
        type=order_type,
        product_code=resource.product.code,
        form={name: value for name, value in form.items() if value} | {"from": configured_now(resource)},
        configuration=configuration.to_json(),
        amount=amount,
        list_amount=listed,
        discount_share=share,
        discount_source=resource.line.discount_source if share != 1 else "",
        discount_reference=resource.line.discount_reference if share != 1 else "",
        explanation=explanation,
        quoted_at=at,
        resource=resource.number,
    )


def new_expiry(quote: Quote) -> date:
    """The expiry date that a quoted renewal leads to."""
    return date_of(quote.form["until"])


def date_of(until: str) -> date:
    """The expiry date that a form carries along."""
    return date.fromisoformat(until)
