"""Seller Console, Delivery > Service Supervision: list, details, requests, deliveries (supervision.md, pages.md)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from catalog.models import Product
from koogallery import clock
from orders.models import Resource
from supervision.states import Step
from tests.factories.supervision import Deal, supervised, supervised_product
from tests.personas import Persona, make_buyer
from tests.supervision.test_flow_pages import PDF, now_deal, pdf

pytestmark = pytest.mark.django_db

LIST = "/seller/supervision/"


def page(deal: Deal, name: str = "seller_detail", **data: Any) -> Any:
    """A page of the seller about a flow; posted when data is given."""
    address = reverse(f"supervision:{name}", args=[deal.flow.number])
    return deal.seller.client.post(address, data) if data else deal.seller.client.get(address)


@pytest.fixture
def product(db: None) -> Product:
    """A license of one seller, sold several times."""
    return supervised_product("license")


def sold(product: Product, **fields: Any) -> Deal:
    """The product, bought just now by a new account."""
    return now_deal(product=product, buyer=make_buyer(), **fields)


def test_the_list_names_customers_deadlines_and_what_to_do(product: Product) -> None:
    deal = sold(product)
    late = supervised(product=product, buyer=make_buyer(), at=clock.now() - timedelta(days=9))
    done = sold(product).to(Step.CONFIRM)
    html = deal.seller.client.get(LIST).content.decode()
    for each in (deal, late, done):
        assert each.flow.order_number in html
        assert each.buyer.account is not None and each.buyer.account.name in html
    assert html.count("Deliver Service</a>") == 2
    assert html.count("View Details</a>") == 3
    assert html.count("Overdue") == 1


def test_the_list_takes_one_count_of_queries_whatever_its_rows(
    product: Product, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for more in (1, 4):
        deals = [sold(product) for _each in range(more)]
        deals[0].seller.client.get(LIST)
        with django_assert_max_num_queries(8) as asked:
            deals[0].seller.client.get(LIST)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_details_take_nine_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    deal = now_deal("saas").to(Step.ACCEPT)
    page(deal)
    with django_assert_max_num_queries(9):
        page(deal)


def test_the_csv_holds_the_filtered_rows(product: Product) -> None:
    deal, other = sold(product), sold(product).to(Step.CONFIRM)
    answer = deal.seller.client.get(f"{LIST}?tab=to_do&export=csv")
    text = b"".join(answer.streaming_content).decode()
    assert deal.flow.order_number in text
    assert other.flow.order_number not in text


def test_flows_of_another_seller_do_not_exist(seller: Persona) -> None:
    deal = now_deal()
    names = ("detail", "appeal", "withdraw", "message")
    addresses = [reverse(f"supervision:seller_{name}", args=[deal.flow.number]) for name in names]
    addresses += [
        reverse(f"supervision:{name}", args=[deal.flow.number])
        for name in ("accept_request", "reject_request", "deliver")
    ]
    for address in addresses:
        assert seller.client.get(address).status_code == 404
        assert seller.client.post(address, {"reason": "x", "text": "x"}).status_code == 404
    assert deal.step == Step.HAND_OVER


def test_a_request_is_accepted_or_rejected_with_a_reason() -> None:
    deal = now_deal("saas")
    deal.submit("Ten seats.")
    assert "Ten seats." in page(deal).content.decode()
    answer = page(deal, "reject_request", reason="")
    assert answer.status_code == 422
    assert "Write what it is about." in answer.content.decode()
    assert page(deal, "reject_request", reason="Which region?").status_code == 302
    assert deal.step == Step.SUBMIT
    deal.submit("Ten seats, eu-west.")
    assert page(deal, "accept_request", sure="1").status_code == 302
    assert deal.step == Step.PROVIDE


def test_a_delivery_without_its_proof_is_refused_and_keeps_what_was_typed() -> None:
    deal = now_deal("saas").to(Step.PROVIDE)
    entered = {"frontend_url": "https://app.example.com", "username": "admin", "password": "s3cret", "comment": "Done."}
    answer = page(deal, "deliver", **entered)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "Upload a delivery proof." in html
    for value in entered.values():
        assert value in html
    assert "no-store" in answer["Cache-Control"]
    assert deal.step == Step.PROVIDE


def test_application_information_reaches_the_buyer_before_the_acceptance() -> None:
    deal = now_deal("saas").to(Step.PROVIDE)
    entered = {"frontend_url": "https://app.example.com", "management_url": "https://app.example.com/admin"}
    answer = page(deal, "deliver", **entered, username="admin", password="s3cret", note="Hello.", proof=pdf())
    assert answer.status_code == 302
    html = deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()
    for shown in (*entered.values(), "admin", "Hello.", "plan.pdf", "Show Password"):
        assert shown in html
    assert "s3cret" not in html
    assert "s3cret" not in page(deal).content.decode()
    resource = Resource.objects.get(line=deal.flow.line)
    seen = deal.buyer.client.post(reverse("orders:resource_password", args=[resource.number]))
    assert "s3cret" in seen.content.decode()


def test_an_address_that_is_none_is_named_at_its_field() -> None:
    deal = now_deal("saas").to(Step.PROVIDE)
    answer = page(deal, "deliver", frontend_url="javascript:alert(1)", proof=pdf())
    assert answer.status_code == 422
    assert "Enter an address that begins with https:// or http://." in answer.content.decode()
    again = answer.content.decode()
    assert 'name="proof-kept"' in again and "plan.pdf" in again


def test_a_password_left_empty_at_a_second_delivery_stays() -> None:
    deal = now_deal("saas").to(Step.PROVIDE)
    page(deal, "deliver", username="admin", password="s3cret", proof=pdf())
    deal.flow.refresh_from_db()
    deal.reject()
    assert "Left empty, the password of your last delivery stays." in page(deal, "deliver").content.decode()
    page(deal, "deliver", username="root", proof=pdf("again.pdf"))
    resource = Resource.objects.get(line=deal.flow.line)
    assert (resource.user_name, resource.password) == ("root", "s3cret")


@pytest.mark.parametrize(
    ("hours", "says"), [(-3, "is before the payment of"), (3, "The enabling time is not over yet."), (-1, "")]
)
def test_the_enabling_time_lies_between_payment_and_delivery(hours: int, says: str) -> None:
    deal = now_deal("saas").to(Step.PROVIDE)
    enabling = timezone.localtime(clock.now() + timedelta(hours=hours))
    answer = page(deal, "deliver", enabling_at=enabling.strftime("%Y-%m-%dT%H:%M"), proof=pdf())
    if says:
        assert answer.status_code == 422
        assert says in answer.content.decode()
        assert enabling.strftime("%Y-%m-%dT%H:%M") in answer.content.decode()
        return
    assert answer.status_code == 302
    html = deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()
    assert enabling.strftime("%H:%M:00") in html
    assert "the term runs from then when you accept" in html


def test_where_the_term_runs_from_the_acceptance_an_early_enabling_time_is_taken_and_both_pages_say_so() -> None:
    policy = {"overrides": {"period.start": "acceptance"}}
    deal = supervised("saas", at=clock.now() - timedelta(days=400), policy=policy).to(Step.PROVIDE)
    assert "the term runs from the acceptance." in page(deal, "deliver").content.decode()
    early = timezone.localtime(deal.at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M")
    assert page(deal, "deliver", enabling_at=early, proof=pdf()).status_code == 302
    html = deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()
    assert "the term runs from your acceptance" in html
    assert "the term runs from then" not in html


@pytest.mark.parametrize(("paid", "first"), [("10:00:30.5", "10:01"), ("10:00:00", "10:00")])
def test_the_first_enabling_time_that_is_offered_is_taken(paid: str, first: str) -> None:
    deal = supervised("saas", at=datetime.fromisoformat(f"2026-11-02T{paid}+08:00")).to(Step.PROVIDE)
    assert f'min="2026-11-02T{first}"' in page(deal, "deliver").content.decode()
    assert page(deal, "deliver", enabling_at=f"2026-11-02T{first}", proof=pdf()).status_code == 302


def test_an_enabling_time_may_be_given_to_the_second() -> None:
    deal = supervised("saas", at=datetime.fromisoformat("2026-11-02T10:00:30+08:00")).to(Step.PROVIDE)
    assert page(deal, "deliver", enabling_at="2026-11-02T10:00:30", proof=pdf()).status_code == 302
    deal.flow.refresh_from_db()
    assert deal.flow.enabling_at == deal.flow.order.paid_at


def test_a_license_key_and_its_files_are_kept_like_passwords() -> None:
    deal = now_deal("license")
    answer = page(deal, "deliver", license_key="AAAA-BBBB", license_files=pdf("key.pdf"), proof=pdf())
    assert answer.status_code == 302
    resource = Resource.objects.get(line=deal.flow.line)
    for address in (deal.flow.get_absolute_url(), resource.get_absolute_url()):
        html = deal.buyer.client.get(address).content.decode()
        assert "AAAA-BBBB" not in html
        assert "Show License key" in html
        assert "key.pdf" in html
    seen = deal.buyer.client.post(reverse("orders:resource_license", args=[resource.number]))
    assert "AAAA-BBBB" in seen.content.decode()
    assert Trace.objects.filter(trace_name="revealLicenseKey").exists()
    file = deal.flow.files.get(purpose="license").file
    assert file.sealed
    answer = deal.buyer.client.get(reverse("supervision:license_file", args=[deal.flow.number, file.number]))
    assert b"".join(answer.streaming_content) == PDF


def test_hardware_is_shipped_with_carrier_and_tracking_number() -> None:
    deal = now_deal("hardware")
    answer = page(deal, "deliver", carrier="An Post", tracking_number="", proof=pdf())
    assert answer.status_code == 422
    assert page(deal, "deliver", carrier="An Post", tracking_number="AP 7", proof=pdf()).status_code == 302
    html = deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()
    assert "An Post" in html
    assert "AP 7" in html


def test_the_same_delivery_sent_twice_is_made_once() -> None:
    deal = now_deal()
    for _each in range(2):
        assert page(deal, "deliver", proof=pdf(), idempotency_key="the-same-key").status_code == 302
    assert deal.flow.records.filter(kind="deliver").count() == 1


def test_a_file_that_is_none_of_the_accepted_types_is_named() -> None:
    deal = now_deal()
    answer = page(deal, "deliver", proof=SimpleUploadedFile("proof.exe", b"MZ"))
    assert answer.status_code == 422
    assert "proof.exe: this type of file is not accepted." in answer.content.decode()
    assert not deal.flow.files.exists()


def test_milestones_are_counted_on_both_pages() -> None:
    deal = now_deal("professional_service", milestones=3).to(Step.ACCEPT)
    deal.accept()
    for html in (page(deal).content.decode(), deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()):
        assert "Milestone 2 of 3" in html
    assert "Milestone 2 of 3" in page(deal, "deliver").content.decode()


def test_the_seller_appeals_and_withdraws_too() -> None:
    deal = now_deal().to(Step.CONFIRM)
    assert page(deal, "seller_appeal", reason="No answer.").status_code == 302
    assert "The service flow is frozen" in page(deal).content.decode()
    assert page(deal, "seller_withdraw", sure="1").status_code == 302


def test_both_sides_see_the_same_records_and_no_name_of_an_operator() -> None:
    deal = now_deal().to(Step.CONFIRM)
    deal.appeal()
    deal.decide("continue", note="Both have a point.")
    mine = deal.buyer.client.get(deal.flow.get_absolute_url()).content.decode()
    theirs = page(deal).content.decode()
    for html in (mine, theirs):
        assert "Both have a point." in html
        assert "Operations manager" in html
        for title in ("Service flow opened", "Service delivered", "Appeal initiated", "Appeal decided"):
            assert title in html
    decided = deal.flow.appeals.get()
    assert decided.proposed_by is not None
    assert decided.proposed_by.username not in mine.replace("buyer", "")


def test_the_navigation_and_the_overview_name_what_is_to_handle(product: Product) -> None:
    deal = sold(product)
    sold(product).to(Step.CONFIRM)
    html = deal.seller.client.get("/seller/").content.decode()
    assert '<span class="count">1</span>' in html[html.index('href="/seller/supervision/"') :][:400]
    assert deal.flow.get_seller_url() in html
    assert "Deliver Service" in html


def test_the_order_of_a_customer_leads_to_its_flow() -> None:
    deal = now_deal()
    html = deal.seller.client.get(reverse("orders:seller_detail", args=[deal.flow.order_number])).content.decode()
    assert deal.flow.get_seller_url() in html
