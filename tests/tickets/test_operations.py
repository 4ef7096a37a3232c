"""What customers and operations do with tickets: told to the right ones, once, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit.models import Trace
from catalog.operations import demands
from koogallery.identity.states import OperatorRole
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.files import MAX_FILES
from koogallery.kernel.models import OutboxMessage
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.models import Message
from koogallery.tickets import actions
from koogallery.tickets.models import Ticket, TicketFile, TicketMessage
from koogallery.tickets.operations import handling, opening, reading, replying
from koogallery.tickets.queries.tickets import queued
from koogallery.tickets.states import TicketKind, TicketState
from tests.factories import catalog, identity, orders
from tests.factories.supervision import upload
from tests.factories.tickets import AT, opened
from tests.personas import Persona, make_operator

pytestmark = pytest.mark.django_db


def create(who: Persona, **arguments: Any) -> Ticket:
    values = {"kind": "other", "subject": "Help", "description": "Nothing works."} | arguments
    return opening.create(who.call(at=AT, key=pages.new_key()), **values)


def code_of(function: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        function(*arguments, **named)
    return caught.value.code


# Opening


def test_a_ticket_is_opened_with_its_first_message_and_files_and_a_trace(buyer: Persona) -> None:
    ticket = create(buyer, subject="  Help ", uploads=[upload("letter.pdf")])
    assert (ticket.number[:2], ticket.state, ticket.subject) == ("TK", "open", "Help")
    assert (ticket.account, ticket.user, ticket.opened_at) == (buyer.account, buyer.user, AT)
    message = TicketMessage.objects.get()
    assert (message.act, message.text, message.user, message.name) == ("open", "Nothing works.", buyer.user, "buyer")
    assert TicketFile.objects.get().file.name == "letter.pdf"
    trace = Trace.objects.get(trace_name="createTicket")
    assert (trace.resource_id, trace.account_id) == (ticket.number, buyer.user.account_id)
    assert not Message.objects.exists()


def test_a_form_that_comes_twice_opens_one_ticket(buyer: Persona) -> None:
    call = buyer.call(key=pages.new_key())
    made = [opening.create(call, kind="other", subject="Help", description="Now") for _each in range(2)]
    assert made[0] == made[1]
    assert Ticket.objects.count() == TicketMessage.objects.count() == 1
    assert code_of(opening.create, call, kind="other", subject="Other", description="Now") == (
        "replayed_with_other_content"
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"kind": "demand"}, "invalid_input"),
        ({"kind": "nonsense"}, "invalid_input"),
        ({"subject": "  "}, "text_required"),
        ({"subject": "x" * 121}, "text_too_long"),
        ({"description": " "}, "text_required"),
        ({"description": "x" * 4001}, "text_too_long"),
        ({"linked_kind": "order", "linked_number": "CS1"}, "linked_unknown"),
        ({"linked_kind": "planet", "linked_number": "CS1"}, "linked_unknown"),
        ({"linked_number": "CS1"}, "linked_unknown"),
        ({"uploads": [upload(f"{number}.pdf") for number in range(MAX_FILES + 1)]}, "too_many_files"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(buyer: Persona, arguments: dict[str, Any], code: str) -> None:
    assert code_of(create, buyer, **arguments) == code
    assert not Ticket.objects.exists()
    assert not TicketFile.objects.exists()


def test_a_reseller_s_customer_asks_for_no_credit_payment(customer: Persona) -> None:
    assert code_of(create, customer, kind="credit_payment") == "reseller_pays"
    assert create(customer, kind="other").state == "open"


def test_a_ticket_is_about_an_own_order_and_no_other_s(buyer: Persona, stranger: Persona) -> None:
    order = orders.bought(buyer, catalog.content_product())
    about = {"linked_kind": "order", "linked_number": f" {order.number} "}
    ticket = create(buyer, **about)
    assert (ticket.linked_kind, ticket.linked_number) == ("order", order.number)
    assert code_of(create, stranger, **about) == "linked_unknown"


# Who may


def test_another_account_s_ticket_is_not_there(stranger: Persona) -> None:
    number = opened().ticket.number
    call = stranger.call(key=pages.new_key())
    for act, more in (
        (reading.query_detail, {}),
        (replying.reply, {"text": "Mine"}),
        (replying.close, {}),
        (reading.download_file, {"file": "x"}),
    ):
        with pytest.raises(Missing):
            act(call, ticket=number, **more)
    assert list(reading.query_list(call)) == []
    assert TicketMessage.objects.count() == 1


def test_a_colleague_reads_and_replies_and_is_told_apart(buyer: Persona, colleague: Persona) -> None:
    case = opened(buyer=buyer)
    replying.reply(colleague.call(key=pages.new_key()), ticket=case.ticket.number, text="Me too")
    assert list(TicketMessage.objects.values_list("name", flat=True)) == ["buyer", "colleague"]


def test_a_deny_takes_replying_away(buyer: Persona, colleague: Persona) -> None:
    case = opened(buyer=buyer)
    identity.deny(colleague.user, "marketplace:ticket:replyTicket", name="quiet")
    assert (
        code_of(replying.reply, colleague.call(key=pages.new_key()), ticket=case.ticket.number, text="No")
        == "iam_denied"
    )


@pytest.mark.parametrize("role", [OperatorRole.SUPPORT, OperatorRole.AUDITOR])
def test_who_only_reads_answers_nothing(role: OperatorRole) -> None:
    case = opened()
    call = make_operator(role).call(key=pages.new_key())
    for act, more in ((handling.assign, {}), (handling.answer, {"text": "Hm"}), (handling.resolve, {"text": "Hm"})):
        assert code_of(act, call, ticket=case.ticket.number, **more) == "operator_role_not_allowed"
    assert case.state == TicketState.OPEN


# Handling


def test_who_answers_first_has_taken_the_ticket_on(operator: Persona) -> None:
    case = opened()
    case.answer()
    assert case.ticket.assigned_to == case.officer.user
    handling.resolve(operator.call(key=pages.new_key()), ticket=case.ticket.number, text="Done")
    assert case.state == TicketState.RESOLVED
    assert case.ticket.assigned_to == case.officer.user


def test_a_ticket_is_assigned_to_who_can_answer_only(support: Persona) -> None:
    case, other = opened(), make_operator(OperatorRole.FINANCE)
    assert case.assign(officer=other.user.number).assigned_to == other.user
    for wrong in (support.user.number, case.buyer.user.number, "nobody"):
        with pytest.raises(Refused) as caught:
            case.assign(officer=wrong)
        assert caught.value.code == "officer_unknown"
    case.ticket.refresh_from_db()
    assert case.ticket.assigned_to == other.user


def test_the_queue_holds_what_waits_for_operations_the_oldest_first() -> None:
    cases = [opened() for _each in range(4)]
    cases[0].answer()
    cases[1].resolve()
    cases[2].assign()
    assert list(queued()) == [cases[2].ticket, cases[3].ticket]
    cases[0].reply()
    assert queued().first() == cases[0].ticket


# Telling


def told() -> list[tuple[str, int]]:
    return list(Message.objects.order_by("pk").values_list("kind", "user_id"))


def test_the_customer_is_told_of_each_answer_and_change_by_message_and_mail(buyer: Persona, colleague: Persona) -> None:
    case = opened(buyer=colleague)
    case.assign()
    case.answer()
    case.reply()
    case.assign()
    case.resolve()
    case.close()
    root, opener = buyer.user.pk, colleague.user.pk
    expected = [
        (kind, who) for kind in ("ticket_assigned", "ticket_answered", "ticket_resolved") for who in (root, opener)
    ]
    assert sorted(told()) == sorted(expected)
    assert OutboxMessage.objects.filter(kind="mail").count() == 6
    message = Message.objects.filter(kind="ticket_answered").first()
    assert message is not None
    assert message.link == case.ticket.get_absolute_url()


def test_a_visitor_s_demand_is_a_ticket_without_account_answered_by_mail(operator: Persona) -> None:
    visitor = Call(role=Role.ANONYMOUS, at=AT, address="192.0.2.9", idempotency_key=pages.new_key())
    ticket = demands.submit(visitor, subject="Crane", description="Two docks", email="a@b.example", contact="Ann")
    assert (ticket.kind, ticket.account, ticket.contact["email"]) == (TicketKind.DEMAND, None, "a@b.example")
    assert ticket.messages.get().name == "Ann"
    handling.resolve(operator.call(key=pages.new_key()), ticket=ticket.number, text="Look at Dockwise.")
    assert not Message.objects.exists()
    assert OutboxMessage.objects.filter(kind="direct-mail").count() == 1


def test_a_signed_in_demand_stands_among_the_account_s_tickets_and_is_mailed_once(buyer: Persona) -> None:
    call = buyer.call(at=AT, key=pages.new_key())
    ticket = demands.submit(call, subject="Crane", description="Two docks", email="else@b.example")
    assert list(reading.query_list(buyer.call())) == [ticket]
    handling.answer(make_operator().call(key=pages.new_key()), ticket=ticket.number, text="For how many?")
    assert told() == [("ticket_answered", buyer.user.pk)]
    assert list(OutboxMessage.objects.values_list("kind", flat=True)) == ["direct-mail"]


# What the database holds


@pytest.mark.parametrize("table", ["tickets_ticketmessage", "tickets_ticketfile"])
def test_the_database_changes_nothing_that_was_said(buyer: Persona, table: str) -> None:
    create(buyer, uploads=[upload()])
    for wish in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        with pytest.raises(DatabaseError), transaction.atomic(), guard.opened("test"), connection.cursor() as cursor:
            cursor.execute(wish)


def test_only_demands_are_without_account() -> None:
    with pytest.raises(IntegrityError), transaction.atomic(), guard.opened("test"):
        Ticket.objects.create(number="TK1", kind="other", subject="Help", opened_at=AT, changed_at=AT)


# What rooms above offer


def test_billing_offers_credit_payment_and_nobody_offers_it_twice() -> None:
    (button,) = actions.offered_for(TicketKind.CREDIT_PAYMENT)
    assert button.name == "grantCreditPayment"
    with pytest.raises(ValueError, match="twice"):
        actions.offer(TicketKind.CREDIT_PAYMENT, button)
    asked, other = opened("credit_payment"), opened()
    assert [button.shown(case.ticket) for case in (asked, other)] == [True, False]
    assert button.shown(asked.resolve()) is False
