"""What happens when the term of a resource ends: renewed by hand or by itself, not at all, or used on by use."""

from __future__ import annotations

from catalog.queries.changing import cycles_of
from koogallery.kernel import operations, policies
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.models import AutoRenewal, Resource
from orders.operations import auto_renewing, taking_effect
from orders.operations.auto_renewing import Chosen
from orders.queries import renewals, renewing
from orders.queries.follow_ups import own_resource_and_follow_ups_locked
from orders.states import ExpirationPolicy

LEAD_DAYS = 7


def possible_policies(resource: Resource) -> list[ExpirationPolicy]:
    """The expiration policies a yearly/monthly resource may have: what its product supports."""
    found = [ExpirationPolicy.MANUAL, ExpirationPolicy.NONE]
    if resource.product.supports_auto_renewal:
        found.insert(1, ExpirationPolicy.AUTO)
    if renewing.usage_plan(resource) is not None:
        found.append(ExpirationPolicy.PAY_PER_USE)
    return found


def usual_choice(resource: Resource, *, account: object) -> Chosen:
    """How a resource renews itself when nothing else is said: as when it was last on, else the term last paid.

    Raises `Refused("term_not_sold")` when no length that auto-renewal may have is sold.
    """
    kept = AutoRenewal.objects.filter(resource=resource).first()
    if kept is not None:
        times = kept.left or kept.times
        return Chosen(
            length=renewals.length_value(kept.length), times=times, days_before=kept.days_before, method=kept.method
        )
    terms = renewing.terms_of(resource)
    configuration = resource.configured
    cycles = cycles_of(resource.product, configuration.sku_code, currency=configuration.currency)
    length = renewals.usual_length(renewals.periods_for(renewals.lengths_for(resource, terms, cycles)), terms)
    if length is None:
        raise Refused("term_not_sold")
    return Chosen(
        length=renewals.length_value(length),
        times=None,
        days_before=LEAD_DAYS,
        method=auto_renewing.default_method(account),
    )


@operation(
    "setResourceStrategy",
    resource_type="Resource",
    roles={Role.BUYER},
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
)
def set_expiration_policy(call: Call, *, resource: Resource, policy: str) -> Resource:
    """Choose what happens when the term ends; auto-renewal is switched on as it was last, or off.

    Raises `Refused("resource_has_no_term")` for what does not expire, `Refused("expiration_policy_unsupported")`,
    `Refused("renewal_change_waits")` while a change upon renewal waits, what `auto_renewing.enable` refuses, and the
    denial of who may not switch auto-renewal on or off.
    """
    taking_effect.bring_due_change_into_effect(resource, at=call.at)
    in_force = policies.in_force(call.at)
    if (refused := renewals.why_no_strategy(resource, at=call.at, in_force=in_force)) is not None:
        raise refused
    if policy not in possible_policies(resource):
        raise Refused("expiration_policy_unsupported", field="policy")
    before = resource.expiration_policy
    if ExpirationPolicy.AUTO in (before, policy) and before != policy:
        switch = "enableAutoRenewal" if policy == ExpirationPolicy.AUTO else "disableAutoRenewal"
        if (denied := operations.may(call, switch, resource)) is not None:
            raise denied
    if policy == ExpirationPolicy.AUTO:
        if before != ExpirationPolicy.AUTO:
            auto_renewing.enable(call, resource=resource, chosen=usual_choice(resource, account=call.account))
    else:
        auto_renewing.switch_off(resource)
        resource.expiration_policy = policy
        resource.save(update_fields=["expiration_policy"])
    describe(before=before, after=policy)
    return resource
