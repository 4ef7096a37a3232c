"""Whole pages for visitors: kept, dropped on a change, never for the signed-in (ENGINEERING: page cache)."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from catalog.operations import products
from koogallery.kernel import guard, pagecache
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Missing
from tests.factories import catalog as make

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nothing_kept():
    pagecache.forget()
    yield
    pagecache.forget()


@pytest.fixture
def visitor():
    return Client()


def test_a_page_is_rendered_once_and_answered_the_same_again(visitor, django_assert_num_queries):
    make.make_product(name="Relata")
    first = visitor.get("/products/")
    with django_assert_num_queries(0):
        again = visitor.get("/products/")
    assert again.content == first.content
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
    assert "csrfmiddlewaretoken" not in first.content.decode()


def test_a_change_is_shown_at_once(visitor):
    product = make.make_product(name="Relata")
    assert "Relata" in visitor.get("/products/").content.decode()
    products.hide(system_call(), product=product.code)
    assert "Relata" not in visitor.get("/products/").content.decode()
    assert visitor.get(f"/products/{product.slug}/").status_code == 404


def test_a_change_that_rolls_back_drops_nothing(visitor, django_assert_num_queries):
    make.make_product(name="Relata")
    visitor.get("/products/")
    version = pagecache.version()
    with pytest.raises(Missing):
        products.hide(system_call(), product="unknown")
    assert pagecache.version() == version
    with django_assert_num_queries(0):
        visitor.get("/products/")


def test_language_theme_and_query_have_pages_of_their_own(visitor):
    make.make_product(name="Relata", name_zh="客户通")
    assert "Relata" in visitor.get("/products/").content.decode()
    chinese = Client()
    chinese.cookies["django_language"] = "zh-hans"
    assert "客户通" in chinese.get("/products/").content.decode()
    dark = Client()
    dark.cookies["theme"] = "dark"
    assert 'data-theme="dark"' in dark.get("/products/").content.decode()
    assert 'data-theme="auto"' in visitor.get("/products/").content.decode()
    assert "Relata" not in visitor.get("/products/?q=other").content.decode()


def test_a_fragment_is_not_taken_for_the_page(visitor):
    product = make.saas_product()
    address = f"/products/{product.slug}/price/"
    fragment = visitor.get(address, headers={"HX-Request": "true", "HX-Target": "configure"})
    assert "<html" not in fragment.content.decode()
    assert visitor.get(address).status_code == 302
    listed = visitor.get("/products/", headers={"HX-Request": "true", "HX-Target": "results"})
    assert "<html" not in listed.content.decode()
    assert "<html" in visitor.get("/products/").content.decode()
    restored = visitor.get("/products/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"})
    assert "<html" in restored.content.decode()


def test_the_signed_in_never_get_a_kept_page(visitor, buyer):
    product = make.saas_product()
    visitor.get(f"/products/{product.slug}/")
    assert "csrfmiddlewaretoken" in buyer.client.get(f"/products/{product.slug}/").content.decode()
    assert "csrfmiddlewaretoken" not in visitor.get(f"/products/{product.slug}/").content.decode()


def test_unknown_parameters_other_methods_and_other_pages_are_not_kept():
    request = RequestFactory()
    assert pagecache.asks_only_known(request.get("/products/?q=a&page=2"))
    assert not pagecache.asks_only_known(request.get("/products/?utm=a"))
    assert not pagecache.asks_only_known(request.get("/products/?q=" + "a" * 500))
    assert pagecache.key_of(request.get("/products/")) is not None
    assert pagecache.key_of(request.post("/products/")) is None
    assert pagecache.key_of(request.get("/console/orders/")) is None


def test_only_plain_answers_are_kept():
    cookie = HttpResponse("x")
    cookie.set_cookie("a", "b")
    private = HttpResponse("x", headers={"Cache-Control": "no-store"})
    assert pagecache.may_keep(HttpResponse("x"))
    for answer in (HttpResponse("x", status=404), cookie, private, HttpResponse(b"x" * 600_000)):
        assert not pagecache.may_keep(answer)


def test_pages_are_bounded_by_their_bytes():
    pages = pagecache._Pages(1000)
    for number in range(10):
        pages.put((str(number),), pagecache._Page(version=1, until=9e9, size=300, answer=HttpResponse("x")))
    assert len(pages) == 3
    assert pages.get(("9",), version=1, now=0) is not None
    assert pages.get(("0",), version=1, now=0) is None
    assert pages.get(("9",), version=2, now=0) is None


def test_without_redis_pages_are_rendered_each_time(visitor, settings, django_assert_max_num_queries):
    make.make_product(name="Relata")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    pagecache.forget()
    assert pagecache.version() is None
    assert "Relata" in visitor.get("/products/").content.decode()
    with guard.opened("test"):
        assert "Relata" in visitor.get("/products/").content.decode()
    pagecache.bump_now()


def test_the_first_visitor_after_a_change_costs_at_most_six_queries(visitor, django_assert_max_num_queries):
    shelf = make.make_category("crm", name="Customer relations")
    product = make.make_product(name="Relata", categories=[shelf])
    for address in ("/", "/products/?category=crm", f"/products/{product.slug}/"):
        visitor.get(address)
        pagecache.bump_now()
        with django_assert_max_num_queries(6):
            assert "Relata" in visitor.get(address).content.decode()


def test_an_answer_from_memory_has_the_headers_of_the_first_but_its_request_id(visitor):
    make.make_product(name="Relata")
    first, again = visitor.get("/products/"), visitor.get("/products/")
    assert "X-Request-ID" in first
    assert dict(again.items()) == dict(again.headers.items())
    assert dict(again.items()) == {name: value for name, value in first.items() if name != "X-Request-ID"}
