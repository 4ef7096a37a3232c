"""My Unsubscriptions, the form with its dialog, the request and its refund (unsubscription.md, pages.md)."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from audit.models import Trace
from billing.models import RefundPart
from billing.states import GatewayOutcome
from koogallery import clock
from koogallery.kernel import guard
from koogallery.kernel.sweeps import sweeps
from orders.models import Resource
from orders.states import OrderState
from tests.factories.identity import UserFactory, deny
from tests.factories.returns import agree, ask, paid_by, reject, specially, withdraw
from tests.factories.subscriptions import image, moment
from tests.factories.supervision import Deal, supervised, upload
from tests.personas import Persona, make_buyer
from tests.queries import own_queries
from unsubscriptions.models import Payout, Request
from unsubscriptions.operations.reading import VIEW
from unsubscriptions.operations.requesting import ACTION
from unsubscriptions.states import PayoutState, RequestState

pytestmark = pytest.mark.django_db

LIST = "/console/unsubscriptions/"
GOOD = {"amount": "400.00", "reason": "no_longer_needed"}


def now_deal(method: str = "license", **fields: Any) -> Deal:
    """A deal that began just now, for pages, which read the clock themselves."""
    return supervised(method, at=clock.now() - timedelta(hours=2), **fields)


def form_of(deal: Deal) -> str:
    return reverse("unsubscriptions:request", args=[deal.flow.number])


def post(deal: Deal, **data: str) -> Any:
    return deal.buyer.client.post(form_of(deal), data)


def read(deal: Deal, address: str, *, at: datetime | None = None) -> str:
    with clock.at(at or clock.now()):
        return deal.buyer.client.get(address).content.decode()


# The list


def test_the_tabs_show_lines_images_and_requests(buyer: Persona) -> None:
    running, asked_for = now_deal(buyer=buyer), now_deal("saas", buyer=buyer)
    asked = ask(asked_for)
    html = buyer.client.get(LIST).content.decode()
    assert html.count(">Unsubscribe</a>") == 1 and form_of(running) in html
    assert html.count(">View request</a>") == 1 and asked.get_absolute_url() in html
    assert "USD 1,200.00" in html
    assert "No images" in buyer.client.get(f"{LIST}?tab=images").content.decode()
    html = buyer.client.get(f"{LIST}?tab=requests").content.decode()
    assert asked.number in html and ">Requested</span>" in html and ">Withdraw</button>" in html.replace("\n", "")


def test_empty_tabs_say_what_will_stand_there(buyer: Persona) -> None:
    for tab, says in (("negotiated", "Nothing to unsubscribe from"), ("images", "No images"), ("requests", "No req")):
        html = buyer.client.get(LIST, {"tab": tab}).content.decode()
        assert says in html and "<table" not in html


def test_requests_are_filtered_by_what_pages_show(buyer: Persona) -> None:
    deals = [now_deal(buyer=buyer) for _each in range(4)]
    waits, rejected, taken_back, given = [ask(deal) for deal in deals]
    reject(deals[1], rejected)
    withdraw(deals[2], taken_back)
    agree(deals[3], given)
    for status, found in (("requested", waits), ("rejected", rejected), ("withdrawn", taken_back), ("refunded", given)):
        html = buyer.client.get(LIST, {"tab": "requests", "status": status}).content.decode()
        assert [each.number in html for each in (waits, rejected, taken_back, given)] == [
            each is found for each in (waits, rejected, taken_back, given)
        ]


@pytest.mark.parametrize("tab", ["negotiated", "images", "requests"])
def test_every_tab_can_be_had_as_csv(buyer: Persona, tab: str) -> None:
    deal = now_deal(buyer=buyer)
    asked = ask(deal)
    answer = buyer.client.get(LIST, {"tab": tab, "export": "csv"})
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"))))
    assert len(rows) == {"negotiated": 2, "images": 1, "requests": 2}[tab]
    named = {"negotiated": deal.order.number, "requests": asked.number}
    assert tab == "images" or named[tab] in rows[1]


@pytest.mark.parametrize("tab", ["negotiated", "requests"])
def test_a_tab_takes_one_count_of_queries_whatever_its_rows(
    buyer: Persona, tab: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    counts = []
    for more in (1, 3):
        for _each in range(more):
            deal = now_deal(buyer=buyer)
            ask(deal)
            agree(deal, Request.objects.latest("pk"))
            ask(now_deal(buyer=buyer))
            now_deal(buyer=buyer)
        buyer.client.get(LIST, {"tab": tab})
        with django_assert_max_num_queries(8) as asked:
            buyer.client.get(LIST, {"tab": tab})
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_each_tab_keeps_its_own_columns(buyer: Persona) -> None:
    ask(now_deal(buyer=buyer))
    buyer.client.get(LIST, {"columns_set": "1", "columns": "product"})
    assert 'data-label="Actual payment"' not in buyer.client.get(LIST).content.decode()
    html = buyer.client.get(LIST, {"tab": "requests"}).content.decode()
    assert 'data-label="Status"' in html and 'data-label="Kind"' not in html


def test_what_cannot_be_unsubscribed_now_says_why_in_its_row(buyer: Persona) -> None:
    deal = now_deal(buyer=buyer)
    deal.appeal()
    html = buyer.client.get(LIST).content.decode()
    assert ">Unsubscribe</a>" not in html
    assert "The service flow is frozen" in html


def test_a_special_agreement_brings_a_completed_line_to_the_list() -> None:
    deal = supervised("license", at=clock.now() - timedelta(days=2))
    deal.deliver()
    deal.accept()
    with clock.at(deal.at + timedelta(hours=4)):
        sweeps["completing-flows"].run(clock.now())
    assert deal.order.state == OrderState.COMPLETED
    assert form_of(deal) not in read(deal, LIST)
    specially(deal.flow.number, at=clock.now())
    assert form_of(deal) in read(deal, LIST)
    assert post(deal, **GOOD, sure="1").status_code == 302


# The form


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("0", "more than 0"),
        ("-1", "more than 0"),
        ("\u22121", "plain amount"),
        ("", "plain amount"),
        ("all of it", "plain amount"),
        ("1e2", "plain amount"),
        ("NaN", "plain amount"),
        ("1,200.00", "plain amount"),
        ("1.005", "digits"),
        ("1200.01", "no more than the actual payment, USD 1,200.00"),
    ],
)
@pytest.mark.parametrize("sure", [{}, {"sure": "1"}])
def test_an_amount_that_will_not_do_is_named_and_kept(amount: str, says: str, sure: dict[str, str]) -> None:
    deal = now_deal()
    answer = post(deal, amount=amount, reason="other", text="The project ended.", **sure)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert says.lower() in html.lower()
    assert 'aria-invalid="true"' in html and 'href="#id_amount"' in html
    assert f'value="{amount}"' in html
    assert "The project ended.</textarea>" in html
    assert '<option value="other" selected>' in html
    assert " open>" not in html
    assert not Request.objects.exists()


@pytest.mark.parametrize("amount", ["1200.00", "1200", "0.01", " 0.5 "])
def test_the_limit_itself_and_one_cent_are_asked_about_and_sent(amount: str) -> None:
    deal = now_deal()
    html = post(deal, amount=amount, reason="by_mistake", contact="on").content.decode()
    dialog = html.partition("<dialog")[2].partition("</dialog>")[0]
    assert " open>" in html and not Request.objects.exists()
    shown = {"1200.00": "1,200.00", "1200": "1,200.00", "0.01": "0.01", " 0.5 ": "0.50"}[amount]
    for said in (f"USD {shown}", deal.order.product.label, deal.order.number, "Ordered by mistake", "phone number"):
        assert said in dialog
    assert ">Refund</button>" in dialog
    answer = post(deal, amount=amount, reason="by_mistake", contact="on", sure="1")
    asked = Request.objects.get()
    assert answer.status_code == 302 and answer["Location"] == asked.get_absolute_url()
    assert (asked.state, f"{asked.amount:.2f}", asked.contact_given) == (
        RequestState.REQUESTED,
        shown.replace(",", ""),
        True,
    )


def test_no_reason_is_preselected_and_other_needs_words() -> None:
    deal = now_deal()
    html = read(deal, form_of(deal))
    assert '<option value="" selected>Choose a reason</option>' in html
    answer = post(deal, amount="10", reason="")
    assert answer.status_code == 422 and "Choose a reason." in answer.content.decode()
    answer = post(deal, amount="10", reason="because")
    assert answer.status_code == 422 and "Choose a reason." in answer.content.decode()
    answer = post(deal, amount="10", reason="other", text="  ")
    assert answer.status_code == 422 and "Describe the reason." in answer.content.decode()
    answer = post(deal, amount="10", reason="other", text="x" * 1001)
    assert answer.status_code == 422 and "1000" in answer.content.decode()
    assert not Request.objects.exists()


def test_cancel_in_the_dialog_leads_back_to_the_form_as_it_was() -> None:
    deal = now_deal()
    html = post(deal, **GOOD, back="1").content.decode()
    assert "<dialog" not in html and 'value="400.00"' in html
    assert not Request.objects.exists()


def test_the_same_form_sent_twice_asks_once() -> None:
    deal = now_deal()
    data = GOOD | {"sure": "1", "idempotency_key": "the-same-key"}
    places = {post(deal, **data)["Location"] for _each in range(2)}
    assert len(places) == 1 and Request.objects.count() == 1
    agree(deal, Request.objects.get())
    assert post(deal, **data)["Location"] in places


def test_the_form_says_why_not_and_leads_to_the_open_request() -> None:
    deal = now_deal()
    asked = ask(deal)
    html = read(deal, form_of(deal))
    assert "is open already" in html and asked.get_absolute_url() in html and "<textarea" not in html
    answer = post(deal, **GOOD)
    assert answer.status_code == 422 and "is open already" in answer.content.decode()
    trace_count = Trace.objects.filter(trace_name="unSubscribeByNegotiation").count()
    answer = post(deal, **GOOD, sure="1")
    assert answer.status_code == 422 and 'value="400.00"' in answer.content.decode()
    assert Trace.objects.filter(trace_name="unSubscribeByNegotiation").count() == trace_count + 1


def test_the_form_takes_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    deal = now_deal()
    read(deal, form_of(deal))
    with django_assert_max_num_queries(8):
        read(deal, form_of(deal))


def test_an_iam_user_without_the_right_sees_who_can_help(clerk: Persona) -> None:
    buyer = Persona(clerk.user.account.users.get(is_root=True), clerk.role)
    deal = now_deal(buyer=buyer)
    html = clerk.client.get(form_of(deal)).content.decode()
    assert "<textarea" not in html
    answer = clerk.client.post(form_of(deal), GOOD | {"sure": "1"})
    assert answer.status_code == 422 and not Request.objects.exists()


# The request


@pytest.mark.parametrize("tab", ["", "payments", "agreements", "traces"])
def test_every_tab_of_an_order_leads_to_its_open_request(tab: str) -> None:
    deal = now_deal()
    address = f"{deal.order.get_absolute_url()}?tab={tab}"
    assert f'href="{form_of(deal)}"' in read(deal, address)
    asked = ask(deal)
    html = read(deal, address)
    assert re.search(rf'<a [^>]*href="{asked.get_absolute_url()}"[^>]*>View request</a>', html)
    assert form_of(deal) not in html


def test_the_request_shows_what_was_asked_and_who_has_to_answer() -> None:
    deal = now_deal()
    asked = ask(deal, "400.00", reason="other", text="The project\nended.", contact=True)
    html = read(deal, asked.get_absolute_url())
    for said in ("USD 400.00", "USD 1,200.00", "The project<br>ended.", "The seller is looking at your request"):
        assert said in html
    assert "You let the seller see your phone number" in html
    withdrawn = deal.buyer.client.post(reverse("unsubscriptions:withdraw", args=[asked.number]))
    assert withdrawn.status_code == 302
    html = read(deal, asked.get_absolute_url())
    assert "You withdrew the request" in html and "Ask again" in html and form_of(deal) in html


def test_withdrawing_and_reminding_ask_first_without_javascript() -> None:
    deal = now_deal()
    asked = ask(deal)
    for name in ("withdraw", "remind"):
        html = read(deal, reverse(f"unsubscriptions:{name}", args=[asked.number]))
        assert asked.number in html and ">OK</button>" in html
    remind = reverse("unsubscriptions:remind", args=[asked.number])
    assert deal.buyer.client.post(remind).status_code == 302
    answer = deal.buyer.client.post(remind)
    assert answer.status_code == 422 and "reminded" in answer.content.decode()
    assert "Reminded" in read(deal, asked.get_absolute_url())


def test_after_five_days_of_silence_an_appeal_is_recommended() -> None:
    deal = supervised("license", at=clock.now() - timedelta(days=6))
    asked = ask(deal)
    html = read(deal, asked.get_absolute_url())
    assert "has not answered for more than 5 days" in html
    assert reverse("supervision:appeal", args=[deal.flow.number]) in html


def test_a_rejection_shows_the_sellers_words_and_evidence_and_one_may_ask_again() -> None:
    deal = now_deal()
    asked = reject(deal, ask(deal), comment="It was delivered as described.", uploads=[upload("log.pdf")])
    html = read(deal, asked.get_absolute_url())
    assert "It was delivered as described." in html and "log.pdf" in html
    assert "The seller rejected your request" in html and "Ask again" in html
    assert post(deal, **GOOD, sure="1").status_code == 302


def test_agreed_the_page_and_the_order_tell_how_the_money_came_back() -> None:
    deal = now_deal()
    asked = agree(deal, ask(deal, "400.00"))
    payout = Payout.objects.get()
    html = read(deal, asked.get_absolute_url())
    assert ">Refunded</span>" in html and "Account balance" in html and payout.order.number in html
    html = read(deal, deal.order.get_absolute_url())
    refunds = html.partition('id="refunds"')[2].partition("</section>")[0]
    for said in ("Unsubscription requested", "Unsubscription agreed", "USD 400.00 refunded", "Account balance"):
        assert said in refunds
    assert asked.number in refunds and payout.order.number in refunds
    assert ">Unsubscribed</span>" in html and ">Unsubscribe</a>" not in html
    html = read(deal, payout.order.get_absolute_url())
    assert deal.order.number in html.partition('id="refunds"')[2] and "USD -400.00" in html.replace("\u2212", "-")


def test_a_refund_to_a_card_shows_until_when_it_is_back() -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=1))
    asked = agree(deal, ask(deal, "400.00"))
    html = read(deal, asked.get_absolute_url())
    assert "The refund is on its way" in html and "The money is back by" in html and "\u2022\u2022\u2022\u2022" in html
    html = read(deal, LIST + "?tab=requests")
    assert "Refund in progress" in html
    assert "USD 400.00 on its way" in read(deal, deal.order.get_absolute_url())


def test_a_refund_that_the_gateway_left_unclear_has_failed_and_is_nowhere_on_its_way() -> None:
    at = clock.now() - timedelta(minutes=10)
    deal = paid_by("card", at=at)
    asked = agree(deal, ask(deal, "400.00"))
    with guard.opened("test"):
        RefundPart.objects.update(parked_at=deal.at, next_try_at=None, outcome=GatewayOutcome.UNKNOWN, attempts=9)
        Payout.objects.update(state=PayoutState.FAILED, failed_at=deal.at)
    html = read(deal, asked.get_absolute_url())
    panel = html.partition('id="refund"')[2].partition("</section>")[0]
    assert panel.count(">Refund failed</span>") == 2
    for page in (html, read(deal, deal.order.get_absolute_url())):
        assert "Refund of USD 400.00 failed" in page
        assert "n its way" not in page and "The money is back by" not in page
    payments = read(deal, f"{deal.order.get_absolute_url()}?tab=payments")
    assert "Refund failed" in payments and "On its way" not in payments


def test_a_late_refund_says_so_before_the_sweep_ran() -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=5))
    asked = agree(deal, ask(deal, "400.00"))
    html = read(deal, asked.get_absolute_url())
    assert "The refund is late" in html and "Overdue" in html
    rows = read(deal, LIST + "?tab=requests").partition("<tbody")[2]
    assert "Overdue" in rows and "GMT+08:00</small>" not in rows.partition("Overdue")[0]


def test_details_and_the_order_page_take_eight_queries_whatever_happened(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=1))
    first = reject(deal, ask(deal, contact=True), uploads=[upload("one.pdf"), upload("two.pdf", b"%PDF-1.7 two")])
    deal.wait(minutes=1)
    second = ask(deal, contact=True)
    for each in (first, second):
        read(deal, each.get_absolute_url())
        with django_assert_max_num_queries(8):
            read(deal, each.get_absolute_url())
    agree(deal, second, uploads=[upload("three.pdf", b"%PDF-1.7 three")])
    returned = Payout.objects.get().order
    for address in (second.get_absolute_url(), deal.order.get_absolute_url(), returned.get_absolute_url()):
        read(deal, address)
        with django_assert_max_num_queries(8):
            read(deal, address)


# The ways in


def test_order_flow_and_resource_lead_to_the_form_and_then_to_the_request() -> None:
    deal = now_deal()
    resource = deal.order.line.resources.get()
    pages = (deal.order.get_absolute_url(), deal.flow.get_absolute_url(), resource.get_absolute_url())
    for address in pages:
        assert f'href="{form_of(deal)}"' in read(deal, address)
    asked = ask(deal)
    for address in pages[:2]:
        assert f'href="{asked.get_absolute_url()}"' in read(deal, address)
    agree(deal, asked)
    for address in pages:
        assert f'href="{form_of(deal)}"' not in read(deal, address)


ROWS = ("/console/orders/", "/console/apps/?tab=in_delivery")


def entries(who: Persona, address: str, label: str) -> list[str]:
    """The addresses of an entry in the rows of a list, those that cannot be used without one."""
    rows = who.client.get(address).content.decode().partition("<tbody")[2]
    return re.findall(rf'<a class="link" href="([^"]*)">{label}</a>', rows)


@pytest.mark.parametrize("address", ROWS)
def test_rows_of_orders_and_apps_lead_to_the_form_the_request_or_nowhere_as_details_do(address: str) -> None:
    buyer = make_buyer()
    running, asked_for, given_back, done = (now_deal(buyer=buyer) for _ in range(4))
    asked = ask(asked_for)
    agree(given_back, ask(given_back))
    done.deliver()
    done.accept()
    done.wait(hours=4)
    with clock.at(done.at):
        sweeps["completing-flows"].run(done.at)
    assert entries(buyer, address, "Unsubscribe") == [form_of(running)]
    assert entries(buyer, address, "View request") == [asked.get_absolute_url()]


@pytest.mark.parametrize("by_agreement", [False, True])
def test_what_is_due_to_complete_is_given_back_by_its_agreement_alone_before_the_sweep(by_agreement: bool) -> None:
    deal = supervised("license", at=clock.now() - timedelta(hours=5))
    deal.deliver()
    deal.accept()
    resource = Resource.objects.get(line__order=deal.order)
    details = (deal.order.get_absolute_url(), resource.get_absolute_url())
    assert all(f'href="{form_of(deal)}"' in read(deal, page, at=deal.at) for page in details)
    if by_agreement:
        specially(deal.flow.number, at=deal.at)
    deal.wait(hours=3)
    assert deal.order.state == OrderState.PROCESSING
    for page in details:
        assert (f'href="{form_of(deal)}"' in read(deal, page, at=deal.at)) is by_agreement, page
    with clock.at(deal.at):
        for rows in ("/console/orders/", "/console/apps/"):
            assert resource.product.name in deal.buyer.client.get(rows).content.decode()
            assert entries(deal.buyer, rows, "Unsubscribe") == [form_of(deal)] * by_agreement, rows


@pytest.mark.parametrize("address", ["/console/orders/", "/console/apps/"])
def test_the_row_of_an_image_leads_to_its_row_in_the_tab_of_images(address: str) -> None:
    owned = image(at="2024-01-01")
    with clock.at(owned.now):
        tab = f"/console/unsubscriptions/?tab=images&amp;q={owned.resource.order_number}"
        assert entries(owned.buyer, address, "Unsubscribe") == [tab]
    with clock.at(moment("2024-06-01")):
        closed = f"{address}?tab=closed" if "apps" in address else owned.resource.get_absolute_url()
        assert tab not in owned.buyer.client.get(closed).content.decode()


@pytest.mark.parametrize("address", ROWS)
def test_whoever_is_denied_to_unsubscribe_reads_why_in_the_rows(address: str) -> None:
    deal = now_deal()
    clerk = Persona(UserFactory(account=deal.buyer.account, is_root=False, username="clerk"), deal.buyer.role)
    deny(clerk.user, ACTION, name="no-unsubscription")
    assert entries(clerk, address, "Unsubscribe") == []
    rows = clerk.client.get(address).content.decode().partition("<tbody")[2]
    assert ">Unsubscribe</button>" in rows and "no-unsubscription" in rows


@pytest.mark.parametrize("address", [*ROWS, "order", "resource", "flow"])
def test_whoever_is_denied_to_view_requests_reads_why_instead_of_being_led_to_one(address: str) -> None:
    deal = now_deal()
    asked = ask(deal)
    resource = Resource.objects.get(line__order=deal.order)
    pages_of = {
        "order": deal.order.get_absolute_url(),
        "resource": resource.get_absolute_url(),
        "flow": f"/console/supervision/{deal.flow.number}/",
    }
    address = pages_of.get(address, address)
    assert re.search(rf'<a [^>]*href="{asked.get_absolute_url()}"[^>]*>View request</a>', read(deal, address))
    clerk = Persona(UserFactory(account=deal.buyer.account, is_root=False, username="clerk"), deal.buyer.role)
    deny(clerk.user, VIEW, name="no-requests")
    html = clerk.client.get(address).content.decode()
    assert ">View request</button>" in html and "no-requests" in html
    assert not re.search(r"<a [^>]*>View request</a>", html)


@pytest.mark.parametrize("address", ROWS)
def test_rows_that_can_be_given_back_ask_as_much_for_three_as_for_one(address: str) -> None:
    buyer, counts = make_buyer(), []
    for more in (1, 2):
        for _ in range(more):
            now_deal(buyer=buyer)
            ask(now_deal(buyer=buyer))
        buyer.client.get(address)
        with CaptureQueriesContext(connection) as caught:
            buyer.client.get(address)
        assert entries(buyer, address, "Unsubscribe") and entries(buyer, address, "View request")
        counts.append(own_queries(caught))
    assert len(counts[0]) == len(counts[1]), counts


@pytest.mark.parametrize("policy", [{"pack": "2024"}, {"pack": "2025", "overrides": {"unsub.matrix": "2024"}}])
def test_what_the_table_does_not_allow_has_no_way_in(policy: dict[str, Any]) -> None:
    deal = now_deal(policy=policy)
    for address in (LIST, deal.order.get_absolute_url(), deal.flow.get_absolute_url()):
        assert form_of(deal) not in read(deal, address)
    html = read(deal, form_of(deal))
    assert "cannot be unsubscribed" in html and "<textarea" not in html


def test_an_appeal_in_between_makes_everything_wait() -> None:
    deal = now_deal()
    asked = ask(deal)
    deal.appeal()
    html = read(deal, asked.get_absolute_url())
    assert "The service flow is frozen" in html
    answer = deal.buyer.client.post(reverse("unsubscriptions:remind", args=[asked.number]))
    assert answer.status_code == 422


def test_requests_of_another_account_do_not_exist(stranger: Persona) -> None:
    deal = now_deal()
    asked = reject(deal, ask(deal), uploads=[upload()])
    file = asked.files.get().file.number
    addresses = [
        form_of(deal),
        asked.get_absolute_url(),
        *(reverse(f"unsubscriptions:{name}", args=[asked.number]) for name in ("withdraw", "remind")),
        reverse("unsubscriptions:file", args=[asked.number, file]),
    ]
    for address in addresses:
        assert stranger.client.get(address).status_code == 404
        assert stranger.client.post(address, GOOD | {"sure": "1"}).status_code in (404, 405)
    html = stranger.client.get(f"{LIST}?tab=requests").content.decode()
    assert asked.number not in html and Request.objects.count() == 1


def accepted_long_ago(deal: Deal) -> Request:
    """A request about a deal that was accepted four hours ago."""
    deal.deliver()
    deal.accept()
    asked = ask(deal)
    deal.wait(hours=4)
    return asked


def test_a_held_acceptance_names_no_moment_of_completion() -> None:
    deal = supervised("license", at=clock.now() - timedelta(hours=5))
    accepted_long_ago(deal)
    html = read(deal, deal.flow.get_absolute_url())
    assert "It is not completed while an unsubscription is asked for." in html and "completes at" not in html


@pytest.mark.parametrize("answer", [reject, withdraw])
def test_a_request_that_was_over_with_its_order_does_not_say_that_the_order_goes_on(answer: Any) -> None:
    deal = supervised("license", at=clock.now() - timedelta(hours=5))
    asked = answer(deal, accepted_long_ago(deal))
    html = read(deal, asked.get_absolute_url())
    assert "its transaction guarantee period is over" in html and "goes on" not in html and "Ask again" not in html
    html = deal.seller.client.get(asked.get_seller_url()).content.decode()
    assert "the order is completed." in html and "order goes on" not in html


@pytest.mark.parametrize("answer", [reject, withdraw])
def test_nobody_may_ask_again_once_the_completion_is_due_though_the_sweep_has_not_run(answer: Any) -> None:
    deal = supervised("license", at=clock.now() - timedelta(hours=5))
    asked = answer(deal, ask(deal))
    deal.deliver()
    deal.accept()
    assert "Ask again" in read(deal, asked.get_absolute_url(), at=deal.at)
    deal.wait(hours=3)
    html = read(deal, asked.get_absolute_url(), at=deal.at)
    assert deal.order.state == OrderState.PROCESSING
    assert "its transaction guarantee period is over" in html and "goes on" not in html and "Ask again" not in html
    with clock.at(deal.at):
        html = deal.seller.client.get(asked.get_seller_url()).content.decode()
    assert "the order is completed." in html and "order goes on" not in html


def test_the_flow_of_an_unsubscribed_order_shows_how_far_it_came() -> None:
    deal = now_deal("saas")
    agree(deal, ask(deal, "400.00"))
    steps = deal.buyer.client.get(deal.flow.get_absolute_url()).context["steps"]
    assert [step["state"] for step in steps] == ["upcoming"] * (len(steps) - 1) + ["ended"]
    deal = now_deal()
    deal.deliver()
    agree(deal, ask(deal, "400.00"))
    steps = deal.buyer.client.get(deal.flow.get_absolute_url()).context["steps"]
    assert [step["state"] for step in steps] == ["done", "upcoming", "ended"]


def test_a_payout_is_late_from_the_moment_on_at_which_it_is_reported() -> None:
    deal = paid_by("card", at=clock.now() - timedelta(hours=1))
    agree(deal, ask(deal, "400.00"))
    payout = Payout.objects.get()
    assert payout.is_late(payout.due_at) and not payout.is_late(payout.due_at - timedelta(seconds=1))
    payout.done_at = payout.due_at
    assert not payout.is_late(payout.due_at + timedelta(hours=1))


def test_an_amount_above_the_limit_is_named_together_with_what_else_is_missing() -> None:
    deal = now_deal()
    html = post(deal, amount="1200.01", reason="").content.decode()
    assert "Choose a reason." in html and "Enter no more than the actual payment" in html


def test_a_request_about_a_completed_order_does_not_say_that_it_is_not_completed() -> None:
    deal = supervised("license", at=clock.now() - timedelta(hours=5))
    withdraw(deal, accepted_long_ago(deal))
    specially(deal.flow.number, at=deal.at)
    asked = ask(deal)
    html = read(deal, asked.get_absolute_url())
    assert "Meanwhile the service goes on." in html and "the order is not completed" not in html
    html = deal.seller.client.get(asked.get_seller_url()).content.decode()
    assert "the order is not completed" not in html
