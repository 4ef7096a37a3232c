"""Auto-renewal: chosen by the buyer, charged by the clock, warned of before it fails (subscriptions.md).

An attempt places and pays a renewal by the method that was chosen, never another, in one transaction. A failed one
changes nothing, is traced with rating `warning` and tried again at the next hour of deduction until the expiry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import transaction

from audit.recording import system_traces
from billing import queries as billing
from billing.states import PayMethod
from catalog import queries as catalog
from catalog.states import DeliveryMethod
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.states import AccountKind
from koogallery.kernel import policies
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import Rating, describe, operation, present
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import notify
from orders.events import OrderPaymentFailed, ResourceRenewed
from orders.models import AutoRenewal, Order, Resource
from orders.operations import cancelling, card_paying, paying, placing, renewing
from orders.operations.taking_effect import told_of
from orders.queries import renewing as queries
from orders.queries.resources import own_resource_locked, resource_locked
from orders.rules import life
from orders.rules.quote import Quote
from orders.states import CancelReason, ExpirationPolicy, OrderType

SCOPE = {
    "image": DeliveryMethod.IMAGE,
    "saas": DeliveryMethod.SAAS,
    "license": DeliveryMethod.LICENSE,
    "professional_service": DeliveryMethod.PROFESSIONAL_SERVICE,
}
UNIT_COUNTS = {"month": range(1, 10), "year": range(1, 4)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a buyer chose: the period (`3-month`), how often (None: without limit), the deduction day and method."""

    length: str
    times: int | None
    days_before: int
    method: str


def why_not_automatic(resource: Resource, *, in_force: PolicySet) -> Refused | None:
    """Why a resource cannot renew itself; None when it can."""
    if not resource.has_term or not resource.status_enum.is_in_use:
        return Refused("renewal_no_term")
    scope = {SCOPE[name] for name in in_force["autorenew.scope"]}
    if resource.delivery_method not in scope:
        return Refused("autorenew_scope")
    return None if resource.product.supports_auto_renewal else Refused("autorenew_not_supported")


def default_method(account: Any) -> str:
    """The method that is chosen at first: balance for prepaid, platform credit for postpaid accounts."""
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        return PayMethod.RESELLER.value
    return PayMethod.CREDIT.value if account.kind == AccountKind.POSTPAID else PayMethod.BALANCE.value


@operation(
    "enableAutoRenewal",
    resource_type="Resource",
    roles={Role.BUYER},
    targets={"resource": own_resource_locked},
    once=True,
)
def enable(call: Call, *, resource: Resource, chosen: Chosen) -> AutoRenewal:
    """Let a resource renew itself, or change how it does.

    Raises `Refused`: `renewal_no_term`, `autorenew_scope`, `autorenew_not_supported`, `autorenew_frozen` for accounts
    that their reseller froze, `term_not_sold`, `autorenew_times`, `autorenew_day`, `payment_method_unknown`.
    """
    in_force = policies.in_force(call.at)
    if call.account.is_frozen:
        raise Refused("account_frozen")
    if (refused := why_not_automatic(resource, in_force=in_force)) is not None:
        raise refused
    length = queries.parse_length(chosen.length)
    if length.count not in UNIT_COUNTS[length.unit.value]:
        raise Refused("term_not_sold", field="length")
    queries.renewal(resource, length=length)
    if chosen.times is not None and not 1 <= chosen.times <= 99:
        raise Refused("autorenew_times", field="times")
    if not 0 <= chosen.days_before <= in_force["autorenew.lead_days"]:
        raise Refused("autorenew_day", field="days_before", most=in_force["autorenew.lead_days"])
    _check_method(call.account, chosen.method)
    assert resource.expires_at is not None
    expiry = clock.platform_date(resource.expires_at)
    auto, _made = AutoRenewal.objects.update_or_create(
        resource=resource,
        defaults={
            "enabled": True,
            "term_unit": length.unit.value,
            "term_count": length.count,
            "left": chosen.times,
            "days_before": chosen.days_before,
            "method": chosen.method,
            "enabled_at": call.at,
            "enabled_by": call.user.sign_in_name if call.user else "",
            "next_attempt_at": life.first_attempt(
                expiry=expiry, days_before=chosen.days_before, hour=_hour(in_force), now=call.at
            ),
            "preflight_due_at": life.next_preflight(expiry=expiry, after=call.at),
            "failed_at": None,
            "failure": "",
            "failure_params": {},
        },
    )
    resource.expiration_policy = ExpirationPolicy.AUTO
    resource.save(update_fields=["expiration_policy"])
    describe(resource=resource, length=chosen.length, method=chosen.method, next=auto.next_attempt_at)
    return auto


@operation(
    "disableAutoRenewal",
    resource_type="Resource",
    roles={Role.BUYER},
    targets={"resource": own_resource_locked},
    once=True,
)
def disable(call: Call, *, resource: Resource) -> Resource:
    """Stop a resource from renewing itself. Raises `Refused("autorenew_off")`."""
    if resource.expiration_policy != ExpirationPolicy.AUTO:
        raise Refused("autorenew_off")
    switch_off(resource)
    resource.expiration_policy = ExpirationPolicy.MANUAL
    resource.save(update_fields=["expiration_policy"])
    return resource


def switch_off(resource: Resource) -> None:
    """Let a locked resource's auto-renewal rest; its choices are kept."""
    AutoRenewal.objects.filter(resource=resource).update(enabled=False, next_attempt_at=None, preflight_due_at=None)


def follow(resource: Resource, *, at: datetime, counts: bool) -> None:
    """A locked resource was renewed: its auto-renewal waits for the new term; `counts` when it was itself."""
    auto = AutoRenewal.objects.select_for_update().filter(resource=resource, enabled=True).first()
    if auto is None or resource.expires_at is None:
        return
    if counts and auto.left is not None:
        auto.left -= 1
    if auto.left == 0:
        auto.enabled, auto.next_attempt_at, auto.preflight_due_at = False, None, None
        Resource.objects.filter(pk=resource.pk).update(expiration_policy=ExpirationPolicy.MANUAL)
    else:
        expiry = clock.platform_date(resource.expires_at)
        auto.next_attempt_at = life.first_attempt(
            expiry=expiry, days_before=auto.days_before, hour=_hour(policies.in_force(at)), now=at
        )
        auto.preflight_due_at = life.next_preflight(expiry=expiry, after=at)
    auto.failed_at, auto.failure, auto.failure_params = None, "", {}
    auto.save()


def attempt_due(auto_ids: list[int], upto: datetime) -> None:
    """Make the attempts of claimed auto-renewals, dated now: after an outage one at once."""
    for number in AutoRenewal.objects.filter(pk__in=auto_ids).values_list("resource__number", flat=True):
        call = system_call(at=upto)
        try:
            with transaction.atomic():
                renew_automatically(call, resource=number)
        except Refused as refused:
            note_failure(call, resource=number, refused=refused)


@operation("renewAutomatically", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def renew_automatically(call: Call, *, resource: Resource) -> Order:
    """Renew a resource by its own choice and charge the chosen method. Raises `Refused` with why it did not work."""
    auto = AutoRenewal.objects.select_for_update().get(resource=resource)
    quoted = simulate(call, resource, auto)
    renewing.cancel_unpaid(call, resource, only=OrderType.RENEW)
    account, in_force = identity.ordering_account(resource.account_id, at=call.at)
    configuration = catalog.Configuration.from_json(quoted.configuration)
    order = placing.write(
        call, account, resource.product, quoted, configuration, in_force,
        project=resource.project_code, tags=resource.tags, resource=resource,
    )  # fmt: skip
    auto.next_attempt_at = None
    auto.save(update_fields=["next_attempt_at"])
    _charge(call, order, auto, account)
    describe(order=order.number, amount=order.total)
    return order


def on_renewed(happened: ResourceRenewed) -> None:
    """A resource has a further term: its auto-renewal waits for the end of that."""
    follow(happened.resource, at=happened.at, counts=bool(happened.order.form.get("automatic")))


def on_payment_failed(happened: OrderPaymentFailed) -> None:
    """The card refused an automatic renewal: its order is canceled, the attempt has failed."""
    order = happened.order
    if not order.form.get("automatic") or order.line.resource is None:
        return
    call = system_call(at=happened.at)
    cancelling.cancel(call, order, reason=CancelReason.UNPAID, at=happened.at)
    note_failure(call, resource=order.line.resource.number, refused=Refused("card_declined", field="method"))


def simulate(call: Call, resource: Resource, auto: AutoRenewal) -> Quote:
    """What an attempt at the moment of the call would charge. Raises `Refused` with why it would not work."""
    account = resource.account
    if account.is_frozen:
        raise Refused("account_frozen")
    in_force = policies.in_force(call.at)
    if (refused := why_not_automatic(resource, in_force=in_force)) is not None:
        raise refused
    if (change := queries.waiting_change(resource)) is not None:
        raise Refused("renewal_change_waits", order=change.order.number, date=change.effective_at)
    quoted = queries.automatic_quote(resource, length=auto.length, at=call.at)
    _check_covered(account, auto, quoted, at=call.at)
    return quoted


def _check_covered(account: Any, auto: AutoRenewal, quoted: Quote, *, at: datetime) -> None:
    if not quoted.amount or auto.method == PayMethod.RESELLER:
        return
    if auto.method == PayMethod.BALANCE:
        balance = billing.balance(account.pk)
        if balance < quoted.amount:
            raise Refused("autorenew_balance", missing=quoted.amount - balance, amount=quoted.amount)
    elif auto.method == PayMethod.CREDIT:
        credit = billing.credit(account.pk)
        if credit is None or credit.available < quoted.amount:
            free = credit.available if credit else quoted.amount - quoted.amount
            raise Refused("autorenew_credit", missing=quoted.amount - free, amount=quoted.amount)
        if billing.is_credit_overdue(account.pk, at=at):
            raise Refused("credit_overdue")
    elif not any(f"card:{card.code}" == auto.method for card in billing.cards(account.pk)):
        raise Refused("autorenew_card_gone")


def _charge(call: Call, order: Order, auto: AutoRenewal, account: Any) -> None:
    paid_by = placing.goes_straight_on(order, order.line.configured)
    if paid_by is not None:
        paying.go_on(call, order, paid_by=paid_by)
        return
    if auto.method.startswith("card:"):
        card_paying.start_automatic(call, order, card=auto.method.removeprefix("card:"))
        return
    paying.charge(call, order, method=auto.method)


@operation("noteFailedRenewal", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def note_failure(call: Call, *, resource: Resource, refused: Refused) -> AutoRenewal:
    """Keep why an attempt failed, set the next one, tell the buyer the reason and the cure."""
    auto = AutoRenewal.objects.select_for_update().get(resource=resource)
    assert resource.expires_at is not None
    expiry = clock.platform_date(resource.expires_at)
    auto.failed_at, auto.failure = call.at, refused.code
    auto.failure_params = present(refused.params)
    auto.next_attempt_at = life.next_attempt(expiry=expiry, hour=_hour(policies.in_force(call.at)), after=call.at)
    auto.save(update_fields=["failed_at", "failure", "failure_params", "next_attempt_at"])
    row = (
        resource.account_id, resource.number, resource.product_name, call.at,
        {"resource": resource.number}, {"code": refused.code, "next": present(auto.next_attempt_at)},
    )  # fmt: skip
    system_traces("renewAutomatically", rows=[row], rating=Rating.WARNING)
    told = [resource.account] + ([resource.account.reseller] if resource.account.reseller else [])
    for account in told:
        notify(
            account_id=account.pk,
            kind="auto_renewal_failed" if auto.next_attempt_at else "auto_renewal_ended",
            params=told_of(resource) | {"reason": refused, "next": auto.next_attempt_at},
            link=resource.get_absolute_url() if account.pk == resource.account_id else "",
            key=f"auto-renewal-failed:{resource.number}:{call.at.isoformat()}:{account.pk}",
            at=call.at,
        )
    return auto


def preflight_due(auto_ids: list[int], upto: datetime) -> None:
    """Simulate the charges of claimed auto-renewals and tell what will come, dated at the due time."""
    for auto in AutoRenewal.objects.filter(pk__in=auto_ids, preflight_due_at__isnull=False).select_related("resource"):
        preflight(system_call(at=auto.preflight_due_at), resource=auto.resource.number)


@operation("simulateRenewal", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def preflight(call: Call, *, resource: Resource) -> AutoRenewal:
    """Simulate, by what charges, whether the next attempt would work, and warn when it would not."""
    auto = AutoRenewal.objects.select_for_update().get(resource=resource)
    assert resource.expires_at is not None
    expiry = clock.platform_date(resource.expires_at)
    auto.preflight_due_at = life.next_preflight(expiry=expiry, after=call.at)
    auto.save(update_fields=["preflight_due_at"])
    params: dict[str, Any]
    try:
        quoted = simulate(call, resource, auto)
    except Refused as refused:
        describe(code=refused.code)
        kind, params = "auto_renewal_would_fail", {"reason": refused}
    else:
        describe(amount=quoted.amount)
        kind, params = "auto_renewal_ahead", {"amount": quoted.amount, "until": queries.new_expiry(quoted)}
    notify(
        account_id=resource.account_id,
        kind=kind,
        params=told_of(resource) | {"on": auto.next_attempt_at, **params},
        link=resource.get_absolute_url(),
        key=f"auto-renewal-preflight:{resource.number}:{call.at:%Y%m%d}",
        at=call.at,
    )
    return auto


def _check_method(account: Any, method: str) -> None:
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        if method != PayMethod.RESELLER:
            raise Refused("reseller_pays", field="method")
        return
    offered = {PayMethod.BALANCE.value, *(f"card:{card.code}" for card in billing.cards(account.pk))}
    if billing.credit(account.pk) is not None:
        offered.add(PayMethod.CREDIT.value)
    if method not in offered:
        raise Refused("payment_method_unknown", field="method")


def _hour(in_force: PolicySet) -> time:
    return time.fromisoformat(in_force["autorenew.hour"])


__all__ = [
    "Chosen", "attempt_due", "default_method", "disable", "enable", "follow", "note_failure", "preflight",
    "preflight_due", "renew_automatically", "simulate", "switch_off", "why_not_automatic",
]  # fmt: skip
