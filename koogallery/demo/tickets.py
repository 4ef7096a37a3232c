"""Two service tickets: a request for credit payment that waits, and a question that was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from koogallery.identity import queries as identity
from koogallery.identity.states import OperatorRole
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.pages import new_key
from koogallery.tickets.operations import handling, opening
from koogallery.tickets.queries.tickets import queued
from koogallery.tickets.states import TicketKind
from orders.queries.orders import orders_of

Step = Callable[[datetime], int]


def steps(*, end: datetime) -> Iterator[tuple[datetime, Step]]:
    """What happens in the last days; nothing is ordered here."""
    yield end - timedelta(days=2, hours=4), _ask_for_credit
    yield end - timedelta(days=1, hours=6), _ask_about_a_seller
    yield end - timedelta(days=1, hours=2), _answer


def _ask_for_credit(at: datetime) -> int:
    opening.create(
        _customer("northwind-trading", at),
        kind=TicketKind.CREDIT_PAYMENT,
        subject="Monthly settlement from next quarter",
        description="We order every week and would like to settle once a month. A limit of USD 60,000.00 would do.",
    )
    return 0


def _ask_about_a_seller(at: datetime) -> int:
    call = _customer("quayside-foods", at)
    order = orders_of(call.account_id).order_by("-pk").first()
    opening.create(
        call,
        kind=TicketKind.SELLER_UNREACHABLE,
        subject="No answer from the seller for three days",
        description="We asked twice how to add a second site and have heard nothing. Can you reach them?",
        linked_kind="order" if order is not None else "",
        linked_number=order.number if order is not None else "",
    )
    return 0


def _answer(at: datetime) -> int:
    ticket = queued().filter(kind=TicketKind.SELLER_UNREACHABLE).first()
    if ticket is not None:
        officer = Call(
            role=Role.OPERATOR,
            at=at,
            user=identity.operators_in(OperatorRole.APPEAL_OFFICER)[0],
            address="203.0.113.9",
            idempotency_key=new_key(),
        )
        text = "We called the seller: they answer today. Which address did you write to, so that we can check it?"
        handling.answer(officer, ticket=ticket.number, text=text)
    return 0


def _customer(name: str, at: datetime) -> Call:
    account = identity.account_by_name(name)
    assert account is not None
    return Call(
        role=Role.BUYER,
        at=at,
        account=account,
        user=identity.root_user(account),
        address=f"203.0.113.{20 + account.pk % 200}",
        idempotency_key=new_key(),
    )
