"""Every page of identity answers, with the state that its form or button promises."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from koogallery.identity.models import (
    AccessKey,
    Account,
    EnterpriseProject,
    Group,
    Policy,
    PredefinedTag,
    User,
)
from koogallery.identity.operations import agreements, iam
from koogallery.kernel.calls import Role
from tests.factories import identity
from tests.personas import Persona

pytestmark = pytest.mark.django_db

CONSOLE = (
    "/console/iam/",
    "/console/iam/users/new/",
    "/console/iam/groups/",
    "/console/iam/groups/new/",
    "/console/iam/policies/",
    "/console/iam/policies/new/",
    "/console/iam/simulator/",
    "/console/iam/credentials/",
    "/console/projects/",
    "/console/tags/",
    "/console/agreements/",
    "/accounts/preferences/",
    "/accounts/two-step/",
    "/accounts/two-step/off/",
)


@pytest.mark.parametrize("address", CONSOLE)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_pages_of_the_console_answer(buyer, address, language):
    buyer.client.cookies["django_language"] = language
    response = buyer.client.get(address)
    assert response.status_code == 200, response.content[:2000]
    assert b"<h1" in response.content


@pytest.mark.parametrize(
    "address", ["/sign-in/", "/sign-in/?as=iam", "/sign-up/", "/accounts/password/", "/help/terms/"]
)
def test_the_public_pages_answer(client, db, address):
    assert client.get(address).status_code == 200


def test_the_console_sends_visitors_to_the_sign_in_page_and_back(client, db):
    response = client.get("/console/projects/?tab=enabled")
    assert response.status_code == 302
    assert response["Location"] == "/sign-in/?next=%2Fconsole%2Fprojects%2F%3Ftab%3Denabled"


def test_a_user_is_created_described_and_given_policies_by_pages(buyer):
    buyer.client.post("/console/iam/users/new/", {"username": "wang", "password": identity.PASSWORD})
    user = User.objects.get(account=buyer.account, username="wang")
    address = reverse("identity:user", args=[user.number])
    assert buyer.client.get(address).status_code == 200
    administrator = Policy.objects.get(name="Administrator", account=None)
    buyer.client.post(address, {"intent": "policies", "chosen": [administrator.number]})
    buyer.client.post(address, {"intent": "user", "description": "Buys", "is_active": "on"})
    user.refresh_from_db()
    assert user.description == "Buys"
    assert [attachment.policy for attachment in user.attachments.all()] == [administrator]


def test_a_new_key_shows_its_secret_once(buyer):
    response = buyer.client.post("/console/iam/credentials/", {"intent": "key", "description": "CI"})
    key = AccessKey.objects.get(user=buyer.user)
    assert key.secret in response.content.decode()
    assert key.secret not in buyer.client.get("/console/iam/credentials/").content.decode()


def test_a_group_is_created_filled_and_deleted_by_pages(buyer, colleague):
    buyer.client.post("/console/iam/groups/new/", {"intent": "group", "name": "Purchasing"})
    group = Group.objects.get(account=buyer.account)
    address = reverse("identity:group", args=[group.number])
    assert buyer.client.get(address).status_code == 200
    buyer.client.post(address, {"intent": "members", "chosen": [colleague.user.number]})
    assert [membership.user for membership in group.memberships.all()] == [colleague.user]
    buyer.client.post(reverse("identity:delete_group", args=[group.number]))
    assert not Group.objects.exists()


def test_a_faulty_policy_is_shown_again_with_the_path_of_the_fault(buyer):
    document = '{"Version": "5.0", "Statement": [{"Effect": "Maybe", "Action": ["*"], "Resource": ["*"]}]}'
    response = buyer.client.post("/console/iam/policies/new/", {"name": "p", "document": document})
    assert response.status_code == 200
    assert "$.Statement[0].Effect" in response.content.decode()
    assert not Policy.objects.filter(account=buyer.account).exists()


def test_a_policy_is_created_changed_and_deleted_by_pages(buyer):
    document = '{"Version": "5.0", "Statement": [{"Effect": "Deny", "Action": ["*"], "Resource": ["*"]}]}'
    buyer.client.post("/console/iam/policies/new/", {"name": "none", "document": document})
    policy = Policy.objects.get(account=buyer.account)
    address = reverse("identity:policy", args=[policy.number])
    buyer.client.post(address, {"name": "nothing", "document": document})
    policy.refresh_from_db()
    assert policy.name == "nothing"
    buyer.client.post(reverse("identity:delete_policy", args=[policy.number]))
    assert not Policy.objects.filter(account=buyer.account).exists()


def disabled_controls(response) -> dict[str, str]:
    """Label and reason of every disabled control of a page."""
    found = re.findall(
        r'aria-disabled="true"[^>]*>(.*?)</button><span class="why"[^>]*>(.*?)</span>', response.content.decode()
    )
    return {label.strip(): why for label, why in found}


def test_keys_of_others_are_offered_to_administrators_only(buyer, colleague):
    other = identity.UserFactory(account=buyer.account, is_root=False, username="other")
    iam.set_access_key(
        buyer.call(), access_key=iam.create_access_key(buyer.call(), user=other.number).key_id, enabled=False
    )
    identity.allow(colleague.user, "iam:users:list", "iam:accessKeys:create", "iam:accessKeys:update")
    address = reverse("identity:user", args=[other.number])
    shown = disabled_controls(colleague.client.get(address))
    assert "iam:accessKeys:create" in shown["Create Access Key"]
    assert "iam:accessKeys:update" in shown["Enable"]
    assert "iam:accessKeys:delete" in shown["Delete"]
    own = reverse("identity:user", args=[colleague.user.number])
    assert "Create Access Key" not in disabled_controls(colleague.client.get(own))
    for allowed in (buyer.client.get(address), colleague.client.get("/console/iam/credentials/")):
        assert not {"Create Access Key", "Enable", "Delete"} & disabled_controls(allowed).keys()


def test_a_third_key_is_not_offered(buyer):
    for _number in range(2):
        iam.create_access_key(buyer.call(), user=buyer.user.number)
    why = disabled_controls(buyer.client.get("/console/iam/credentials/"))["Create Access Key"]
    assert "2" in why


@pytest.mark.parametrize(
    ("list_of", "new", "label"),
    [("users", "create_user", "Create User"), ("groups", "create_group", "Create User Group")],
)
def test_an_empty_list_offers_nothing_that_would_be_refused(buyer, list_of, new, label):
    reader = identity.UserFactory(account=buyer.account, is_root=False, username="reader")
    identity.allow(reader, "iam:users:list")
    page = Persona(reader, Role.BUYER).client.get(f"{reverse(f'identity:{list_of}')}?q=")
    assert reverse(f"identity:{new}") not in page.content.decode()
    assert "iam:" in disabled_controls(page)[label]


def test_the_simulator_names_the_statement_that_decides(buyer, clerk):
    response = buyer.client.get(
        "/console/iam/simulator/", {"user": clerk.user.number, "action": "marketplace:order:create"}
    )
    assert "Statement[0] of the policy no-orders denies it." in response.content.decode()


def test_projects_are_off_then_enabled_created_and_disabled_by_pages(buyer):
    assert b"Enable enterprise projects" in buyer.client.get("/console/projects/").content
    buyer.client.post("/console/projects/")
    buyer.client.post("/console/projects/new/", {"name": "Lab", "kind": "prod"})
    project = EnterpriseProject.objects.get(account=buyer.account, name="Lab")
    assert buyer.client.get(reverse("identity:project", args=[project.code])).status_code == 200
    buyer.client.post(reverse("identity:switch_project", args=[project.code]), {"wish": "disable"})
    project.refresh_from_db()
    assert not project.enabled
    assert b"Lab" in buyer.client.get("/console/projects/").content


def test_tags_are_added_and_deleted_by_pages(buyer):
    buyer.client.post("/console/tags/", {"key": "team", "value": "研发"})
    tag = PredefinedTag.objects.get(account=buyer.account)
    assert "研发" in buyer.client.get("/console/tags/").content.decode()
    buyer.client.post(reverse("identity:delete_tag", args=[tag.pk]))
    assert not PredefinedTag.objects.exists()


def test_a_signed_agreement_is_listed_and_shown_word_for_word(buyer):
    text = identity.AgreementTextFactory(texts={"en": "Thou shalt not resell."})
    [signature] = agreements.sign(buyer.call(), texts=[text], order_number="CS1")
    assert b"CS1" in buyer.client.get("/console/agreements/").content
    shown = buyer.client.get(reverse("identity:agreement", args=[signature.number])).content
    assert b"Thou shalt not resell." in shown
    assert text.sha256.encode() in shown


def test_preferences_keep_the_page_and_hold_for_the_user(buyer):
    response = buyer.client.post("/accounts/preferences/", {"language": "zh-hans", "next": "/console/tags/?q=a"})
    assert response["Location"] == "/console/tags/?q=a"
    buyer.user.refresh_from_db()
    assert buyer.user.language == "zh-hans"
    assert 'lang="zh-hans"' in buyer.client.get("/console/tags/").content.decode().lower()


def test_preferences_do_not_lead_off_the_site(buyer):
    response = buyer.client.post("/accounts/preferences/", {"theme": "dark", "next": "https://evil.example/"})
    assert response["Location"] == "/"


def test_an_account_cannot_reach_what_is_another_s(stranger, buyer, colleague):
    policy = identity.PolicyFactory(account=buyer.account)
    group = identity.GroupFactory(account=buyer.account)
    for name, number in (("user", colleague.user.number), ("group", group.number), ("policy", policy.number)):
        assert stranger.client.get(reverse(f"identity:{name}", args=[number])).status_code == 404
        assert stranger.client.post(reverse(f"identity:{name}", args=[number]), {}).status_code == 404
    assert Account.objects.count() == 2


def own_queries(captured: CaptureQueriesContext) -> int:
    """Those of the list; the frame keeps its menu for a moment, whatever is listed."""
    return sum('"identity_' in query["sql"] for query in captured)


@pytest.mark.parametrize("address", ["/console/iam/", "/console/iam/groups/", "/console/projects/", "/console/tags/"])
def test_a_list_asks_as_often_for_many_rows_as_for_one(buyer, address):
    def fill() -> None:
        user = identity.UserFactory(account=buyer.account, is_root=False)
        identity.GroupFactory(account=buyer.account, members=[user])
        identity.ProjectFactory(account=buyer.account)
        identity.TagFactory(account=buyer.account)

    fill()
    buyer.client.get(address)
    with CaptureQueriesContext(connection) as few:
        buyer.client.get(address)
    for _ in range(5):
        fill()
    with CaptureQueriesContext(connection) as many:
        buyer.client.get(address)
    assert own_queries(many) == own_queries(few)
