"""Three hours after the final acceptance: at the due time, however late the worker comes, and only what is due (R7)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from billing.operations.checking import check_ledger
from billing.queries import order_money
from koogallery import clock
from koogallery.kernel import guard, sweeps
from koogallery.kernel.calls import system_call
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.models import Resource, ResourceTerm
from orders.queries.overview import buyer_to_do, orders_to_handle
from orders.states import OrderState, ResourceStatus
from supervision.models import Flow
from supervision.states import Step
from tests.factories import catalog
from tests.factories.supervision import Deal, supervised, supervised_product
from tests.personas import make_buyer

pytestmark = pytest.mark.django_db


def sweep(deal: Deal) -> int:
    """Let the worker come now."""
    with clock.at(deal.at):
        return sweeps.sweeps["completing-flows"].run(deal.at)


def accepted(method: str = "license", **options: object) -> Deal:
    return supervised(method, **options).wait(hours=1).to(Step.ACCEPTED)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "completes"), [(3 * 3600 - 1, False), (3 * 3600, True), (3 * 3600 + 1, True), (24 * 3600, True)]
)
def test_a_flow_completes_three_hours_after_the_acceptance_not_earlier(seconds: int, completes: bool) -> None:
    deal = accepted()
    accepted_at = deal.at
    assert sweep(deal.wait(seconds=seconds)) == int(completes)
    assert deal.step == (Step.COMPLETED if completes else Step.ACCEPTED)
    assert deal.order.state == (OrderState.COMPLETED if completes else OrderState.PROCESSING)
    if completes:
        due = accepted_at + timedelta(hours=3)
        assert deal.flow.ended_at == deal.flow.step_since == deal.order.completed_at == due
        assert deal.flow.records.last().at == due


def test_completion_moves_the_money_enables_the_resource_tells_both_and_is_traced() -> None:
    deal = accepted()
    accepted_at = deal.at
    money = order_money(deal.flow.order_number)
    assert (money.held, money.earned.amount) == (money.paid, 0)
    sweep(deal.wait(hours=3))
    money = order_money(deal.flow.order_number)
    assert (money.held.amount, money.earned) == (0, money.paid)
    resource = Resource.objects.get(line=deal.flow.line)
    assert resource.status == ResourceStatus.ENABLED
    term = ResourceTerm.objects.get(resource=resource)
    assert term.start == clock.platform_date(accepted_at)
    assert resource.expires_at == clock.day_end(term.end)
    trace = Trace.objects.get(trace_name="completeOrder")
    assert (trace.resource_id, trace.time) == (deal.flow.order_number, accepted_at + timedelta(hours=3))
    told = set(Message.objects.values_list("kind", "account_id"))
    assert {("order_completed", deal.buyer.account.pk), ("service_completed", deal.seller.account.pk)} <= told
    assert check_ledger(system_call()).findings == []


@pytest.mark.parametrize(("policy", "day"), [("enabling_or_acceptance", "2026-03-11"), ("acceptance", "2026-03-13")])
def test_the_term_starts_at_the_enabling_time_if_the_policy_takes_it(policy: str, day: str) -> None:
    deal = supervised("saas", policy=PolicySet(overrides={"period.start": policy}).to_json())
    deal.to(Step.PROVIDE)
    deal.wait(days=3).deliver(enabling_at=datetime.fromisoformat("2026-03-11T08:00:00+08:00"))
    deal.accept()
    sweep(deal.wait(hours=3))
    assert ResourceTerm.objects.get().start.isoformat() == day


def test_a_passed_completion_binds_before_the_worker_comes() -> None:
    deal = accepted().wait(hours=3)
    with pytest.raises(Refused, match="flow_completed"):
        deal.appeal()
    assert deal.flow.shown_step(deal.at) == Step.COMPLETED


@pytest.mark.parametrize(("seconds", "is_over"), [(-1, False), (0, True)])
def test_pages_of_order_and_resource_say_what_the_flow_says_before_the_worker_comes(
    seconds: int, is_over: bool
) -> None:
    deal = accepted().wait(hours=3, seconds=seconds)
    number, resource = deal.flow.order_number, Resource.objects.get(line=deal.flow.line_id)
    order_word, resource_word = ("Completed", "Enabled") if is_over else ("Processing", "In delivery")
    assert badge_in(show(deal, f"/console/orders/{number}/")) == order_word
    assert badge_in(show(deal, f"/seller/orders/{number}/", seller=True)) == order_word
    assert badge_in(show(deal, resource.get_absolute_url())) == resource_word
    assert ("Order completed" in show(deal, f"/console/orders/{number}/")) is is_over
    lists = {
        f"/console/orders/{number}/": ("/console/orders/?tab=completed", "/console/orders/?tab=processing"),
        f"/seller/orders/{number}/": ("/seller/orders/?tab=completed", "/seller/orders/?tab=processing"),
        resource.get_absolute_url(): ("/console/apps/", "/console/apps/?tab=in_delivery"),
    }
    for row, (over, running) in lists.items():
        for address in (over, running):
            text = show(deal, address, seller=address.startswith("/seller"))
            assert (row in text) is ((address == over) is is_over), address
    assert buyer_to_do(deal.flow.account_id, at=deal.at).in_delivery == int(not is_over)
    assert orders_to_handle(deal.seller.account.pk, at=deal.at).exists() is not is_over  # type: ignore[union-attr]


def test_what_is_held_stays_processing_on_every_page() -> None:
    deal = accepted().wait(hours=4)
    with guard.opened("test"):
        Flow.objects.filter(pk=deal.flow.pk).update(held_at=deal.at)
    number = deal.flow.order_number
    assert badge_in(show(deal, f"/console/orders/{number}/")) == "Processing"
    assert number not in show(deal, "/console/orders/?tab=completed")


def show(deal: Deal, address: str, *, seller: bool = False) -> str:
    with clock.at(deal.at):
        answer = (deal.seller if seller else deal.buyer).client.get(address)
    assert answer.status_code == 200, address
    return str(answer.content.decode())


def badge_in(html: str) -> str:
    """The state beside the heading of a page."""
    found = re.search(r'class="badge[^"]*"[^>]*>(.*?)</span>', html.partition("<main")[2], re.S)
    assert found
    return re.sub(r"<[^>]+>", "", found[1]).strip()


def test_one_second_before_an_appeal_still_stops_it() -> None:
    deal = accepted().wait(seconds=3 * 3600 - 1)
    deal.appeal()
    assert sweep(deal.wait(hours=10)) == 0
    deal.withdraw()
    assert sweep(deal) == 0
    assert sweep(deal.wait(seconds=1)) == 1


def test_a_worker_that_slept_a_day_gives_the_same_dates() -> None:
    prompt = accepted()
    sweep(prompt.wait(hours=3))
    late = accepted()
    sweep(late.wait(days=1))
    assert prompt.step == late.step == Step.COMPLETED
    assert late.flow.ended_at == prompt.flow.ended_at
    assert Resource.objects.values("enabled_at", "expires_at").distinct().count() == 1


def test_a_thousand_take_as_many_statements_as_one() -> None:
    product = supervised_product("license", indexed=False)
    buyer = make_buyer()

    def statements(count: int) -> int:
        deals = [supervised(product=product, buyer=buyer).to(Step.ACCEPTED) for _ in range(count)]
        moment = deals[0].wait(hours=3).at
        with CaptureQueriesContext(connection) as caught, clock.at(moment):
            assert sweeps.sweeps["completing-flows"].run(moment) == count
        return len(caught)

    assert statements(1) == statements(6)


def test_a_row_that_cannot_complete_is_parked_and_the_others_go_on() -> None:
    from koogallery.kernel import guard
    from koogallery.kernel.models import SweepFailure

    broken, sound = accepted(), accepted()
    with guard.opened("test"):
        Resource.objects.filter(line=broken.flow.line).update(
            status=ResourceStatus.CLOSED, closed_at=broken.at, close_reason="canceled"
        )
    sweep(sound.wait(hours=3))
    assert (broken.step, sound.step) == (Step.ACCEPTED, Step.COMPLETED)
    assert SweepFailure.objects.get().row_id == broken.flow.pk


@pytest.mark.parametrize(
    ("name", "index"), [("completing-flows", "flow_completion_due"), ("closing-flows", "flow_auto_close_due")]
)
def test_what_is_due_is_found_by_an_index_of_what_may_become_due(name: str, index: str) -> None:
    with CaptureQueriesContext(connection) as caught:
        sweeps.sweeps[name].run(clock.now())
    (claim,) = [each["sql"] for each in caught if "SKIP LOCKED" in each["sql"]]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {claim}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"Index Scan using {index}" in plan
    assert f"Index Cond: ({sweeps.sweeps[name].due_column} <= " in plan  # type: ignore[attr-defined]


def late_delivery() -> Deal:
    """A month of SaaS, enabled on the day of the payment and delivered 25 days later."""
    product = supervised_product("saas", plans=[catalog.plan(unit_price="100.00", lengths=[1])])
    deal = supervised(product=product, term="1-month").to(Step.PROVIDE)
    enabled = deal.at
    deal.wait(days=25).deliver(enabling_at=enabled)
    return deal


def test_a_term_that_is_over_is_not_accepted() -> None:
    deal = late_delivery().wait(days=20)
    with pytest.raises(Refused, match="acceptance_term_over"):
        deal.accept()
    deal.reject("Over before we could use it.")
    assert deal.flow.enabling_at is None, "what was rejected names no enabling time any more"
    deal.to(Step.ACCEPTED)


def test_a_decision_never_delivers_a_term_that_is_over() -> None:
    deal = late_delivery().wait(days=20)
    deal.appeal()
    deal.wait(days=1).decide("complete")
    assert deal.step == Step.COMPLETED
    resource = Resource.objects.get()
    assert resource.expires_at is not None and resource.expires_at > deal.at
