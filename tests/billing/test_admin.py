"""Operations managers look at money and change it by buttons only."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from billing import queries
from billing.models import LedgerCheck, Payment, Posting
from billing.operations import paying, topping_up
from koogallery.identity.states import AccountKind, OperatorRole
from tests.factories import billing as money
from tests.factories.billing import usd
from tests.personas import make_buyer, make_operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def finance(db):
    return make_operator(OperatorRole.FINANCE)


MODELS = [
    "ledgeraccount",
    "posting",
    "payment",
    "refund",
    "charge",
    "card",
    "creditline",
    "creditstatement",
    "milestonebill",
    "ledgercheck",
]


@pytest.fixture
def books(db):
    account = make_buyer(kind=AccountKind.POSTPAID).account
    money.card(account)
    money.grant(account, 100)
    payment = money.paid(account, 50)
    money.refunded(payment, 20)
    return account


@pytest.mark.parametrize("name", MODELS)
def test_every_list_and_row_shows_and_nothing_can_be_typed(finance, books, name):
    client = finance.client
    assert client.get(reverse(f"admin:billing_{name}_changelist")).status_code == 200
    assert client.get(f"/admin/billing/{name}/add/").status_code == 403
    model = next(model for model in admin.site._registry if model._meta.label_lower == f"billing.{name}")
    row = model.objects.first()
    if row is not None:
        page = client.get(reverse(f"admin:billing_{name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert 'name="_save"' not in page.content.decode()
        assert client.post(reverse(f"admin:billing_{name}_change", args=[row.pk]), {}).status_code == 403


def test_an_operations_manager_adds_funds_to_an_account(finance, books):
    address = reverse("admin:identity_account_operation", args=[books.pk, "addFunds"])
    assert finance.client.get(address).status_code == 200
    response = finance.client.post(address, {"amount": "12.50", "note": "gift", "idempotency_key": "k" * 20})
    assert response.status_code == 302
    assert queries.balance(books.pk) == usd("32.50")


def test_a_refusal_stands_in_the_form(finance):
    account = make_buyer().account
    address = reverse("admin:identity_account_operation", args=[account.pk, "grantCredit"])
    response = finance.client.post(address, {"kind": "platform", "limit": "5", "reason": "x"})
    assert response.status_code == 200
    assert "Only a direct postpaid account" in response.content.decode()


def test_a_bank_transfer_names_its_account(finance, books):
    address = reverse("admin:billing_payment_list_operation", args=["bookBankTransfer"])
    response = finance.client.post(address, {"account": "nobody", "amount": "5", "note": "REF"})
    assert "There is no such account" in response.content.decode()
    response = finance.client.post(address, {"account": books.name, "amount": "5", "note": "REF"})
    assert response.status_code == 302
    assert queries.balance(books.pk) == usd(25)


def test_an_unclear_payment_is_asked_about_again(finance):
    buyer = make_buyer()
    card = money.card(buyer.account, token="sandbox-timeout")
    payment = paying.ask_gateway(topping_up.start_top_up(buyer.call(), amount=usd(10), card=card.code))
    address = reverse("admin:billing_payment_operation", args=[payment.pk, "retryPayment"])
    assert finance.client.post(address, {}).status_code == 302
    assert Payment.objects.get().attempts == 0


def test_the_check_runs_by_a_button(finance, books):
    address = reverse("admin:billing_ledgercheck_list_operation", args=["checkLedger"])
    assert finance.client.post(address, {}).status_code == 302
    assert LedgerCheck.objects.get().findings == []


def test_support_has_no_buttons_for_money(support, books):
    assert support.client.get(reverse("admin:billing_posting_changelist")).status_code == 200
    postings = Posting.objects.count()
    address = reverse("admin:identity_account_operation", args=[books.pk, "addFunds"])
    response = support.client.post(address, {"amount": "12.50", "note": "gift"})
    assert response.status_code != 302
    assert Posting.objects.count() == postings
