"""Sellers, products, discounts, stock, popularity and demands change through operations, under their rules."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client

from audit.models import Trace
from catalog.models import Product, ProductSearch, Seller, StandingDiscount
from catalog.operations import demands, discounts, indexing, popularity, products, sellers, stock
from catalog.queries import storefront
from catalog.states import PRODUCT_MOVES, ProductState, SellerState
from koogallery import clock
from koogallery.identity import sellers as identity_sellers
from koogallery.kernel import guard, pagecache
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Missing, Refused
from koogallery.tickets.operations import handling
from tests.factories import catalog as make
from tests.factories.identity import AccountFactory

pytestmark = pytest.mark.django_db
ZONE = ZoneInfo("Etc/GMT-8")


@pytest.fixture(autouse=True)
def _nothing_kept():
    pagecache.forget()
    yield
    pagecache.forget()


def apply(call, **fields):
    return sellers.apply(call, **({"name": "Aldona Soft", "email": "care@aldona.example"} | fields))


# Sellers


def test_a_seller_is_decided_within_three_working_days(buyer):
    friday = datetime(2026, 3, 6, 15, tzinfo=ZONE)
    seller = apply(buyer.call(at=friday))
    assert seller.state == SellerState.PENDING
    assert seller.review_due_at.astimezone(ZONE) == datetime(2026, 3, 11, 23, 59, 59, tzinfo=ZONE)
    assert not seller.review_is_late(friday + timedelta(days=5))
    assert seller.review_is_late(friday + timedelta(days=6))


def test_only_an_approved_seller_sells_and_has_a_page(buyer, operator):
    seller = apply(buyer.call())
    assert identity_sellers.seller_of(buyer.account.pk) is None
    sellers.approve(operator.call(), seller=seller.code)
    assert identity_sellers.seller_of(buyer.account.pk) == seller.pk
    assert Client().get(f"/sellers/{seller.slug}/").status_code == 200


def test_a_rejection_needs_a_reason_and_lets_apply_again(buyer, operator):
    seller = apply(buyer.call())
    with pytest.raises(Refused) as caught:
        sellers.reject(operator.call(), seller=seller.code, reason=" ")
    assert caught.value.code == "reason_missing"
    sellers.reject(operator.call(), seller=seller.code, reason="The licence is missing.")
    again = apply(buyer.call(), licence_file="licence.pdf")
    assert (again.pk, again.state, again.rejection_reason) == (seller.pk, SellerState.PENDING, "")


def test_an_approved_seller_does_not_apply_again(seller):
    with pytest.raises(Refused) as caught:
        apply(system_call(), account=seller.account)
    assert caught.value.code == "already_a_seller"


def test_two_sellers_never_share_an_address(buyer, stranger):
    apply(buyer.call())
    with pytest.raises(Refused) as caught:
        apply(stranger.call())
    assert caught.value.code == "seller_code_taken"


def test_a_seller_changes_its_own_profile_only_and_search_follows(seller, stranger):
    own = seller.account.seller
    make.make_product(name="Relata", seller=own)
    sellers.update(seller.call(), seller=own.code, name="Fresh House")
    assert "fresh house" in ProductSearch.objects.get().document
    with pytest.raises(Refused):
        sellers.update(stranger.call(), seller=own.code, name="Taken")
    other = make.make_seller()
    with pytest.raises(Missing):
        sellers.update(seller.call(), seller=other.code, name="Taken")
    assert Seller.objects.get(pk=other.pk).name != "Taken"


# Products


@pytest.mark.parametrize("before", list(ProductState))
@pytest.mark.parametrize(
    ("change", "after"),
    [
        (products.release, ProductState.ON_SALE),
        (products.hide, ProductState.HIDDEN),
        (products.remove, ProductState.REMOVED),
    ],
)
def test_a_product_moves_as_the_table_says_and_no_other_way(before, change, after, operator):
    product = make.make_product(state=before)
    if PRODUCT_MOVES.allowed(before, after):
        change(operator.call(), product=product.code)
        assert Product.objects.get().state == after
        assert ProductSearch.objects.exists() == (after == ProductState.ON_SALE)
    else:
        with pytest.raises(Refused) as caught:
            change(operator.call(), product=product.code)
        assert caught.value.code == "state_move"
        assert Product.objects.get().state == before


def test_what_operations_do_to_a_product_shows_in_its_sellers_traces(seller, operator):
    product = make.make_product(seller=seller.account.seller)
    products.hide(operator.call(), product=product.code, reason="Complaints")
    trace = Trace.objects.get(trace_name="hideProduct")
    assert trace.account_id == seller.account.pk
    assert trace.resource_id == product.code


def test_guarded_rows_refuse_a_change_outside_an_operation():
    product = make.make_product()
    with pytest.raises(guard.Unguarded):
        product.save()
    with pytest.raises(guard.Unguarded):
        Product.objects.update(name="x")


# Discounts


def test_a_new_standing_discount_ends_the_one_before(operator):
    product, account = make.saas_product(), AccountFactory()
    start = clock.now() - timedelta(days=10)
    discounts.grant(operator.call(at=start), account=account, product=product.code, share=Decimal("0.9"))
    discounts.grant(operator.call(), account=account, product=product.code, share=Decimal("0.8"))
    first, second = StandingDiscount.objects.order_by("valid_from")
    assert first.valid_to == second.valid_from
    assert second.valid_to is None


def test_a_seller_grants_discounts_on_its_own_products_only(seller):
    own, other = make.saas_product(seller=seller.account.seller), make.saas_product()
    account = AccountFactory()
    discounts.grant(seller.call(), account=account, product=own.code, share=Decimal("0.9"))
    with pytest.raises(Missing):
        discounts.grant(seller.call(), account=account, product=other.code, share=Decimal("0.9"))
    assert StandingDiscount.objects.count() == 1


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "1.5"])
def test_a_share_lies_between_nothing_and_everything(operator, share):
    product = make.saas_product()
    with pytest.raises(Refused) as caught:
        discounts.grant(operator.call(), account=AccountFactory(), product=product.code, share=Decimal(share))
    assert caught.value.code == "discount_share"


# Stock


def test_stock_is_taken_and_given_back_once():
    product = make.hardware_product(stock=3)
    stock.take(system_call(), product_code=product.code, count=2, order_number="CS1")
    assert Product.objects.get().stock == 1
    with pytest.raises(Refused) as caught:
        stock.take(system_call(), product_code=product.code, count=2, order_number="CS2")
    assert (caught.value.code, caught.value.field) == ("sold_out", "items")
    for _ in range(2):
        stock.give_back(system_call(), order_number="CS1")
    assert Product.objects.get().stock == 3
    stock.give_back(system_call(), order_number="CS2")
    assert Product.objects.get().stock == 3


def test_products_without_stock_never_run_out():
    product = make.saas_product()
    stock.take(system_call(), product_code=product.code, count=99, order_number="CS1")
    assert Product.objects.get().stock is None


@pytest.mark.django_db(transaction=True)
def test_the_last_pieces_are_sold_once_among_many_buyers():
    product = make.hardware_product(stock=5)
    outcomes: list[str] = []
    gate = threading.Barrier(12)

    def buy(number):
        gate.wait()
        try:
            stock.take(system_call(), product_code=product.code, count=1, order_number=f"CS{number}")
            outcomes.append("taken")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["sold_out"] * 7 + ["taken"] * 5
    assert Product.objects.get().stock == 0


# Popularity


def test_popularity_orders_the_home_page_and_forgets_what_is_not_named():
    one, two = make.make_product(name="One", popularity=9), make.make_product(name="Two")
    popularity.set_popularity(system_call(), orders={two.code: 4})
    assert ["Two" in card for card in storefront.popular(currency="USD")] == [True, False]
    assert Product.objects.get(pk=one.pk).popularity == 0


def test_setting_the_same_popularity_again_leaves_no_trace():
    product = make.make_product()
    for _ in range(2):
        popularity.set_popularity(system_call(), orders={product.code: 4})
    assert Trace.objects.filter(trace_name="setPopularity").count() == 1


# Demands


def test_a_demand_is_resolved_once(buyer, operator):
    demand = demands.submit(buyer.call(), subject="Crane", description="Two docks", email="a@b.example")
    handling.resolve(operator.call(), ticket=demand.number, text="Look at Dockwise.")
    with pytest.raises(Refused) as caught:
        handling.resolve(operator.call(), ticket=demand.number, text="Again")
    assert caught.value.code == "ticket_state"


def test_the_admin_shows_the_catalogue_and_hides_keys(operator):
    product = make.saas_product(name="Relata")
    for address in (
        "/admin/catalog/product/",
        f"/admin/catalog/product/{product.pk}/change/",
        f"/admin/catalog/seller/{product.seller.pk}/change/",
        "/admin/catalog/category/",
        "/admin/catalog/priceplan/",
        "/admin/catalog/standingdiscount/",
    ):
        response = operator.client.get(address)
        assert response.status_code == 200, address
        assert product.interface_key not in response.content.decode()


def test_relearning_runs_at_night_without_harm():
    make.make_product(name="Relata")
    indexing.relearn()
    assert "Relata" in storefront.popular(currency="USD")[0]
