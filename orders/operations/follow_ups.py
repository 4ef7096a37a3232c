"""What becomes of the renewals and changes of a resource that leaves the state they need."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from billing.operations import refunding
from koogallery.kernel.calls import Call
from koogallery.kernel.operations import describe
from koogallery.notifications.operations import notify
from orders.models import OrderLine, RenewalChange, Resource
from orders.operations import cancelling, renewing
from orders.operations.moving import tell
from orders.operations.taking_effect import told_of
from orders.queries.resources import resource_locked
from orders.states import CancelReason, OrderState, OrderStep, OrderType, RenewalChangeState


def with_follow_ups(resource_ids: Iterable[int]) -> list[str]:
    """The numbers of the resources among these with an unpaid renewal or change, or a change upon renewal to come."""
    unpaid = OrderLine.objects.filter(resource=OuterRef("pk"), order__state=OrderState.PENDING_PAYMENT)
    waiting = RenewalChange.objects.filter(resource=OuterRef("pk"), state=RenewalChangeState.WAITING)
    concerned = Resource.objects.filter(Exists(unpaid) | Exists(waiting), pk__in=list(resource_ids))
    return list(concerned.order_by("pk").values_list("number", flat=True))


def end_changes(call: Call, resource: Resource) -> None:
    """Cancel what a locked resource can no longer have once its term is over: unpaid changes, also those upon renewal.

    A plain renewal can still be paid in grace and retention.
    """
    renewing.cancel_unpaid(call, resource, only=OrderType.CHANGE)
    renewing.cancel_unpaid(call, resource, only=OrderType.RENEW, changing=True)


def end_all(call: Call, resource: Resource) -> None:
    """Cancel whatever would renew or change a locked resource that ends; a paid change upon renewal is refunded."""
    renewing.cancel_unpaid(call, resource)
    waiting = (
        RenewalChange.objects.select_for_update(of=("self",))
        .filter(resource=resource, state=RenewalChangeState.WAITING)
        .select_related("order__product", "order__seller", "order__account")
        .first()
    )
    if waiting is None:
        return
    order = waiting.order
    waiting.move(RenewalChangeState.CANCELED, at=call.at)
    cancelling.cancel(call, order, reason=CancelReason.RESOURCE, at=call.at)
    if order.amount:
        refunding.refund_all(call, order_number=order.number, reason="resource_ended", key=f"renewal:{order.number}")
        tell(order, OrderStep.REFUNDED, at=call.at, note=str(order.total))
    notify(
        account_id=resource.account_id,
        kind="renewal_change_refunded",
        params=told_of(resource) | {"order": order.number, "amount": order.total},
        link=order.get_absolute_url(),
        key=f"renewal-change-refunded:{order.number}",
        at=call.at,
    )
    describe(canceled=order.number, refunded=order.total)


def end_follow_ups(call: Call, resource_number: str, *, all_of_them: bool) -> None:
    """Do so for a resource that the caller has locked: everything, or only what needs its term."""
    resource = resource_locked(call, resource_number)
    (end_all if all_of_them else end_changes)(call, resource)
