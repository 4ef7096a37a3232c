"""Service Tickets as customers meet them: list, form, conversation; and the way to credit payment."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from audit.models import Trace
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard, pages, rates
from koogallery.kernel.files import storing
from koogallery.kernel.reasons import Refused
from koogallery.tickets.models import Ticket, TicketFile, TicketMessage
from koogallery.tickets.states import TicketState
from koogallery.tickets.views import tickets as views
from tests.factories import billing as money
from tests.factories import catalog, identity, orders
from tests.factories.tickets import opened
from tests.personas import FormClient, Persona, make_buyer

pytestmark = pytest.mark.django_db

LIST, NEW = "/console/tickets/", "/console/tickets/new/"
FORM = {"kind": "other", "subject": "Help", "description": "Nothing works."}


def text_of(response: Any, status: int = 200) -> str:
    assert response.status_code == status
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


def pdf(name: str = "letter.pdf") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, b"%PDF-1.7 words %%EOF")


def add(account: Account | None, count: int) -> None:
    first = Ticket.objects.count()
    with guard.opened("test"):
        Ticket.objects.bulk_create(
            Ticket(
                number=f"TK26{number:08d}",
                account=account,
                kind="other",
                subject=f"Question {number}",
                linked_kind="order",
                linked_number=f"CS{number}",
                opened_at=clock.now(),
                changed_at=clock.now(),
            )
            for number in range(first, first + count)
        )


# The list


def test_an_empty_list_leads_to_a_new_ticket(buyer: Persona) -> None:
    content = buyer.client.get(LIST).content.decode()
    assert "No service tickets yet" in content
    assert f'href="{NEW}"' in content
    assert re.search(r'href="/console/tickets/"[^>]*aria-current="page"', content)


def test_the_list_has_tabs_search_filters_and_csv(buyer: Persona) -> None:
    waiting, closed = opened(buyer=buyer, subject="Where is it?"), opened("credit_payment", buyer=buyer)
    strange = opened(subject="Not yours").ticket.number
    waiting.answer()
    closed.close()
    one, two = waiting.ticket.number, closed.ticket.number
    wanted = {
        "": {one, two},
        "tab=waiting": {one},
        "tab=closed": {two},
        "tab=working": set(),
        "kind=credit_payment": {two},
        "q=WHERE": {one},
        f"q={two}": {two},
        "opened_from=2026-03-10&opened_to=2026-03-10": {one, two},
        "opened_from=2026-03-11": set(),
    }
    for query, numbers in wanted.items():
        shown = set(re.findall(r">(TK\w+)<", buyer.client.get(f"{LIST}?{query}").content.decode()))
        assert shown == numbers, query
    export = buyer.client.get(f"{LIST}?export=csv&tab=waiting")
    exported = b"".join(export.streaming_content).decode()
    assert one in exported
    assert "Waiting for customer" in exported
    assert two not in exported
    assert strange not in exported


def test_a_hundred_tickets_need_no_more_queries_than_one(buyer: Persona) -> None:
    asked = []
    for count in (1, 99):
        add(buyer.account, count)
        buyer.client.get(f"{LIST}?size=100")
        with CaptureQueriesContext(connection) as queries:
            page = buyer.client.get(f"{LIST}?size=100")
        asked.append(len(queries))
    assert page.content.decode().count("View Details") == 100
    assert asked[0] == asked[1]


# A new ticket


def test_the_form_is_filled_in_by_its_address(buyer: Persona) -> None:
    content = buyer.client.get(f"{NEW}?kind=credit_payment&order=CS2603101000ABCDE").content.decode()
    assert '<option value="credit_payment" selected>' in content
    assert 'value="CS2603101000ABCDE"' in content
    assert 'value="demand"' not in content
    assert 'maxlength="4000"' in content
    assert " selected" not in buyer.client.get(f"{NEW}?kind=nonsense").content.decode().partition('name="kind"')[2][:60]


def test_a_ticket_is_opened_with_a_file_that_its_account_alone_downloads(buyer: Persona, stranger: Persona) -> None:
    order = orders.bought(buyer, catalog.content_product())
    sent = FORM | {"linked_kind": "order", "linked_number": order.number, "files": pdf()}
    answer = buyer.client.post(NEW, sent)
    ticket = Ticket.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, ticket.get_absolute_url())
    page = buyer.client.get(ticket.get_absolute_url())
    assert f"Ticket {ticket.number} is opened." in text_of(page)
    assert order.get_absolute_url() in page.content.decode()
    address = reverse("tickets:file", args=[ticket.number, TicketFile.objects.get().file.number])
    assert address in page.content.decode()
    assert b"".join(buyer.client.get(address).streaming_content) == b"%PDF-1.7 words %%EOF"
    assert Trace.objects.filter(trace_name="downloadTicketFile").count() == 1
    for path in (address, ticket.get_absolute_url()):
        assert stranger.client.get(path).status_code == 404


def test_a_refused_form_keeps_what_was_typed_and_sent(buyer: Persona) -> None:
    sent = FORM | {"linked_kind": "order", "linked_number": "CS-NOT-MINE", "files": pdf("kept.pdf")}
    answer = buyer.client.post(NEW, sent)
    page = text_of(answer, 422)
    assert "Your account has nothing of this kind with the number CS-NOT-MINE." in page
    assert "kept.pdf" in page
    assert "Nothing works." in page
    assert not Ticket.objects.exists()
    token = re.search(r'name="files-kept" value="([^"]+)"', answer.content.decode())
    assert token is not None
    again = buyer.client.post(NEW, FORM | {"files-kept": html.unescape(token[1])})
    assert again.status_code == 302
    assert TicketFile.objects.get().file.name == "kept.pdf"


def test_a_form_that_comes_twice_opens_one_ticket(buyer: Persona) -> None:
    key = pages.new_key()
    answers = [buyer.client.post(NEW, FORM | {"files": pdf(), pages.KEY_FIELD: key}) for _each in range(2)]
    assert answers[0]["Location"] == answers[1]["Location"]
    assert Ticket.objects.count() == TicketFile.objects.count() == 1


def test_who_may_not_open_tickets_stores_no_file_and_sees_why(
    buyer: Persona, colleague: Persona, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity.deny(colleague.user, "marketplace:ticket:createTicket", name="quiet")
    monkeypatch.setattr(storing, "put", lambda *args, **more: pytest.fail("a file was stored"))
    assert "quiet" in text_of(colleague.client.get(NEW))
    assert "quiet" in text_of(colleague.client.post(NEW, FORM | {"files": pdf()}), 422)
    assert not Ticket.objects.exists()
    assert Trace.objects.filter(trace_name="createTicket", trace_rating="warning").count() == 1


def test_what_one_user_sends_is_limited_per_minute(buyer: Persona, monkeypatch: pytest.MonkeyPatch) -> None:
    case = opened(buyer=buyer)
    asked: list[tuple[str, str, int]] = []
    monkeypatch.setattr(
        rates, "is_within", lambda *, what, who, per_minute: asked.append((what, who, per_minute)) or len(asked) < 2
    )
    address = reverse("tickets:reply", args=[case.ticket.number])
    assert buyer.client.post(address, {"text": "One"}).status_code == 302
    monkeypatch.setattr(storing, "put", lambda *args, **more: pytest.fail("a file was stored"))
    kept = text_of(buyer.client.post(NEW, FORM | {"files": pdf()}), 429)
    assert Refused("messages_too_many").sentence in kept and FORM["description"] in kept
    assert asked == [("tickets", str(buyer.user.pk), views.SENT_A_MINUTE)] * 2
    assert Ticket.objects.count() == 1


# One ticket


def test_the_conversation_is_told_from_both_sides_without_the_officer_s_name(buyer: Persona) -> None:
    case = opened(buyer=buyer)
    case.answer("Which version?")
    page = text_of(buyer.client.get(case.ticket.get_absolute_url()))
    for words in ("Nothing works.", "Which version?", "Operations wait for your reply", "Waiting for customer"):
        assert words in page
    assert case.officer.user.username not in page
    answer = buyer.client.post(
        reverse("tickets:reply", args=[case.ticket.number]), {"text": "<b>Four</b>", "files": pdf()}
    )
    assert answer.status_code == 302
    content = buyer.client.get(case.ticket.get_absolute_url()).content.decode()
    assert "&lt;b&gt;Four&lt;/b&gt;" in content
    assert "letter.pdf" in content
    assert case.state == TicketState.IN_PROGRESS


def test_an_empty_reply_is_refused_on_the_ticket_s_page(buyer: Persona) -> None:
    case = opened(buyer=buyer)
    page = text_of(buyer.client.post(reverse("tickets:reply", args=[case.ticket.number]), {"text": " "}), 422)
    assert "Write what it is about." in page
    assert TicketMessage.objects.count() == 1


def test_a_ticket_is_closed_after_a_dialog_and_a_reply_opens_it_again(buyer: Persona) -> None:
    case = opened(buyer=buyer)
    address = reverse("tickets:close", args=[case.ticket.number])
    asked = buyer.client.get(address, follow=True)
    assert "Nothing more is done about" in text_of(asked)
    assert buyer.client.post(address).status_code == 302
    assert case.state == TicketState.CLOSED
    page = buyer.client.get(case.ticket.get_absolute_url()).content.decode()
    assert "Close ticket" not in page
    assert "Reply and open again" in page
    case.reply()
    assert case.state == TicketState.OPEN


def test_a_page_shows_the_newest_messages_and_leads_to_all(buyer: Persona) -> None:
    case = opened(buyer=buyer)
    with guard.opened("test"):
        TicketMessage.objects.bulk_create(
            TicketMessage(ticket=case.ticket, at=clock.now(), act="reply", text=f"word-{number:03d}")
            for number in range(views.NEWEST + 1)
        )
    address = case.ticket.get_absolute_url()
    few, whole = (buyer.client.get(f"{address}{query}").content.decode() for query in ("", "?all=1"))
    assert few.count("word-") == views.NEWEST
    assert "word-000" not in few
    assert "?all=1#conversation" in few
    assert whole.count("word-") == views.NEWEST + 1
    assert "Nothing works." in whole


def test_a_ticket_page_asks_as_much_for_many_messages_as_for_one(buyer: Persona) -> None:
    case = opened(buyer=buyer)
    asked = []
    for count in (0, 40):
        for _each in range(count):
            case.reply()
        buyer.client.get(case.ticket.get_absolute_url())
        with CaptureQueriesContext(connection) as queries:
            buyer.client.get(case.ticket.get_absolute_url())
        asked.append(len(queries))
    assert asked[0] == asked[1]


# The demand form and the way to credit


def test_a_signed_in_demand_leads_to_its_ticket(buyer: Persona) -> None:
    content = buyer.client.get("/demand/?q=crane").content.decode()
    assert 'value="crane"' in content
    assert 'value="buyer"' in content
    posted = {"subject": "Crane", "description": "Two docks", "email": "a@b.example", "company": "Docks Ltd"}
    answer = buyer.client.post("/demand/", posted)
    ticket = Ticket.objects.get()
    assert answer["Location"] == ticket.get_absolute_url()
    assert (ticket.kind, ticket.account, ticket.contact["company"]) == ("demand", buyer.account, "Docks Ltd")


def test_a_visitor_s_demand_is_thanked_for_and_shows_nobody_a_ticket() -> None:
    posted = {"subject": "Crane", "description": "Two docks", "email": "a@b.example"}
    assert FormClient().post("/demand/", posted)["Location"] == "/demand/?sent=yes"
    assert Ticket.objects.get().account is None


def overview(who: Persona) -> str:
    return str(who.client.get(reverse("billing:overview")).content.decode())


def test_the_billing_overview_leads_to_credit_payment_until_it_is_asked_for_or_granted(buyer: Persona) -> None:
    way = "/console/tickets/new/?kind=credit_payment"
    assert way in overview(buyer)
    case = opened("credit_payment", buyer=buyer)
    assert way not in overview(buyer)
    assert case.ticket.get_absolute_url() in overview(buyer)
    case.resolve("Not now.")
    assert way in overview(buyer)
    granted = make_buyer(kind=AccountKind.POSTPAID)
    assert way in overview(granted)
    money.grant(granted.account, 500)
    assert way not in overview(granted)
    assert "/console/billing/credit/" in overview(granted)


def test_a_reseller_s_customer_is_led_to_no_credit(customer: Persona) -> None:
    assert "kind=credit_payment" not in overview(customer)
