"""Every page of the URL table in Chromium: whole, accessible, light enough, in both themes and languages, at any width.

A new address is opened by itself once `tests/security/samples.py` has an object for it. One that shows a page only
for a certain query or object goes to `PATHS`; one that never answers GET with a page goes to `NO_PAGES`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import brotli
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.contrib.staticfiles import finders
from django.core import signing
from django.test import Client
from django.urls import resolve
from playwright.sync_api import Browser, BrowserContext, Page

from billing.models import Charge
from catalog.operations import favorites
from koogallery.identity.models import User
from koogallery.identity.operations.accounts import VERIFICATION
from koogallery.kernel import ids
from koogallery.kernel.operations import registry
from koogallery.kernel.pages import new_key
from koogallery.notifications.models import Message
from orders.operations import calendar_feeds
from tests.browsing import check_page
from tests.factories import billing, catalog, identity, orders
from tests.security.addresses import Address, all_addresses
from tests.security.samples import SAMPLES
from tests.security.world import World

MOST_KILOBYTES = 100
MOST_REQUESTS = 12
NARROWEST = 320
LOOKS = (("light", 1280), ("dark", 375))
LANGUAGES = ("en", "zh-hans")
PAGES_A_TEST = 16

# What a GET of these addresses is answered with, since they show no page.
REDIRECT, FILE, FRAGMENT = "a redirect", "a file", "a fragment"
NO_PAGES = {
    "preferences/display/": REDIRECT,
    "sign-in/code/": REDIRECT,
    "sign-out/": REDIRECT,
    "accounts/verify/": REDIRECT,
    "console/iam/groups/<slug:number>/delete/": REDIRECT,
    "console/iam/policies/<slug:number>/delete/": REDIRECT,
    "console/iam/keys/<slug:key_id>/": REDIRECT,
    "console/projects/<slug:code>/switch/": REDIRECT,
    "console/tags/<int:number>/delete/": REDIRECT,
    "console/agreements/consents/<int:number>/withdraw/": REDIRECT,
    "calendar/<str:token>.ics": FILE,
    "console/renewals/batch/": REDIRECT,
    "console/renewals/calendar/feed/address/": REDIRECT,
    "console/renewals/calendar/feed/off/": REDIRECT,
    "console/renewals/calendar/feed/renew/": REDIRECT,
    "console/renewals/calendar/forecast/csv/": FILE,
    "console/traces/export/": FILE,
    "console/traces/tracker/": REDIRECT,
    "console/traces/digests/": FILE,
    "console/traces/key/": FILE,
    "console/messages/read/": REDIRECT,
    "console/messages/<int:number>/read/": REDIRECT,
    "console/billing/cards/add/": REDIRECT,
    "console/billing/cards/entered/": REDIRECT,
    "console/billing/cards/<str:code>/remove/": REDIRECT,
    "console/billing/cards/<str:code>/default/": REDIRECT,
    "console/bills/milestones/<str:number>/pdf/": FILE,
    "console/bills/milestones/<str:number>/csv/": FILE,
    "products/suggest/": FRAGMENT,
    "products/<slug:slug>/price/": REDIRECT,
    "offers/<str:token>/": REDIRECT,
    "products/<slug:slug>/save/": REDIRECT,
    "products/<slug:slug>/unsave/": REDIRECT,
    "saved/": REDIRECT,
    "seller/offers/<str:number>/send/": REDIRECT,
    "seller/offers/<str:number>/withdraw/": REDIRECT,
    "console/apps/<str:number>/password/": REDIRECT,
    "console/apps/<str:number>/license/": REDIRECT,
    "console/supervision/<str:number>/evidence/": FILE,
    "console/supervision/<str:number>/files/<str:file>/": FILE,
    "console/supervision/<str:number>/licenses/<str:file>/": FILE,
    "console/supervision/<str:number>/template/": FILE,
    "seller/supervision/<str:number>/evidence/": FILE,
    "seller/supervision/<str:number>/files/<str:file>/": FILE,
    "seller/interface/<str:number>/replay/": REDIRECT,
    "console/unsubscriptions/<str:number>/files/<str:file>/": FILE,
    "seller/unsubscriptions/<str:number>/files/<str:file>/": FILE,
    "console/tickets/<str:number>/close/": REDIRECT,
    "console/tickets/<str:number>/files/<str:file>/": FILE,
}


def verification_link(world: World) -> str:
    """The link of a mail that asks for an address to be verified."""
    user = identity.UserFactory(email_verified_at=None)
    token = signing.dumps({"user": user.number, "email": user.email}, salt=VERIFICATION)
    return f"/accounts/verify/{token}/"


def reset_link(world: World) -> str:
    """The link of a mail that lets a password be set."""
    user = identity.UserFactory()
    return f"/accounts/password/{user.number}/{default_token_generator.make_token(user)}/"


def of_configuration(world: World) -> str:
    """The confirmation page of a configured product."""
    query = {"product": world.product.code, "quantity": "3", "term": "1-year", "items": "1"}
    return f"/console/checkout/?{urlencode(query)}"


def calendar_feed(world: World) -> str:
    """The secret address of a calendar feed."""
    calendar_feeds.renew(world.buyer.call(key=new_key()))
    return f"/calendar/{calendar_feeds.reveal(world.buyer.call())}.ics"


def own_message(world: World) -> Message:
    """The newest message to the buyer."""
    return Message.objects.filter(user=world.buyer.user).latest("pk")


def unpaid(world: World) -> str:
    """The address of an order that waits for payment."""
    return orders.place(world.buyer, catalog.content_product()).get_absolute_url()


PATHS: dict[str, Callable[[World], str]] = {
    "calendar/<str:token>.ics": calendar_feed,
    "styleguide/<str:page_kind>/": lambda world: "/styleguide/list/",
    "accounts/verify/<str:token>/": verification_link,
    "accounts/password/<slug:number>/<str:token>/": reset_link,
    "console/messages/<int:number>/": lambda world: f"/console/messages/{own_message(world).pk}/",
    "console/bills/<str:number>/": lambda world: f"/console/bills/{Charge.objects.latest('pk').number}/",
    "console/checkout/": of_configuration,
    "console/orders/<str:number>/pay/": lambda world: f"{unpaid(world)}pay/",
    "console/orders/<str:number>/cancel/": lambda world: f"{unpaid(world)}cancel/",
}

# States of a page that differ so much that they are opened as well.
MORE = (
    ("public", "products/<slug:slug>/", "?tab=pricing"),
    ("public", "products/", "?q=nothing+like+this"),
    ("buyer", "console/orders/<str:number>/", "?tab=payments"),
    ("buyer", "console/orders/<str:number>/", "?tab=traces"),
    ("buyer", "offers/<str:token>/", ""),
)

ADDRESSES = {address.route: address for address in all_addresses() if address.audience != "api"}
Visit = tuple[str, Address, str]
VISITS: list[Visit] = sorted(
    [(address.audience, address, "") for route, address in ADDRESSES.items() if route not in NO_PAGES]
    + [(audience, ADDRESSES[route], query) for audience, route, query in MORE if route in ADDRESSES],
    key=lambda visit: (visit[0], visit[1].route, visit[2]),
)
PARTS = [VISITS[start : start + PAGES_A_TEST] for start in range(0, len(VISITS), PAGES_A_TEST)]


def path_of(address: Address, world: World) -> str:
    if address.route in PATHS:
        return PATHS[address.route](world)
    return address.at(SAMPLES[address.route].make(world) if address.names_an_object else {})


def user_of(audience: str, world: World) -> User | None:
    """Who opens pages of an audience; nobody's pages are opened without signing in."""
    if audience == "public":
        return None
    return (world.seller if audience == "seller" else world.buyer).user


@pytest.fixture
def lived_in(transactional_db: None) -> World:
    """A world whose lists have rows: orders of every kind, money, credit, a favourite, messages."""
    world = World()
    billing.grant(world.buyer.account, 500)
    billing.card(world.buyer.account, token=f"sandbox-{ids.random_code(6)}")
    assert world.order.account == world.buyer.account
    orders.bought(world.buyer, catalog.content_product())
    unpaid(world)
    favorites.save(world.buyer.call(), product=world.product.slug)
    return world


@pytest.fixture
def page_of(browser: Browser, live_server: Any) -> Iterator[Callable[[User | None], Page]]:
    """One browser for each who looks, with one page that complains into `page.complaints`."""
    opened: dict[Any, tuple[BrowserContext, Page]] = {}

    def page_for(user: User | None) -> Page:
        key = user.pk if user else None
        if key not in opened:
            context = browser.new_context(base_url=live_server.url, reduced_motion="reduce")
            if user is not None:
                client = Client()
                client.force_login(user)
                session = client.cookies[settings.SESSION_COOKIE_NAME].value
                context.add_cookies([cookie(settings.SESSION_COOKIE_NAME, session, live_server.url)])
            context.add_init_script(AXE_SCRIPT)
            page = context.new_page()
            complaints: list[str] = []
            asked: list[str] = []
            page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("request", lambda request: asked.append(request.url))
            page.complaints, page.asked = complaints, asked  # type: ignore[attr-defined]
            opened[key] = (context, page)
        return opened[key][1]

    yield page_for
    for context, _page in opened.values():
        context.close()


def cookie(name: str, value: str, site: str) -> Any:
    return {"name": name, "value": value, "url": site}


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("part", range(len(PARTS)))
def test_every_page_is_whole_accessible_and_light_in_every_look(
    part: int, page_of: Callable[[User | None], Page], live_server: Any, lived_in: World
) -> None:
    faults: list[str] = []
    for number, (audience, address, query) in enumerate(PARTS[part]):
        path = path_of(address, lived_in) + query
        for look, (theme, width) in enumerate(LOOKS):
            language = LANGUAGES[(part + number + look) % 2]
            page = page_of(user_of(audience, lived_in))
            faults += [
                f"/{address.route}{query} {theme} {width} {language}: {fault}"
                for fault in faults_of(page, path, theme=theme, width=width, language=language, site=live_server.url)
            ]
    assert not faults, "\n" + "\n".join(faults)


def faults_of(page: Page, path: str, *, theme: str, width: int, language: str, site: str) -> Iterator[str]:
    """Open a path and say everything that is wrong with it."""
    page.complaints.clear()  # type: ignore[attr-defined]
    page.asked.clear()  # type: ignore[attr-defined]
    page.context.add_cookies([cookie(settings.LANGUAGE_COOKIE_NAME, language, site), cookie("theme", theme, site)])
    page.set_viewport_size({"width": width, "height": 900})
    response = page.goto(path)
    assert response is not None
    if response.status != 200 or urlsplit(page.url).path != urlsplit(path).path:
        yield f"answered {response.status} from {page.url}"
        return
    shown = page.evaluate("[document.documentElement.lang, document.documentElement.dataset.theme]")
    if shown != [language, theme]:
        yield f"shown in {shown}"
    try:
        check_page(page)
    except AssertionError as fault:
        yield str(fault)
    weight = weight_of(page, response.body())
    if weight > MOST_KILOBYTES * 1024:
        yield f"weighs {weight / 1024:.0f} KB"
    for action in forms_without_a_key(page):
        yield f"its form to {action} creates something and brings no key (R18)"
    asked = page.asked  # type: ignore[attr-defined]
    if len(asked) > MOST_REQUESTS or not all(url.startswith((site, "data:")) for url in asked):
        yield f"asked for {len(asked)}: {asked}"
    if width < 1000:
        page.set_viewport_size({"width": NARROWEST, "height": 900})
        sticks_out = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if sticks_out > 0:
            yield f"is {sticks_out} px too wide for {NARROWEST} px"


def forms_without_a_key(page: Page) -> Iterator[str]:
    """Where forms lead that create something but hold no idempotency key."""
    actions = page.evaluate(
        """[...document.querySelectorAll("form[method=post]")]
            .filter((it) => !it.elements.idempotency_key?.value)
            .map((it) => new URL(it.getAttribute("action") || location.href, location.href).pathname)"""
    )
    for action in actions:
        declared = getattr(resolve(action).func, "declaration", None)
        if declared is not None and any(registry[name].once for name in declared.operations):
            yield action


def weight_of(page: Page, html: bytes) -> int:
    """Bytes of HTML, style sheets and scripts as they are sent compressed."""
    parts = page.evaluate(
        "[...document.querySelectorAll('link[rel=stylesheet], script[src]')].map(it => it.href || it.src)"
    )
    return len(gzip.compress(html, 6)) + sum(compressed_bytes(urlsplit(part).path) for part in parts)


@cache
def compressed_bytes(path: str) -> int:
    """The size of a static file as it is sent."""
    found = finders.find(path.removeprefix("/static/"))
    assert found, path
    return len(brotli.compress(Path(str(found)).read_bytes()))


@pytest.mark.django_db
@pytest.mark.parametrize("route", NO_PAGES)
def test_what_is_no_page_is_answered_as_said(route: str) -> None:
    world = World()
    address = ADDRESSES[route]
    user = user_of(address.audience, world)
    client = Client()
    if user is not None:
        client.force_login(user)
    response = client.get(path_of(address, world))
    if NO_PAGES[route] is REDIRECT:
        assert response.status_code == 302
    elif NO_PAGES[route] is FILE:
        assert response.status_code == 200
        assert not response["Content-Type"].startswith("text/html")
    else:
        assert response.status_code == 200
        assert b"<html" not in response.content
