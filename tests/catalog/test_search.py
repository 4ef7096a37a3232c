"""Finding products (catalog.md, Finding products)."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Product, ProductFacet, ProductSearch, SearchProfile, Vocabulary
from catalog.operations import indexing
from catalog.queries import matching, search
from catalog.rules import marks, words
from catalog.rules.facets import Selection
from koogallery.kernel import guard, pagecache
from tests.factories import catalog as make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_kept():
    pagecache.forget()
    yield
    pagecache.forget()


def names(query="", **kwargs):
    selection = kwargs.pop("selection", Selection())
    return [card["name"][0] for card in search.find(query=query, selection=selection, **kwargs).cards]


def product(name, **fields):
    return make.make_product(name=name, **fields)


def test_parts_of_words_match():
    product("DocFlow")
    product("Harbor ERP")
    assert names("doc") == ["DocFlow"]
    assert names("flow") == ["DocFlow"]
    assert names("FLOW doc") == ["DocFlow"]


@pytest.mark.parametrize("typo", ["dockflow", "dcoflow", "docflw", "docflou"])
def test_one_typo_still_finds_it_and_the_page_can_say_so(typo):
    product("DocFlow")
    found = search.find(query=typo, selection=Selection())
    assert [card["name"][0] for card in found.cards] == ["DocFlow"]
    assert found.corrected == "docflow"


def test_a_word_that_is_known_is_not_corrected():
    product("Harbor")
    product("Harbour", summary="Not the same")
    assert names("harbor") == ["Harbor"]


def test_chinese_works_from_two_characters():
    product("Postgres Ready", name_zh="数据库镜像", summary_zh="开箱即用")
    product("Beacon", name_zh="数字报表")
    assert names("数据") == ["Postgres Ready"]
    assert names("据库镜") == ["Postgres Ready"]
    assert names("开箱") == ["Postgres Ready"]
    assert names("库数") == []


def test_seller_summary_and_specification_match_too():
    seller = make.make_seller(name="Kestrel Systems", name_zh="红隼系统")
    product("Cloud move", seller=seller, summary="Migration of servers", specifications=("platinum",))
    product("Other")
    for query in ("kestrel", "红隼", "migrat", "platinum"):
        assert names(query) == ["Cloud move"], query


def test_every_word_must_match():
    product("Invoice desk", summary="Bills for teams")
    product("Invoice box", summary="Archive")
    assert names("invoice archive") == ["Invoice box"]


def test_the_exact_name_ranks_first_then_names_that_begin_so_then_popularity():
    product("Relay CRM suite", popularity=90)
    product("Team desk", summary="works with relay", popularity=100)
    product("Relay", popularity=1)
    product("My relay", popularity=50)
    assert names("relay") == ["Relay", "Relay CRM suite", "My relay", "Team desk"]


def test_orders_by_newest_popularity_and_price():
    cheap = product("Alpha one", popularity=5, plans=[make.plan(unit_price="3.00")])
    dear = product("Alpha two", popularity=9, plans=[make.plan(unit_price="30.00")])
    assert names("alpha", sort="newest") == [dear.name, cheap.name]
    assert names("alpha", sort="popularity") == [dear.name, cheap.name]
    assert names("alpha", sort="price") == [cheap.name, dear.name]
    assert names(sort="price-down") == [dear.name, cheap.name]


def test_products_that_are_not_on_sale_are_not_found():
    gone = product("Ghost")
    with guard.opened("test"):
        gone.state = "hidden"
        gone.save()
    indexing.refresh([gone.pk])
    assert names("ghost") == []
    assert search.find(selection=Selection()).total == 0


def test_a_renamed_product_is_found_by_its_new_name_only():
    renamed = product("Oldname")
    with guard.opened("test"):
        renamed.name = "Newname"
        renamed.save()
    indexing.refresh([renamed.pk])
    assert names("newname") == ["Newname"]
    assert names("oldname") == []


def test_quotes_and_operators_in_a_query_are_only_letters():
    product("DocFlow")
    for query in ("'; --", "doc' & '", "%", "_", "\\", "a | b", "()", "文'", "  "):
        search.find(query=query, selection=Selection())
    assert names("%") == names("")


def test_frequent_words_take_the_marks_and_find_the_same(monkeypatch):
    for index in range(12):
        product(f"Item {index}", summary="common words" if index % 2 else "rare", popularity=index)
    plain = (names("common"), search.find(query="common item", selection=Selection()).total)
    monkeypatch.setattr(indexing, "FREQUENT_AT_LEAST", 3)
    indexing.rebuild()
    pagecache.bump_now()
    assert "common" in SearchProfile.objects.get().frequent_pieces
    assert not matching.match_of("common").is_selective
    assert (names("common"), search.find(query="common item", selection=Selection()).total) == plain


def test_parts_of_frequent_words_and_rare_words_with_them_are_found_alike(monkeypatch):
    for index in range(6):
        product(f"Item {index}", summary="database")
    product("Datagent", summary="rare")
    product("Update desk", summary="rare")
    monkeypatch.setattr(indexing, "FREQUENT_AT_LEAST", 4)
    indexing.rebuild()
    pagecache.bump_now()
    for query, count in (
        ("dat", 8),
        ("data", 7),
        ("database", 6),
        ("update", 1),
        ("tab", 6),
        ("data rare", 1),
        ("da", 7),
    ):
        found = search.find(query=query, selection=Selection())
        assert (found.total, len(found.cards)) == (count, count), query


@pytest.mark.parametrize("sorted_at_most", [0, 1000])
def test_many_products_are_ranked_and_ordered_like_few(monkeypatch, sorted_at_most):
    product("Relay CRM suite", popularity=90, plans=[make.plan(unit_price="3.00")])
    product("Team desk", summary="works with relay", popularity=100, plans=[make.plan(unit_price="30.00")])
    product("Relay", popularity=1, plans=[make.plan(unit_price="20.00")])
    product("My relay", popularity=50, plans=[make.plan(unit_price="10.00")])
    monkeypatch.setattr(indexing, "FREQUENT_AT_LEAST", 2)
    monkeypatch.setattr(search, "SORTED_AT_MOST", sorted_at_most)
    indexing.rebuild()
    pagecache.bump_now()
    assert not matching.match_of("relay").is_selective
    assert names("relay") == ["Relay", "Relay CRM suite", "My relay", "Team desk"]
    assert names("relay", sort="popularity") == ["Team desk", "Relay CRM suite", "My relay", "Relay"]
    assert names("relay", sort="newest") == ["My relay", "Relay", "Team desk", "Relay CRM suite"]
    assert names("relay", sort="price") == ["Relay CRM suite", "My relay", "Relay", "Team desk"]
    assert names("relay", page=2, per_page=3) == ["Team desk"]
    assert names("rel", selection=Selection(price_from=150_000)) == ["Relay", "Team desk"]


def test_popularity_reaches_every_row_that_is_ordered_by_it():
    known = product("Known", popularity=1)
    with guard.opened("test"):
        Product.objects.filter(pk=known.pk).update(popularity=7)
    indexing.set_popularity_of_rows()
    assert ProductSearch.objects.get().popularity == 7
    assert {row.popularity for row in ProductFacet.objects.all()} == {7}


TEXTS = st.lists(st.text("abc数据库", min_size=1, max_size=6), min_size=1, max_size=4).map(" ".join)


@given(text=TEXTS, others=TEXTS)
def test_marks_say_which_pieces_stand_in_a_document(text, others):
    document = f" {words.normalised(text)} "
    pieces = sorted({piece for word in words.words_of(f"{text} {others}") for piece in marks.pieces_of(word)})
    found = int.from_bytes(marks.Marks(pieces).of(document), "little")
    assert {piece for place, piece in enumerate(pieces) if found >> place & 1} == {
        piece for piece in pieces if words.pattern_of(piece) in document
    }


def test_frequent_pieces_are_counted_over_the_words_that_have_them():
    counts = {"database": 6, "update": 3, "da": 1, "a": 5, "数据": 4, "数": 9, "rare": 2}
    frequent = marks.frequent_pieces(counts, least=7)
    assert {"数", "dat", "da", "date"} & set(frequent) == {"数", "dat", "da"}
    assert {"up", "ase", "a", "数据"}.isdisjoint(frequent)
    assert frequent[0] in {"dat", "数"}
    assert {"a", "database", "atab"} <= set(marks.frequent_pieces(counts, least=5))


def test_pages_follow_each_other_without_gaps():
    for index in range(7):
        product(f"Page {index}", popularity=index)
    seen = [name for page in (1, 2, 3) for name in names("page", page=page, per_page=3)]
    assert seen == [f"Page {index}" for index in range(6, -1, -1)]


def test_rebuilding_changes_nothing_that_refreshing_had_right():
    for index in range(5):
        product(f"Thing {index}", categories=[make.make_category()], trial_days=7 if index % 2 else None)
    before = list(ProductSearch.objects.order_by("product_id").values())
    indexing.rebuild()
    assert list(ProductSearch.objects.order_by("product_id").values()) == before
    assert Vocabulary.objects.get(word="thing").products == 5


def test_relearning_counts_the_vocabulary_anew():
    product("Thing one")
    product("Thing two")
    Vocabulary.objects.create(word="gone", products=3)
    indexing.relearn()
    assert Vocabulary.objects.get(word="thing").products == 2
    assert not Vocabulary.objects.filter(word="gone").exists()


def test_suggestions_name_products_that_begin_so_first():
    product("My docs", popularity=50)
    product("DocFlow", popularity=1)
    product("Docs desk", popularity=5)
    product("Other", summary="docs in the summary")
    assert [card["name"][0] for card in search.suggestions("doc")] == ["Docs desk", "DocFlow", "My docs"]
    assert search.suggestions("d") == []
    assert search.suggestions("") == []


# Facets equal a count by hand


METHODS = ("saas", "image", "license")


@pytest.fixture
def shelves():
    tops = [make.make_category(f"top{index}") for index in range(2)]
    return [*tops, *(make.make_category(f"sub{index}", parent=tops[index % 2]) for index in range(4))]


@pytest.fixture
def catalogue(shelves):
    chance = random.Random(7)
    sellers = [make.make_seller() for _ in range(3)]
    made = []
    for index in range(40):
        mode = chance.choice(["PERIOD", "ONE_TIME", "both"])
        plans = [make.plan(unit_price=str(chance.choice([5, 10, 50])))] if mode != "ONE_TIME" else []
        plans += [make.plan(mode="ONE_TIME", unit_price=str(chance.choice([5, 10, 50])))] if mode != "PERIOD" else []
        made.append(
            make.make_product(
                name=f"Item {index} {'blue' if chance.random() < 0.5 else 'red'}",
                delivery_method=chance.choice(METHODS),
                categories=chance.sample(shelves, chance.randint(0, 3)),
                seller=chance.choice(sellers),
                trial_days=chance.choice([None, 7]),
                plans=plans,
            )
        )
    return made


def lowest(product):
    plans = [plan for sku in product.skus.all() for plan in sku.plans.all()]
    return min(price.unit_price for plan in plans for price in plan.prices.all())


def fits(product, selection, query, *, ignoring=""):
    shelves = {each.pk for each in product.categories.all()} | {
        each.parent_id for each in product.categories.all() if each.parent_id
    }
    modes = {plan.billing_mode for sku in product.skus.all() for plan in sku.plans.all()}
    checks = {
        "query": query in product.name,
        "category": not selection.category or selection.category in shelves,
        "methods": not selection.methods or product.delivery_method in selection.methods,
        "modes": not selection.modes or bool(modes & selection.modes),
        "supervised": selection.supervised is None or product.supervised == selection.supervised,
        "trial": not selection.trial or product.trial_days is not None,
        "seller": not selection.seller or product.seller_id == selection.seller,
        "price": (selection.price_from is None or lowest(product) * 10000 >= selection.price_from)
        and (selection.price_to is None or lowest(product) * 10000 <= selection.price_to),
    }
    return all(passed for name, passed in checks.items() if name != ignoring)


@pytest.mark.parametrize("matches", ["indexed", "few", "many"])
def test_facets_and_totals_equal_a_count_by_hand(catalogue, shelves, matches, monkeypatch):
    if matches == "many":
        monkeypatch.setattr(search, "SORTED_AT_MOST", 0)
    if matches != "indexed":
        monkeypatch.setattr(indexing, "FREQUENT_AT_LEAST", 2)
        indexing.rebuild()
        pagecache.bump_now()
    sellers = sorted({each.seller_id for each in catalogue})

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        query=st.sampled_from(["", "blue", "red"]),
        selection=st.builds(
            Selection,
            category=st.sampled_from([0, *(each.pk for each in shelves)]),
            methods=st.frozensets(st.sampled_from(METHODS), max_size=2),
            modes=st.frozensets(st.sampled_from(["PERIOD", "ONE_TIME", "ON_DEMAND"]), max_size=2),
            supervised=st.sampled_from([None, True, False]),
            trial=st.booleans(),
            seller=st.sampled_from([0, *sellers]),
            price_from=st.sampled_from([None, 50_000, 100_000]),
            price_to=st.sampled_from([None, 100_000, 500_000]),
        ),
    )
    def check(query, selection):
        found = search.find(query=query, selection=selection, per_page=100)
        wanted = [each for each in catalogue if fits(each, selection, query)]
        assert {card["name"][0] for card in found.cards} == {each.name for each in wanted}
        assert found.total == len(wanted)

        def by_hand(ignoring, keys):
            counted: dict = {}
            for each in catalogue:
                if fits(each, selection, query, ignoring=ignoring):
                    for key in keys(each):
                        counted[key] = counted.get(key, 0) + 1
            return counted

        def shelf_keys(each):
            own = {shelf.pk for shelf in each.categories.all()}
            return own | {shelf.parent_id for shelf in each.categories.all() if shelf.parent_id}

        def mode_keys(each):
            return {plan.billing_mode for sku in each.skus.all() for plan in sku.plans.all()}

        counts = found.counts
        assert dict(counts.categories) == by_hand("category", shelf_keys)
        assert dict(counts.methods) == by_hand("methods", lambda each: [each.delivery_method])
        assert dict(counts.modes) == by_hand("modes", mode_keys)
        assert dict(counts.supervised) == by_hand("supervised", lambda each: [each.supervised])
        assert counts.trial == by_hand("trial", lambda each: [each.trial_days is not None]).get(True, 0)
        assert dict(counts.sellers) == by_hand("seller", lambda each: [each.seller_id])

    catalogue[:] = list(
        Product.objects.filter(pk__in=[each.pk for each in catalogue]).prefetch_related(
            "categories", "skus__plans__prices"
        )
    )
    check()
