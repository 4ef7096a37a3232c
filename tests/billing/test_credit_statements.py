"""Credit statements as their account sees them: listed with state and due date, explained, repaid, exported."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing import queries
from billing.models import CreditStatement
from billing.operations import crediting, statements
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.pages import new_key
from koogallery.notifications.models import Message
from tests.factories import billing as money
from tests.factories import identity
from tests.factories.billing import usd
from tests.personas import Persona, make_buyer

pytestmark = pytest.mark.django_db

LIST = "/console/billing/credit/"


def at(day: str, hour: int = 10) -> datetime:
    return datetime.fromisoformat(f"{day}T{hour:02d}:00:00+08:00")


def text_of(response: Any) -> str:
    assert response.status_code == 200
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())).replace("\xa0", " ")


@pytest.fixture
def owing(db: None) -> Persona:
    """January, USD 300.00, and February: charged 250.00, of which 50.00 were refunded and lowered January's."""
    who = make_buyer(kind=AccountKind.POSTPAID)
    money.grant(who.account, 5000)
    with clock.at(at("2026-01-20")):
        money.paid(who.account, 300, method="credit", description="Harbor ERP")
    statements.generate(at("2026-02-03", 0))
    with clock.at(at("2026-02-10")):
        second = money.paid(who.account, 250, method="credit", description="Relata CRM")
        money.refunded(second, 50)
    statements.generate(at("2026-03-03", 0))
    with clock.at(at("2026-03-04")):
        money.paid(who.account, 70, method="credit", description="Not stated yet")
    return who


def stated() -> list[CreditStatement]:
    return list(CreditStatement.objects.order_by("month"))


def test_statements_are_listed_with_state_due_date_and_what_is_left(owing: Persona) -> None:
    january, february = stated()
    crediting.repay(owing.call(), amount=money.fund(owing.account, 100), method="balance")
    with clock.at(at("2026-03-10")):
        page = text_of(owing.client.get(LIST))
        assert "USD 300.00 USD 150.00 USD 150.00" in page
        assert "Overdue" in page
        assert "Mar 05, 2026 23:59:59" in page
        tabs = {tab: owing.client.get(f"{LIST}?tab={tab}").content.decode() for tab in ("open", "overdue", "repaid")}
    for tab, number in (("overdue", january.number), ("open", february.number)):
        assert {name for name, content in tabs.items() if number in content} == {tab}


def test_a_statement_explains_its_amount_and_exports_its_lines(owing: Persona) -> None:
    january, february = stated()
    assert (january.money, february.money) == (usd(300), usd(250))
    page = text_of(owing.client.get(february.get_absolute_url()))
    for words in ("Relata CRM", "Charged to the credit, less refunds USD 200.00", "Stated USD 250.00"):
        assert words in page
    assert "Harbor ERP" not in page
    assert "Not stated yet" not in page
    assert "From before, or settled before the statement USD 50.00" in page
    exported = b"".join(owing.client.get(f"{february.get_absolute_url()}?export=csv").streaming_content).decode()
    assert exported.count("Relata CRM") == 2
    assert "250.00" in exported


def test_another_account_s_statement_is_not_there(owing: Persona, stranger: Persona) -> None:
    assert stranger.client.get(stated()[0].get_absolute_url()).status_code == 404
    assert stated()[0].number not in stranger.client.get(LIST).content.decode()


def test_repaying_a_statement_asks_for_it_and_those_before(owing: Persona) -> None:
    january, february = stated()
    repay = reverse("billing:repay")
    for query, amount in ((f"?statement={january.number}", "250.00"), (f"?statement={february.number}", "500.00")):
        assert f'value="{amount}"' in owing.client.get(repay + query).content.decode()
    assert 'value="570.00"' in owing.client.get(repay).content.decode()
    assert 'value="570.00"' in owing.client.get(f"{repay}?statement=ST-NONE").content.decode()


def test_a_statement_is_repaid_from_the_page_to_the_cent(owing: Persona) -> None:
    january = stated()[0]
    money.fund(owing.account, 1000)
    form = {"amount": "500.00", "method": "balance", "idempotency_key": new_key()}
    for _each in range(2):
        assert owing.client.post(reverse("billing:repay"), form).status_code == 302
    assert [each.repaid_at is not None for each in stated()] == [True, True]
    credit = queries.credit(owing.user.account_id)
    assert (credit.owed, queries.balance(owing.user.account_id)) == (usd(70), usd(500))
    page = text_of(owing.client.get(january.get_absolute_url()))
    assert "Repaid on" in page
    assert "To repay USD 0.00" in page


def test_the_message_of_a_statement_and_its_reminders_lead_to_it(owing: Persona) -> None:
    january = stated()[0]
    statements.remind(system_call(at=at("2026-02-26")), statement=january.pk)
    links = Message.objects.filter(kind__startswith="credit_statement").values_list("kind", "link")
    assert ("credit_statement", january.get_absolute_url()) in links
    assert ("credit_statement_due", january.get_absolute_url()) in links


def test_who_may_not_repay_sees_why(owing: Persona) -> None:
    clerk = Persona(identity.UserFactory(account=owing.account, is_root=False, username="looker"), Role.BUYER)
    content = clerk.client.get(stated()[0].get_absolute_url()).content.decode()
    assert "marketplace:payment:repayCredit" in content


def test_a_hundred_statements_need_no_more_queries_than_one() -> None:
    who, asked = make_buyer(kind=AccountKind.POSTPAID), []
    for count in (1, 99):
        first = CreditStatement.objects.count()
        with guard.opened("test"):
            CreditStatement.objects.bulk_create(
                CreditStatement(
                    number=f"ST{number}",
                    account=who.account,
                    month=at("2010-01-01").date() + timedelta(days=31 * number),
                    amount=10,
                    currency="USD",
                    generated_at=clock.now(),
                    due_at=clock.now() + timedelta(days=30),
                )
                for number in range(first, first + count)
            )
        who.client.get(f"{LIST}?size=100")
        with CaptureQueriesContext(connection) as taken:
            who.client.get(f"{LIST}?size=100")
        asked.append(len(taken))
    assert asked[0] == asked[1]
