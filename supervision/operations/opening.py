"""Payment opens the flow of every supervised line (supervision.md, Flows)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalog.states import DeliveryMethod
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import operation
from koogallery.notifications.operations import Notice, notify_many
from orders.events import OrderPaid
from orders.queries.orders import order_locked
from supervision.models import Flow, FlowRecord
from supervision.rules import opening as rules
from supervision.rules.clocks import delivery_due
from supervision.states import Actor, RecordKind, Step, table_of

if TYPE_CHECKING:
    from orders.models import Order, OrderLine


def on_order_paid(happened: OrderPaid) -> None:
    """Open the flow of a supervised order, in the transaction of its payment."""
    order = happened.order
    if order.type_enum.makes_resource and order.line.supervised:
        open_flow(system_call(at=happened.at), order=order)


@operation("openSupervision", resource_type="Supervision", roles={Role.SYSTEM}, targets={"order": order_locked})
def open_flow(call: Call, *, order: Order) -> Flow:
    """Open the flow of a paid order's line by its delivery method and the time of the order (R6)."""
    return _open(call, order, order.line)


def _open(call: Call, order: Order, line: OrderLine) -> Flow:
    method = DeliveryMethod(line.delivery_method)
    template = rules.template_for(method)
    first = table_of(template).steps[0]
    flow = Flow(
        number=line.number,
        order=order,
        line=line,
        account_id=order.account_id,
        seller=order.seller,
        order_number=order.number,
        product_name=order.product_name,
        delivery_method=line.delivery_method,
        template=template,
        proof_required=bool(line.milestones) or rules.proof_required(order.policies, ordered_at=order.placed_at),
        takes_enabling_time=rules.takes_enabling_time(template, ordered_at=order.placed_at),
        milestones=line.milestones,
        step=first,
        step_since=call.at,
        turn_since=call.at,
        created_at=call.at,
        delivery_due_at=delivery_due(at=call.at, days=order.product.delivery_days) if first.is_delivery else None,
        auto_close_due_at=rules.auto_close_due(order.policies, ordered_at=order.placed_at),
    )
    flow.save(force_insert=True)
    FlowRecord.objects.create(flow=flow, at=call.at, kind=RecordKind.OPENED, step=first, actor=Actor.SYSTEM)
    notify_many(_notices(flow, first))
    return flow


def _notices(flow: Flow, first: Step) -> list[Notice]:
    told = {"order": flow.order_number, "product": flow.product_name}
    if first is Step.SUBMIT:
        return [
            Notice(
                account_id=flow.account_id,
                kind="request_wanted",
                params=told,
                link=flow.get_absolute_url(),
                key=f"flow-opened:{flow.number}",
                at=flow.created_at,
                user_ids=[flow.order.user_id] if flow.order.user_id else [],
            )
        ]
    return [
        Notice(
            account_id=flow.seller.account_id,
            kind="delivery_wanted",
            params=told,
            link=flow.get_seller_url(),
            key=f"flow-opened:{flow.number}",
            at=flow.created_at,
        )
    ]
