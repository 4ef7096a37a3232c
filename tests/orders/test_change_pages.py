"""The page of a change: what it offers, what it says when nothing can be changed, and how it is used in Chromium."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import expect

from audit.models import Trace
from catalog.models import ChangePath, PlanPrice, Product, Sku
from koogallery import clock
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard
from orders.models import Order
from orders.states import OrderState, OrderType
from tests.browsing import Opener, check_page
from tests.factories import billing, catalog, identity
from tests.factories.changes import address, by_seat, change_on_page, fee_on, hidden, page, posted, two_levels
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.personas import Persona, make_buyer
from tests.queries import own_queries

pytestmark = pytest.mark.django_db


def yearly(**fields: object) -> Product:
    return two_levels(basic={"year": "600.00"}, pro={"year": "1500.00"}, **fields)


def both(levels: int = 2) -> Product:
    """Specifications by the seat, each an upgrade of the first."""
    names = [f"level-{number}" for number in range(levels)]
    plans = [catalog.plan(term_unit="year", model="linear", unit_price="20.00")]
    product = period_product(specifications=names, quantity=("1", "1000", "1"), plans=plans)
    first, *others = Sku.objects.filter(product=product).order_by("pk")
    with guard.opened("test"):
        for position, sku in enumerate(others, start=1):
            PlanPrice.objects.filter(plan__sku=sku).update(unit_price=Decimal(20 + 10 * position))
            ChangePath.objects.create(product=product, source=first, target=sku, is_upgrade=True)
    return product


def test_the_targets_stand_with_their_prices_and_the_fee_of_the_chosen_one() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2026-10-29")
    html = page(owned)
    for part in ("Upgrade", "Pro", "USD 1,500.00 / year", "How is this calculated?", "The expiry does not move"):
        assert part in html
    assert fee_on(html) == "USD 180.00"
    assert "Expansion" not in html


def test_the_terms_of_a_changed_resource_show_the_price_they_were_bought_for_and_the_one_in_force() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2026-10-29")
    assert terms_shown(owned) == ["USD 600.00", "USD 600.00"]
    owned.change(kind="upgrade", target=sku_of(owned, "pro"))
    bought, paid = terms_shown(owned)
    assert bought == "USD 600.00 USD 1,500.00 as it was changed"
    assert paid == "USD 600.00 the change is paid by its own order"


def test_the_price_of_a_term_to_a_unified_date_counts_its_extra_days() -> None:
    owned = subscribed(term="1-month", at="2026-01-10")
    owned.renew("1-month", unified="20")
    line = Order.objects.get(type=OrderType.RENEW).line
    # 28 days from 10 February to 10 March for 10.00, and 10 more until the 20th: 10 + 10 ÷ 28 × 10 = 13.57.
    assert (line.list_amount, line.amount) == (Decimal("13.57"), Decimal("13.57"))
    assert terms_shown(owned)[2:] == ["USD 13.57", "USD 13.57"]


def test_the_full_price_of_a_term_to_a_unified_date_is_before_the_discount() -> None:
    buyer, product = make_buyer(), period_product()
    with clock.at(moment("2026-01-01")):
        catalog.standing_discount(buyer.account, product, "0.50")
    owned = subscribed(term="1-month", at="2026-01-10", buyer=buyer, product=product)
    owned.renew("1-month", unified="20")
    assert terms_shown(owned) == ["USD 10.00", "USD 5.00", "USD 13.57", "USD 6.79"]


def test_a_changed_price_counts_the_extra_days_of_its_term_too() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    owned.renew("1-year", unified="20")
    owned.at("2027-02-01")
    owned.change(kind="upgrade", target=sku_of(owned, "pro"))
    # 600.00 and 1,500.00 for 365 days, each with 10 days more.
    assert terms_shown(owned)[2] == "USD 616.44 USD 1,541.10 as it was changed"


def terms_shown(owned: Owned) -> list[str]:
    """Full price and payment of each paid term on Resource Details."""
    with clock.at(owned.now):
        html = owned.buyer.client.get(owned.resource.get_absolute_url()).content.decode()
    table = html[html.index(">Through<") :].partition("</table>")[0]
    cells = re.findall(r'<td data-label="(?:Full price|Paid)" class="num">(.*?)</td>', table, re.S)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in cells]


def sku_of(owned: Owned, specification: str) -> str:
    return Sku.objects.get(product=owned.resource.product, specification__code=specification).code


def test_one_kind_is_chosen_at_a_time() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=both(), quantity="5")
    upgrade, expansion = page(owned), page(owned, kind="expansion")
    assert 'name="target"' in upgrade and 'name="quantity"' not in upgrade
    assert 'name="quantity"' in expansion and 'name="target"' not in expansion
    assert 'value="6"' in expansion and fee_on(expansion) == "USD 20.00"
    assert fee_on(page(owned, kind="expansion", quantity="8", target="level-1")) == "USD 60.00"


def test_the_question_names_resource_old_new_fee_and_the_unchanged_expiry() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2026-10-29")
    html = page(owned, kind="upgrade", target="pro", confirm="confirm-change")
    asked = html[html.index("<dialog") : html.index("</dialog>")]
    assert " open>" in asked.partition("\n")[0] or " open" in asked[:200]
    for part in (owned.resource.number, "Basic", "Pro", "USD 180.00", "Jan 10, 2027 23:59:59 GMT+08:00"):
        assert part in asked


def test_a_wrong_quantity_is_said_beside_its_field_and_cannot_be_paid() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    html = page(owned, kind="expansion", quantity="5")
    assert "Within the term only more than 5 is possible." in html
    assert 'aria-invalid="true"' in html and 'value="5"' in html and "<dialog" not in html


def test_the_fee_alone_is_asked_for_without_another_trace() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    with clock.at(owned.now):
        client = owned.buyer.client
        before = Trace.objects.filter(trace_name="queryResourceDetail").count()
        answer = client.get(address(owned), {"kind": "expansion", "quantity": "8"}, headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert html.lstrip().startswith('<div id="change"') and "<html" not in html
    assert fee_on(html) == "USD 60.00"
    assert Trace.objects.filter(trace_name="queryResourceDetail").count() == before


def test_an_unpaid_change_is_named_and_can_be_paid_from_here() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order = owned.place(kind="upgrade", target="pro")
    html = page(owned)
    assert f"Order {order.number} for this resource is not paid yet." in html
    assert f"/console/orders/{order.number}/pay/" in html
    assert "Pay Now" not in html


def test_a_specification_without_paths_and_quantities_says_so() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly(), specification="pro")
    assert "offers no upgrade and no expansion" in page(owned)


def test_the_order_shows_the_resource_and_the_result_that_the_change_is_in_effect() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order, _shown = change_on_page(owned, kind="upgrade", target="pro")
    assert owned.resource.number in owned.buyer.client.get(order.get_absolute_url()).content.decode()
    assert "The change is in effect" in owned.buyer.client.get(f"{order.get_absolute_url()}result/").content.decode()
    assert "Pro" in owned.buyer.client.get(owned.resource.get_absolute_url()).content.decode()


def test_a_canceled_change_can_be_ordered_again_on_its_page() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order = owned.place(kind="upgrade", target="pro")
    owned.at("2026-01-12")
    with clock.at(owned.now):
        html = owned.buyer.client.get(order.get_absolute_url()).content.decode()
    assert f"{address(owned)}?kind=upgrade&amp;target=pro" in html


def test_another_price_after_thirty_minutes_is_shown_beside_the_old_one() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    html = page(owned, kind="expansion", quantity="8")
    with guard.opened("test"):
        PlanPrice.objects.update(unit_price=Decimal("30.00"))
    owned.now += timedelta(minutes=31)
    answer = posted(owned, html)
    told = answer.content.decode()
    assert answer.status_code == 409 and "USD 60.00" in told and "USD 140.00" in told
    with clock.at(owned.now):
        confirmed = owned.buyer.client.post(address(owned), {"quote": hidden(told, "quote")})
    assert confirmed.status_code == 302
    assert Order.objects.get(type=OrderType.CHANGE).amount == Decimal(140)


def test_twice_pressed_is_one_order(buyer: Persona) -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    html = page(owned)
    first, second = posted(owned, html), posted(owned, html)
    assert first["Location"] == second["Location"]
    assert Order.objects.filter(type=OrderType.CHANGE).count() == 1


def test_a_foreign_quote_is_refused(stranger: Persona) -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    other = subscribed(term="1-year", at="2026-01-10", product=yearly(), buyer=stranger)
    mine, theirs = hidden(page(owned), "quote"), hidden(page(other), "quote")
    with clock.at(owned.now):
        assert owned.buyer.client.post(address(owned), {"quote": theirs}).status_code == 409
        assert stranger.client.post(address(other), {"quote": mine}).status_code == 409
        assert stranger.client.get(address(owned)).status_code == 404
        assert stranger.client.post(address(owned), {"quote": theirs}).status_code == 404
    assert not Order.objects.filter(type=OrderType.CHANGE).exists()


def test_an_iam_user_without_the_right_sees_why() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    clerk = identity.UserFactory(account=owned.buyer.account, is_root=False, username="clerk")
    identity.deny(clerk, "marketplace:order:changeOrder", name="no-changes")
    owned = Owned(resource=owned.resource, buyer=Persona(clerk, owned.buyer.role), now=owned.now)
    html = page(owned)
    assert "no-changes" in html and 'data-dialog="confirm-change"' not in html


def test_a_resellers_customer_skips_the_payment(reseller: Persona) -> None:
    customer = make_buyer(kind=AccountKind.RESELLER_CUSTOMER, reseller=reseller.account)
    billing.fund(reseller.account, 10_000)
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly(), buyer=customer, funds=1)
    owned.at("2026-10-29")
    html = page(owned)
    assert "for reference only" in html
    answer = posted(owned, html)
    order = Order.objects.get(type=OrderType.CHANGE)
    assert answer["Location"].endswith("/result/") and order.state == OrderState.COMPLETED
    assert order.amount == Decimal(180)


def test_the_page_costs_as_many_queries_for_ten_targets_as_for_one() -> None:
    counts = []
    for levels in (2, 11):
        owned = subscribed(term="1-year", at="2026-01-10", product=both(levels), quantity="5")
        page(owned)
        with clock.at(owned.now), CaptureQueriesContext(connection) as caught:
            owned.buyer.client.get(address(owned), headers={"HX-Request": "true"})
        counts.append(len(own_queries(caught)))
    assert counts[0] == counts[1] <= 12, counts


# In Chromium


@pytest.fixture
def shop(transactional_db: None) -> Owned:
    """Five seats of the first of three levels, for a year from today on."""
    return subscribed(term="1-year", at=clock.now().isoformat(), product=both(3), quantity="5", buyer=make_buyer())


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_seat_more_is_priced_while_it_is_typed_and_paid(open_page: Opener, shop: Owned) -> None:
    tab = open_page(shop.resource.get_absolute_url(), user=shop.buyer.user)
    tab.get_by_role("link", name="Change", exact=True).click()
    tab.get_by_label("Expansion").check()
    quantity = tab.get_by_label("Users after the change")
    expect(quantity).to_have_value("6")
    quantity.fill("8")
    expect(tab.locator(".price-big")).to_have_text("USD 60.00")
    tab.get_by_role("button", name="Pay Now").click()
    question = tab.get_by_role("dialog", name="Change specification")
    expect(question).to_contain_text(shop.resource.number)
    expect(question).to_contain_text("USD 60.00")
    question.get_by_role("button", name="Pay Now").click()
    tab.get_by_role("button", name="Confirm").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("The order is placed")
    shop.resource.refresh_from_db()
    assert shop.resource.configured.quantity == 8


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_without_javascript_the_same_works_by_forms(open_page: Opener, shop: Owned) -> None:
    tab = open_page(address(shop), user=shop.buyer.user, javascript=False)
    tab.get_by_label("Level-2").check()
    tab.get_by_role("button", name="Update price").click()
    expect(tab.locator(".price-big")).to_have_text("USD 100.00")
    tab.get_by_role("button", name="Pay Now").click()
    question = tab.get_by_role("dialog", name="Change specification")
    expect(question).to_contain_text("USD 100.00")
    question.get_by_role("button", name="Pay Now").click()
    tab.get_by_role("button", name="Confirm").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("The order is placed")
    shop.resource.refresh_from_db()
    assert shop.resource.configured.sku_code == "level-2"


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_the_page_is_accessible_in_both_themes_and_on_narrow_screens(open_page: Opener, shop: Owned) -> None:
    other = subscribed(term="1-year", at=clock.now().isoformat(), product=both(2), quantity="5", buyer=shop.buyer)
    other.place(kind="expansion", quantity="9")
    for theme, width in (("light", 1440), ("dark", 375)):
        for shown in (address(shop), f"{address(shop)}?kind=expansion&quantity=2", address(other)):
            check_page(open_page(shown, user=shop.buyer.user, theme=theme, width=width))
    tab = open_page(address(shop), user=shop.buyer.user)
    tab.get_by_role("button", name="Pay Now").click()
    expect(tab.get_by_role("dialog", name="Change specification")).to_be_visible()
    check_page(tab)
