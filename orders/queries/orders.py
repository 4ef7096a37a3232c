"""Orders as their account, their seller and the platform may know them (R20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, FilteredRelation, OuterRef, Q, QuerySet
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _

from billing.queries import card_payment_pending
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.prepared import Given, Prepared
from koogallery.kernel.reasons import Missing
from orders.models import Order, OrderEvent, OrderLine, RenewalChange, Resource
from orders.queries import delivered
from orders.states import CancelReason, OrderState, OrderStep, OrderType, PaidBy, RenewalChangeState

NOBODY = 0
PRODUCT_TEXTS = (
    "overview",
    "overview_zh",
    "introduction",
    "introduction_zh",
    "usage_guide",
    "usage_guide_zh",
    "eula",
    "eula_zh",
    "acceptance_criteria",
    "acceptance_criteria_zh",
    "support_scope",
    "support_scope_zh",
    "stack_template",
    "interface_key",
)
SELLER_TEXTS = ("introduction", "introduction_zh", "bank_account")
_ORDER = {step: number for number, step in enumerate(OrderStep)}


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of an order's timeline, as the component shows it; `called` is what it says instead of its step."""

    at: datetime
    step: OrderStep
    actor: str
    text: str
    called: str = ""

    @property
    def title(self) -> str:
        """What happened, in the language in force."""
        return self.called or str(self.step.label)

    @property
    def tone(self) -> str:
        """The colour of its dot."""
        return self.step.tone


def orders_of(account_id: int | None) -> QuerySet[Order]:
    """The orders an account placed."""
    orders = Order.objects.filter(account_id=account_id or NOBODY).select_related("seller", "product")
    return orders.defer(*_unread_texts(""))


_LISTED = (
    "number", "account_id", "user_id", "product_name", "product_code", "spec_text", "spec_text_zh", "type", "state",
    "amount", "currency", "project_code", "policy", "placed_at", "payment_due_at", "unsubscribed_at", "product__name",
    "product__name_zh", "product__slug", "seller__name", "seller__name_zh",
)  # fmt: skip
"""What lists of orders show."""


def orders_given() -> QuerySet[Order]:
    """The orders that an account given placed."""
    return Order.objects.filter(account_id=Given("account"))


def listed_orders_given() -> QuerySet[Order]:
    """The same for a list, with `project_name`."""
    rows = with_project_names(orders_given().select_related("seller", "product").only(*_LISTED))
    return delivered.with_completion(rows, at=Given("at"), by="order")


def unpaid_orders_given() -> QuerySet[Order]:
    """Those that can still be paid at a moment given."""
    return orders_given().filter(waiting(Given("at")))


def listed_unpaid_orders_given() -> QuerySet[Order]:
    """The same for a list, with `project_name`."""
    return listed_orders_given().filter(waiting(Given("at")))


def with_project_names(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The same orders or resources with `project_name`, None for one that belongs to no project."""
    project = FilteredRelation("account__projects", condition=Q(account__projects__code=F("project_code")))
    return rows.annotate(project=project).annotate(project_name=F("project__name"))


def orders_of_seller(account_id: int | None) -> QuerySet[Order]:
    """The orders placed with the seller that an account is."""
    sold = Order.objects.filter(seller__account_id=account_id or NOBODY)
    return sold.select_related("account", "product").defer(*_unread_texts("", seller=False))


def _unread_texts(prefix: str, *, seller: bool = True) -> list[str]:
    """The long and the encrypted columns of product and seller, which an order never shows."""
    names = [f"{prefix}product__{name}" for name in PRODUCT_TEXTS]
    return [*names, *(f"{prefix}seller__{name}" for name in SELLER_TEXTS)] if seller else names


def waiting(at: datetime | Given) -> Q:
    """Orders that can still be paid at a moment (R19)."""
    return Q(state=OrderState.PENDING_PAYMENT, payment_due_at__gt=at)


def ended(at: datetime | Given) -> Q:
    """Orders that are Canceled, or past their payment deadline though the sweep has not run."""
    return Q(state=OrderState.CANCELED) | Q(state=OrderState.PENDING_PAYMENT, payment_due_at__lte=at)


def processing(at: datetime | Given) -> Q:
    """Orders that are Processing at a moment (R19)."""
    return Q(state=OrderState.PROCESSING) & ~delivered.completed(at, by="order")


def completed(at: datetime | Given) -> Q:
    """Orders that are Completed at a moment, though the sweep may not have completed their delivery (R19)."""
    return Q(state=OrderState.COMPLETED) | delivered.completed(at, by="order")


def own_order(call: Call, number: Any) -> Order:
    """An order of the calling account. Raises `Missing`."""
    return _one(orders_of(call.account_id), number)


def own_order_locked(call: Call, number: Any) -> Order:
    """An order of the calling account, locked for a change. Raises `Missing`."""
    order = _locked(_OWN_LINE, number, account=call.account_id or NOBODY)
    order.account = call.account
    if call.user_id is not None and order.user_id == call.user_id:
        order.user = call.user
    return order


def sold_order(call: Call, number: Any) -> Order:
    """An order placed with the calling seller. Raises `Missing`."""
    return _one(orders_of_seller(call.account_id), number)


def detailed_order(call: Call, number: Any) -> Order:
    """An order for its page, as buyer or seller: lines, timeline and resources come with it in two queries.

    `timeline_json` and `resources_json` hold the rows of both. Raises `Missing`.
    """
    key = str(number)[:20]
    if call.role is Role.SELLER:
        order = _SOLD_IN_DETAIL.first(account=call.account_id or NOBODY, number=key, at=call.at)
    else:
        order = _OWN_IN_DETAIL.first(account=call.account_id or NOBODY, number=key, at=call.at)
    if order is None:
        raise Missing(f"order {number}")
    if call.account is not None and order.account_id == call.account.pk:
        order.account = call.account
    lines = order.lines.all()
    lines._result_cache = _LINES_OF.all(order=order.pk)
    for line in lines:
        line.order = order
    order.__dict__["_prefetched_objects_cache"] = {"lines": lines}
    return order


def _in_detail(orders: QuerySet[Order]) -> QuerySet[Order]:
    steps = OrderEvent.objects.filter(order=OuterRef("pk")).order_by("at", "pk")
    resources = Resource.objects.filter(line__order=OuterRef("pk")).order_by("pk")
    return (
        delivered.with_completion(orders.filter(number=Given("number")), at=Given("at"), by="order")
        .defer(*_unread_texts(""))
        .annotate(
            timeline_json=ArraySubquery(
                steps.values(step_json=JSONObject(at="at", step="step", actor="actor", note="note"))
            ),
            resources_json=ArraySubquery(
                resources.values(resource_json=JSONObject(number="number", status="status", name="product_name"))
            ),
        )
    )


_OWN_IN_DETAIL = Prepared(
    lambda: _in_detail(with_project_names(orders_given().select_related("seller", "product", "user")))
)
_SOLD_IN_DETAIL = Prepared(
    lambda: _in_detail(
        Order.objects.filter(seller__account_id=Given("account")).select_related("account", "seller", "product", "user")
    )
)
_LINES_OF = Prepared(lambda: OrderLine.objects.filter(order_id=Given("order")))


def timeline_of(order: Order) -> list[TimelineEntry]:
    """The timeline of an order read by `detailed_order`, oldest first.

    Its own moments come from the order's columns, what else happened from its events; of a change upon renewal that
    waits, when it takes effect is told as well.
    """
    entries = [
        TimelineEntry(
            at=datetime.fromisoformat(stored["at"]),
            step=OrderStep(stored["step"]),
            actor=stored["actor"],
            text=stored["note"],
        )
        for stored in getattr(order, "timeline_json", [])
    ]
    user = order.user.username if order.user else ""
    paid = f"{order.total} · {PaidBy(order.paid_by).label}" if order.paid_by and order.amount else ""
    canceled_by = user if order.cancel_reason == CancelReason.BUYER else ""
    started = order.paid_at if order.type_enum.makes_resource else None
    confirmed = _("Order confirmed") if order.paid_by == PaidBy.MONTHLY else ""
    moments = (
        (order.placed_at, OrderStep.PLACED, user, ""),
        (started, OrderStep.DELIVERY_STARTED, "", ""),
        (order.paid_at if order.type != OrderType.UNSUBSCRIBE else None, OrderStep.PAID, "", paid),
        (order.completed_at or order.completes_at, OrderStep.COMPLETED, "", ""),
        (order.unsubscribed_at, OrderStep.UNSUBSCRIBED, "", ""),
        (order.canceled_at, OrderStep.CANCELED, canceled_by, order.why_canceled),
    )
    entries += [
        TimelineEntry(at, step, actor, text, confirmed if step is OrderStep.PAID else "")
        for at, step, actor, text in moments
        if at is not None
    ]
    if order.type == OrderType.RENEW and order.state == OrderState.PROCESSING:
        ahead = RenewalChange.objects.filter(order=order, state=RenewalChangeState.WAITING)
        entries += [
            TimelineEntry(at, OrderStep.COMPLETED, "", "", _("Takes effect"))
            for at in ahead.values_list("effective_at", flat=True)
        ]
    return sorted(entries, key=lambda entry: (entry.at, _ORDER[entry.step]))


def order_locked(call: Call, number: Any) -> Order:
    """Any order, locked, for the platform and operations. Raises `Missing`."""
    return _locked(_ANY_LINE, number)


def order_by_number(number: str) -> Order:
    """Any order, for the platform, operations and commands. Raises `Missing`."""
    return _one(Order.objects.select_related("seller", "product", "account"), number)


def _lines_locked(lines: QuerySet[OrderLine]) -> QuerySet[OrderLine]:
    return (
        lines.select_related("order__seller", "order__product")
        .defer(*_unread_texts("order__"))
        .annotate(card_pending=card_payment_pending(OuterRef("order__number")))
        .select_for_update(of=("order",))
        .filter(order__number=Given("number"))
        .order_by("number")[:1]
    )


_OWN_LINE: Prepared[Any] = Prepared(lambda: _lines_locked(OrderLine.objects.filter(order__account_id=Given("account"))))
_ANY_LINE: Prepared[Any] = Prepared(lambda: _lines_locked(OrderLine.objects.select_related("order__account")))


def _locked(lines: Prepared[Any], number: Any, **whose: int) -> Order:
    """An order with its first line, seller and product, locked, in one query.

    `card_pending` says whether a card payment of it had no outcome yet when it was asked for.
    """
    line = lines.first(number=str(number)[:20], **whose)
    if line is None:
        raise Missing(f"order {number}")
    order = line.order
    order.line, order.product.seller, line.product = line, order.seller, order.product
    order.card_pending = line.card_pending
    return order


def _one(orders: QuerySet[Order], number: Any) -> Order:
    order = orders.filter(number=str(number)[:20]).first()
    if order is None:
        raise Missing(f"order {number}")
    return order
