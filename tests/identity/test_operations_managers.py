"""What operations managers do with accounts, agreements and each other, in the admin and by command."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.urls import reverse

from koogallery.identity import queries
from koogallery.identity.models import Account, AgreementText, User
from koogallery.identity.operations import operators
from koogallery.identity.states import OperatorRole
from koogallery.kernel.reasons import Refused
from tests.factories.identity import PASSWORD

pytestmark = pytest.mark.django_db


def press(persona, name: str, data: dict, row=None, model: str = "account"):
    address = (
        reverse(f"admin:identity_{model}_operation", args=[row.pk, name])
        if row is not None
        else reverse(f"admin:identity_{model}_list_operation", args=[name])
    )
    assert persona.client.get(address).status_code == 200
    return persona.client.post(address, data)


def test_every_operations_role_exists_as_a_group():
    assert set(Group.objects.values_list("name", flat=True)) >= set(OperatorRole.values)


def test_an_account_is_opened_in_the_admin(operator):
    data = {
        "name": "northwind",
        "kind": "postpaid",
        "email": "ann@northwind.example",
        "currency": "JPY",
        "language": "zh-hans",
    }
    press(operator, "createAccount", data)
    account = Account.objects.get(name="northwind")
    assert (account.kind, account.currency, account.language) == ("postpaid", "JPY", "zh-hans")
    assert not queries.root_user(account).has_usable_password()


def test_an_account_is_frozen_with_a_reason_and_unfrozen_in_the_admin(operator, buyer):
    press(operator, "freezeAccount", {"reason": "Overdue"}, row=buyer.account)
    buyer.account.refresh_from_db()
    assert (buyer.account.is_frozen, buyer.account.frozen_reason) == (True, "Overdue")
    press(operator, "unfreezeAccount", {}, row=buyer.account)
    buyer.account.refresh_from_db()
    assert not buyer.account.is_frozen


def test_a_next_version_of_the_terms_is_published_in_the_admin(operator):
    text = AgreementText.objects.get(subject="terms")
    data = {
        "kind": "terms",
        "subject": "terms",
        "title_en": "Terms",
        "text_en": "Be good.",
        "title_zh": "条款",
        "text_zh": "守法。",
    }
    press(operator, "publishAgreement", data, row=text, model="agreementtext")
    [current] = queries.current_agreements()
    assert (current.version, current.texts["en"]) == (2, "Be good.")


def test_an_operations_manager_is_added_and_given_other_roles(operator):
    data = {"username": "mei", "password": PASSWORD, "roles": ["Finance"], "email": "mei@operations.example"}
    press(operator, "createOperator", data, model="user")
    mei = User.objects.get(sign_in_name="mei")
    assert queries.operator_roles(mei) == {OperatorRole.FINANCE}
    press(operator, "setOperator", {"roles": ["Support", "Auditor"], "is_active": "on"}, row=mei, model="user")
    mei = User.objects.get(pk=mei.pk)
    assert queries.operator_roles(mei) == {OperatorRole.SUPPORT, OperatorRole.AUDITOR}
    press(operator, "setOperator", {"roles": ["Support"]}, row=mei, model="user")
    assert not User.objects.get(pk=mei.pk).is_active


def test_nobody_takes_the_own_roles_away(operator):
    with pytest.raises(Refused, match="not_yourself"):
        operators.set_operator(operator.call(), operator=operator.user.number, roles=["Support"])


def test_the_command_makes_an_operations_manager(db):
    out = StringIO()
    roles = ["--role", "appeal-officer", "--role", "support"]
    call_command("create_operator", "lin", *roles, "--password", PASSWORD, stdout=out)
    assert out.getvalue() == "lin: Appeal officer, Support\n"
    assert queries.operator_roles(User.objects.get(username="lin")) == {
        OperatorRole.APPEAL_OFFICER,
        OperatorRole.SUPPORT,
    }
    with pytest.raises(CommandError, match="password_weak"):
        call_command("create_operator", "li", "--role", "support", "--password", "short")
