"""Identity's pages as a person meets them: accessible in both themes and languages, wide and narrow, without script."""

from __future__ import annotations

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from koogallery.identity.models import Account, Policy
from koogallery.identity.operations import agreements, iam, projects
from tests.browsing import Opener, check_page
from tests.factories import identity

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def rich_account(buyer) -> list[str]:
    """Fill the account and return every page's address."""
    call = buyer.call()
    user = iam.create_user(call, username="wang", password=identity.PASSWORD, email="wang@buyer.example")
    group = identity.GroupFactory(account=buyer.account, members=[user])
    policy = identity.deny(user, "marketplace:order:create", name="no-orders")
    key = iam.create_access_key(call, user=user.number, description="CI")
    projects.enable_projects(call)
    project = projects.create_project(buyer.call(), name="Laboratory", description="Research")
    identity.TagFactory(account=buyer.account, key="部门", value="研发")
    text = identity.AgreementTextFactory()
    [signature] = agreements.sign(call, texts=[text], order_number="CS2611220930ABCDE")
    agreements.grant_consent(call, kind="email", product_code="P", seller_name="S", order_number="CS2611220930ABCDE")
    assert key.pk
    system = Policy.objects.get(account=None, name="Administrator")
    return [
        "/console/iam/",
        "/console/iam/users/new/",
        reverse("identity:user", args=[user.number]),
        "/console/iam/groups/",
        reverse("identity:group", args=[group.number]),
        "/console/iam/policies/",
        reverse("identity:policy", args=[policy.number]),
        reverse("identity:policy", args=[system.number]),
        f"/console/iam/simulator/?user={user.number}&action=marketplace:order:create&product=",
        "/console/iam/credentials/",
        "/console/projects/",
        reverse("identity:project", args=[project.code]),
        "/console/tags/",
        "/console/agreements/",
        reverse("identity:agreement", args=[signature.number]),
        "/accounts/preferences/",
        "/accounts/two-step/",
    ]


def test_the_pages_of_an_account_with_everything_are_accessible(open_page: Opener, buyer):
    for address in rich_account(buyer):
        check_page(open_page(address, user=buyer.user, language="zh-hans", theme="dark", width=320))


@pytest.mark.parametrize("javascript", [True, False])
def test_a_person_signs_up_signs_out_and_signs_in(open_page: Opener, javascript):
    page = open_page("/sign-up/", javascript=javascript, width=375)
    page.get_by_label("Account name").fill("northwind")
    page.get_by_label("E-mail address").fill("ann@northwind.example")
    page.get_by_label("Mobile number").fill("+8613800000000")
    page.get_by_role("textbox", name="Password").fill("short")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("alert")).to_contain_text("12")
    page.get_by_role("textbox", name="Password").fill("seven quiet rivers")
    page.get_by_role("button", name="Sign up").click()
    expect(page.locator("[popovertarget=menu-user]")).to_be_visible()
    assert Account.objects.filter(name="northwind").exists()
    page.goto("/accounts/preferences/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Language and time zone")


def test_a_denied_user_sees_controls_disabled_with_the_reason(open_page: Opener, colleague):
    page = open_page("/console/projects/", user=colleague.user)
    button = page.get_by_role("button", name="Enable enterprise projects")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(
        "No policy allows marketplace:enterpriseProject:enableEnterpriseProjects. Ask your account's administrator."
    )
