"""Purchased Apps, resource details and interface calls as people meet them, in Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from catalog.models import Product
from koogallery import clock
from koogallery.identity.models import User
from koogallery.kernel.calls import Role
from orders.example_seller import ExampleSeller
from orders.models import InterfaceCall, Resource
from orders.operations import interface_calls
from orders.states import ResourceStatus
from tests.browsing import Opener, check_page
from tests.factories import catalog, orders
from tests.personas import Persona

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def resource(buyer: Persona, app: Product, server: ExampleSeller) -> Resource:
    """A SaaS resource with its application information, beside a supervised and a failed purchase."""
    orders.bought(buyer, app, quantity="5", term="1-month")
    interface_calls.run_due(clock.now())
    orders.bought(buyer, catalog.hardware_product())
    orders.bought(buyer, catalog.content_product())
    server.fail("000005")
    orders.bought(buyer, app, quantity="1", term="1-month")
    interface_calls.run_due(clock.now())
    return Resource.objects.get(product=app)


def test_every_page_of_delivery_is_accessible_in_both_themes_and_on_narrow_screens(
    open_page: Opener, buyer: Persona, resource: Resource
) -> None:
    vendor = User.objects.get(account=resource.seller.account)
    call = InterfaceCall.objects.filter(tries__gt=0).latest("pk")
    details = resource.get_absolute_url()
    pages = [
        (buyer.user, "/console/apps/"),
        (buyer.user, "/console/apps/?tab=closed"),
        (buyer.user, details),
        (buyer.user, f"{details}disable/"),
        (buyer.user, f"{details}expiration/"),
        (buyer.user, f"{details}tags/"),
        (buyer.user, Resource.objects.get(status=ResourceStatus.IN_DELIVERY).get_absolute_url()),
        (vendor, "/seller/interface/"),
        (vendor, call.get_absolute_url()),
        (vendor, f"/seller/interface/debug/?product={resource.product.code}&activity=refreshInstance"),
    ]
    for user, address in pages:
        for theme, language, width in (("light", "en", 1440), ("dark", "zh-hans", 375)):
            check_page(open_page(address, user=user, theme=theme, language=language, width=width))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_column_is_in_sight_at_1280(open_page: Opener, buyer: Persona, resource: Resource, language: str) -> None:
    page = open_page("/console/apps/", user=buyer.user, width=1280, language=language)
    expect(page.locator("td.ops").first).to_be_in_viewport(ratio=1)
    expect(page.locator(".table-wrap[data-wide]")).to_have_count(0)
    specification = page.locator("th.wide").bounding_box()
    assert specification
    assert specification["width"] >= 170


def test_the_eye_shows_the_password_and_hides_it_again(open_page: Opener, buyer: Persona, resource: Resource) -> None:
    page = open_page(resource.get_absolute_url(), user=buyer.user)
    expect(page.locator("main")).not_to_contain_text(resource.password)
    page.get_by_role("button", name="Show Password").click()
    expect(page.locator("#application")).to_contain_text(resource.password)
    page.get_by_role("button", name="Hide Password").click()
    expect(page.locator("main")).not_to_contain_text(resource.password)


def test_without_javascript_the_eye_leads_to_a_page_of_its_own(
    open_page: Opener, buyer: Persona, resource: Resource
) -> None:
    page = open_page(resource.get_absolute_url(), user=buyer.user, javascript=False)
    page.get_by_role("button", name="Show Password").click()
    expect(page.locator("main")).to_contain_text(resource.password)
    page.get_by_role("link", name="Back").click()
    expect(page.locator("main")).not_to_contain_text(resource.password)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_resource_is_disabled_after_a_question(
    open_page: Opener, buyer: Persona, resource: Resource, javascript: bool
) -> None:
    page = open_page(resource.get_absolute_url(), user=buyer.user, javascript=javascript)
    page.get_by_role("button", name="Disable").click()
    dialog = page.get_by_role("dialog", name="Disable")
    expect(dialog).to_contain_text(resource.number)
    dialog.get_by_role("button", name="Disable").click()
    expect(page.get_by_text("This resource is closed")).to_be_visible()
    resource.refresh_from_db()
    assert resource.status == ResourceStatus.CLOSED


def test_more_offers_what_can_be_done_with_a_row(open_page: Opener, buyer: Persona, resource: Resource) -> None:
    page = open_page("/console/apps/", user=buyer.user)
    row = page.get_by_role("row").filter(has_text=resource.product.name).first
    row.get_by_role("button", name="More").click()
    page.get_by_role("link", name="Expiration policy").click()
    page.get_by_label("Do not renew").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The expiration policy is saved.")).to_be_visible()
    expect(page.locator("#basic")).to_contain_text("Do not renew")


def test_a_seller_debugs_and_sees_the_result_come_in(open_page: Opener, app: Product, server: ExampleSeller) -> None:
    vendor = Persona(User.objects.get(account=app.seller.account), Role.SELLER)
    page = open_page("/seller/interface/debug/", user=vendor.user)
    page.get_by_label("Activity").select_option("newInstance")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Call the server").click()
    expect(page.get_by_text("Not tried yet")).to_be_visible()
    interface_calls.run_due(clock.now())
    expect(page.get_by_text("Succeeded").first).to_be_visible(timeout=10_000)
    assert server.calls[0].params["testFlag"] == "1"
