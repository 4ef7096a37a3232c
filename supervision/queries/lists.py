"""What the lists, the navigation and the overviews ask of flows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, F, Q, QuerySet, When, Window
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery import clock
from koogallery.kernel import navigation
from koogallery.kernel.prepared import Given
from orders.queries.orders import PRODUCT_TEXTS, SELLER_TEXTS
from supervision.models import Flow
from supervision.queries.flows import NOBODY
from supervision.states import DELIVERY_STEPS, OVER_STEPS, Actor, Step, steps_of

SHOWN = 5
_UNREAD = (
    *(f"order__product__{name}" for name in PRODUCT_TEXTS),
    *(f"seller__{name}" for name in SELLER_TEXTS),
    "line__configuration",
    "line__explanation",
)


def listed(flows: QuerySet[Flow], at: datetime) -> QuerySet[Flow]:
    """Flows for a list: with `due_at`, when what they wait for is due at a moment, without the texts no list shows."""
    return (
        flows.select_related(None)
        .select_related("order", "order__product", "seller", "account", "line")
        .defer(*_UNREAD)
        .annotate(
            due_at=Case(
                When(frozen(at), then=None),
                When(step__in=DELIVERY_STEPS, then=F("delivery_due_at")),
                When(step=Step.ACCEPTED, held_at__isnull=True, then=F("completion_due_at")),
            )
        )
    )


def waits_for(actor: Actor, at: datetime | Given) -> Q:
    """Flows that run at a moment and in which it is a party's turn."""
    return Q(step__in=steps_of(actor), frozen_at__isnull=True) & (
        Q(auto_close_due_at__isnull=True) | Q(auto_close_due_at__gt=at)
    )


def completing() -> QuerySet[Flow]:
    """Accepted flows that complete at their time: neither an appeal nor a request stops them."""
    return Flow.objects.filter(_COMPLETING)


_COMPLETING = Q(step=Step.ACCEPTED, frozen_at__isnull=True, held_at__isnull=True)


def completed(at: datetime) -> Q:
    """Flows that are completed at a moment, though the sweep may not have run (R19)."""
    return Q(step=Step.COMPLETED) | (_COMPLETING & Q(completion_due_at__lte=at))


def in_progress(at: datetime) -> Q:
    """Flows that are not over at a moment."""
    return ~Q(step__in=OVER_STEPS) & ~completed(at)


def at_step(step: str, at: datetime) -> Q:
    """Flows that a page shows at a step at a moment."""
    if step == Step.COMPLETED:
        return completed(at)
    return Q(step=step) & ~completed(at) if step == Step.ACCEPTED else Q(step=step)


def frozen(at: datetime) -> Q:
    """Flows that an appeal, or their closing date, stopped, though the sweep may not have run (R19)."""
    closed = Q(auto_close_due_at__lte=at) & ~Q(step__in=(Step.ACCEPTED, *OVER_STEPS))
    return Q(frozen_at__isnull=False) | closed


def buyer_to_do(account_id: int | None, at: datetime) -> QuerySet[Flow]:
    """The flows in which it is an account's turn, the longest waiting first."""
    mine = Flow.objects.filter(waits_for(Actor.BUYER, at), account_id=account_id or NOBODY)
    return mine.order_by("turn_since", "pk")


def seller_to_do(account_id: int | None, at: datetime) -> QuerySet[Flow]:
    """The flows in which it is the turn of the seller that an account is, what is due first at the top."""
    mine = Flow.objects.filter(waits_for(Actor.SELLER, at), seller__account_id=account_id or NOBODY)
    due = F("delivery_due_at").asc(nulls_last=True)
    return mine.order_by(Case(When(step=Step.REVIEW, then=0), default=1), due, "turn_since", "pk")


def buyer_to_do_given() -> QuerySet[Flow]:
    """What the badge of **Service Supervision** in My KooGallery counts, of an account given."""
    return Flow.objects.filter(waits_for(Actor.BUYER, Given("at")), account_id=Given("account"))


def seller_to_do_given() -> QuerySet[Flow]:
    """What the badge of **Service Supervision** in the Seller Console counts, of an account given."""
    return Flow.objects.filter(waits_for(Actor.SELLER, Given("at")), seller__account_id=Given("account"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A flow in which it is somebody's turn, as an overview names it."""

    product: str
    text: str
    customer: str
    order_number: str
    url: str
    since: datetime
    due_at: datetime | None
    is_overdue: bool


def buyer_to_do_shown(request: HttpRequest) -> list[Waiting]:
    """The first flows in which it is the buyer's turn, for the overview."""
    flows = _first(buyer_to_do(_account_of(request), clock.now()).select_related("order__product"))
    navigation.know("supervision_to_do", request, flows[0].total if flows else 0)
    return [_waiting(flow, text=_DO[flow.step_enum], customer="", url=flow.get_absolute_url()) for flow in flows]


def seller_to_do_shown(request: HttpRequest) -> list[Waiting]:
    """The first flows in which it is the seller's turn, by their clocks, for the overview."""
    flows = _first(seller_to_do(_account_of(request), clock.now()).select_related("order__product", "account"))
    navigation.know("seller_supervision", request, flows[0].total if flows else 0)
    return [
        _waiting(flow, text=_DO[flow.step_enum], customer=flow.account.name, url=flow.get_seller_url())
        for flow in flows
    ]


def seller_milestones_shown(request: HttpRequest) -> list[Waiting]:
    """The first milestones that the seller is to deliver, by their clocks, for the overview."""
    flows = seller_to_do(_account_of(request), clock.now()).filter(milestones__gt=0)
    return [
        _waiting(
            flow,
            text=_("Milestone %(number)s of %(count)s") % {"number": flow.milestone, "count": flow.milestones},
            customer=flow.account.name,
            url=flow.get_seller_url(),
        )
        for flow in _first(flows.select_related("order__product", "account"))
    ]


def _first(flows: QuerySet[Flow]) -> list[Any]:
    """The first of these flows, each knowing in `total` how many there are."""
    texts = [f"order__product__{name}" for name in PRODUCT_TEXTS]
    return list(flows.defer(*texts).annotate(total=Window(Count("pk")))[:SHOWN])


_DO = {
    Step.SUBMIT: gettext_lazy("Submit Request"),
    Step.ACCEPT: gettext_lazy("Accept Service"),
    Step.CONFIRM: gettext_lazy("Accept Service"),
    Step.REVIEW: gettext_lazy("Accept Request"),
    Step.PROVIDE: gettext_lazy("Deliver Service"),
    Step.HAND_OVER: gettext_lazy("Deliver Service"),
    Step.SHIP: gettext_lazy("Deliver Service"),
}


def _waiting(flow: Flow, *, text: Any, customer: str, url: str) -> Waiting:
    due_at = flow.delivery_due_at if flow.step_enum.is_delivery else None
    return Waiting(
        product=flow.order.product.label,
        text=str(text),
        customer=customer,
        order_number=flow.order_number,
        url=url,
        since=flow.turn_since,
        due_at=due_at,
        is_overdue=due_at is not None and due_at < clock.now(),
    )


def _account_of(request: HttpRequest) -> int | None:
    user = getattr(request, "user", None)
    return user.account_id if user is not None and user.is_authenticated else None
