"""Resources with the orders that renew or change them, locked in the one order that payments and sweeps follow."""

from __future__ import annotations

from typing import Any

from koogallery.kernel.calls import Call
from orders.models import AutoRenewal, Order, RenewalChange, Resource
from orders.queries.orders import NOBODY
from orders.queries.resources import own_resource_locked
from orders.states import OrderState, RenewalChangeState


def own_resource_and_follow_ups_locked(call: Call, number: Any) -> Resource:
    """A resource of the calling account, locked after its open orders and the change that waits, its auto-renewal last.

    The sweep of auto-renewals claims these rows before any money, so nobody asks for one while holding money. Raises
    `Missing`.
    """
    given = {"resource__number": str(number)[:32], "resource__account_id": call.account_id or NOBODY}
    orders = Order.objects.filter(
        **{f"lines__{name}": value for name, value in given.items()},
        state__in=[OrderState.PENDING_PAYMENT, OrderState.PROCESSING],
    )
    list(orders.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
    changes = RenewalChange.objects.filter(**given, state=RenewalChangeState.WAITING)
    list(changes.select_for_update(of=("self",), no_key=True).values_list("pk"))
    resource = own_resource_locked(call, number)
    list(AutoRenewal.objects.filter(resource=resource).select_for_update(of=("self",), no_key=True).values_list("pk"))
    return resource


def lock_what_follows(line: Any) -> None:
    """Lock what a locked line produced, after the orders that renew or change it and the change that waits.

    The auto-renewals come last, as in `own_resource_and_follow_ups_locked`.
    """
    of_line = {"resource__line": line}
    orders = Order.objects.filter(lines__resource__line=line)
    list(orders.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
    changes = RenewalChange.objects.filter(**of_line, state=RenewalChangeState.WAITING)
    for rows in (changes, Resource.objects.filter(line=line), AutoRenewal.objects.filter(**of_line)):
        list(rows.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk"))
