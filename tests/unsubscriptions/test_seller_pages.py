"""Seller Console, Orders > Unsubscriptions: list, details, Review, overviews (unsubscription.md, pages.md)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from catalog.models import Product
from koogallery import clock
from koogallery.identity.models import User
from koogallery.identity.operations import agreements
from koogallery.identity.states import SellerRole
from koogallery.kernel import files, guard, pages
from koogallery.kernel.models import StoredFile
from koogallery.kernel.sweeps import sweeps
from orders.queries import overview
from orders.states import OrderState
from supervision.operations import deciding
from supervision.states import Step
from tests.factories import identity
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.returns import agree, ask, paid_by, reject, remind, specially, withdraw
from tests.factories.supervision import Deal, supervised, supervised_product, upload
from tests.personas import Persona, make_buyer, make_operator
from tests.supervision.test_flow_pages import PDF, now_deal, pdf
from unsubscriptions.models import Payout, Request, RequestFile
from unsubscriptions.states import RequestState, Status

pytestmark = pytest.mark.django_db

LIST = "/seller/unsubscriptions/"


@pytest.fixture
def product(db: None) -> Product:
    """A license of one seller, sold several times."""
    return supervised_product("license")


def asked_now(product: Product | None = None, amount: str = "400.00", **arguments: Any) -> tuple[Deal, Request]:
    """A product bought just now by a new account that asks to give it back."""
    deal = now_deal(product=product, buyer=make_buyer()) if product else now_deal("license")
    return deal, ask(deal, amount, **arguments)


def page(deal: Deal, asked: Request, name: str = "seller_detail", **data: Any) -> Any:
    """A page of the seller about a request; posted when data is given."""
    address = reverse(f"unsubscriptions:{name}", args=[asked.number])
    return deal.seller.client.post(address, data) if data else deal.seller.client.get(address)


def html_of(deal: Deal, asked: Request, name: str = "seller_detail") -> str:
    text: str = page(deal, asked, name).content.decode()
    return text


def stored(asked: Request) -> Request:
    return Request.objects.select_related("payout").get(pk=asked.pk)


def colleague_of(seller: Persona, *, without: str) -> Persona:
    """A member of the seller's team whom a policy denies an action."""
    user = identity.UserFactory(account=seller.account, is_root=False, seller_role=SellerRole.OWNER)
    identity.deny(user, without)
    return Persona(user, seller.role)


# The list


def test_the_list_names_customers_amounts_reasons_and_what_to_do(product: Product) -> None:
    deal, open_one = asked_now(product)
    other, ended = asked_now(product, "12.34", reason="other", text="=1+1")
    reject(other, ended)
    html = deal.seller.client.get(LIST).content.decode()
    for each, request in ((deal, open_one), (other, ended)):
        assert request.number in html
        assert each.buyer.account is not None and each.buyer.account.name in html
    for shown in ("400.00", "12.34", "No longer needed", "Unanswered", "Rejected"):
        assert shown in html
    assert html.count(">Review</a>") == 1
    assert html.count("View Details</a>") == 1


def test_the_list_of_a_seller_whom_nobody_asked_says_so() -> None:
    deal = now_deal("license")
    html = deal.seller.client.get(LIST).content.decode()
    assert "No requests yet" in html
    _deal, asked = asked_now()
    assert asked.number not in deal.seller.client.get(LIST).content.decode()


def test_the_tabs_filters_and_the_search_find_requests(product: Product) -> None:
    deal, open_one = asked_now(product)
    other, ended = asked_now(product, reason="delivered_late")
    withdraw(other, ended)
    paid, agreed = asked_now(product)
    agree(paid, agreed)
    assert paid.buyer.account is not None
    found = {
        "?tab=to_review": {open_one},
        "?tab=withdrawn": {ended},
        "?tab=refunded": {agreed},
        "?tab=in_progress": set(),
        "?status=refunded": {agreed},
        "?status=rejected": set(),
        "?reason=delivered_late": {ended},
        f"?q={open_one.number}": {open_one},
        f"?q={ended.order_number}": {ended},
        f"?q={paid.buyer.account.name}": {agreed},
    }
    for query, expected in found.items():
        html = deal.seller.client.get(LIST + query).content.decode()
        assert {each for each in (open_one, ended, agreed) if f"/{each.number}/" in html} == expected, query


def test_the_list_takes_one_count_of_queries_whatever_its_rows(
    product: Product, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for more in (1, 4):
        for _each in range(more):
            deal, _asked = asked_now(product)
        ended, asked = asked_now(product)
        agree(ended, asked)
        deal.seller.client.get(LIST)
        with django_assert_max_num_queries(8) as queries:
            deal.seller.client.get(LIST)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_csv_holds_the_filtered_rows_and_no_formula(product: Product) -> None:
    deal, asked = asked_now(product, reason="other", text="=HYPERLINK(1)")
    other, ended = asked_now(product)
    reject(other, ended)
    answer = deal.seller.client.get(f"{LIST}?tab=to_review&export=csv")
    text = b"".join(answer.streaming_content).decode()
    for held in (asked.number, asked.order_number, "400.00", "Other", "Requested", "'=HYPERLINK(1)"):
        assert held in text
    assert ended.number not in text


def test_a_late_refund_stands_out_in_the_list_and_on_its_page() -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=5))
    asked = ask(deal, "400.00")
    agree(deal, asked)
    assert stored(asked).status is Status.IN_PROGRESS
    html = deal.seller.client.get(f"{LIST}?tab=in_progress").content.decode()
    assert asked.number in html and "Overdue" in html
    assert "The refund is late" in html_of(deal, asked)


# One request


def test_details_take_nine_queries_whatever_happened(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    deal, asked = asked_now(contact=True)
    page(deal, asked)
    with django_assert_max_num_queries(9):
        page(deal, asked)
    agree(deal, asked, comment="Fine.", uploads=[upload()])
    with django_assert_max_num_queries(9):
        page(deal, asked)


def test_the_page_shows_the_request_its_clock_and_what_agreeing_means() -> None:
    deal = supervised("license", at=clock.now() - timedelta(days=3))
    asked = ask(deal, "400.00", reason="other", text="The project\nended.")
    html = html_of(deal, asked)
    for shown in ("400.00", "1,200.00", "800.00", "The project", "Other", "Your share", "Platform fee"):
        assert shown in html
    assert "The customer has waited for 3 days." in html
    assert "recommended to initiate an appeal from" in html
    assert "The last reminder" not in html
    assert reverse("orders:seller_detail", args=[asked.order_number]) in html
    assert deal.flow.get_seller_url() in html
    assert "no-store" in page(deal, asked)["Cache-Control"]


def dialog_of(deal: Deal, asked: Request, name: str) -> str:
    html = html_of(deal, asked).partition(f'<dialog class="dialog" id="{name}"')[2].partition("</dialog>")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("200.00", "USD 200.00 is taken off milestone bills that {customer} has not paid yet; nothing is paid back."),
        (
            "450.00",
            "USD 300.00 is taken off milestone bills that {customer} has not paid yet, and USD 150.00 is paid back.",
        ),
    ],
)
def test_agreeing_says_what_is_taken_off_open_bills(amount: str, said: str) -> None:
    deal = in_milestones(shares=["30", "30", "40"], at=clock.now() - timedelta(hours=3)).to(Step.ACCEPT)
    repay(bills_of(deal.order)[0], at=deal.at)
    deal.accept()
    words = dialog_of(deal, ask(deal, amount), "agree")
    assert said.format(customer=deal.buyer.account.name) in words and "gets" not in words
    assert "The order is completed at once and marked as unsubscribed" in words


def test_of_a_completed_order_the_dialogs_do_not_say_that_it_is_completed() -> None:
    deal = now_deal("license")
    deal.deliver()
    deal.accept()
    deal.wait(hours=4)
    with clock.at(deal.at):
        sweeps["completing-flows"].run(deal.at)
        specially(deal.flow.number, at=deal.at)
        asked = ask(deal)
        agreed, rejected = (dialog_of(deal, asked, name) for name in ("agree", "reject"))
    assert "completed at once" not in agreed and "service flow" not in agreed
    assert f"{deal.buyer.account.name} gets USD 100.00 back." in agreed
    assert "The order, which is completed already, is marked as unsubscribed" in agreed
    assert "The order stays completed." in rejected and "goes on" not in rejected


def test_after_five_days_without_an_answer_the_page_says_that_an_appeal_is_recommended() -> None:
    deal = supervised("license", at=clock.now() - timedelta(days=6))
    assert "now recommended to initiate an appeal" in html_of(deal, ask(deal))


def test_reminders_are_shown() -> None:
    deal = supervised("license", at=clock.now() - timedelta(days=1))
    asked = ask(deal)
    deal.wait(hours=2)
    remind(deal, asked)
    html = html_of(deal, asked)
    assert "The last reminder came" in html
    assert "Seller reminded" in html


@pytest.mark.parametrize("given", [True, False])
def test_contact_data_is_shown_by_consent_alone_and_masked_once_it_is_taken_back(given: bool) -> None:
    buyer = make_buyer()
    known = {"email": "mara.lindqvist@example.com", "mobile": "+353861234567"}
    with guard.opened("test"):
        User.objects.filter(pk=buyer.user.pk).update(**known)
    deal = supervised("license", at=clock.now(), buyer=buyer)
    asked = ask(deal, contact=given)
    html = html_of(deal, asked)
    for value in known.values():
        assert (value in html) is given
    assert ("gave no contact data" in html) is not given
    if given:
        for consent in buyer.user.contact_consents.all():
            agreements.withdraw_consent(buyer.call(), consent=str(consent.pk))
        html = html_of(deal, asked)
        assert not [value for value in known.values() if value in html]
        assert "The customer took back the consent." in html


def test_while_an_appeal_stands_nothing_can_be_reviewed_and_no_file_is_kept() -> None:
    deal, asked = asked_now()
    deal.appeal()
    html = html_of(deal, asked)
    assert "The service flow is frozen" in html
    assert 'id="review"' not in html
    before = StoredFile.objects.count()
    answer = page(deal, asked, "agree", comment="Fine.", files=pdf(), sure="1")
    assert answer.status_code == 422
    assert StoredFile.objects.count() == before
    assert stored(asked).is_open
    assert Trace.objects.filter(trace_name="agreeUnsubscription", trace_rating="warning").count() == 1
    listed = deal.seller.client.get(LIST).content.decode()
    assert "Frozen" in listed and ">Review</a>" not in listed


# Review


def test_agreeing_asks_first_keeps_what_was_entered_and_carries_everything_out() -> None:
    deal, asked = asked_now(reason="delivered_late")
    first = page(deal, asked, "agree", comment="We agree.", files=pdf())
    html = first.content.decode()
    assert first.status_code == 200
    assert stored(asked).is_open
    assert '<dialog class="dialog" id="agree" aria-labelledby="agree-title" open' in html
    for kept in ("We agree.", "plan.pdf", 'name="files-kept"', "Delivered late", asked.order_number):
        assert kept in html
    token = html.split('name="files-kept" value="')[1].split('"')[0]
    back = page(deal, asked, "agree", comment="We agree.", **{"files-kept": token}, back="1").content.decode()
    assert "We agree." in back and "plan.pdf" in back and " open" not in back.split('id="agree"')[1][:60]
    sure = page(deal, asked, "agree", comment="We agree.", **{"files-kept": token}, sure="1")
    assert (sure.status_code, sure["Location"]) == (302, asked.get_seller_url())
    ended = stored(asked)
    assert (ended.status, ended.comment, ended.files.count()) == (Status.REFUNDED, "We agree.", 1)
    assert (deal.order.state, deal.step) == (OrderState.COMPLETED, Step.UNSUBSCRIBED)
    html = html_of(deal, asked)
    for shown in ("Refunded", "We agree.", "plan.pdf", "Outcome", deal.seller.user.username):
        assert shown in html
    assert 'id="review"' not in html
    file = ended.files.get().file
    answer = deal.seller.client.get(reverse("unsubscriptions:seller_file", args=[asked.number, file.number]))
    assert b"".join(answer.streaming_content) == PDF
    assert "attachment" in answer["Content-Disposition"]
    assert Trace.objects.filter(trace_name="downloadUnsubscriptionFile").count() == 1


def test_rejecting_tells_the_customer_why_and_the_order_goes_on() -> None:
    deal, asked = asked_now()
    assert page(deal, asked, "reject", comment="It was delivered.").status_code == 200
    assert stored(asked).is_open
    assert page(deal, asked, "reject", comment="It was delivered.", sure="1").status_code == 302
    ended = stored(asked)
    assert (ended.status, ended.comment) == (Status.REJECTED, "It was delivered.")
    assert deal.step == Step.HAND_OVER
    html = html_of(deal, asked)
    assert "It was delivered." in html and "the customer may ask again" in html
    assert not Payout.objects.exists()


@pytest.mark.parametrize("name", ["agree", "reject"])
def test_the_address_of_a_decision_asks_with_its_dialog_open_and_changes_nothing(name: str) -> None:
    deal, asked = asked_now()
    html = html_of(deal, asked, name)
    assert f'id="{name}" aria-labelledby="{name}-title" open' in html
    assert stored(asked).is_open


@pytest.mark.parametrize(
    ("entered", "says"),
    [
        (lambda: {"files": SimpleUploadedFile("proof.exe", b"MZ")}, "proof.exe: this type of file is not accepted."),
        (lambda: {"comment": "x" * 1001}, "At most 1000 characters; these are 1001."),
        (lambda: {"files": [pdf(f"{number}.pdf") for number in range(11)]}, "At most 10 files"),
    ],
)
@pytest.mark.parametrize("name", ["agree", "reject"])
def test_what_is_wrong_is_named_and_what_was_typed_is_kept(
    name: str, entered: Callable[[], dict[str, Any]], says: str
) -> None:
    deal, asked = asked_now()
    answer = page(deal, asked, name, **({"comment": "Kept words."} | entered()), sure="1")
    html = answer.content.decode()
    assert answer.status_code == 422
    assert says in html and 'role="alert"' in html
    assert entered().get("comment", "Kept words.") in html
    assert stored(asked).is_open and not RequestFile.objects.exists()


def test_the_same_answer_sent_twice_is_given_once() -> None:
    deal, asked = asked_now()
    sent = {"comment": "Fine.", "sure": "1", "idempotency_key": "the-same-key"}
    for _each in range(2):
        assert page(deal, asked, "agree", **sent, files=pdf()).status_code == 302
    assert Payout.objects.count() == RequestFile.objects.count() == 1


def test_who_comes_second_is_told_what_happened_meanwhile() -> None:
    deal, asked = asked_now()
    assert 'id="review"' in html_of(deal, asked)
    withdraw(deal, asked)
    answer = page(deal, asked, "agree", comment="Fine.", sure="1")
    html = answer.content.decode()
    assert answer.status_code == 422
    assert "The request is no longer open: Withdrawn." in html
    assert "The customer took the request back." in html
    assert not Payout.objects.exists()


def test_an_ended_request_says_who_ended_it() -> None:
    deal, asked = asked_now()
    deal.appeal()
    appeal = deal.wait(minutes=1).decide("complete")
    deciding.countersign(make_operator().call(at=deal.at, key=pages.new_key()), appeal=appeal.number)
    html = html_of(deal, asked)
    assert "An appeal was decided, and the order ended with it." in html


# Who may


def test_requests_to_another_seller_do_not_exist(seller: Persona) -> None:
    deal, asked = asked_now()
    reject(deal, asked, uploads=[upload()])
    asked = ask(deal)
    file = RequestFile.objects.get()
    for name in ("seller_detail", "agree", "reject"):
        address = reverse(f"unsubscriptions:{name}", args=[asked.number])
        assert seller.client.get(address).status_code == 404
        assert seller.client.post(address, {"sure": "1"}).status_code == 404
    address = reverse("unsubscriptions:seller_file", args=[file.request.number, file.file.number])
    assert seller.client.get(address).status_code == 404
    assert stored(asked).is_open


def test_the_buyer_of_a_request_has_no_page_of_its_seller(product: Product) -> None:
    deal, asked = asked_now(product)
    for name in ("seller_detail", "agree", "reject"):
        address = reverse(f"unsubscriptions:{name}", args=[asked.number])
        assert deal.buyer.client.post(address, {"sure": "1"}).status_code == 404
    assert stored(asked).is_open


@pytest.mark.parametrize(("denied", "left"), [("agree", "reject"), ("reject", "agree")])
def test_a_member_of_the_team_who_may_not_decide_sees_why(denied: str, left: str) -> None:
    deal, asked = asked_now()
    member = colleague_of(deal.seller, without=f"marketplace:subscription:{denied}Unsubscription")
    address = asked.get_seller_url()
    html = member.client.get(address).content.decode()
    assert f"marketplace:subscription:{denied}Unsubscription" in html
    assert f'data-dialog="{left}"' in html and f'data-dialog="{denied}"' not in html
    answer = member.client.post(reverse(f"unsubscriptions:{denied}", args=[asked.number]), {"sure": "1"})
    assert answer.status_code == 422
    assert stored(asked).is_open


def test_who_may_not_see_unsubscriptions_sees_them_nowhere(product: Product) -> None:
    deal, asked = asked_now(product)
    member = colleague_of(deal.seller, without="marketplace:subscription:view")
    assert member.client.get(LIST).status_code == 403
    assert member.client.get(asked.get_seller_url()).status_code == 403
    html = member.client.get("/seller/").content.decode()
    assert asked.number not in html and "Unsubscriptions to review" not in html


# Overviews


def test_the_sellers_navigation_and_overview_name_what_is_to_review(product: Product) -> None:
    deal, asked = asked_now(product)
    other, ended = asked_now(product)
    reject(other, ended)
    html = deal.seller.client.get("/seller/").content.decode()
    assert '<span class="count">1</span>' in html[html.index('href="/seller/unsubscriptions/"') :][:400]
    assert "Unsubscriptions to review" in html
    assert asked.get_seller_url() in html and ended.get_seller_url() not in html
    reject(deal, asked)
    assert "Unsubscriptions to review" not in deal.seller.client.get("/seller/").content.decode()


def test_what_an_appeal_stopped_is_counted_as_nothing_to_review(product: Product) -> None:
    deal, asked = asked_now(product)
    _other, waits = asked_now(product)
    deal.appeal()
    html = deal.seller.client.get("/seller/").content.decode()
    assert '<span class="count">1</span>' in html[html.index('href="/seller/unsubscriptions/"') :][:400]
    assert asked.get_seller_url() not in html and waits.get_seller_url() in html
    to_review = deal.seller.client.get(f"{LIST}?tab=to_review").content.decode()
    assert asked.number not in to_review and waits.number in to_review
    assert asked.number in deal.seller.client.get(LIST).content.decode()


def test_an_order_that_gives_something_back_is_no_delivery() -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=1))
    asked = agree(deal, ask(deal, "400.00"))
    back = Payout.objects.get(request=asked).order
    assert back.state == OrderState.PROCESSING
    assert overview.buyer_to_do(deal.buyer.call().account_id, at=clock.now()).in_delivery == 0
    assert not overview.orders_to_handle(deal.seller.call().account_id, at=clock.now()).exists()


def test_the_buyers_overview_names_what_is_in_progress_and_what_is_late() -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=5))
    asked = ask(deal, "400.00")
    html = deal.buyer.client.get("/console/").content.decode()
    assert "Unsubscriptions in progress" in html
    assert asked.get_absolute_url() in html and "Requested" in html
    agree(deal, asked)
    html = deal.buyer.client.get("/console/").content.decode()
    assert "Overdue" in html and "Refund in progress" in html


def test_the_buyers_overview_forgets_what_is_over() -> None:
    deal, asked = asked_now()
    agree(deal, asked)
    assert stored(asked).state == RequestState.AGREED
    assert "Unsubscriptions in progress" not in deal.buyer.client.get("/console/").content.decode()


def test_evidence_of_up_to_ten_files_is_kept() -> None:
    deal, asked = asked_now()
    answer = page(deal, asked, "reject", files=[pdf(f"{number}.pdf") for number in range(files.MAX_FILES)], sure="1")
    assert answer.status_code == 302
    assert stored(asked).files.count() == files.MAX_FILES
