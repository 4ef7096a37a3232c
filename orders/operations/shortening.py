"""A renewal that has not started is given back: its resource ends where it ended before (pricing.md)."""

from __future__ import annotations

from billing.rules.terms import Term
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.models import Order, Resource
from orders.operations import auto_renewing, taking_effect
from orders.queries import renewing as queries
from orders.queries.resources import resource_locked
from orders.saas.activities import Scene


@operation(
    "shortenResource", resource_type="Resource", roles={Role.BUYER, Role.SYSTEM}, targets={"resource": resource_locked}
)
def give_last_term_back(call: Call, *, resource: Resource, order: Order) -> Resource:
    """Take the last term off a locked resource; `order` is the UNSUBSCRIBE order that gives it back.

    The resource expires as before that renewal, by the day of the month that counted then; its auto-renewal waits for
    that expiry. Raises `Refused("unsub_no_renewal")` unless an earlier term is left.
    """
    terms = queries.terms_of(resource)
    if len(terms) < 2:
        raise Refused("unsub_no_renewal")
    *kept, last = terms
    anchor = kept[0].start.day
    for term in kept[1:]:
        anchor = queries.parse_day(term.line.order.form.get("unified", "")) or anchor
    was = resource.expires_at
    last.delete()
    left = Term(start=kept[-1].start, end=kept[-1].end, anchor_day=anchor)
    taking_effect.prolong(call, resource, left)
    auto_renewing.follow(resource, at=call.at, counts=False)
    taking_effect.refresh_instance(call, resource, order, scene=Scene.UNSUBSCRIBE_RENEWAL_PERIOD)
    describe(account_id=resource.account_id, was=was, expires=resource.expires_at)
    return resource
