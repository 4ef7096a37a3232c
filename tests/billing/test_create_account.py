"""`manage.py create_account` makes an account with everything asked for, or nothing."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing import queries
from billing.states import CreditKind
from koogallery.identity.models import Account, User
from koogallery.identity.states import AccountKind
from koogallery.kernel.operations import may
from tests.factories.billing import usd
from tests.personas import Persona, Role

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


def make(*arguments):
    out = StringIO()
    call_command("create_account", *arguments, "--password", PASSWORD, stdout=out)
    return out.getvalue()


def test_everything_at_once():
    money = ["--balance", "500", "--platform-credit", "1000", "--milestone-credit", "2000"]
    cards = ["--sandbox-card", "approved", "--sandbox-card", "declined"]
    users = ["--user", "ann", "--user", "bob", "--deny", "bob=marketplace:bill:list"]
    make("acme", "--kind", "postpaid", *money, *cards, *users)
    account = Account.objects.get(name="acme")
    assert account.kind == AccountKind.POSTPAID
    assert queries.balance(account.pk) == usd(500)
    assert queries.credit(account.pk, CreditKind.PLATFORM).limit == usd(1000)
    assert queries.credit(account.pk, CreditKind.MILESTONE).limit == usd(2000)
    assert [card.last_digits for card in queries.cards(account.pk)] == ["4242", "0002"]
    made = {user.username: user for user in User.objects.filter(account=account)}
    assert set(made) == {"acme", "ann", "bob"}
    assert made["acme"].check_password(PASSWORD)
    assert may(Persona(made["ann"], Role.BUYER).call(), "queryBillList") is None
    assert may(Persona(made["bob"], Role.BUYER).call(), "queryBillList").code == "iam_denied"


def test_a_customer_of_a_reseller():
    make("parent", "--is-reseller")
    make("child", "--kind", "reseller-customer", "--reseller", "parent")
    assert Account.objects.get(name="child").reseller.name == "parent"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["acme", "--platform-credit", "5"], "not_postpaid"),
        (["acme", "--balance", "many"], "not an amount"),
        (["acme", "--balance", "0.001"], "amount_not_whole"),
        (["acme", "--kind", "reseller-customer"], "reseller_needed"),
        (["acme", "--reseller", "nobody"], "no account 'nobody'"),
        (["acme", "--deny", "bob=marketplace:order:create"], "given by --user"),
        (["acme", "--currency", "XXX"], "currency_unknown"),
    ],
)
def test_when_one_part_is_refused_nothing_is_made(arguments, message):
    with pytest.raises(CommandError, match=message):
        make(*arguments)
    assert not Account.objects.exists()


def test_a_name_is_taken_once():
    make("acme")
    with pytest.raises(CommandError, match="taken"):
        make("acme")
    assert Account.objects.count() == 1
