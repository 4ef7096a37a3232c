"""What the storefront's pages show besides search results: cards, categories with counts, favourites, who owns what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from django.core.files.storage import default_storage
from django.db import connection
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from catalog.models import Category, Favorite, Product, Seller
from catalog.queries import browsing, search
from catalog.queries.browsing import KeptEach
from catalog.queries.matching import Kept, PerVersion
from catalog.queries.sheets import Sheet, sheet_of
from catalog.rules import shown
from catalog.rules.facets import Selection
from catalog.rules.shown import Card
from catalog.rules.words import words_of
from catalog.states import DeliveryMethod, ProductState, SellerState
from koogallery.kernel.display import product_card_html
from koogallery.kernel.reasons import Missing

SHOWN_AT_HOME = 6

_owns: Callable[[int, str], bool] = lambda account_id, product_code: False  # noqa: E731


def use_ownership(owns: Callable[[int, str], bool]) -> None:
    """Fill the port that says whether an account has a resource of a product (code); orders does it."""
    global _owns
    _owns = owns


def cards(stored: Iterable[Mapping[str, Any]], *, currency: str) -> list[Card]:
    """Stored cards as they are shown, in a currency and the language in force."""
    path = list_path()
    return [card_of(each, currency=currency, path=path) for each in stored]


def card_of(stored: Mapping[str, Any], *, currency: str, path: str = "") -> Card:
    """One stored card as it is shown."""
    delivery = str(DeliveryMethod(stored["method"]).label)
    if stored["supervised"]:
        delivery = _("%(method)s · supervised") % {"method": delivery}
    prefix, price, unit = shown.price_parts(stored, currency)
    return Card(
        url=f"{path or list_path()}{stored['slug']}/",
        name=shown.told(stored["name"]),
        seller=shown.told(stored["seller"]),
        line=shown.told(stored["line"]),
        delivery=delivery,
        price=price,
        price_prefix=prefix,
        price_unit=unit,
        logo_url=default_storage.url(stored["logo"]) if stored["logo"] else "",
    )


_card_html = Kept(5000)


def card_htmls(stored: Iterable[Mapping[str, Any]], *, currency: str) -> list[SafeString]:
    """Stored cards as markup; each is made once per language and currency until something shown changes."""
    language, path = get_language(), list_path()

    def made(stored_card: Mapping[str, Any]) -> SafeString:
        key = (stored_card["code"], currency, language)
        html: SafeString = _card_html.get(
            key, lambda: product_card_html(card_of(stored_card, currency=currency, path=path))
        )
        return html

    return [made(each) for each in stored]


def listed(
    *, query: str, selection: Selection, sort: str, page: int, currency: str
) -> tuple[search.Found, list[SafeString]]:
    """A page of the product list and its cards as markup.

    Without words to look for, the order of a selection is kept by stretches, and cards that are kept are not read.
    """
    if words_of(query):
        found = search.find(query=query, selection=selection, sort=sort, page=page)
        return found, card_htmls(found.cards, currency=currency)
    found, ids = browsing.browse(selection=selection, sort=sort, page=page)
    return found, _cards_of(ids, currency=currency)


_listed_html = KeptEach(5000)


def _cards_of(ids: Sequence[int], *, currency: str) -> list[SafeString]:
    """The cards of products as markup, those that are not kept read together; products off sale are left out."""
    language = get_language()

    def made(keys: list[tuple[int, str, str | None]]) -> dict[tuple[int, str, str | None], SafeString]:
        path, stored = list_path(), cards_by_id(key[0] for key in keys)
        return {
            key: product_card_html(card_of(stored[key[0]], currency=currency, path=path))
            for key in keys
            if key[0] in stored
        }

    return _listed_html.get_each([(pk, currency, language) for pk in ids], made)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category with the number of its products and what lies below it."""

    category: Category
    url: str
    count: int
    children: tuple[Shelf, ...] = ()

    @property
    def label(self) -> str:
        return self.category.label


def shelves(counts: Mapping[int, int] | None = None) -> list[Shelf]:
    """The category tree with counts; of everything on sale unless others are given."""
    counted = search.counts_of(Selection()).categories if counts is None else counts
    return [
        Shelf(
            top,
            url,
            counted.get(top.pk, 0),
            tuple(Shelf(child, address, counted.get(child.pk, 0)) for child, address in below),
        )
        for top, url, below in _tree()
    ]


Branch = tuple[Category, str, list[tuple[Category, str]]]
_grown = PerVersion(lambda: _grow())


def _tree() -> list[Branch]:
    """Top categories with their addresses and what lies below them."""
    found: list[Branch] = _grown()
    return found


def _grow() -> list[Branch]:
    below: dict[int | None, list[tuple[Category, str]]] = {}
    for category in search.categories():
        below.setdefault(category.parent_id, []).append((category, address(category)))
    return [(top, url, below.get(top.pk, [])) for top, url in below.get(None, [])]


def address(category: Category) -> str:
    """The list of a category."""
    return f"{list_path()}?category={category.code}"


@lru_cache(maxsize=1)
def list_path() -> str:
    """Where the product list is; the address is fixed while a process lives."""
    return reverse("catalog:list")


def menu() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The category menu of the top bar: (label, address, [(label, address) below])."""
    return [(top.label, url, [(child.label, link) for child, link in below]) for top, url, below in _tree()]


_home = Kept(32)


def popular(*, currency: str) -> list[SafeString]:
    """**Popular Applications** as cards: most orders in the last 30 days."""
    return _first("popularity", currency)


def newest(*, currency: str) -> list[SafeString]:
    """The latest releases as cards."""
    return _first("newest", currency)


def _first(sort: str, currency: str) -> list[SafeString]:
    """The first cards of everything in an order; kept until something shown changes."""
    found: list[dict[str, Any]] = _home.get(
        sort, lambda: search.find(selection=Selection(), sort=sort, per_page=SHOWN_AT_HOME).cards
    )
    return card_htmls(found, currency=currency)


def category_by_code(code: str) -> Category | None:
    """A category by its code."""
    found: Category | None = _by_code().get(code)
    return found


_by_code = PerVersion(lambda: {each.code: each for each in search.categories()})
_by_id = PerVersion(lambda: {each.pk: each for each in search.categories()})


def category_by_id(pk: int | None) -> Category | None:
    """A category by its id."""
    found: Category | None = _by_id().get(pk)
    return found


@dataclass(frozen=True)
class ProductPage:
    """What a product's page shows to everybody: the product, its shelf from the top, its sheet, its card."""

    product: Product

    @cached_property
    def trail(self) -> list[Category]:
        """The first category of the product with what lies above it, from the top."""
        rows = Product.categories.through.objects.filter(product=self.product)
        own = set(rows.values_list("category_id", flat=True))
        found = next((each for each in search.categories() if each.pk in own), None)
        if found is None:
            return []
        above = category_by_id(found.parent_id)
        return [above, found] if above else [found]

    @cached_property
    def sheet(self) -> Sheet:
        """What can be configured."""
        return sheet_of(self.product)

    @cached_property
    def card(self) -> dict[str, Any] | None:
        """The stored card; None once the product has left the catalogue."""
        return cards_by_id([self.product.pk]).get(self.product.pk)


_pages = Kept(300)


def product_page(slug: str, *, account_id: int | None, user_id: int | None) -> ProductPage:
    """The page of a product that this user may see; for visitors kept until something shown changes.

    Raises `Missing`.
    """
    if account_id is not None:
        return ProductPage(product_shown(slug, account_id=account_id, user_id=user_id))
    found: ProductPage = _pages.get(slug, lambda: ProductPage(product_shown(slug, account_id=None, user_id=None)))
    return found


def product_shown(slug: str, *, account_id: int | None, user_id: int | None) -> Product:
    """The product at this address: on sale, or one that the account owns, has saved or sells. Raises `Missing`."""
    product = Product.objects.select_related("seller").filter(slug=slug).first()
    if product is None:
        raise Missing(f"No product {slug}.")
    if product.is_on_sale or (account_id is not None and product.seller.account_id == account_id):
        return product
    if account_id is not None and product.state != ProductState.DRAFT:
        saved = Favorite.objects.filter(user_id=user_id or 0, product=product).exists()
        if saved or _owns(account_id, product.code):
            return product
    raise Missing(f"No product {slug}.")


def is_saved(product: Product, *, user_id: int | None) -> bool:
    """Whether the user has saved the product."""
    return user_id is not None and Favorite.objects.filter(user_id=user_id, product=product).exists()


def favorites_of(user_id: int) -> Any:
    """The user's favourites with product and seller, for the list page."""
    return Favorite.objects.filter(user_id=user_id).select_related("product__seller")


def seller_shown(slug: str) -> Seller:
    """The approved seller at this address. Raises `Missing`."""
    seller = Seller.objects.filter(slug=slug, state=SellerState.APPROVED).first()
    if seller is None:
        raise Missing(f"No seller {slug}.")
    return seller


_sellers = PerVersion(
    lambda: {
        pk: (slug, (name, name_zh))
        for pk, slug, name, name_zh in Seller.objects.filter(state=SellerState.APPROVED).values_list(
            "pk", "slug", "name", "name_zh"
        )
    }
)


def seller_names(ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Address and name of approved sellers, in the language in force; kept until something shown changes."""
    known = _sellers()
    return {pk: (known[pk][0], shown.told(known[pk][1])) for pk in ids if pk in known}


def seller_id_by_slug(slug: str) -> int:
    """The id of an approved seller, 0 when there is none."""
    return next((pk for pk, (own, _names) in _sellers().items() if own == slug), 0)


def products_of_seller(account_id: int) -> Any:
    """A seller's products for its own list, in whatever state, with the number of their specifications."""
    return Product.objects.filter(seller__account_id=account_id).select_related("seller")


def cards_by_id(product_ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Stored cards of products that are on sale."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT product_id, card FROM catalog_productsearch WHERE product_id = ANY(%s)", [list(product_ids)]
        )
        return {row[0]: search.stored_card(row[1]) for row in cursor.fetchall()}
