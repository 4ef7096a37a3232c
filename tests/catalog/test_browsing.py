"""Orders kept by stretches: the same pages as read from the database, few queries, nothing that has left the sale."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.operations import products
from catalog.queries import browsing, search, storefront
from catalog.rules.facets import Selection
from koogallery.kernel import pagecache
from koogallery.kernel.calls import system_call
from tests.factories import catalog as make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_kept():
    pagecache.forget()
    pagecache.bump_now()
    yield
    pagecache.forget()


def listed(**asked):
    given: dict[str, Any] = {"query": "", "selection": Selection(), "sort": "", "page": 1, "currency": "USD"} | asked
    return storefront.listed(**given)


@pytest.mark.parametrize("sort", ["", "newest", "price", "price-down", "relevance", "unknown"])
def test_every_page_shows_what_the_search_finds(monkeypatch, sort):
    monkeypatch.setattr(search, "PER_PAGE", 2)
    monkeypatch.setattr(browsing, "SHORTEST", 4)
    for number in range(11):
        make.make_product(name=f"Item {number}")
    for page in range(1, 8):
        expected = search.find(selection=Selection(), sort=sort, page=page, per_page=2)
        found, cards = listed(sort=sort, page=page)
        assert (found.page, found.sort, found.total) == (expected.page, expected.sort, expected.total)
        assert cards == storefront.card_htmls(expected.cards, currency="USD")


def test_a_page_seen_before_asks_nothing_and_its_neighbour_only_for_cards(monkeypatch):
    monkeypatch.setattr(search, "PER_PAGE", 2)
    for number in range(4):
        make.make_product(name=f"Item {number}")
    listed()
    with CaptureQueriesContext(connection) as queries:
        again, neighbour = listed()[1], listed(page=2)[1]
    assert len(queries) == 1
    assert len(set(again) | set(neighbour)) == 4


def test_a_product_that_left_the_sale_is_gone_from_every_page():
    gone = make.make_product(name="Gone")
    make.make_product(name="Stays")
    assert any("Gone" in card for card in listed()[1])
    products.hide(system_call(), product=gone.code)
    cards = listed()[1]
    assert len(cards) == 1
    assert "Stays" in cards[0]


def test_filters_and_currencies_have_pages_of_their_own():
    shelf = make.make_category("crm", name="Customer relations")
    make.make_product(name="Shelved", categories=[shelf])
    make.make_product(name="Elsewhere")
    assert len(listed()[1]) == 2
    assert ["Shelved" in card for card in listed(selection=Selection(category=shelf.pk))[1]] == [True]
    dollars, euros = listed()[1], listed(currency="EUR")[1]
    assert any("USD" in card for card in dollars)
    assert not any("USD" in card for card in euros)


def test_without_redis_nothing_is_kept_and_the_pages_are_the_same(monkeypatch):
    make.make_product(name="Relata")
    before = listed()[1]
    monkeypatch.setattr(pagecache, "version", lambda: None)
    assert listed()[1] == before
    with CaptureQueriesContext(connection) as queries:
        listed()
    assert len(queries) > 1


@pytest.mark.parametrize("place", [0, 39, 40, 119, 120, 599, 600, 919, 920, 9_980])
def test_a_place_lies_in_its_stretch_and_stretches_touch(place):
    start, length = browsing.stretch(place)
    assert start <= place < start + length
    assert browsing.stretch(start + length)[0] == start + length
    assert start % search.PER_PAGE == length % search.PER_PAGE == 0
