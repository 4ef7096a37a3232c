"""What the lists, the navigation and the overviews ask of requests and of lines that can be given back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Case,
    CharField,
    Count,
    Exists,
    F,
    Min,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from koogallery import clock
from koogallery.kernel import navigation
from koogallery.kernel.policies import POLICIES
from koogallery.kernel.prepared import Given
from orders.queries import images, returns
from orders.queries.orders import NOBODY
from orders.states import OrderState, OrderType
from supervision.states import OVER_STEPS, Step
from unsubscriptions.models import Payout, Request
from unsubscriptions.rules.matrix import NEGOTIATED_2025
from unsubscriptions.states import PayoutState, RequestState, Status, Way

SHOWN = 5
MATRIX = "unsub.matrix"


def negotiable_lines(account_id: int | None, at: datetime) -> QuerySet[Any]:
    """The order lines of an account that can be negotiated until they are Completed, or by special agreement.

    Each knows its `flow`, and in `open_request` the number of the request that waits for its answer.
    """
    asked = Request.objects.filter(line=OuterRef("pk"), state=RequestState.REQUESTED)
    running = (
        Q(order__state=OrderState.PROCESSING, supervised=True, delivery_method__in=NEGOTIATED_2025, matrix="2025")
        & Q(order__type=OrderType.NEW, amount__gt=0, flow__isnull=False)
        & ~Q(flow__step__in=OVER_STEPS)
        & ~Q(
            flow__step=Step.ACCEPTED,
            flow__frozen_at__isnull=True,
            flow__held_at__isnull=True,
            flow__completion_due_at__lte=at,
        )
    )
    by_agreement = Q(
        agreed_way=Way.NEGOTIATED, order__state__in=(OrderState.PROCESSING, OrderState.COMPLETED), amount__gt=0
    )
    return (
        returns.lines_of(account_id)
        .select_related("flow")
        .annotate(
            matrix=_matrix(),
            open_request=Subquery(asked.values("number")[:1]),
        )
        .filter(order__unsubscribed_at__isnull=True)
        .filter(by_agreement | Q(agreed_way="") & running)
    )


def image_resources(account_id: int | None, at: datetime) -> QuerySet[Any]:
    """The yearly/monthly images that an account uses, each with what waits for it at a moment.

    `has_renewal` says whether one of its renewals has not started, `agreed_way` what a special agreement says.
    """
    return images.image_resources(account_id, at=at).annotate(agreed_way=F("line__agreed_way"))


def _matrix() -> Any:
    """The matrix stamped on a line's order: an override, else its pack's."""
    stamp = "order__policy"
    pack = Case(
        *[When(**{f"{stamp}__pack": pack}, then=Value(value)) for pack, value in POLICIES[MATRIX].values.items()],
        default=Value(POLICIES[MATRIX].values["2025"]),
        output_field=CharField(),
    )
    return Coalesce(KeyTextTransform(MATRIX, KeyTextTransform("overrides", stamp)), pack, output_field=CharField())


def status_q(status: Status) -> Q:
    """Requests that pages show with a status."""
    if status in (Status.IN_PROGRESS, Status.REFUNDED, Status.FAILED):
        payout = {
            Status.IN_PROGRESS: PayoutState.DUE,
            Status.REFUNDED: PayoutState.DONE,
            Status.FAILED: PayoutState.FAILED,
        }[status]
        return Q(state=RequestState.AGREED, payout__state=payout)
    return Q(state=status.value)


def reviewable(at: datetime | Given) -> Q:
    """Requests that a seller can answer at a moment: no appeal, and no passed closing date, stopped their flow."""
    closed = Q(line__flow__auto_close_due_at__lte=at) & ~Q(line__flow__step__in=(Step.ACCEPTED, *OVER_STEPS))
    return Q(state=RequestState.REQUESTED, line__flow__frozen_at__isnull=True) & ~closed


def to_review(account_id: int | None, at: datetime) -> QuerySet[Request]:
    """The requests that the seller that an account is has to answer, the longest waiting first."""
    mine = Request.objects.filter(reviewable(at), seller__account_id=account_id or NOBODY)
    return mine.order_by("turn_since", "pk")


def seller_to_review_given() -> QuerySet[Request]:
    """What the badge of **Unsubscriptions** in the Seller Console counts, of an account given."""
    return Request.objects.filter(reviewable(Given("at")), seller__account_id=Given("account"))


def in_progress_given() -> QuerySet[Request]:
    """The requests of an account given that wait for an answer or for their money: the badge of My Unsubscriptions."""
    return _in_progress(Given("account"))


def in_progress(account_id: int | None) -> QuerySet[Request]:
    """The requests of an account that wait for an answer or for their money, oldest first."""
    return _in_progress(account_id or NOBODY).select_related("payout", "line").order_by("requested_at", "pk")


def _in_progress(account: Any) -> QuerySet[Request]:
    unfinished = Payout.objects.filter(request=OuterRef("pk")).exclude(state=PayoutState.DONE)
    mine = Request.objects.filter(account_id=account, state__in=[RequestState.REQUESTED, RequestState.AGREED])
    return mine.filter(Q(state=RequestState.REQUESTED) | Exists(unfinished))


@dataclass(frozen=True, slots=True)
class InProgress:
    """A request in progress, as an overview names it; `due_at` is when its money is to be back."""

    number: str
    order_number: str
    product: str
    customer: str
    status: Status
    amount: Any
    since: datetime
    due_at: datetime | None
    is_late: bool
    url: str


def in_progress_shown(request: HttpRequest) -> list[InProgress]:
    """The first requests of the buyer that are in progress, for the overview."""
    rows = in_progress(_account_of(request))[:SHOWN]
    return [_shown(row, url=row.get_absolute_url(), customer="") for row in rows]


def to_review_shown(request: HttpRequest) -> list[InProgress]:
    """The first requests that the seller has to answer, for the overview."""
    rows: Any = to_review(_account_of(request), clock.now()).select_related("account")
    found = list(rows.annotate(total=Window(Count("pk")))[:SHOWN])
    navigation.know("seller_unsubscriptions", request, found[0].total if found else 0)
    return [_shown(row, url=row.get_seller_url(), customer=row.account.name) for row in found]


def _shown(row: Request, *, url: str, customer: str) -> InProgress:
    payout = getattr(row, "payout", None) if row.state == RequestState.AGREED else None
    return InProgress(
        number=row.number,
        order_number=row.order_number,
        product=row.product_name,
        customer=customer,
        status=row.status,
        amount=row.money,
        since=row.turn_since,
        due_at=payout.due_at if payout is not None else None,
        is_late=payout is not None and payout.is_late(clock.now()),
        url=url,
    )


def late_q(at: datetime) -> Q:
    """Payouts that are, or came, late, whether or not the sweep has run (R19)."""
    return Q(breached_at__isnull=False) | Q(breach_due_at__lte=at)


def attention_q(at: datetime) -> Q:
    """Payouts at which operations should look: late or failed, and not refunded yet."""
    return (late_q(at) | Q(state=PayoutState.FAILED)) & ~Q(state=PayoutState.DONE)


def attention_first(at: datetime) -> Case:
    """What brings these first in a list of payouts."""
    return Case(When(attention_q(at), then=Value(0)), default=Value(1))


def needing_attention(at: datetime | None = None) -> QuerySet[Payout]:
    """Payouts that are late or failed: work for operations, the longest overdue first.

    Without a moment only those that the sweep has found late.
    """
    late = attention_q(at) if at is not None else Q(breached_at__isnull=False) | Q(state=PayoutState.FAILED)
    payouts = Payout.objects.filter(late).exclude(state=PayoutState.DONE)
    return payouts.select_related("request__account", "request__seller", "order").order_by(F("due_at").asc(), "pk")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many payouts are under way, late and failed, and when the next one is to be back."""

    open: int
    late: int
    failed: int
    next_due_at: datetime | None


def payouts_waiting(at: datetime) -> Waiting:
    """What the overview of operations tells of payouts; one query."""
    found = Payout.objects.exclude(state=PayoutState.DONE).aggregate(
        open=Count("pk"),
        late=Count("pk", filter=late_q(at)),
        failed=Count("pk", filter=Q(state=PayoutState.FAILED)),
        next_due_at=Min("due_at", filter=Q(due_at__gt=at)),
    )
    return Waiting(**found)


def _account_of(request: HttpRequest) -> int | None:
    user = getattr(request, "user", None)
    return user.account_id if user is not None and user.is_authenticated else None
