"""Service Supervision in My KooGallery: list, details, forms (supervision.md, pages.md)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from koogallery import clock
from orders.saas.answers import ApplicationInfo
from supervision.models import Flow
from supervision.states import Step
from supervision.views import details
from tests.factories.supervision import Deal, supervised, supervised_product
from tests.personas import Persona
from tests.queries import own_queries

pytestmark = pytest.mark.django_db

LIST = "/console/supervision/"
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"


def pdf(name: str = "plan.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, PDF, content_type="application/pdf")


def now_deal(method: str = "license", **fields: Any) -> Deal:
    """A deal that began just now, for pages, which read the clock themselves."""
    return supervised(method, at=clock.now() - timedelta(hours=2), **fields)


def page(deal: Deal, name: str = "detail", **data: Any) -> Any:
    """A page of the buyer about a flow; posted when data is given."""
    address = reverse(f"supervision:{name}", args=[deal.flow.number])
    return deal.buyer.client.post(address, data) if data else deal.buyer.client.get(address)


def test_the_list_shows_what_fits_the_step_of_each_flow(buyer: Persona) -> None:
    waiting = now_deal("saas", buyer=buyer)
    delivered = now_deal("license", buyer=buyer).to(Step.CONFIRM)
    frozen = now_deal("professional_service", buyer=buyer)
    frozen.appeal()
    html = buyer.client.get(LIST).content.decode()
    for deal in (waiting, delivered, frozen):
        assert deal.flow.order_number in html
    assert html.count("Submit Request</a>") == 1
    assert html.count("Accept Service</a>") == 1
    assert html.count("View Details</a>") == 3
    assert html.count(">Frozen</span>") == 1


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("", 4),
        ("?flow=professional_service", 1),
        ("?flow=license", 1),
        ("?status=submit", 2),
        ("?tab=to_do", 2),
        ("?tab=completed", 0),
        ("?tab=in_progress", 4),
    ],
)
def test_the_list_is_filtered_by_flow_and_by_status(buyer: Persona, query: str, count: int) -> None:
    for method in ("saas", "professional_service", "license", "hardware"):
        now_deal(method, buyer=buyer)
    html = buyer.client.get(LIST + query).content.decode()
    assert html.count("View Details</a>") == count


def test_an_order_is_found_by_its_number_and_by_a_part_of_it(buyer: Persona) -> None:
    first, second = now_deal(buyer=buyer), now_deal(buyer=buyer)
    number = first.flow.order_number
    for text in (number, number[-6:], number[3:].lower()):
        html = buyer.client.get(LIST, {"q": text}).content.decode()
        assert number in html
        assert second.flow.order_number not in html.replace(number, "")


def test_the_list_takes_one_count_of_queries_whatever_its_rows(
    buyer: Persona, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for more in (1, 4):
        for _each in range(more):
            now_deal("license", buyer=buyer)
        buyer.client.get(LIST)
        with django_assert_max_num_queries(8) as asked:
            buyer.client.get(LIST)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_details_take_eight_queries_whatever_happened() -> None:
    deal = now_deal("saas")
    counts = []
    for _each in range(2):
        page(deal)
        with CaptureQueriesContext(connection) as asked:
            page(deal)
        own = own_queries(asked)
        assert len(own) <= 8, own
        counts.append(len(own))
        page(deal, "request", description="Ten seats.", files=pdf(), sure="1")
        page(deal, "message", text="Hello.", files=pdf())
        page(deal, "appeal", reason="Nothing happens.", files=pdf())
    assert counts[0] == counts[1]


def test_a_flow_past_its_completion_is_shown_completed_before_the_sweep(buyer: Persona) -> None:
    deal = supervised("license", buyer=buyer, at=clock.now() - timedelta(hours=9)).to(Step.ACCEPTED)
    html = buyer.client.get(f"{LIST}?tab=completed").content.decode()
    assert deal.flow.order_number in html
    assert "Service completed" in page(deal).content.decode()


def test_the_details_of_another_account_do_not_exist(stranger: Persona) -> None:
    deal = now_deal()
    for name in ("detail", "request", "accept", "reject", "remind", "appeal", "withdraw", "message"):
        address = reverse(f"supervision:{name}", args=[deal.flow.number])
        assert stranger.client.get(address).status_code == 404
        assert stranger.client.post(address, {"reason": "x", "text": "x", "description": "x"}).status_code == 404
    assert deal.step == Step.HAND_OVER


def test_the_request_is_asked_about_once_and_then_submitted() -> None:
    deal = now_deal("saas")
    asked = page(deal, "request", description="Ten seats in Dublin.", files=pdf())
    assert asked.status_code == 200
    html = asked.content.decode()
    assert "<dialog" in html and " open>" in html and "Ten seats in Dublin." in html
    assert "plan.pdf" in html
    assert deal.step == Step.SUBMIT
    answer = page(deal, "request", description="Ten seats in Dublin.", files=pdf(), sure="1")
    assert answer.status_code == 302
    assert deal.step == Step.REVIEW
    html = page(deal).content.decode()
    assert "Ten seats in Dublin." in html
    assert "plan.pdf" in html


@pytest.mark.parametrize(("text", "says"), [("", "Write what it is about."), ("x" * 1001, "At most 1000 characters")])
def test_a_request_that_will_not_do_keeps_what_was_typed(text: str, says: str) -> None:
    deal = now_deal("saas")
    answer = page(deal, "request", description=text, sure="1")
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert text in answer.content.decode()
    assert deal.step == Step.SUBMIT


def test_the_same_request_sent_twice_is_submitted_once() -> None:
    deal = now_deal("saas")
    data = {"description": "Ten seats.", "sure": "1", "idempotency_key": "the-same-key"}
    for _each in range(2):
        assert page(deal, "request", files=pdf(), **data).status_code == 302
    assert deal.flow.records.filter(kind="submit_request").count() == 1


def test_the_sellers_template_is_offered_and_asked_back() -> None:
    kept = default_storage.save("products/requests/needs.pdf", ContentFile(PDF))
    product = supervised_product("saas", request_attachment_required=True, request_template=kept)
    deal = now_deal(product=product)
    template = reverse("supervision:template", args=[deal.flow.number])
    assert template in page(deal, "request").content.decode()
    assert b"".join(deal.buyer.client.get(template).streaming_content) == PDF
    default_storage.delete(kept)
    answer = page(deal, "request", description="Ten seats.", sure="1")
    assert "Attach the seller&#x27;s template, filled in." in answer.content.decode()
    assert page(deal, "request", description="Ten seats.", files=pdf(), sure="1").status_code == 302


def test_after_a_rejection_the_request_is_there_to_be_changed() -> None:
    deal = now_deal("saas")
    deal.submit("Ten seats.")
    deal.reject_request("Which region?")
    html = page(deal).content.decode()
    assert "Which region?" in html
    assert "Ten seats.</textarea>" in page(deal, "request").content.decode()


def test_accepting_starts_the_time_to_completion() -> None:
    deal = now_deal().to(Step.CONFIRM)
    assert page(deal, "accept", sure="1").status_code == 302
    assert deal.step == Step.ACCEPTED
    assert "Completes at" in page(deal).content.decode()


def test_rejecting_needs_a_reason_and_says_so() -> None:
    deal = now_deal().to(Step.CONFIRM)
    answer = page(deal, "reject", reason=" ")
    assert answer.status_code == 422
    assert "Write what it is about." in answer.content.decode()
    assert page(deal, "reject", reason="It does not start.").status_code == 302
    assert deal.step == Step.HAND_OVER
    assert "It does not start." in page(deal).content.decode()


def test_a_move_that_does_not_fit_the_step_is_refused_with_its_reason() -> None:
    deal = now_deal()
    assert "This is not possible while the service status is" in page(deal, "accept").content.decode()
    answer = page(deal, "accept", sure="1")
    assert answer.status_code == 422
    assert Trace.objects.get(trace_name="confirmAcceptance").trace_rating == "warning"


def test_the_seller_is_reminded_once_a_day_and_the_page_says_when_again() -> None:
    deal = now_deal()
    assert page(deal, "remind", sure="1").status_code == 302
    html = page(deal).content.decode()
    assert "The seller was reminded already. The next reminder is possible from" in html
    answer = page(deal, "remind", sure="1")
    assert "The seller was reminded already" in answer.content.decode()
    assert deal.flow.records.filter(kind="remind").count() == 1


def test_an_appeal_freezes_the_flow_and_is_withdrawn_by_who_filed_it() -> None:
    deal = now_deal()
    assert page(deal, "appeal", reason="Nothing happens.", files=pdf("mail.pdf")).status_code == 302
    html = page(deal).content.decode()
    for text in ("The service flow is frozen", "Nothing happens.", "mail.pdf", "Decision due", "Withdraw"):
        assert text in html
    theirs = deal.seller.client.post(reverse("supervision:seller_withdraw", args=[deal.flow.number]))
    assert "Only the side that appealed can withdraw the appeal." in theirs.content.decode()
    assert page(deal, "withdraw", sure="1").status_code == 302
    assert not Flow.objects.get(pk=deal.flow.pk).is_frozen


def test_the_gate_of_appeals_says_what_is_missing() -> None:
    deal = now_deal(policy={"pack": "2024"})
    html = page(deal).content.decode()
    assert "An appeal is possible after" in html
    answer = page(deal, "appeal", reason="Nothing happens.")
    assert answer.status_code == 422
    assert "An appeal is possible after" in answer.content.decode()


def test_after_five_days_of_silence_the_page_recommends_an_appeal() -> None:
    assert "We recommend to initiate an appeal" not in page(now_deal()).content.decode()
    silent = supervised("license", at=clock.now() - timedelta(hours=121))
    assert "We recommend to initiate an appeal" in page(silent).content.decode()


def test_an_appeal_that_is_not_possible_is_not_recommended() -> None:
    policy = {"pack": "2024", "overrides": {"flow.auto_close_days": 20}}
    silent = supervised("license", at=clock.now() - timedelta(days=10), policy=policy)
    html = page(silent).content.decode()
    assert "No appeal is possible in the last 15 days" in html
    assert "We recommend to initiate an appeal" not in html


def test_a_passed_closing_date_binds_before_the_sweep(buyer: Persona) -> None:
    closed = supervised(
        "saas",
        buyer=buyer,
        at=clock.now() - timedelta(days=12),
        policy={"overrides": {"flow.auto_close_days": 10}},
    )
    assert (closed.flow.frozen_at, closed.step) == (None, Step.SUBMIT)
    assert closed.flow.stopped_at(clock.now()) == closed.flow.auto_close_due_at
    html = buyer.client.get(LIST).content.decode()
    assert html.count(">Frozen</span>") == 1
    assert "Submit Request</a>" not in html
    assert '<span class="count">' not in html[html.index('href="/console/supervision/"') :][:400]
    assert closed.flow.order_number not in buyer.client.get(f"{LIST}?tab=to_do").content.decode()
    assert closed.flow.order_number in buyer.client.get(f"{LIST}?tab=frozen").content.decode()
    assert closed.flow.get_absolute_url() not in buyer.client.get("/console/").content.decode()
    assert "The service flow is frozen" in page(closed).content.decode()


def test_the_clock_of_a_closed_flow_stands_at_its_closing_date() -> None:
    policy = {"overrides": {"flow.auto_close_days": 10}}
    closed = supervised("license", at=clock.now() - timedelta(days=12), policy=policy)
    running = details.clock_of(closed.flow, clock.now())
    assert running is not None and running.stands
    assert running.read_at == closed.flow.auto_close_due_at
    closed.flow.step = Step.ACCEPTED
    assert closed.flow.stopped_at(clock.now()) is None


def test_messages_stay_open_while_the_flow_is_frozen() -> None:
    deal = now_deal()
    deal.appeal()
    assert page(deal, "message", text="Are you there?", files=pdf("photo.pdf")).status_code == 302
    html = page(deal).content.decode()
    assert "Are you there?" in html
    assert "photo.pdf" in html


def test_a_file_is_downloaded_by_both_parties_and_by_nobody_else(stranger: Persona) -> None:
    deal = now_deal("saas")
    page(deal, "request", description="Ten seats.", files=pdf(), sure="1")
    number = deal.flow.files.get().file.number
    mine = reverse("supervision:file", args=[deal.flow.number, number])
    answer = deal.buyer.client.get(mine)
    assert b"".join(answer.streaming_content) == PDF
    assert answer["Content-Disposition"] == 'attachment; filename="plan.pdf"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    theirs = reverse("supervision:seller_file", args=[deal.flow.number, number])
    assert deal.seller.client.get(theirs).status_code == 200
    assert stranger.client.get(mine).status_code == 404
    other = now_deal()
    assert other.buyer.client.get(reverse("supervision:file", args=[other.flow.number, number])).status_code == 404
    assert Trace.objects.filter(trace_name="downloadSupervisionFile").exists()


def test_the_navigation_counts_what_waits_for_the_buyer(buyer: Persona) -> None:
    now_deal("saas", buyer=buyer)
    now_deal("license", buyer=buyer).to(Step.CONFIRM)
    now_deal("license", buyer=buyer)
    html = buyer.client.get(LIST).content.decode()
    assert '<span class="count">2</span>' in html[html.index('href="/console/supervision/"') :][:400]


def test_the_overview_names_what_waits_for_the_buyer(buyer: Persona) -> None:
    deal = now_deal("saas", buyer=buyer)
    html = buyer.client.get("/console/").content.decode()
    assert deal.flow.get_absolute_url() in html
    assert "Submit Request" in html


def test_the_order_leads_to_its_flow(buyer: Persona) -> None:
    deal = now_deal(buyer=buyer)
    assert deal.flow.get_absolute_url() in buyer.client.get(deal.order.get_absolute_url()).content.decode()


def test_a_delivery_that_a_restart_undid_is_shown_no_more() -> None:
    deal = now_deal("saas").to(Step.PROVIDE)
    deal.deliver(comment="It is enabled.", application=ApplicationInfo(user_name="admin"))
    assert 'id="delivery"' in page(deal).content.decode()
    deal.appeal()
    deal.decide("restart", restart="review")
    for html in (page(deal).content.decode(), deal.seller.client.get(deal.flow.get_seller_url()).content.decode()):
        assert 'id="delivery"' not in html
        assert "as the customer sees it" not in html
        assert "It is enabled." in html
