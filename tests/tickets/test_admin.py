"""Operations' queue of tickets: what waits first, the conversation with its files, answers through operations."""

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
from koogallery.identity.states import OperatorRole
from koogallery.kernel import files, pages
from koogallery.tickets.states import TicketState
from tests.factories import catalog, orders
from tests.factories.tickets import Case, opened
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db

QUEUE = "/admin/tickets/ticket/"


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split()))


def address(case: Case, button: str = "") -> str:
    if button:
        return reverse("admin:tickets_ticket_operation", args=[case.ticket.pk, button])
    return reverse("admin:tickets_ticket_change", args=[case.ticket.pk])


@pytest.fixture
def officer(db: None) -> Persona:
    return make_operator(OperatorRole.APPEAL_OFFICER)


def test_the_queue_shows_what_waits_for_operations_the_oldest_first(officer: Persona) -> None:
    first, second, waiting, done = (opened(kind) for kind in ("other", "credit_payment", "other", "other"))
    waiting.answer()
    done.resolve()
    numbers = [case.ticket.number for case in (first, second, waiting, done)]

    def shown(query: str = "") -> list[str]:
        content = officer.client.get(f"{QUEUE}?{query}").content.decode()
        places = {number: content.find(number) for number in numbers}
        return sorted((number for number in numbers if places[number] >= 0), key=places.__getitem__)

    assert shown() == numbers[:2]
    assert shown("kind__exact=credit_payment") == [numbers[1]]
    assert shown("queue=all") == numbers
    assert shown("state__exact=waiting") == [numbers[2]]
    assert shown("officer=nobody") == numbers[:2]
    assert shown(f"q={numbers[3]}") == [numbers[3]]


def test_the_queue_asks_as_much_for_many_tickets_as_for_one(officer: Persona) -> None:
    asked = []
    for count in (1, 12):
        for _each in range(count):
            opened().assign()
        officer.client.get(QUEUE)
        with CaptureQueriesContext(connection) as queries:
            officer.client.get(QUEUE)
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_an_officer_reads_the_case_with_its_order_and_file_and_answers(officer: Persona, buyer: Persona) -> None:
    order = orders.bought(buyer, catalog.content_product())
    kept = files.receive(
        [SimpleUploadedFile("letter.pdf", b"%PDF-1.7 words %%EOF")], owner=buyer.user.account_id, key="ticket"
    )
    case = opened(buyer=buyer, linked_kind="order", linked_number=order.number, uploads=kept)
    response = officer.client.get(address(case))
    page = text_of(response)
    for words in ("Nothing works.", "letter.pdf", order.number, "buyer", "Prepaid"):
        assert words in page
    file = case.ticket.messages.get().files.get().file.number
    got = officer.client.get(reverse("admin:tickets_ticket_file", args=[case.ticket.pk, file]))
    assert b"".join(got.streaming_content) == b"%PDF-1.7 words %%EOF"
    trace = Trace.objects.get(trace_name="downloadTicketAttachment")
    assert trace.account_id == buyer.user.account_id
    assert officer.client.post(address(case, "answerTicket"), {"text": "Which one?"}).status_code == 302
    assert case.state == TicketState.WAITING
    assert officer.client.post(address(case, "resolveTicket"), {"text": "Done."}).status_code == 302
    assert case.state == TicketState.RESOLVED
    assert officer.client.get(address(case, "resolveTicket")).status_code == 404


def test_an_answer_sent_twice_is_said_once_and_one_too_late_says_why(officer: Persona) -> None:
    case = opened()
    form = {"text": "Which one?", pages.KEY_FIELD: pages.new_key()}
    assert [officer.client.post(address(case, "answerTicket"), form).status_code for _each in range(2)] == [302, 302]
    assert case.ticket.messages.count() == 2
    case.close()
    late = text_of(officer.client.post(address(case, "answerTicket"), {"text": "Hello?"}))
    assert "This is not possible with a ticket that is “Closed”." in late


def test_a_ticket_is_assigned_to_who_can_answer(officer: Persona, support: Persona) -> None:
    case = opened()
    colleague = make_operator(OperatorRole.FINANCE)
    form = officer.client.get(address(case, "assignTicket")).content.decode()
    assert colleague.user.number in form
    assert support.user.number not in form
    assert officer.client.post(address(case, "assignTicket"), {"officer": colleague.user.number}).status_code == 302
    case.ticket.refresh_from_db()
    assert case.ticket.assigned_to == colleague.user
    assert case.state == TicketState.IN_PROGRESS


def test_only_finance_has_the_button_that_grants_credit_and_only_on_such_a_ticket(officer: Persona) -> None:
    asked, other, finance = opened("credit_payment"), opened(), make_operator(OperatorRole.FINANCE)
    assert "Grant credit payment" in text_of(finance.client.get(address(asked)))
    assert "Grant credit payment" not in text_of(finance.client.get(address(other)))
    assert "Grant credit payment" not in text_of(officer.client.get(address(asked)))


def test_an_officer_is_told_that_invoices_are_returned_by_hand(officer: Persona) -> None:
    note = "Invoices are not kept here yet"
    assert note in text_of(officer.client.get(address(opened("return_invoice"))))
    assert note not in text_of(officer.client.get(address(opened())))


def test_support_reads_without_a_button_and_without_files(support: Persona, buyer: Persona) -> None:
    kept = files.receive(
        [SimpleUploadedFile("letter.pdf", b"%PDF-1.7 words %%EOF")], owner=buyer.user.account_id, key="ticket"
    )
    case = opened(buyer=buyer, uploads=kept)
    content = support.client.get(address(case)).content.decode()
    assert "Nothing works." in content
    assert "/do/answerTicket/" not in content
    file = reverse(
        "admin:tickets_ticket_file", args=[case.ticket.pk, case.ticket.messages.get().files.get().file.number]
    )
    assert file not in content
    assert support.client.get(file).status_code == 403


def test_the_overview_and_the_sidebar_say_how_many_wait(officer: Persona) -> None:
    opened()
    opened().assign()
    page = text_of(officer.client.get("/admin/"))
    assert re.search(r"Waiting for operations 2", page)
    assert re.search(r"Taken on by nobody 1", page)
