"""Many supervised orders completed at once: the same as one by one, in a constant number of statements."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import transaction

from audit.models import Trace
from billing import queries as money
from billing.models import Posting
from billing.states import PostingKind
from koogallery.kernel import events, guard
from koogallery.kernel.calls import system_call
from koogallery.kernel.models import OutboxMessage
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.events import OrderCompleted
from orders.models import Order, OrderEvent, Resource, ResourceTerm
from orders.operations import cancelling, finishing, provisioning
from orders.operations.finishing import Ending
from orders.states import CancelReason, OrderState, ResourceStatus
from tests.factories import catalog, orders
from tests.factories.billing import usd
from tests.personas import Persona, make_buyer

pytestmark = pytest.mark.django_db

BOUGHT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
ACCEPTED = datetime.fromisoformat("2026-03-31T23:30:00+08:00")
DUE = ACCEPTED + timedelta(hours=3)


@pytest.fixture
def buyer() -> Persona:
    return make_buyer()


def supervised(buyer: Persona, **fields: object) -> Order:
    plans = [catalog.plan(unit_price="1200.00", term_unit="month", lengths=[1])]
    product = catalog.make_product(**{"delivery_method": "license", "supervised": True, "plans": plans, **fields})
    order = orders.bought(buyer, product, funds=2000, at=BOUGHT)
    assert order.state == OrderState.PROCESSING
    return order


def finish(*found: Order) -> None:
    with transaction.atomic(), guard.opened("test"):
        finishing.finish_deliveries(
            [
                Ending(order_id=order.pk, at=DUE + timedelta(minutes=number), starts_at=ACCEPTED)
                for number, order in enumerate(found)
            ]
        )


def effect(order: Order) -> dict[str, object]:
    """Everything that completing may have changed, without what names this very order."""
    order.refresh_from_db()
    resource = Resource.objects.get(line__order=order)
    names = {order.number: "ORDER", resource.number: "RESOURCE", order.product_name: "PRODUCT"}

    def named(value: object) -> str:
        text = str(value)
        for name, word in names.items():
            text = text.replace(name, word)
        return text

    own = {"id", "_state", "number", "line_id", "order_number", "product_id", "seller_id", "product_name"}
    terms = ResourceTerm.objects.filter(resource=resource).values(
        "start", "end", "price", "discount_share", "paid", "currency"
    )
    return {
        "order": (order.state, order.completed_at),
        "resource": {name: value for name, value in vars(resource).items() if name not in own},
        "terms": list(terms),
        "timeline": list(OrderEvent.objects.filter(order=order).values_list("step", "at", "actor", "note")),
        "money": money.order_money(order.number),
        "postings": [
            (posting.kind, posting.at, named(posting.key), sorted(entry.amount for entry in posting.entries.all()))
            for posting in Posting.objects.filter(about=order.line.number, kind=PostingKind.EARNING)
        ],
        "messages": sorted(
            (message.user_id, message.kind, message.created_at, named(message.key), named(message.link))
            for message in Message.objects.filter(created_at__gte=DUE)
            if message.params.get("order") == order.number
        ),
        "outbox": sorted(
            (waiting.kind, waiting.next_try_at, named(waiting.key), named(waiting.payload))
            for waiting in OutboxMessage.objects.filter(key__endswith=resource.number)
        ),
        "traces": [
            (trace.time, trace.account_id, trace.resource_type, named(trace.resource_name), trace.trace_type)
            for trace in Trace.objects.filter(trace_name="completeOrder", resource_id=order.number)
        ],
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"delivery_method": "hardware", "plans": [catalog.plan(mode="ONE_TIME", unit_price="80.00")]},
    ],
)
def test_many_are_finished_as_one_is(buyer: Persona, fields: dict[str, object]) -> None:
    alone, among, other = (supervised(buyer, **fields) for _ in range(3))
    with transaction.atomic(), guard.opened("test"):
        provisioning.finish_delivery(system_call(at=DUE), order=alone.number, starts_at=ACCEPTED)
    finish(among, other)
    assert effect(among) == effect(alone)
    assert Resource.objects.get(line__order=among).status == ResourceStatus.ENABLED
    assert money.order_money(among.number).held == usd(0)


def test_each_is_dated_at_its_own_due_time(buyer: Persona) -> None:
    found = [supervised(buyer) for _ in range(3)]
    finish(*found)
    for number, order in enumerate(found):
        order.refresh_from_db()
        due = DUE + timedelta(minutes=number)
        assert order.completed_at == due
        assert Trace.objects.get(trace_name="completeOrder", resource_id=order.number).time == due
        assert Posting.objects.get(kind=PostingKind.EARNING, about=order.line.number).at == due


def test_as_many_statements_for_five_as_for_one(buyer: Persona, django_assert_num_queries) -> None:
    first, *others = [supervised(buyer) for _ in range(6)]
    for found in ([first], others):
        with django_assert_num_queries(9):
            finish(*found)


def test_nothing_is_finished_twice_and_a_chunk_with_another_state_changes_nothing(buyer: Persona) -> None:
    done, canceled, running = (supervised(buyer) for _ in range(3))
    finish(done)
    with transaction.atomic(), guard.opened("test"):
        cancelling.cancel(system_call(at=DUE), canceled, reason=CancelReason.OPERATIONS, at=DUE)
    for wrong in (done, canceled):
        before = effect(running), effect(wrong), Posting.objects.count(), Trace.objects.count()
        with pytest.raises(Refused, match="state"):
            finish(running, wrong)
        assert (effect(running), effect(wrong), Posting.objects.count(), Trace.objects.count()) == before


def test_nothing_to_finish_asks_nothing(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        finishing.finish_deliveries([])


def test_rooms_above_hear_of_each(buyer: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[OrderCompleted] = []
    monkeypatch.setitem(events._handlers, OrderCompleted, [heard.append])
    found = [supervised(buyer) for _ in range(2)]
    finish(*found)
    assert {(event.order.pk, event.order.state, event.at) for event in heard} == {
        (order.pk, OrderState.COMPLETED, DUE + timedelta(minutes=number)) for number, order in enumerate(found)
    }
