"""Credit payment through a ticket: a prepaid account becomes postpaid with a limit, once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from audit.models import Trace
from billing import queries
from billing.models import CreditChange, CreditLine
from billing.operations import checking, crediting
from koogallery.identity.models import Account
from koogallery.identity.states import AccountKind, OperatorRole
from koogallery.kernel import guard, pages
from koogallery.kernel.calls import system_call
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from koogallery.tickets.states import TicketState
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.factories.tickets import Case, opened
from tests.orders.test_races import at_once
from tests.personas import Persona, make_buyer, make_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance(db: None) -> Persona:
    return make_operator(OperatorRole.FINANCE)


def grant(who: Persona, case: Case, limit: Money | None = None, text: str = "Welcome.") -> Any:
    call = who.call(key=pages.new_key())
    return crediting.grant_credit_payment(
        call, ticket=case.ticket.number, limit=usd(5000) if limit is None else limit, text=text
    )


def refused(*arguments: Any, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        grant(*arguments, **named)
    return caught.value.code


def test_the_account_becomes_postpaid_with_its_limit_and_the_ticket_is_resolved(
    finance: Persona, buyer: Persona
) -> None:
    case = opened("credit_payment", buyer=buyer)
    grant(finance, case)
    assert Account.objects.get(pk=case.ticket.account_id).kind == AccountKind.POSTPAID
    credit = queries.credit(case.ticket.account_id)
    assert credit is not None
    assert (credit.limit, credit.available) == (usd(5000), usd(5000))
    change = CreditChange.objects.get()
    assert (change.reason, change.changed_by) == (case.ticket.number, finance.user.sign_in_name)
    assert case.state == TicketState.RESOLVED
    assert case.ticket.assigned_to == finance.user
    assert case.ticket.messages.latest("pk").text == "Welcome."
    assert set(Message.objects.values_list("kind", flat=True)) == {"credit_changed", "ticket_resolved"}
    assert checking.check_ledger(system_call()).findings == []
    names = set(Trace.objects.filter(account_id=case.ticket.account_id).values_list("trace_name", flat=True))
    assert {"grantCreditPayment", "makePostpaid", "grantCredit", "resolveTicket"} <= names


def test_a_postpaid_account_gets_its_limit_and_stays_postpaid(finance: Persona) -> None:
    case = opened("credit_payment", buyer=make_buyer(kind=AccountKind.POSTPAID))
    grant(finance, case)
    assert queries.credit(case.ticket.account_id) is not None
    assert not Trace.objects.filter(trace_name="makePostpaid").exists()


def test_what_was_granted_pays_an_order(finance: Persona, buyer: Persona) -> None:
    assert buyer.account is not None
    case = opened("credit_payment", buyer=buyer)
    grant(finance, case)
    account = Account.objects.get(pk=buyer.account.pk)
    assert money.paid(account, 40, method="credit").money == usd(40)


def test_a_limit_that_does_not_fit_changes_nothing(finance: Persona, buyer: Persona) -> None:
    case = opened("credit_payment", buyer=buyer)
    for limit, code in (
        (usd(0), "amount_not_positive"),
        (usd(-1), "amount_not_positive"),
        (usd("1.005"), "amount_not_whole"),
        (Money(Decimal(10), "EUR"), "amount_not_whole"),
    ):
        assert refused(finance, case, limit) == code
    assert refused(finance, case, text=" ") == "text_required"
    assert not CreditLine.objects.exists()
    assert Account.objects.get(pk=case.ticket.account_id).kind == AccountKind.PREPAID
    assert case.state == TicketState.OPEN


def test_a_reseller_s_customer_never_gets_credit_payment(finance: Persona, buyer: Persona, reseller: Persona) -> None:
    case = opened("credit_payment", buyer=buyer)
    with guard.opened("test"):
        Account.objects.filter(pk=case.ticket.account_id).update(
            kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller.account
        )
    assert refused(finance, case) == "reseller_pays"
    assert not CreditLine.objects.exists()


def test_another_ticket_grants_no_credit_and_a_resolved_one_neither(finance: Persona, buyer: Persona) -> None:
    assert refused(finance, opened(buyer=buyer)) == "ticket_not_for_credit"
    case = opened("credit_payment", buyer=buyer)
    case.resolve()
    assert refused(finance, case) == "ticket_state"


@pytest.mark.parametrize("role", [OperatorRole.APPEAL_OFFICER, OperatorRole.CATALOGUE_REVIEWER, OperatorRole.SUPPORT])
def test_only_finance_grants_it(role: OperatorRole, buyer: Persona) -> None:
    assert refused(make_operator(role), opened("credit_payment", buyer=buyer)) == "operator_role_not_allowed"


def test_a_form_sent_twice_grants_once(finance: Persona, buyer: Persona) -> None:
    case = opened("credit_payment", buyer=buyer)
    address = reverse("admin:tickets_ticket_operation", args=[case.ticket.pk, "grantCreditPayment"])
    assert "Limit" in finance.client.get(address).content.decode()
    form = {"limit": "5000.00", "text": "Welcome.", pages.KEY_FIELD: pages.new_key()}
    for _each in range(2):
        assert finance.client.post(address, form).status_code == 302
    assert CreditChange.objects.count() == 1
    assert finance.client.get(address).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_of_two_officers_at_once_one_grants_and_the_other_is_told_so() -> None:
    case = opened("credit_payment")
    officers = [make_operator(OperatorRole.FINANCE) for _each in range(2)]

    def work(number: int) -> str:
        grant(officers[number], case, usd(1000 * (number + 1)))
        return "done"

    assert sorted(str(answer) for answer in at_once(work, count=2)) == ["done", "ticket_state"]
    assert CreditChange.objects.count() == 1
    assert checking.check_ledger(system_call()).findings == []
