"""Changing a running SaaS resource: every worked example, every "not possible", and what always holds."""

from __future__ import annotations

import threading
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Trace
from billing.operations import paying as card_billing
from billing.operations.checking import check_ledger
from billing.queries import order_money
from billing.rules.changes import PaidTerm, full_prices, price_upgrade
from billing.rules.explanation import Explanation, to_decimal
from billing.rules.plans import BillingMode, PriceModel, PricePlan
from billing.rules.terms import Term, TermLength, TermUnit
from catalog.models import PlanPrice, Product
from koogallery import clock
from koogallery.kernel import guard, pages, policies
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Refused
from koogallery.notifications.models import Message
from orders.models import Order, ResourceTerm
from orders.operations import card_paying, paying, renewing, resources
from orders.queries import renewing as queries
from orders.queries.resources import own_resource
from orders.rules.quote import SignedQuote, sign
from orders.states import OrderState, OrderType
from tests.factories import billing, catalog, offers, orders
from tests.factories.changes import amounts, by_seat, change_on_page, explained, two_levels
from tests.factories.subscriptions import Owned, moment, period_product, subscribed
from tests.personas import make_buyer

pytestmark = pytest.mark.django_db

BOTH_CYCLES = {
    "basic": {"month": "50.00", "year": "480.00"},
    "pro": {"month": "80.00", "year": "900.00"},
}


def yearly(basic: str = "600.00", pro: str = "1500.00", **fields: object) -> Product:
    return two_levels(basic={"year": basic}, pro={"year": pro}, **fields)


def reprice(product: Product, price: str) -> None:
    with guard.opened("test"):
        PlanPrice.objects.filter(plan__sku__product=product).update(unit_price=Decimal(price))


def why(owned: Owned, **form: str) -> Refused:
    with pytest.raises(Refused) as caught:
        owned.quote(**form)
    return caught.value


# The worked examples of pricing.md, from the page to the ledger


def test_an_upgrade_costs_the_difference_of_both_prices_for_the_remaining_days() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2026-10-29")
    order, shown = change_on_page(owned, kind="upgrade", target="pro")
    assert amounts(order, shown) == {"USD 180.00"}
    assert (order.type, order.state) == (OrderType.CHANGE, OrderState.COMPLETED)
    assert (owned.resource.configured.sku_code, owned.expires) == ("pro", "2027-01-10")
    assert ResourceTerm.objects.get().price == Decimal(1500)
    assert not check_ledger(system_call()).findings


@pytest.mark.parametrize(("proration", "fee"), [("remaining_duration", "USD 97.35"), ("same_cycle", "USD 85.15")])
def test_where_both_cycles_are_sold_the_policy_prices_the_remaining_duration(proration: str, fee: str) -> None:
    policies.choose(system_call(at=moment("2026-01-01")), overrides={"proration.new_price": proration})
    owned = subscribed(term="1-year", at="2026-02-10", product=two_levels(**BOTH_CYCLES)).at("2026-11-28")
    order, shown = change_on_page(owned, kind="upgrade", target="pro")
    assert amounts(order, shown) == {fee}
    assert ResourceTerm.objects.get().price == Decimal(900)


def test_a_linear_expansion_keeps_the_discount_of_the_resource() -> None:
    buyer, product = make_buyer(), by_seat()
    with clock.at(moment("2026-01-01")):
        discount = catalog.standing_discount(buyer.account, product, "0.95")
    owned = subscribed(term="1-year", at="2026-01-10", product=product, buyer=buyer, quantity="5")
    with guard.opened("test"):
        discount.delete()
    order, shown = change_on_page(owned.at("2026-08-17"), kind="expansion", quantity="8")
    assert amounts(order, shown) == {"USD 22.80"}
    assert order.line.discount_share == Decimal("0.95")


def test_the_discount_of_a_private_offer_stays_and_the_offer_is_used_once() -> None:
    buyer, product, at = make_buyer(), by_seat(), moment("2026-01-10")
    billing.fund(buyer.account, 10_000)
    offer = offers.sent_offer(buyer.account, product, at=at, share="0.80", form={"term": "1-year", "quantity": "5"})
    bought = orders.pay(buyer, offers.order_by_offer(buyer, offer, at=at), at=at)
    owned = Owned(resource=bought.line.resources.get(), buyer=buyer, now=at).at("2026-08-17")
    order, shown = change_on_page(owned, kind="expansion", quantity="8")
    assert amounts(order, shown) == {"USD 19.20"}
    unpaid = owned.place(kind="expansion", quantity="9")
    owned.at("2026-08-19")
    unpaid.refresh_from_db()
    assert (unpaid.state, unpaid.cancel_reason) == (OrderState.CANCELED, "unpaid")
    offer.refresh_from_db()
    assert offer.taken == 1


def test_a_tiered_expansion_never_costs_less_than_nothing_and_still_makes_an_order() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat("tiered"), quantity="9")
    order, shown = change_on_page(owned, kind="expansion", quantity="10")
    assert amounts(order, shown) == {"USD 0.00"}
    assert (order.state, order.paid_by) == (OrderState.COMPLETED, "nothing")
    assert owned.resource.configured.quantity == 10
    assert not check_ledger(system_call()).findings


def test_a_volume_expansion_costs_the_added_quantity_alone() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat("volume"), quantity="9").at("2026-10-29")
    order, shown = change_on_page(owned, kind="expansion", quantity="12")
    assert amounts(order, shown) == {"USD 4.80"}


def test_before_june_12_of_2023_a_volume_expansion_cost_the_difference_of_the_totals() -> None:
    owned = subscribed(term="1-year", at="2022-08-20", product=by_seat("volume"), quantity="9").at("2023-06-08")
    order, shown = change_on_page(owned, kind="expansion", quantity="12")
    assert amounts(order, shown) == {"USD 1.20"}


@pytest.mark.parametrize(("at", "fee"), [("2023-06-11T23:59:59+08:00", "1.15"), ("2023-06-12T00:00:00+08:00", "4.54")])
def test_the_rule_of_volume_pricing_changes_at_midnight(at: str, fee: str) -> None:
    owned = subscribed(term="1-year", at="2022-08-20", product=by_seat("volume"), quantity="9").at(at)
    assert owned.change(kind="expansion", quantity="12").amount == Decimal(fee)


# Terms


def test_a_second_upgrade_counts_the_full_price_of_the_current_configuration() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    owned.at("2026-08-17").change(kind="expansion", quantity="8")
    assert ResourceTerm.objects.get().price == Decimal(160)
    order, shown = change_on_page(owned.at("2026-10-29"), kind="expansion", quantity="10")
    assert amounts(order, shown) == {"USD 8.00"}


def test_terms_that_were_renewed_early_are_covered_whole() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2026-10-29")
    owned.renew("1-year")
    order, shown = change_on_page(owned, kind="upgrade", target="pro")
    assert amounts(order, shown) == {"USD 1,080.00"}
    assert set(ResourceTerm.objects.values_list("price", flat=True)) == {Decimal(1500)}
    assert owned.expires == "2028-01-10"


def test_the_last_day_counts_as_one() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly(basic="365.00", pro="1095.00"))
    assert owned.at("2027-01-10T23:00:00+08:00").change(kind="upgrade", target="pro").amount == Decimal(2)


def test_a_fee_counts_prices_that_no_rounding_touched() -> None:
    """A monthly term of a plan that is sold by the year alone after the change costs a twelfth of it: 33.333…"""
    product = two_levels(basic={"month": "20.00", "year": "200.00"}, pro={"year": "400.00"})
    owned = subscribed(term="1-month", at="2026-04-10", product=product)
    assert owned.at("2026-04-25").change(kind="upgrade", target="pro").amount == Decimal("6.67")
    assert ResourceTerm.objects.get().price == queries.full_price(
        owned.resource.configured, TermLength(1, TermUnit.MONTH)
    )
    assert ResourceTerm.objects.get().price * 3 > Decimal("99.99999999999999999999")


def test_new_prices_are_those_of_the_quote_and_old_ones_those_of_the_term() -> None:
    product = yearly()
    owned = subscribed(term="1-year", at="2026-01-10", product=product).at("2026-10-29")
    order = owned.place(kind="upgrade", target="pro")
    reprice(product, "9000.00")
    owned._pay(order, "balance")
    assert (order.amount, ResourceTerm.objects.get().price) == (Decimal(180), Decimal(1500))
    reprice(product, "1.00")
    assert explained(order) == "USD 180.00"


def test_renewals_and_changes_are_explained_years_later_though_prices_and_rules_changed() -> None:
    product = by_seat()
    owned = subscribed(term="1-year", at="2026-01-10", product=product, quantity="5")
    placed = [owned.at("2026-08-17").change(kind="expansion", quantity="8"), owned.renew("1-year", unified="28")]
    owned.at("2027-12-30")
    placed.append(owned.renew("1-year", quantity="3"))
    policies.choose(system_call(at=owned.now), pack="2024", overrides={"change.floor_zero": "no"})
    reprice(product, "777.00")
    for order in placed:
        assert explained(order) == str(order.total)


def test_a_fee_below_nothing_is_refused_where_the_policy_does_not_raise_it_to_nothing() -> None:
    policies.choose(system_call(at=moment("2026-01-01")), overrides={"change.floor_zero": "no"})
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat("tiered"), quantity="9")
    assert why(owned, kind="expansion", quantity="10").code == "change_below_zero"


# What stands in the way


@pytest.mark.parametrize(
    ("product", "data"),
    [
        (lambda: period_product(delivery_method="api"), {"term": "1-month"}),
        (lambda: catalog.saas_product(plans=[catalog.plan(mode="ONE_TIME")], quantity=None, interface_version=""), {}),
    ],
)
def test_only_yearly_and_monthly_saas_can_be_changed(product: object, data: dict[str, str]) -> None:
    buyer = make_buyer()
    order = orders.bought(buyer, product(), at=moment("2026-01-10"), **data)  # type: ignore[operator]
    resource = order.line.resources.get()
    found = queries.why_not_changeable(resource, at=moment("2026-01-11"))
    assert found is not None and found.code == "change_only_saas"


def test_the_product_must_support_changes() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly(supports_change=False))
    assert why(owned, kind="upgrade", target="pro").code == "change_not_supported"


def test_an_order_that_is_not_completed_cannot_be_changed() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    with guard.opened("test"):
        Order.objects.update(state=OrderState.PROCESSING, completed_at=None)
    assert why(owned, kind="upgrade", target="pro").code == "change_not_completed"


@pytest.mark.parametrize("at", ["2027-01-11T00:00:00+08:00", "2027-01-27", "2027-03-01"])
def test_a_resource_past_its_validity_cannot_be_changed(at: str) -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at(at)
    assert why(owned, kind="upgrade", target="pro").code == "change_not_valid"


def test_the_validity_ends_by_time_though_no_sweep_has_run() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    owned.now = moment("2027-01-11T00:00:00+08:00")
    assert why(owned, kind="upgrade", target="pro").code == "change_not_valid"


def test_an_unpaid_change_blocks_changes_and_renewals_and_names_itself() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order = owned.place(kind="upgrade", target="pro")
    for refused in (why(owned, kind="upgrade", target="pro"), why(owned, length="1-year")):
        assert (refused.code, refused.params["order"]) == ("renewal_order_unpaid", order.number)
        assert order.number in refused.sentence
    assert owned.at("2026-01-11T10:00:00+08:00").quote(kind="upgrade", target="pro").amount.amount == Decimal("897.53")


def test_a_change_upon_renewal_that_waits_blocks_changes() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2026-12-20")
    order = owned.renew("1-year", target="pro")
    refused = why(owned, kind="upgrade", target="pro")
    assert (refused.code, refused.params["order"]) == ("renewal_change_waits", order.number)


def test_a_withdrawn_product_cannot_be_changed() -> None:
    product = yearly()
    owned = subscribed(term="1-year", at="2026-01-10", product=product)
    with guard.opened("test"):
        Product.objects.update(state="withdrawn")
    assert why(owned, kind="upgrade", target="pro").code == "renewal_withdrawn"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"kind": "upgrade", "target": "basic"}, "change_no_path"),
        ({"kind": "upgrade", "target": "nonsense"}, "change_no_path"),
        ({"kind": "downgrade", "target": "pro"}, "change_kind"),
        ({"kind": "expansion", "quantity": "5"}, "change_no_quantity"),
    ],
)
def test_only_offered_upgrades_are_sold(form: dict[str, str], code: str) -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    assert why(owned, **form).code == code


def test_a_path_that_is_no_upgrade_leads_nowhere_within_the_term() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly(), specification="pro")
    assert why(owned, kind="upgrade", target="basic").code == "change_no_path"


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("5", "change_greater_only"),
        ("4", "change_greater_only"),
        ("", "change_greater_only"),
        ("1001", "quantity_range"),
        ("5.5", "quantity_range"),
        ("1e3", "change_quantity"),
        ("many", "change_quantity"),
        ("-7", "change_quantity"),
        ("NaN", "change_quantity"),
    ],
)
def test_only_strictly_greater_quantities_are_sold(quantity: str, code: str) -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    assert why(owned, kind="expansion", quantity=quantity).code == code


def test_a_configuration_without_a_term_price_has_no_fee() -> None:
    product = yearly()
    owned = subscribed(term="1-year", at="2026-01-10", product=product)
    with guard.opened("test"):
        PlanPrice.objects.filter(plan__sku__code="pro", plan__sku__product=product).update(currency="EUR")
    assert why(owned, kind="upgrade", target="pro").code == "change_not_priced"


# One change, whatever runs beside it


def test_two_tabs_make_one_change() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    first, second = owned.quote(kind="expansion", quantity="8"), owned.quote(kind="expansion", quantity="10")
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    order = renewing.change(call, resource=owned.resource.number, quote=sign(first))
    again = owned.buyer.call(at=owned.now, key=pages.new_key())
    assert renewing.change(again, resource=owned.resource.number, quote=sign(first)) == order
    third = owned.buyer.call(at=owned.now, key=pages.new_key())
    with pytest.raises(Refused, match="renewal_order_unpaid"):
        renewing.change(third, resource=owned.resource.number, quote=sign(second))
    owned._pay(order, "balance")
    with pytest.raises(Refused, match="change_meanwhile"):
        renewing.change(third, resource=owned.resource.number, quote=sign(second))
    assert Order.objects.filter(type=OrderType.CHANGE).count() == 1
    assert owned.resource.configured.quantity == 8


@pytest.mark.django_db(transaction=True)
def test_four_tabs_at_once_make_one_change() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    quotes = [sign(owned.quote(kind="expansion", quantity=str(quantity))) for quantity in (8, 9, 10, 11)]
    barrier, outcomes = threading.Barrier(len(quotes)), []

    def press(quote: SignedQuote) -> None:
        try:
            call = owned.buyer.call(at=owned.now, key=pages.new_key())
            barrier.wait()
            outcomes.append(renewing.change(call, resource=owned.resource.number, quote=quote).number)
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    tabs = [threading.Thread(target=press, args=(quote,)) for quote in quotes]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    placed = Order.objects.get(type=OrderType.CHANGE)
    assert sorted(outcomes) == sorted([placed.number, *["renewal_order_unpaid"] * 3])


def test_a_renewal_in_another_tab_makes_the_quote_of_a_change_worth_nothing() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=by_seat(), quantity="5")
    quoted, renewal = owned.quote(kind="expansion", quantity="8"), owned.quote("1-year")
    owned.renew("1-year")
    for stale, place in ((quoted, renewing.change), (renewal, renewing.renew)):
        call = owned.buyer.call(at=owned.now, key=pages.new_key())
        with pytest.raises(Refused, match="change_meanwhile"):
            place(call, resource=owned.resource.number, quote=sign(stale))


def test_after_thirty_minutes_another_fee_is_refused_with_both() -> None:
    product = by_seat()
    owned = subscribed(term="1-year", at="2026-01-10", product=product, quantity="5")
    quoted = owned.quote(kind="expansion", quantity="8")
    reprice(product, "30.00")
    owned.at("2026-01-10T10:29:59+08:00")
    owned.at("2026-01-10T10:30:00+08:00")
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    with pytest.raises(Refused) as caught:
        renewing.change(call, resource=owned.resource.number, quote=sign(quoted))
    assert (caught.value.params["old"], caught.value.params["new"]) == ("USD 60.00", "USD 140.00")


def test_a_pending_change_dies_when_its_resource_leaves_enabled() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2027-01-10T23:00:00+08:00")
    order = owned.place(kind="upgrade", target="pro")
    owned.at("2027-01-11T00:00:00+08:00")
    order.refresh_from_db()
    assert (order.state, order.cancel_reason) == (OrderState.CANCELED, "resource")


def test_a_pending_change_cannot_be_paid_after_the_validity_though_no_sweep_has_run() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2027-01-10T23:00:00+08:00")
    order = owned.place(kind="upgrade", target="pro")
    call = owned.buyer.call(at=moment("2027-01-11T00:00:01+08:00"), key=pages.new_key())
    with pytest.raises(Refused, match="order_outlived"):
        paying.pay_order(call, order=order.number, method="balance")
    assert own_resource(call, owned.resource.number).configured.sku_code == "basic"


def test_money_of_a_card_that_arrives_after_the_validity_is_refunded() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly()).at("2027-01-10T23:59:00+08:00")
    order = owned.place(kind="upgrade", target="pro")
    card = billing.card(owned.buyer.account)
    call = owned.buyer.call(at=owned.now, key=pages.new_key())
    payment = card_paying.start_card_payment(call, order=order.number, card=card.code)
    card_billing.ask_gateway(payment, at=owned.now)
    card_paying.confirm_card_payment(system_call(at=moment("2027-01-11T00:00:01+08:00")), payment=payment.number)
    order.refresh_from_db()
    money = order_money(order.number)
    assert (order.state, order.cancel_reason) == (OrderState.CANCELED, "resource")
    assert (str(money.held), str(money.refunded)) == ("USD 0.00", str(order.total))
    owned.resource.refresh_from_db()
    assert owned.resource.configured.sku_code == "basic"


def test_closing_the_resource_cancels_its_pending_change() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order = owned.place(kind="upgrade", target="pro")
    resources.close_resource(owned.buyer.call(at=owned.now, key=pages.new_key()), resource=owned.resource.number)
    order.refresh_from_db()
    assert (order.state, order.cancel_reason) == (OrderState.CANCELED, "resource")


# Who is told


def test_without_an_instance_the_seller_is_asked_to_change_the_service_by_hand() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order = owned.change(kind="upgrade", target="pro")
    told = Message.objects.get(account_id=owned.resource.seller.account_id, kind="resource_to_change")
    assert (told.params["order"], told.link) == (order.number, f"/seller/orders/{order.number}/")


def test_the_order_stands_in_the_console_with_its_type_and_its_trace() -> None:
    owned = subscribed(term="1-year", at="2026-01-10", product=yearly())
    order = owned.change(kind="upgrade", target="pro")
    trace = Trace.objects.get(trace_name="changeOrder")
    assert (trace.resource_type, trace.resource_id, trace.trace_rating) == ("Order", order.number, "normal")


# What always holds


def _plan(price: Decimal) -> PricePlan:
    return PricePlan(
        mode=BillingMode.PERIOD, model=PriceModel.FLAT, currency="USD", unit_price=price, term_unit=TermUnit.YEAR
    )


def _fee(old: Decimal, new: Decimal, *, at: datetime, share: Decimal) -> tuple[Fraction, Decimal]:
    term = Term.first(starts_at=moment("2026-01-10"), length=TermLength(1, TermUnit.YEAR))
    paid = PaidTerm(term=term, length=TermLength(1, TermUnit.YEAR), list_price=old, share=share)
    priced = price_upgrade(changed_at=at, terms=[paid], yearly=_plan(new))
    return (Fraction(new) - Fraction(old)) * Fraction(share), priced.amount.amount


prices = st.decimals(min_value=0, max_value=10_000, places=2)


@given(first=prices, second=prices, third=prices, day=st.integers(0, 365))
def test_two_upgrades_on_one_day_cost_what_one_would(first: Decimal, second: Decimal, third: Decimal, day: int) -> None:
    low, middle, high = sorted((first, second, third))
    at = datetime.fromisoformat("2026-01-10T10:00:00+08:00") + (moment("2026-01-11") - moment("2026-01-10")) * day
    term = Term.first(starts_at=moment("2026-01-10"), length=TermLength(1, TermUnit.YEAR))

    def told(old: Decimal, new: Decimal) -> Explanation:
        paid = PaidTerm(term=term, length=TermLength(1, TermUnit.YEAR), list_price=old)
        return price_upgrade(changed_at=at, terms=[paid], yearly=_plan(new)).explanation

    def exact(explanation: Explanation) -> Fraction:
        return Fraction(explanation.exact.rstrip("…"))

    once = told(low, middle)
    again = told(to_decimal(full_prices(once.to_json())[term.start]), high)
    cut_off = Fraction(2, 10**6)
    assert abs(exact(once) + exact(again) - exact(told(low, high))) <= cut_off


@given(old=prices, new=prices, day=st.integers(0, 365), share=st.decimals(0, 1, places=4))
def test_a_fee_is_never_negative(old: Decimal, new: Decimal, day: int, share: Decimal) -> None:
    at = moment("2026-01-10") + (moment("2026-01-11") - moment("2026-01-10")) * day
    _difference, fee = _fee(old, new, at=at, share=share)
    assert fee >= 0


@given(old=prices, new=prices)
def test_an_upgrade_for_the_whole_term_costs_the_difference_of_the_prices(old: Decimal, new: Decimal) -> None:
    difference, fee = _fee(old, new, at=moment("2026-01-10"), share=Decimal(1))
    assert Fraction(fee) == max(difference, Fraction(0))
