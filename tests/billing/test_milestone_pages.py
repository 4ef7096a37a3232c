"""Milestone Bills as their account sees them: listed, explained, repaid, downloaded; what seller and operations see."""

from __future__ import annotations

import html
import io
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pypdf import PdfReader

from billing import queries
from billing.models import MilestoneBill, Payment
from billing.operations import crediting, repaying
from billing.states import BillState, CreditKind, PaymentState
from koogallery import clock
from koogallery.identity.states import OperatorRole
from koogallery.kernel import pages
from koogallery.kernel.reasons import Refused
from tests.factories import billing as money
from tests.factories import identity
from tests.factories.billing import usd
from tests.factories.offers import bills_of, in_milestones, repay
from tests.factories.supervision import AT, Deal
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db

LIST = "/console/bills/milestones/"


def text_of(response: Any) -> str:
    assert response.status_code == 200, response.status_code
    content = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", content).split())).replace("\xa0", " ")


def pdf_text(response: Any) -> str:
    assert response.status_code == 200
    pages_found = PdfReader(io.BytesIO(response.content)).pages
    return " ".join(" ".join(page.extract_text() for page in pages_found).split()).replace("\xa0", " ")


@pytest.fixture
def deal(db: None) -> Deal:
    """Two of three milestones are billed, USD 300.00 each, the second a day after the first."""
    deal = in_milestones(shares=["30", "30", "40"])
    deal.submit()
    deal.accept_request()
    deal.deliver()
    deal.wait(days=1)
    deal.accept()
    return deal


def bills(deal: Deal) -> list[MilestoneBill]:
    return bills_of(deal.order)


def test_the_list_shows_states_due_times_and_what_is_to_repay(deal: Deal) -> None:
    money.fund(deal.buyer.account, 300)
    first, second = bills(deal)
    repaying.repay(deal.buyer.call(at=deal.at, key=pages.new_key()), bill=first.number, method="balance")
    with clock.at(deal.at + timedelta(days=1)):
        shown = text_of(deal.buyer.client.get(LIST))
        for words in (
            "Milestone Bills",
            first.number,
            "1 of 3 · Part 1",
            "Repaid",
            second.number,
            "2 of 3 · Part 2",
            "Apr 10, 2026 23:59:59",
            "To repay USD 300.00 1 bill · Due Apr 10, 2026",
            "Overdue USD 0.00",
            "Milestone credit USD 9,300.00",
            "USD 300.00 in use , USD 400.00 reserved",
        ):
            assert words in shown.replace("use,", "use ,"), words
    with clock.at(second.due_at + timedelta(seconds=1)):
        late = text_of(deal.buyer.client.get(LIST))
        assert "1 milestone bill is overdue: USD 300.00." in late
        tabs = {tab: deal.buyer.client.get(f"{LIST}?tab={tab}").content.decode() for tab in BillState.values}
    assert {tab for tab, content in tabs.items() if first.number in content} == {"repaid"}
    assert {tab for tab, content in tabs.items() if second.number in content} == {"overdue"}


@pytest.mark.parametrize("query", ["q={number}", "q={order}", "due_from=2026-04-10&due_to=2026-04-10"])
def test_bills_are_found_by_number_order_and_due_day(deal: Deal, query: str) -> None:
    first, second = bills(deal)
    asked = f"{LIST}?{query.format(number=second.number, order=second.order_number)}"
    shown = deal.buyer.client.get(asked).content.decode()
    assert second.number in shown
    assert (first.number in shown) == ("{order}" in query)


def test_a_search_without_a_match_and_an_account_without_bills_say_so(deal: Deal, stranger: Persona) -> None:
    assert "No milestone bills yet" in text_of(stranger.client.get(LIST))
    assert "No milestone bills yet" not in text_of(deal.buyer.client.get(f"{LIST}?q=nothing"))


def test_a_stranger_sees_nothing_of_a_bill(deal: Deal, stranger: Persona) -> None:
    first = bills(deal)[0]
    for name in ("milestone_bill", "milestone_bill_pdf", "milestone_bill_csv"):
        assert stranger.client.get(reverse(f"billing:{name}", args=[first.number])).status_code == 404
        assert deal.seller.client.get(reverse(f"billing:{name}", args=[first.number])).status_code == 404
    assert stranger.client.post(first.get_absolute_url(), {"method": "balance"}).status_code == 404


def test_a_bill_explains_itself(deal: Deal) -> None:
    second = bills(deal)[1]
    with clock.at(deal.at + timedelta(hours=1)):
        shown = text_of(deal.buyer.client.get(second.get_absolute_url()))
    for words in (
        second.number,
        "2 of 3 · Part 2",
        "What part 2 is",
        second.order_number,
        "Generated Mar 11, 2026 10:00:00 GMT+08:00",
        "Due Apr 10, 2026 23:59:59 GMT+08:00",
        "USD 300.00",
        "30 % of the order's price",
        "How is this calculated?",
        "Download PDF",
        "Download CSV",
        "Open",
    ):
        assert words in shown, words
    assert "Written" not in shown


def test_a_bill_is_repaid_from_its_page(deal: Deal) -> None:
    money.fund(deal.buyer.account, 500)
    first = bills(deal)[0]
    address = f"{first.get_absolute_url()}?confirm=repay-bill"
    with clock.at(deal.at):
        page = deal.buyer.client.get(address)
        assert 'id="repay-bill"' in page.content.decode()
        assert f"Bill {first.number} for milestone 1 of 3" in text_of(page)
        assert "is repaid in full: USD 300.00" in text_of(page)
        assert "Account balance (USD 500.00)" in text_of(page)
        key = pages.new_key()
        for _each in range(2):
            done = deal.buyer.client.post(address, {"method": "balance", "idempotency_key": key})
            assert (done.status_code, done["Location"]) == (302, first.get_absolute_url())
        shown = text_of(deal.buyer.client.get(first.get_absolute_url()))
        assert "USD 300.00 were repaid." in shown
        again = deal.buyer.client.post(address, {"method": "balance"}, follow=True)
    assert "The bill is Repaid; there is nothing to repay." in text_of(again)
    assert queries.balance(deal.buyer.account.pk) == usd(200)
    assert 'id="repay-bill"' not in again.content.decode()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("balance", "The account balance does not cover this."),
        ("credit", "Choose one of your payment methods."),
        ("", "Choose one of your payment methods."),
        ("declined", "The card was declined."),
    ],
)
def test_a_repayment_that_is_refused_says_why_in_its_dialog(deal: Deal, method: str, words: str) -> None:
    card = money.card(deal.buyer.account, token="sandbox-declined")
    first = bills(deal)[0]
    chosen = f"card:{card.code}" if method == "declined" else method
    with clock.at(deal.at):
        response = deal.buyer.client.post(f"{first.get_absolute_url()}?confirm=repay-bill", {"method": chosen})
    shown = response.content.decode()
    assert re.search(r'<dialog[^>]*id="repay-bill"[^>]* open>', shown)
    assert words in text_of(response) or "Select a valid choice" in shown or "This field is required" in shown
    assert bills(deal)[0].state == BillState.OPEN


def test_a_card_that_is_being_checked_blocks_a_second_payment(deal: Deal) -> None:
    card = money.card(deal.buyer.account, token="sandbox-timeout")
    first = bills(deal)[0]
    with clock.at(deal.at):
        response = deal.buyer.client.post(first.get_absolute_url(), {"method": f"card:{card.code}"}, follow=True)
    assert Payment.objects.get().state == PaymentState.PENDING
    assert "A card payment is being checked" in text_of(response)
    assert 'id="repay-bill"' not in response.content.decode()


def test_who_may_not_repay_sees_why(deal: Deal) -> None:
    looker = Persona(
        identity.UserFactory(account=deal.buyer.account, is_root=False, username="looker"), deal.buyer.role
    )
    identity.allow(looker.user, "marketplace:milestoneBill:*")
    content = looker.client.get(bills(deal)[0].get_absolute_url()).content.decode()
    assert "marketplace:payment:repayMilestoneBill" in content


def test_the_pdf_says_what_the_page_says_in_both_languages(deal: Deal) -> None:
    second = bills(deal)[1]
    address = reverse("billing:milestone_bill_pdf", args=[second.number])
    response = deal.buyer.client.get(address)
    assert response["Content-Type"] == "application/pdf"
    assert f'filename="{second.number}.pdf"' in response["Content-Disposition"]
    english = pdf_text(response)
    for words in (
        second.number,
        second.order_number,
        "Milestone bill",
        "Part 2",
        "What part 2 is",
        "30 %",
        "USD 300.00",
        "Apr 10, 2026 23:59:59 GMT+08:00",
        deal.buyer.account.name,
    ):
        assert words in english, words
    deal.buyer.client.cookies["django_language"] = "zh-hans"
    chinese = pdf_text(deal.buyer.client.get(address))
    assert "USD 300.00" in chinese
    assert chinese != english


@pytest.mark.parametrize("by_card", [True, False])
def test_the_pdf_of_a_repaid_bill_says_when_and_by_what_it_was_repaid(deal: Deal, by_card: bool) -> None:
    first = bills(deal)[0]
    address = reverse("billing:milestone_bill_pdf", args=[first.number])
    assert "Payment method" not in pdf_text(deal.buyer.client.get(address))
    card = money.card(deal.buyer.account) if by_card else None
    with clock.at(deal.at):
        repay(first, at=deal.at, method=f"card:{card.code}" if card else "balance")
        assert bills(deal)[0].state == BillState.REPAID
        said = pdf_text(deal.buyer.client.get(address))
    payment = Payment.objects.get(number=bills(deal)[0].payment_number)
    method = str(payment.card) if by_card else "Account balance"
    for words in (f"Payment method {method}", f"Payment No. {payment.number}", "Repaid on"):
        assert words in said, said


def test_the_csv_of_a_bill_has_the_columns_of_the_list(deal: Deal) -> None:
    second = bills(deal)[1]
    response = deal.buyer.client.get(reverse("billing:milestone_bill_csv", args=[second.number]))
    assert response["Content-Type"].startswith("text/csv")
    lines = response.content.decode("utf-8-sig").splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Bill No.,Order No.,Product,Milestone,Status,Generated,Written,Due,Amount,Repaid on")
    assert second.number in lines[1]
    assert "USD 300.00" in lines[1]
    whole = b"".join(deal.buyer.client.get(f"{LIST}?export=csv").streaming_content).decode("utf-8-sig")
    assert len(whole.splitlines()) == 3


def test_the_number_of_bills_to_repay_stands_in_the_navigation_and_on_the_overview(deal: Deal) -> None:
    with clock.at(deal.at):
        shown = text_of(deal.buyer.client.get("/console/"))
    assert "2 milestone bills to repay: USD 600.00 Due Apr 09, 2026" in shown
    assert "Milestone Bills 2" in shown


def test_the_billing_overview_shows_milestone_credit_and_what_is_due(deal: Deal) -> None:
    with clock.at(deal.at):
        shown = text_of(deal.buyer.client.get(reverse("billing:overview")))
    assert "Milestone credit USD 9,000.00" in shown
    assert "USD 600.00 in use" in shown
    assert "USD 400.00 reserved" in shown
    assert "Milestone bills to repay USD 600.00" in shown


def test_both_sides_see_the_milestones_of_the_order(deal: Deal) -> None:
    money.fund(deal.buyer.account, 1000)
    first, second = bills(deal)
    with clock.at(deal.at):
        repaying.repay(deal.buyer.call(at=deal.at, key=pages.new_key()), bill=first.number, method="balance")
        repaying.repay(deal.buyer.call(at=deal.at, key=pages.new_key()), bill=second.number, method="balance")
        seen = {
            "order": deal.buyer.client.get(deal.order.get_absolute_url()),
            "flow": deal.buyer.client.get(reverse("supervision:detail", args=[deal.flow.number])),
            "seller": deal.seller.client.get(reverse("orders:seller_detail", args=[deal.order.number])),
            "seller flow": deal.seller.client.get(reverse("supervision:seller_detail", args=[deal.flow.number])),
        }
    for name, response in seen.items():
        shown = text_of(response)
        assert "1. Part 1" in shown, name
        assert "USD 0.00 USD 300.00 USD 0.00" in shown, name
        assert "USD 300.00 USD 0.00 USD 0.00" in shown, name
        assert "Not billed yet —" in shown, name
        assert (first.get_absolute_url() in response.content.decode()) == ("seller" not in name), name


def test_an_order_in_milestones_was_confirmed_not_paid(deal: Deal) -> None:
    for viewer, address in ((deal.buyer, "orders:detail"), (deal.seller, "orders:seller_detail")):
        shown = text_of(viewer.client.get(reverse(address, args=[deal.order.number])))
        assert "Order confirmed" in shown
        assert "Paid at" not in shown


def test_an_overdue_bill_disables_the_acceptance_and_says_why(deal: Deal) -> None:
    deal.deliver()
    address = reverse("supervision:detail", args=[deal.flow.number])
    with clock.at(AT + timedelta(days=31)):
        assert "A milestone bill of this order is overdue" in text_of(deal.buyer.client.get(address))
    with clock.at(AT + timedelta(days=30)):
        assert "A milestone bill of this order is overdue" not in text_of(deal.buyer.client.get(address))


def test_a_hundred_bills_need_no_more_queries_than_one() -> None:
    deal = in_milestones(shares=["50", "50"], milestone_credit=1_000_000)
    asked = []
    for count in (0, 4):
        for _each in range(count):
            in_milestones(shares=["50", "50"], buyer=deal.buyer)
        deal.buyer.client.get(LIST)
        with CaptureQueriesContext(connection) as taken:
            assert deal.buyer.client.get(LIST).content.decode().count("/pdf/") == 0
        asked.append(len(taken))
    assert asked[0] == asked[1]


def test_a_bill_is_explained_on_the_command_line(deal: Deal) -> None:
    second, out = bills(deal)[1], io.StringIO()
    call_command("explain", second.number, stdout=out)
    told = out.getvalue()
    for words in (second.number, deal.order.number, "milestone 2 of 3, Part 2", "rule share", "due after 30 days"):
        assert words in told, words
    assert "Amount and due date are the same." in told


# Operations managers


def test_finance_books_a_transfer_by_the_button_of_the_bill(deal: Deal) -> None:
    first = bills(deal)[0]
    finance = make_operator(OperatorRole.FINANCE)
    listed = finance.client.get(reverse("admin:billing_milestonebill_changelist") + "?due=unpaid")
    assert first.number in listed.content.decode() and "1 of 3" in text_of(listed)
    address = reverse("admin:billing_milestonebill_operation", args=[first.pk, "bookMilestoneTransfer"])
    assert 'value="300.00"' in finance.client.get(address).content.decode()
    refused = finance.client.post(address, {"amount": "299", "reference": "BANK 1"})
    assert "must be exactly USD 300.00" in text_of(refused)
    key = pages.new_key()
    for _each in range(2):
        form = {"amount": "300", "reference": "BANK 1", "idempotency_key": key}
        assert finance.client.post(address, form).status_code == 302
    assert bills(deal)[0].state == BillState.REPAID
    assert Payment.objects.get().note == "BANK 1"


def test_support_books_no_transfer(deal: Deal, support: Persona) -> None:
    first = bills(deal)[0]
    address = reverse("admin:billing_milestonebill_operation", args=[first.pk, "bookMilestoneTransfer"])
    assert support.client.post(address, {"amount": "300", "reference": "BANK 1"}).status_code != 302
    assert not Payment.objects.exists()


def grant(deal: Deal, limit: int) -> None:
    crediting.grant_credit(
        make_operator(OperatorRole.FINANCE).call(key=pages.new_key()),
        account=deal.buyer.account.number,
        kind=CreditKind.MILESTONE,
        limit=usd(limit),
        reason="less",
    )


def test_the_limit_stays_above_what_is_used_and_will_still_be_billed(deal: Deal) -> None:
    for limit, code in ((999, "credit_reserved"), (599, "credit_reserved")):
        with pytest.raises(Refused) as refused:
            grant(deal, limit)
        assert refused.value.code == code
    grant(deal, 1000)
    credit = queries.credit(deal.buyer.account.pk, CreditKind.MILESTONE)
    assert credit is not None
    assert (credit.limit, credit.owed, credit.available, credit.reserved, credit.free) == tuple(
        usd(amount) for amount in (1000, 600, 400, 400, 0)
    )
    deal.deliver()
    deal.accept()
    assert [bill.amount for bill in bills(deal)] == [Decimal(300), Decimal(300), Decimal(400)]


def test_the_admin_shows_what_of_a_credit_is_used_free_and_reserved(deal: Deal) -> None:
    finance = make_operator(OperatorRole.FINANCE)
    shown = text_of(finance.client.get(reverse("admin:billing_creditline_changelist")))
    assert "USD 10,000.00 USD 600.00 USD 9,000.00 USD 400.00" in shown
    line = deal.buyer.account.credit_lines.get()
    grant(deal, 9000)
    shown = text_of(finance.client.get(reverse("admin:billing_creditline_change", args=[line.pk])))
    assert "USD 8,000.00" in shown
    assert "USD 10,000.00 → USD 9,000.00" in shown
    assert " GMT+08:00 USD 10,000.00 USD 9,000.00" in shown


def test_a_clerk_without_the_right_sees_no_bills(deal: Deal) -> None:
    user = identity.UserFactory(account=deal.buyer.account, is_root=False, username="blind")
    identity.deny(user, "marketplace:milestoneBill:*", name="no-bills")
    blind = Persona(user, deal.buyer.role)
    assert bills(deal)[0].number not in blind.client.get(LIST).content.decode()
    assert "milestone bills to repay" not in text_of(blind.client.get("/console/"))
