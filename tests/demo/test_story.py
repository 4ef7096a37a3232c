"""The demo: everybody can sign in, some days of history go through operations, and the ledger proves clean."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from audit.models import Trace
from billing.models import MilestoneBill
from billing.operations import checking
from catalog.models import PrivateOffer
from catalog.states import OfferState
from koogallery import clock
from koogallery.demo.people import make_people, new_password
from koogallery.demo.story import Story
from koogallery.identity.models import User
from koogallery.kernel.calls import system_call
from koogallery.tickets.models import Ticket
from orders.example_seller import DEMO_KEY, ExampleSeller
from orders.models import InterfaceCall, Order, Resource
from orders.states import OrderType
from supervision.models import Flow, FlowFile
from unsubscriptions.models import Request
from unsubscriptions.states import Kind, Status


@pytest.mark.django_db(transaction=True)
def test_some_days_of_the_demo_leave_orders_resources_traces_and_a_clean_ledger(
    tmp_path: Path, settings: Settings
) -> None:
    settings.ALLOW_LOOPBACK_SELLERS = True
    story = Story(end=clock.now(), days=20)
    with ExampleSeller(key=DEMO_KEY) as server:
        settings.EXAMPLE_SELLER_PORT = server.port
        with clock.at(story.start - timedelta(days=1)):
            people = make_people()
            call_command("load_catalogue", *sorted((settings.ROOT / "catalog" / "demo").glob("*.yaml")), verbosity=0)
        placed = story.tell()
        assert [call.activity for call in server.calls if not call.verified] == []
        assert "newInstance" in {call.activity for call in server.calls}
    follow_ups = Order.objects.filter(type__in=[OrderType.RENEW, OrderType.UNSUBSCRIBE])
    assert placed == Order.objects.count() - follow_ups.count() >= 15
    assert Resource.objects.filter(status="enabled").exists()
    assert Trace.objects.filter(trace_name="createOrder", trace_rating="normal").count() == placed
    assert not InterfaceCall.objects.exclude(state="done").exists()
    shown = Flow.objects.filter(account__name="northwind-trading", created_at__gt=story.end - timedelta(days=6))
    steps = {"submit", "provide", "accept", "confirm", "accepted"}
    assert steps <= set(shown.values_list("step", flat=True)), "one delivery at each stage"
    assert shown.filter(frozen_at__isnull=False).exists()
    assert Flow.objects.filter(step="completed").exists()
    assert FlowFile.objects.filter(purpose="proof").exists()
    assert Order.objects.filter(state="pending_payment").count() >= 1
    assert set(Ticket.objects.values_list("kind", "state")) == {
        ("credit_payment", "open"),
        ("seller_unreachable", "waiting"),
    }
    states = {offer.shown_state(story.end).value for offer in PrivateOffer.objects.all()}
    assert states == set(OfferState.values), "one offer in each state"
    assert list(MilestoneBill.objects.order_by("pk").values_list("state", flat=True)) == ["repaid", "open"]
    asked = Request.objects.select_related("payout")
    assert {request.status for request in asked} == set(Status), "one request in each state"
    assert {request.kind for request in asked} == {Kind.NEGOTIATED, Kind.IMAGE}
    images = Resource.objects.filter(delivery_method="image")
    assert sorted(images.values_list("status", flat=True)) == ["closed", "enabled", "enabled"]
    assert checking.check_ledger(system_call()).findings == []

    people.write(tmp_path / "accounts.txt")
    assert (tmp_path / "accounts.txt").stat().st_mode & 0o077 == 0
    for sign_in in people.sign_ins:
        name = sign_in.name.split(" / ")[-1]
        assert User.objects.get(username=name).check_password(sign_in.password)


def test_passwords_are_drawn_anew() -> None:
    assert len({new_password() for _ in range(50)}) == 50
