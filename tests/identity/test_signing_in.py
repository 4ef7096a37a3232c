"""Signing in and up, as a person does it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice

from koogallery import clock
from koogallery.identity import events
from koogallery.identity.models import Account, Attempt, User
from koogallery.identity.operations import signing_in, two_step
from koogallery.kernel import events as published
from koogallery.kernel import guard, outbox
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.reasons import Refused
from tests.factories.identity import PASSWORD, UserFactory, operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard(monkeypatch):
    """Identity's events, as they are published."""
    found = []
    for kind in (events.VerificationAsked, events.PasswordResetAsked, events.PasswordChanged):
        monkeypatch.setitem(published._handlers, kind, [*published._handlers[kind], found.append])
    return found


def signed_in(client: Client) -> str:
    return client.session.get("_auth_user_id", "")


def try_to_sign_in(client: Client, **data: str):
    return client.post("/sign-in/", data)


@pytest.mark.parametrize("name", ["buyer", "BUYER", "buyer@buyer.example", "Buyer@buyer.EXAMPLE"])
def test_a_root_user_signs_in_by_account_name_or_address(buyer, client, name):
    try_to_sign_in(client, name=name, password=PASSWORD)
    assert signed_in(client) == str(buyer.user.pk)
    buyer.user.refresh_from_db()
    assert buyer.user.last_sign_in_at is not None


def test_an_iam_user_signs_in_by_account_and_user_name(colleague, client):
    data = {"as": "iam", "account": "buyer", "name": "colleague", "password": PASSWORD}
    client.post("/sign-in/", data)
    assert signed_in(client) == str(colleague.user.pk)


def test_a_root_user_is_no_iam_user_and_the_other_way_round(buyer, colleague, client):
    client.post("/sign-in/", {"as": "iam", "account": "buyer", "name": "buyer", "password": PASSWORD})
    try_to_sign_in(client, name="colleague", password=PASSWORD)
    try_to_sign_in(client, name="buyer/colleague", password=PASSWORD)
    assert not signed_in(client)


def test_every_failure_reads_the_same(buyer, client):
    wrong = try_to_sign_in(client, name="buyer", password="wrong horse battery").context["form"]
    unknown = try_to_sign_in(client, name="nobody", password="wrong horse battery").context["form"]
    assert wrong.non_field_errors() == unknown.non_field_errors() == ["The name or the password is not right."]


def test_a_user_who_may_not_sign_in_does_not_and_loses_its_session(buyer, client):
    try_to_sign_in(client, name="buyer", password=PASSWORD)
    with guard.opened("test"):
        User.objects.filter(pk=buyer.user.pk).update(is_active=False)
    assert client.get("/console/tags/").status_code == 302
    client = Client()
    try_to_sign_in(client, name="buyer", password=PASSWORD)
    assert not signed_in(client)


def test_after_five_failures_even_the_right_password_waits(buyer, client):
    for _ in range(5):
        try_to_sign_in(client, name="buyer", password="wrong horse battery")
    answer = try_to_sign_in(client, name="buyer", password=PASSWORD)
    assert not signed_in(client)
    assert answer.context["form"].has_error("__all__", "too_many_attempts")
    Attempt.objects.update(at=clock.real_now() - timedelta(minutes=16))
    try_to_sign_in(client, name="buyer", password=PASSWORD)
    assert signed_in(client)


def test_others_are_not_locked_out_with_a_name(buyer, stranger, client):
    for _ in range(5):
        try_to_sign_in(client, name="buyer", password="wrong horse battery")
    try_to_sign_in(client, name="stranger", password=PASSWORD)
    assert signed_in(client) == str(stranger.user.pk)


@pytest.mark.parametrize(
    ("wanted", "leads_to"),
    [
        ("/console/tags/", "/console/tags/"),
        ("https://evil.example/", None),
        ("//evil.example/", None),
        ("/\\evil.example/", None),
        ("javascript:alert(1)", None),
    ],
)
def test_the_way_on_stays_on_the_site(buyer, client, wanted, leads_to):
    answer = try_to_sign_in(client, name="buyer", password=PASSWORD, next=wanted)
    assert answer.status_code == 302
    assert answer["Location"] == leads_to or (leads_to is None and answer["Location"] in ("/", "/console/"))


def test_the_session_changes_with_the_sign_in(buyer, client):
    session = client.session
    session["before"] = True
    session.save()
    before = client.session.session_key
    try_to_sign_in(client, name="buyer", password=PASSWORD)
    assert client.session.session_key != before


def test_signing_out_needs_a_post(buyer):
    buyer.client.get("/sign-out/")
    assert signed_in(buyer.client)
    buyer.client.post("/sign-out/")
    assert not signed_in(buyer.client)


def test_forms_need_a_token_of_their_own_page(buyer):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/sign-in/", {"name": "buyer", "password": PASSWORD}).status_code == 403
    strict.force_login(buyer.user)
    for address in ("/sign-out/", "/accounts/preferences/", "/console/tags/", "/console/iam/users/new/"):
        assert strict.post(address, {}).status_code == 403


@pytest.mark.parametrize(
    "address",
    ["/sign-in/", "/sign-up/", "/console/tags/", "/console/iam/credentials/", "/console/iam/users/new/"],
)
def test_every_form_of_a_page_holds_the_token(buyer, client, address):
    browser = client if address.startswith("/sign") else buyer.client
    text = browser.get(address).content.decode()
    forms = re.findall(r'<form[^>]*method="post".*?</form>', text, re.S)
    assert forms
    assert all("csrfmiddlewaretoken" in form for form in forms)


# Two-step verification


def code_of(device: TOTPDevice, *, step: int = 0) -> str:
    return f"{totp(device.bin_key, step=30, t0=-30 * step, digits=6):06d}"


def with_app(user: User) -> tuple[TOTPDevice, list[str]]:
    browser = Client()
    browser.force_login(user)
    browser.get("/accounts/two-step/")
    device = two_step.device_of(user, confirmed=False)
    answer = browser.post("/accounts/two-step/", {"code": code_of(device)})
    device.refresh_from_db()
    return device, answer.context["codes"]


def test_two_step_verification_asks_for_a_code_before_the_session_begins(buyer, client):
    device, _codes = with_app(buyer.user)
    answer = try_to_sign_in(client, name="buyer", password=PASSWORD, next="/console/tags/")
    assert answer["Location"] == "/sign-in/code/"
    assert not signed_in(client)
    TOTPDevice.objects.update(last_t=-1, throttling_failure_count=0)
    answer = client.post("/sign-in/code/", {"code": code_of(device)})
    assert answer["Location"] == "/console/tags/"
    assert signed_in(client)


def test_a_wrong_code_signs_nobody_in(buyer, client):
    with_app(buyer.user)
    try_to_sign_in(client, name="buyer", password=PASSWORD)
    answer = client.post("/sign-in/code/", {"code": "000000"})
    assert answer.context["form"].has_error("code", "code_wrong")
    assert not signed_in(client)


def test_a_recovery_code_works_once(buyer):
    _device, codes = with_app(buyer.user)
    for expected in (True, False):
        browser = Client()
        try_to_sign_in(browser, name="buyer", password=PASSWORD)
        browser.post("/sign-in/code/", {"code": codes[0]})
        assert bool(signed_in(browser)) is expected


def test_the_code_page_leads_nowhere_without_a_password(client, db):
    assert client.get("/sign-in/code/")["Location"] == "/sign-in/"
    assert client.post("/sign-in/code/", {"code": "123456"})["Location"] == "/sign-in/"


# Signing up


FORM = {
    "name": "northwind",
    "email": "ann@northwind.example",
    "mobile": "+8613800000000",
    "password": "seven quiet rivers",
    "idempotency_key": "a-key-of-the-form",
}


def test_signing_up_opens_an_account_signs_in_and_sends_a_link(client, db, heard):
    answer = client.post("/sign-up/", FORM)
    assert answer["Location"] in ("/", "/console/")
    account = Account.objects.get(name="northwind")
    root = account.users.get()
    assert root.is_root
    assert root.email_verified_at is None
    assert signed_in(client) == str(root.pk)
    [asked] = heard
    assert asked.to == "ann@northwind.example"
    assert asked.link.startswith("http://testserver/accounts/verify/")


def test_the_link_verifies_by_its_button_only(client, db, heard):
    client.post("/sign-up/", FORM)
    path = heard[0].link.removeprefix("http://testserver")
    root = User.objects.get(username="northwind")
    Client().get(path)
    root.refresh_from_db()
    assert root.email_verified_at is None
    Client().post(path)
    root.refresh_from_db()
    assert root.email_verified_at is not None


def test_a_link_to_an_address_that_was_changed_verifies_nothing(client, db, heard):
    client.post("/sign-up/", FORM)
    with guard.opened("test"):
        User.objects.update(email="other@northwind.example")
    assert Client().post(heard[0].link.removeprefix("http://testserver")).status_code == 410


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"name": "a b"}, "name", "account_name_form"),
        ({"name": "Buyer"}, "name", "account_name_taken"),
        ({"email": "BUYER@buyer.example"}, "email", "email_taken"),
        ({"mobile": "call me"}, "mobile", "mobile_form"),
        ({"password": "short"}, "password", "password_weak"),
        ({"password": "northwind1234"}, "password", "password_weak"),
    ],
)
def test_a_refused_sign_up_names_the_field_and_leaves_nothing(client, buyer, change, field, code):
    answer = client.post("/sign-up/", {**FORM, **change})
    assert answer.context["form"].has_error(field, code)
    assert Account.objects.count() == 1
    assert not signed_in(client)


# Forgotten passwords


def test_a_forgotten_password_is_set_anew_by_a_link_that_works_once(buyer, heard):
    Client().post("/accounts/password/", {"name": "buyer@buyer.example"})
    [asked] = heard
    path = asked.link.removeprefix("http://testserver")
    Client().post(path, {"password": "eleven loud geese"})
    buyer.user.refresh_from_db()
    assert buyer.user.check_password("eleven loud geese")
    assert Client().post(path, {"password": "another long one"}).status_code == 410
    buyer.user.refresh_from_db()
    assert buyer.user.check_password("eleven loud geese")


def test_asking_for_a_link_never_says_whether_there_is_a_user(buyer, heard):
    known = Client().post("/accounts/password/", {"name": "buyer"})
    unknown = Client().post("/accounts/password/", {"name": "nobody"})
    pages = [re.sub(r'value="[^"]*"|why-\w+|next=[^"&]*', "", answer.content.decode()) for answer in (known, unknown)]
    assert pages[0] == pages[1]
    assert len(heard) == 1


def test_changing_the_password_ends_other_sessions_and_keeps_this_one(buyer):
    other = Client()
    other.force_login(buyer.user)
    data = {"intent": "password", "present": PASSWORD, "new": "eleven loud geese"}
    buyer.client.post("/console/iam/credentials/", data)
    assert buyer.client.get("/console/iam/credentials/").status_code == 200
    assert other.get("/console/iam/credentials/").status_code == 302


def test_an_operations_manager_has_no_console(client, db):
    client.force_login(operator())
    assert client.get("/console/tags/").status_code == 404
    assert client.get(reverse("identity:credentials")).status_code == 200


def test_a_user_of_an_account_is_in_no_operators_address(buyer):
    assert UserFactory._meta.model.objects.filter(is_staff=True).count() == 0


def test_the_links_arrive_by_mail(client, db, mailoutbox):
    client.post("/sign-up/", FORM)
    outbox.deliver_due(clock.now())
    Client().post("/accounts/password/", {"name": "northwind"})
    outbox.deliver_due(clock.now())
    verify, reset = mailoutbox
    assert verify.to == reset.to == ["ann@northwind.example"]
    assert "/accounts/verify/" in verify.body
    assert "/accounts/password/" in reset.body


@pytest.mark.django_db(transaction=True)
def test_parallel_guesses_count_each_other(transactional_db):
    buyer = UserFactory()

    def guess(number: int) -> str:
        try:
            call = Call(role=Role.ANONYMOUS, at=clock.now(), address="192.0.2.1")
            signing_in.verify(call, name=buyer.username, password=f"wrong horse {number}")
        except Refused as refused:
            return refused.code
        finally:
            connection.close()
        return "signed in"

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(guess, range(16)))
    assert answers.count("sign_in_failed") <= 5
    assert set(answers) <= {"sign_in_failed", "too_many_attempts"}
