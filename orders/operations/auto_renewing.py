"""Auto-renewal: chosen by the buyer, charged by the clock, warned of before it fails (subscriptions.md).

An attempt places and pays a renewal by the method that was chosen, never another, in one transaction. A failed one
changes nothing, is traced with rating `warning` and tried again at the next hour of deduction until the expiry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from audit.recording import system_traces
from billing import queries as billing
from billing.states import PaymentState, PayMethod
from catalog import queries as catalog
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.states import AccountKind, FrozenBy
from koogallery.kernel import jsontext, policies, prepared
from koogallery.kernel.addresses import Address
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import Rating, describe, operation, present, untraced
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify_many
from orders.events import OrderCanceled, OrderPaymentFailed, ResourceRenewed
from orders.models import AutoRenewal, Order, Resource
from orders.operations import cancelling, card_paying, follow_ups, paying, placing, renewing, taking_effect
from orders.operations.deciding_renewals import (
    CARD,
    Candidate,
    Decision,
    by_id,
    candidates,
    decide,
    out_of_scope,
    rivals,
)
from orders.operations.renewing_many import is_plain, renew_many
from orders.queries import renewing as queries
from orders.queries.follow_ups import own_resource_and_follow_ups_locked
from orders.queries.resources import resource_locked
from orders.rules import life
from orders.states import AUTO_RENEWAL_PERIODS, CancelReason, ExpirationPolicy, OrderType

_PAGE = Address("orders:resource")
SOON = timedelta(minutes=1)
BUSY = timedelta(hours=1)
CHUNK = 2000
"""How many are attempted at once: what is read and priced for a chunk costs as much as a tenth of its rows."""
BY_RESOURCE = "a.resource_id = %s"
_FAILED = """
UPDATE orders_autorenewal a SET failed_at = %s, failure = g.code, failure_params = g.params,
    next_attempt_at = g.following
FROM unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::timestamptz[]) AS g(id, code, params, following)
WHERE a.id = g.id
"""
_SIMULATED = """
UPDATE orders_autorenewal a SET preflight_due_at = g.following, foreseen = ''
FROM unnest(%s::bigint[], %s::timestamptz[]) AS g(id, following) WHERE a.id = g.id
"""
_FORESEEN = """
UPDATE orders_autorenewal a SET foreseen = g.code
FROM unnest(%s::bigint[], %s::text[]) AS g(id, code) WHERE a.id = g.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a buyer chose: the period (`3-month`), how often (None: without limit), the deduction day and method."""

    length: str
    times: int | None
    days_before: int
    method: str


def why_not_automatic(resource: Resource, *, at: datetime, in_force: PolicySet) -> Refused | None:
    """Why a resource cannot renew itself; None when it can."""
    is_over = queries.goes_by_use(resource, at) or not resource.status_at(at, in_force).is_in_use
    if not resource.has_term or is_over:
        return Refused("renewal_no_term")
    if (refused := out_of_scope(resource.delivery_method, resource.product, in_force=in_force)) is not None:
        return refused
    if queries.is_withdrawn(resource.product) and resource.expiration_policy != ExpirationPolicy.AUTO:
        return Refused("renewal_withdrawn")
    return None


def default_method(account: Any) -> str:
    """The method that is chosen at first: balance for prepaid, platform credit for postpaid accounts."""
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        return PayMethod.RESELLER.value
    return PayMethod.CREDIT.value if account.kind == AccountKind.POSTPAID else PayMethod.BALANCE.value


@operation(
    "enableAutoRenewal",
    resource_type="Resource",
    roles={Role.BUYER},
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
)
def enable(call: Call, *, resource: Resource, chosen: Chosen) -> AutoRenewal:
    """Let a resource renew itself, or change how it does.

    Raises `Refused`: `renewal_no_term`, `autorenew_scope`, `autorenew_not_supported`, `account_frozen`,
    `autorenew_frozen_by_reseller`, `renewal_withdrawn` unless it is on already, `term_not_sold`, `autorenew_times`,
    `autorenew_day`, `payment_method_unknown`, `renewal_change_waits` while a change upon renewal waits.
    """
    taking_effect.bring_due_change_into_effect(resource, at=call.at)
    in_force = policies.in_force(call.at)
    if call.account.is_frozen:
        by_reseller = call.account.frozen_by == FrozenBy.RESELLER
        raise Refused("autorenew_frozen_by_reseller" if by_reseller else "account_frozen")
    if (refused := why_not_automatic(resource, at=call.at, in_force=in_force)) is not None:
        raise refused
    _check_nothing_waits(resource)
    length = queries.parse_length(chosen.length)
    if length.count not in AUTO_RENEWAL_PERIODS[length.unit.value]:
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
            "times": chosen.times,
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
            "foreseen": "",
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
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
)
def disable(call: Call, *, resource: Resource) -> Resource:
    """Stop a resource from renewing itself.

    Raises `Refused("autorenew_off")`, also once it is released (R19), `Refused("renewal_change_waits")` while a change
    upon renewal waits.
    """
    taking_effect.bring_due_change_into_effect(resource, at=call.at)
    is_over = not resource.status_at(call.at, policies.in_force(call.at)).is_in_use
    if is_over or resource.expiration_policy != ExpirationPolicy.AUTO:
        raise Refused("autorenew_off")
    _check_nothing_waits(resource)
    switch_off(resource)
    resource.expiration_policy = ExpirationPolicy.MANUAL
    resource.save(update_fields=["expiration_policy"])
    return resource


def _check_nothing_waits(resource: Resource) -> None:
    """Until a change upon renewal takes effect, the expiration policy stays. Raises `Refused`."""
    if (change := queries.waiting_change(resource)) is not None:
        raise Refused("renewal_change_waits", order=change.order.number, date=change.effective_at)


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
        resource.expiration_policy = ExpirationPolicy.MANUAL
        resource.save(update_fields=["expiration_policy"])
    else:
        _wait(auto, resource, at=at)
    auto.failed_at, auto.failure, auto.failure_params, auto.foreseen = None, "", {}, ""
    auto.save()


def _wait(auto: AutoRenewal, resource: Resource, *, at: datetime) -> None:
    """Set when a resource is next tried and simulated."""
    assert resource.expires_at is not None
    expiry = clock.platform_date(resource.expires_at)
    hour = _hour(policies.in_force(at))
    auto.next_attempt_at = life.first_attempt(expiry=expiry, days_before=auto.days_before, hour=hour, now=at)
    auto.preflight_due_at = life.next_preflight(expiry=expiry, after=at)


# Attempts


def attempt_due(auto_ids: Sequence[int], upto: datetime) -> None:
    """Make the attempts of claimed auto-renewals, in the order of their due times and dated now.

    After an outage each is tried once, at once, even if its resource has expired meanwhile. Those paid by balance,
    credit or reseller are renewed set-wise; a resource that somebody works on is left for the next minute.
    """
    found = by_id(auto_ids, locked=True)
    _postpone(set(auto_ids) - {candidate.pk for candidate in found}, until=upto + SOON)
    decisions = decide(found, when=lambda candidate: upto, locked=True)
    refused = [(decision, decision.refused) for decision in decisions if decision.refused is not None]
    plain: list[Decision] = []
    apart: list[Decision] = []
    for decision in decisions:
        (plain if is_plain(decision) else apart).append(decision)
    renew_many(plain, at=upto)
    held = _held_elsewhere(apart)
    _postpone({decision.candidate.pk for decision in held}, until=upto + SOON)
    for decision in apart:
        if decision.later:
            _leave(decision, at=upto)
        elif decision.priced is not None and decision not in held:
            candidate = decision.candidate
            try:
                renew_automatically(system_call(at=upto, on_behalf_of=candidate.enabled_by), resource=candidate.number)
            except Refused as error:
                _fail([(decision, error)], at=upto, traced=True)
    _fail(refused, at=upto)


def _held_elsewhere(decisions: Sequence[Decision]) -> list[Decision]:
    """Those whose unpaid renewal somebody holds, perhaps to pay it; the other unpaid ones are locked now, unwaited for.

    Elsewhere an order is locked before its resource, which the sweep has claimed already.
    """
    giving_way = [decision for decision in decisions if decision.priced is not None and decision.unpaid]
    if not giving_way:
        return []
    _concerned, busy = follow_ups.lock_at_once(decision.candidate.resource_id for decision in giving_way)
    return [decision for decision in giving_way if decision.candidate.resource_id in busy]


def _postpone(auto_ids: Collection[int], *, until: datetime) -> None:
    """Try again soon; what is no longer on is tried no more."""
    if auto_ids:
        AutoRenewal.objects.filter(pk__in=auto_ids, enabled=True).update(next_attempt_at=until)


def _leave(decision: Decision, *, at: datetime) -> None:
    """Skip an attempt without a word: a change upon renewal waits for this term, or the buyer is paying a renewal."""
    candidate = decision.candidate
    following = _next_attempt(candidate, at=at)
    if decision.busy:
        following = at + BUSY if at + BUSY <= candidate.expires_at else None
    AutoRenewal.objects.filter(pk=candidate.pk).update(next_attempt_at=following)


def _next_attempt(candidate: Candidate, *, at: datetime) -> datetime | None:
    return life.next_attempt(expiry=candidate.expiry, hour=_hour(policies.in_force(at)), after=at)


@operation("renewAutomatically", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def renew_automatically(call: Call, *, resource: Resource) -> Order:
    """Renew a resource by its own choice and charge the chosen method. Raises `Refused` with why it did not work.

    The sweep does so set-wise, under this name, where neither a card nor an unpaid order is involved.
    """
    auto = AutoRenewal.objects.select_for_update().get(resource=resource)
    decision = _decided(auto, at=call.at)
    if decision is None or decision.priced is None:
        raise decision.refused if decision is not None and decision.refused is not None else Refused("autorenew_off")
    renewing.cancel_unpaid(call, resource, only=OrderType.RENEW)
    account, in_force = identity.ordering_account(resource.account_id, at=call.at)
    quoted = queries.automatic_quote(resource, length=auto.length, at=call.at)
    configuration = catalog.Configuration.from_json(quoted.configuration)
    order = placing.write(
        call, account, resource.product, quoted, configuration, in_force,
        project=resource.project_code, tags=resource.tags, resource=resource,
    )  # fmt: skip
    auto.next_attempt_at = None
    auto.save(update_fields=["next_attempt_at"])
    _charge(call, order, auto)
    describe(order=order.number, amount=order.total, state=order.state, enabled_by=auto.enabled_by)
    return order


def _decided(auto: AutoRenewal, *, at: datetime) -> Decision | None:
    """What becomes of an attempt at a moment; None while auto-renewal is off."""
    decisions = decide(by_id([auto.pk]), when=lambda candidate: at, locked=False)
    return decisions[0] if decisions else None


def _charge(call: Call, order: Order, auto: AutoRenewal) -> None:
    paid_by = placing.goes_straight_on(order, order.line.configured)
    if paid_by is not None:
        paying.go_on(call, order, paid_by=paid_by)
    elif auto.method.startswith(CARD):
        card_paying.start_automatic(call, order, card=auto.method.removeprefix(CARD))
    else:
        paying.charge(call, order, method=auto.method)


# What happens to orders elsewhere


def on_renewed(happened: ResourceRenewed) -> None:
    """A resource has a further term: its auto-renewal waits for the end of that."""
    follow(happened.resource, at=happened.at, counts=bool(happened.order.form.get("automatic")))


def on_payment_failed(happened: OrderPaymentFailed) -> None:
    """The card refused an automatic renewal: its order is canceled, so that the attempt has failed."""
    if happened.order.form.get("automatic"):
        cancelling.cancel(system_call(at=happened.at), happened.order, reason=CancelReason.UNPAID, at=happened.at)


def on_canceled(happened: OrderCanceled) -> None:
    """An order for a resource ended unpaid or was given up: its auto-renewal goes on.

    An automatic renewal that its card did not pay has failed.
    """
    order = happened.order
    if order.type != OrderType.RENEW or order.line.resource_id is None:
        return
    candidate = next(iter(candidates(BY_RESOURCE, order.line.resource_id)), None)
    if candidate is None:
        return
    if order.form.get("automatic") and happened.reason == CancelReason.UNPAID:
        is_declined = any(payment.state == PaymentState.FAILED for payment in billing.payments_of(order.number))
        code = "autorenew_card_declined" if is_declined else "autorenew_card_silent"
        account = identity.standings([order.account_id])[order.account_id]
        _fail([(Decision(candidate, account), Refused(code, amount=order.total))], at=happened.at)
    elif happened.reason == CancelReason.BUYER and candidate.next_attempt_at is None:
        _resume(candidate, at=happened.at, waited=bool(order.form.get("changes")))


def _resume(candidate: Candidate, *, at: datetime, waited: bool) -> None:
    """Try again after the buyer canceled: at the next hour of deduction, never for a term that is over.

    What only `waited` for a change upon renewal is tried at once when there is no such hour any more.
    """
    if at > candidate.expires_at:
        return
    if waited:
        following: datetime | None = life.first_attempt(
            expiry=candidate.expiry, days_before=candidate.days_before, hour=_hour(policies.in_force(at)), now=at
        )
    else:
        following = _next_attempt(candidate, at=at)
    AutoRenewal.objects.filter(pk=candidate.pk).update(
        next_attempt_at=following, preflight_due_at=life.next_preflight(expiry=candidate.expiry, after=at)
    )


# Failures


def _fail(failed: Sequence[tuple[Decision, Refused]], *, at: datetime, traced: bool = False) -> None:
    """Keep why attempts failed, set the next ones, and tell each buyer the reason and the cure.

    Nothing was deducted. Each is traced with rating `warning`, naming who enabled it, unless it is `traced` already. A
    reseller who froze the account is told, too.
    """
    if not failed:
        return
    following = [_next_attempt(decision.candidate, at=at) for decision, _refused in failed]
    with prepared.cursor() as cursor:
        cursor.execute(
            _FAILED,
            [
                at,
                array(decision.candidate.pk for decision, _refused in failed),
                array(refused.code for _decision, refused in failed),
                array(jsontext.text(present(refused.params)) for _decision, refused in failed),
                array(following),
            ],
        )
    notices, rows = [], []
    for (decision, refused), moment in zip(failed, following, strict=True):
        candidate, account = decision.candidate, decision.account
        notices.append(
            Notice(
                account_id=candidate.account_id,
                kind="auto_renewal_failed" if moment else "auto_renewal_ended",
                params={**candidate.told, "reason": refused, "next": moment},
                link=_PAGE(candidate.number),
                key=f"auto-renewal-failed:{candidate.number}:{at.isoformat()}",
                at=at,
            )
        )
        if refused.code == "autorenew_frozen_by_reseller" and account.reseller_id is not None:
            notices.append(
                Notice(
                    account_id=account.reseller_id,
                    kind="customer_renewal_failed",
                    params={**candidate.told, "customer": account.name},
                    key=f"customer-renewal-failed:{candidate.number}:{at.isoformat()}",
                    at=at,
                )
            )
        rows.append(
            (
                candidate.account_id,
                candidate.number,
                candidate.product_name,
                at,
                {"resource": candidate.number, "enabled_by": candidate.enabled_by},
                {"code": refused.code, "message": str(refused), "next": present(moment) or ""},
            )
        )
    notify_many(notices)
    if not traced:
        system_traces("renewAutomatically", rows=rows, rating=Rating.WARNING)


# Pre-flights


def preflight_due(auto_ids: Sequence[int], upto: datetime) -> None:
    """Take the decision of the next attempt for claimed auto-renewals and tell what will come, dated at the due time.

    What else the account's auto-renewals charge until then is gone by then. After an outage an account is told once,
    now, and only of what is still to come.
    """
    found = by_id(auto_ids)
    with prepared.cursor() as cursor:
        cursor.execute(
            _SIMULATED,
            [
                array(candidate.pk for candidate in found),
                array(life.next_preflight(expiry=candidate.expiry, after=upto) for candidate in found),
            ],
        )
    ahead = {
        candidate.pk: candidate
        for candidate in found
        if candidate.next_attempt_at is not None and candidate.expires_at > upto
    }
    last = max((candidate.next_attempt_at or upto for candidate in ahead.values()), default=upto)
    everything = rivals(sorted({candidate.account_id for candidate in ahead.values()}), upto=last) if ahead else []
    notices, rows, foreseen = [], [], []
    for decision in decide(
        everything, when=lambda candidate: max(candidate.next_attempt_at or upto, upto), locked=False
    ):
        candidate = decision.candidate
        if candidate.pk not in ahead or decision.later:
            continue
        due = ahead[candidate.pk].preflight_due_at or upto
        at = due if clock.platform_date(due) == clock.platform_date(upto) else upto
        notices.append(_simulated(decision, at=at))
        if decision.refused is not None:
            foreseen.append((candidate.pk, decision.refused.code))
        rows.append(
            (
                candidate.account_id,
                candidate.number,
                candidate.product_name,
                at,
                {"resource": candidate.number, "enabled_by": candidate.enabled_by},
                {"amount": str(decision.priced.amount)}
                if decision.priced is not None
                else {"code": decision.refused.code if decision.refused is not None else ""},
            )
        )
    if foreseen:
        with prepared.cursor() as cursor:
            cursor.execute(_FORESEEN, [array(pk for pk, _code in foreseen), array(code for _pk, code in foreseen)])
    notify_many(notices)
    system_traces("simulateRenewal", rows=rows)


def _simulated(decision: Decision, *, at: datetime) -> Notice:
    candidate = decision.candidate
    params: dict[str, Any] = {**candidate.told, "on": candidate.next_attempt_at}
    if decision.priced is not None:
        kind = "auto_renewal_ahead"
        params |= {"amount": decision.priced.amount, "until": decision.priced.term.expires_at}
    else:
        kind = "auto_renewal_would_fail"
        params |= {"reason": decision.refused}
    return Notice(
        account_id=candidate.account_id,
        kind=kind,
        params=params,
        link=_PAGE(candidate.number),
        key=f"auto-renewal-preflight:{candidate.number}:{at:%Y%m%d}",
        at=at,
    )


@operation("simulateRenewal", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def preflight(call: Call, *, resource: Resource) -> AutoRenewal:
    """Simulate, by what charges, whether the next attempt would work, and warn when it would not.

    The sweep does so set-wise, under this name.
    """
    untraced()
    auto = AutoRenewal.objects.select_for_update().get(resource=resource)
    preflight_due([auto.pk], call.at)
    auto.refresh_from_db()
    return auto


def _check_method(account: Any, method: str) -> None:
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        if method != PayMethod.RESELLER:
            raise Refused("reseller_pays", field="method")
        return
    offered = {PayMethod.BALANCE.value, *(f"{CARD}{card.code}" for card in billing.cards(account.pk))}
    if billing.credit(account.pk) is not None:
        offered.add(PayMethod.CREDIT.value)
    if method not in offered:
        raise Refused("payment_method_unknown", field="method")


def _hour(in_force: PolicySet) -> time:
    return time.fromisoformat(in_force["autorenew.hour"])


__all__ = [
    "Chosen", "attempt_due", "default_method", "disable", "enable", "follow", "on_canceled", "on_payment_failed",
    "on_renewed", "preflight", "preflight_due", "renew_automatically", "switch_off", "why_not_automatic",
]  # fmt: skip
