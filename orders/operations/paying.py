"""Paying an order at once from balance, credit or through the reseller, and what payment starts."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse

from billing.operations import milestones
from billing.operations import paying as billing
from billing.queries import payments_of
from billing.rules.discounts import DiscountSource
from billing.states import PaymentState, PayMethod
from catalog.operations import offer_uses
from koogallery.kernel import events
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import Notice, notify_many
from orders.events import OrderPaid
from orders.models import Order
from orders.operations import completing, provisioning, taking_effect
from orders.operations.moving import move
from orders.operations.renewing_many import renewals_received
from orders.queries.orders import own_order_locked
from orders.states import OrderState, PaidBy

if TYPE_CHECKING:
    from billing.models import Payment

AT_ONCE = {PayMethod.BALANCE: PaidBy.BALANCE, PayMethod.CREDIT: PaidBy.CREDIT}


@operation(
    "payOrder",
    resource_type="Order",
    action="marketplace:order:create",
    roles={Role.BUYER},
    targets={"order": own_order_locked},
    once=True,
    default_allowed=True,
)
def pay_order(call: Call, *, order: Order, method: str) -> Order:
    """Pay an order from `balance` or `credit` and start its delivery, in one transaction.

    Raises `Refused("order_already_paid")`, `Refused("order_not_payable")` once its deadline has passed (R19) or it is
    Canceled, `Refused("payment_in_progress")` while a card payment is being checked, and what billing refuses.
    """
    check_payable(order, call)
    if order.line.milestones:
        raise Refused("milestone_pays_monthly", field="method")
    if method not in AT_ONCE:
        raise Refused("payment_method_unknown", field="method")
    describe(amount=order.total)
    charge(call, order, method=method)
    return order


def charge(call: Call, order: Order, *, method: str) -> None:
    """Pay a locked order at once from `balance` or `credit` for an operation of the platform. Raises `Refused`."""
    payment = billing.pay(call, subject=subject_of(order), amount=order.total, method=method)
    describe(payment=payment.number, method=method)
    go_on(call, order, paid_by=AT_ONCE[PayMethod(method)])


@operation(
    "confirmMilestoneOrder",
    resource_type="Order",
    action="marketplace:order:create",
    roles={Role.BUYER},
    targets={"order": own_order_locked},
    once=True,
    default_allowed=True,
)
def confirm_milestones(call: Call, *, order: Order, confirmed: bool) -> Order:
    """Confirm an order with milestones by monthly settlement: the first bill is generated, the delivery starts.

    `confirmed` says that its milestones were confirmed once more. Raises `Refused`: `milestones_unconfirmed`, what
    `check_payable` raises, `account_frozen`, `payment_method_unknown` for an order without milestones.
    """
    check_payable(order, call)
    if not order.line.milestones:
        raise Refused("payment_method_unknown", field="method")
    if not confirmed:
        raise Refused("milestones_unconfirmed")
    billing.check_payer(call, account_id=order.account_id, method=PayMethod.CREDIT)
    describe(amount=order.total, milestones=order.line.milestones)
    go_on(call, order, paid_by=PaidBy.MONTHLY)
    return order


def check_payable(order: Order, call: Call) -> None:
    """Raise `Refused` unless a locked order can be paid at the moment of the call."""
    if order.state_enum.is_paid:
        raise Refused("order_already_paid")
    if not order.is_payable(call.at):
        raise Refused("order_not_payable", state=order.shown_state(call.at).label)
    if order.card_pending:
        raise Refused("payment_in_progress")


def pending_payment(order_number: str) -> Payment | None:
    """The card payment of an order that has no outcome yet."""
    return next((each for each in payments_of(order_number) if each.state == PaymentState.PENDING), None)


def subject_of(order: Order) -> billing.PaymentSubject:
    """What billing keeps of the order's line."""
    line, product = order.line, order.product
    return billing.PaymentSubject(
        order_number=order.number,
        line_number=line.number,
        account_id=order.account_id,
        seller_id=order.seller_id,
        fee_percent=line.fee_percent,
        product_code=order.product_code,
        description=_named(order.product_name, order.spec_text),
        description_zh=_named(product.name_zh or order.product_name, order.spec_text_zh or order.spec_text),
        project_code=order.project_code,
        tags=order.tags,
        explanation=line.explanation,
    )


def _named(product: str, specification: str) -> str:
    return f"{product} · {specification}" if specification else product


def go_on(call: Call, order: Order, *, paid_by: PaidBy) -> None:
    """Bring a locked order that is paid, or has nothing due, from Pending payment into its delivery.

    For a reseller's customer the amount is charged to the reseller here.
    """
    if paid_by is PaidBy.RESELLER:
        billing.pay(call, subject=subject_of(order), amount=order.total, method=PayMethod.RESELLER)
    if order.line.discount_source == DiscountSource.OFFER:
        offer_uses.use(call, order_number=order.number)
    if paid_by is PaidBy.MONTHLY:
        milestones.start(call, line_number=order.line.number)
    move(order, OrderState.PROCESSING, paid_at=call.at, paid_by=paid_by, payment_due_at=None)
    notify_many(_notices(order, paid_by=paid_by, at=call.at))
    events.publish(OrderPaid(order=order, at=call.at))
    if order.line.resource_id is not None:
        taking_effect.take_effect(call, order)
    elif order.type_enum.completes_on_payment:
        completing.complete(call, order=order)
    else:
        provisioning.start(call, order=order)


def _notices(order: Order, *, paid_by: PaidBy, at: datetime) -> list[Notice]:
    told = {
        "order": order.number,
        "product": order.product_name,
        "specification": order.spec_text,
        "account": order.account.name,
        "amount": order.total,
    }
    is_paid_here = paid_by not in (PaidBy.NOTHING, PaidBy.RESELLER, PaidBy.MONTHLY)
    about = "follow_up" if order.line.resource_id is not None else "order"
    return [
        Notice(
            account_id=order.account_id,
            kind=f"{about}_paid" if is_paid_here else f"{about}_started",
            params=told,
            link=order.get_absolute_url(),
            key=f"order-paid:{order.number}",
            at=at,
            user_ids=[order.user_id] if order.user_id else [],
        ),
        _seller_notice(order, told, at=at),
    ]


def _seller_notice(order: Order, told: dict[str, Any], *, at: datetime) -> Notice:
    if order.form.get("automatic"):
        return renewals_received(order.seller.account_id, at=at)
    return Notice(
        account_id=order.seller.account_id,
        kind="order_received",
        params=told,
        link=reverse("orders:seller_detail", args=[order.number]),
        key=f"order-received:{order.number}",
        at=at,
    )
