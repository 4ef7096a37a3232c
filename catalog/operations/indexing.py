"""Keeping search in step with the catalogue: single products at once, everything by `rebuild`.

Search rows are derived: they may be thrown away and built again at any time, so no operation guards them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from psycopg.types.json import Jsonb

from catalog.models import Attribute, Product, SearchProfile, Sku, Specification
from catalog.rules import facets, marks, words
from catalog.states import AttributeKind, BillingMode
from koogallery import clock
from koogallery.kernel import pagecache

CHUNK = 2000
ALL_TOKENS = "SELECT tokens FROM catalog_productsearch"
FREQUENT_SHARE = Decimal("0.025")
FREQUENT_AT_LEAST = 2000
PRICE_DIGITS = Decimal(10_000)

SEARCH_COLUMNS = (
    "product_id", "name", "name_zh", "document", "tokens", "marks", "facets", "categories", "method", "modes",
    "supervised", "trial", "seller_id",
    "popularity", "released", "price_key", "card",
)  # fmt: skip
FACET_COLUMNS = ("product_id", "seller_id", "price_key", "popularity", "key", "marks")


@dataclass(frozen=True, slots=True)
class Prepared:
    """One product as search keeps it, before its marks are known."""

    product: Any
    name: str
    name_zh: str
    document: str
    tokens: list[str]
    facets: list[int]
    categories: list[int]
    modes: list[int]
    price_key: int | None
    card: dict[str, Any]


Marked = tuple[Prepared, bytes]


def refresh(product_ids: Sequence[int]) -> None:
    """Let search show these products as they are now; those not on sale leave it."""
    if not product_ids:
        return
    with transaction.atomic():
        _clear(product_ids)
        profile = SearchProfile.objects.filter(pk=1).first()
        found = list(prepare(product_ids))
        marked = _marked(found, marks.Marks(profile.frequent_pieces if profile else []))
        _write_rows(marked)
        _write_facets(marked)
        _learn({token for each in found for token in each.tokens})


def rebuild(*, at: datetime | None = None) -> int:
    """Build search anew from the products on sale; how many there are."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE catalog_productsearch, catalog_productfacet, catalog_vocabulary")
        indexes = _drop_indexes(cursor)
        ids = list(Product.objects.on_sale().order_by("pk").values_list("pk", flat=True))
        counts: Counter[str] = Counter()
        everything: list[Prepared] = []
        for start in range(0, len(ids), CHUNK):
            for each in prepare(ids[start : start + CHUNK]):
                counts.update(each.tokens)
                everything.append(each)
        profile = _profile(counts, total=len(ids), at=at or clock.now())
        marked = _marked(everything, marks.Marks(profile.frequent_pieces))
        for start in range(0, len(marked), CHUNK):
            _write_rows(marked[start : start + CHUNK])
        marked.sort(key=lambda each: (each[0].product.popularity, each[0].product.pk), reverse=True)
        _write_facets(marked, is_frozen=True)
        with cursor.copy("COPY catalog_vocabulary (word, products) FROM STDIN") as copy:
            for word, products in counts.items():
                copy.write_row((word, products))
        cursor.execute("SET LOCAL maintenance_work_mem = '256MB'")
        for definition in indexes:
            cursor.execute(definition)
    pagecache.bump()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalog_productsearch, catalog_productfacet, catalog_vocabulary")
    return len(ids)


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop the indexes of the emptied tables, but for keys; the statements that make them again."""
    cursor.execute(
        "SELECT i.indexname, i.indexdef FROM pg_indexes i LEFT JOIN pg_constraint c ON c.conname = i.indexname "
        "WHERE i.schemaname = current_schema() AND c.oid IS NULL "
        "AND i.tablename IN ('catalog_productsearch', 'catalog_productfacet', 'catalog_vocabulary')"
    )
    found = cursor.fetchall()
    for name, _definition in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _name, definition in found]


def relearn() -> None:
    """Count anew how many products use each word, without holding search up."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE learned ON COMMIT DROP AS SELECT * FROM ts_stat(%s)", [ALL_TOKENS])
        cursor.execute(
            "INSERT INTO catalog_vocabulary AS v (word, products) SELECT word, ndoc FROM learned "
            "ON CONFLICT (word) DO UPDATE SET products = excluded.products WHERE v.products <> excluded.products"
        )
        cursor.execute(
            "DELETE FROM catalog_vocabulary v WHERE NOT EXISTS (SELECT FROM learned l WHERE l.word = v.word)"
        )


def set_popularity_of_rows() -> None:
    """Copy the popularity of products into search."""
    with connection.cursor() as cursor:
        for table in ("catalog_productsearch", "catalog_productfacet"):
            cursor.execute(
                f"UPDATE {table} s SET popularity = p.popularity FROM catalog_product p "  # noqa: S608
                "WHERE p.id = s.product_id AND s.popularity <> p.popularity"
            )


def prepare(product_ids: Sequence[int]) -> Iterator[Prepared]:
    """Products on sale among these, in the order of their ids."""
    products = (
        Product.objects.on_sale()
        .filter(pk__in=product_ids)
        .select_related("seller")
        .defer("introduction", "introduction_zh", "usage_guide", "usage_guide_zh", "stack_template", "eula", "eula_zh")
        .order_by("pk")
    )
    through = Product.categories.through
    shelves: dict[int, list[tuple[int, int | None]]] = {}
    rows = through.objects.filter(product_id__in=product_ids).order_by("pk")
    for product_id, category, parent in rows.values_list("product_id", "category_id", "category__parent_id"):
        shelves.setdefault(product_id, []).append((category, parent))
    specifications: dict[int, list[str]] = {}
    names = Specification.objects.filter(product_id__in=product_ids, is_active=True).order_by("position", "pk")
    for product_id, name, name_zh in names.values_list("product_id", "name", "name_zh"):
        specifications.setdefault(product_id, []).extend((name, name_zh))
    offers = _offers(product_ids)
    for product in products:
        yield _prepared(
            product,
            categories=shelves.get(product.pk, []),
            specifications=specifications.get(product.pk, []),
            offers=offers.get(product.pk, []),
        )


@dataclass(frozen=True, slots=True)
class _Offer:
    mode: str
    currency: str
    unit_price: Decimal
    per: tuple[str, str]
    unit: tuple[str, str]


def _offers(product_ids: Sequence[int]) -> dict[int, list[_Offer]]:
    units: dict[int, tuple[str, str]] = {}
    quantities = Attribute.objects.filter(
        specification__product_id__in=product_ids, kind=AttributeKind.QUANTITY
    ).values_list("specification_id", "unit_one", "unit", "unit_zh")
    for specification, one, many, chinese in quantities:
        units[specification] = (one or many, chinese)
    rows = Sku.objects.filter(
        product_id__in=product_ids, is_active=True, specification__is_active=True, plans__is_active=True,
        plans__prices__currency__isnull=False,
    ).order_by("product_id", "position", "pk", "plans__pk").values_list(
        "product_id", "specification_id", "plans__billing_mode", "plans__model", "plans__term_unit",
        "plans__usage_unit", "plans__usage_unit_zh",
        "plans__prices__currency", "plans__prices__unit_price", "plans__prices__bands",
    )  # fmt: skip
    found: dict[int, list[_Offer]] = {}
    for product_id, specification, mode, model, term_unit, usage, usage_zh, currency, price, bands in rows:
        lowest = min((Decimal(each[1]) for each in bands), default=price)
        per = (term_unit, term_unit) if term_unit else (usage, usage_zh) if mode == BillingMode.ON_DEMAND else ("", "")
        counted = model in ("linear", "tiered", "volume") and mode != BillingMode.ON_DEMAND
        found.setdefault(product_id, []).append(
            _Offer(mode, currency, lowest, per, units.get(specification, ("", "")) if counted else ("", ""))
        )
    return found


def _prepared(
    product: Any,
    *,
    categories: list[tuple[int, int | None]],
    specifications: list[str],
    offers: list[_Offer],
) -> Prepared:
    seller = product.seller
    name, name_zh = words.normalised(product.name), words.normalised(product.name_zh)
    texts = [product.summary, product.summary_zh, seller.name, seller.name_zh, *specifications]
    document = f" {' '.join(part for part in (name, name_zh, *map(words.normalised, texts)) if part)} "
    modes = {offer.mode for offer in offers}
    packed = facets.packed_of(
        method=product.delivery_method,
        modes=modes,
        supervised=product.supervised,
        trial=bool(product.trial_days),
    )
    site = [offer for offer in offers if offer.currency == settings.SITE_CURRENCY]
    lowest = min((offer.unit_price for offer in site), default=None)
    return Prepared(
        product=product,
        name=name[:260],
        name_zh=name_zh[:260],
        document=document,
        tokens=words.tokens_of(document),
        facets=facets.keys_of(packed=packed, categories=categories),
        categories=sorted({each for pair in categories for each in pair if each is not None}),
        modes=sorted(facets.MODES.index(BillingMode(mode)) for mode in modes),
        price_key=None if lowest is None else int((lowest * PRICE_DIGITS).to_integral_value()),
        card=_card(product, offers),
    )


def _card(product: Any, offers: list[_Offer]) -> dict[str, Any]:
    """What lists show of a product, in both languages and every currency."""
    prices: dict[str, dict[str, Any]] = {}
    for currency in {offer.currency for offer in offers}:
        own = [offer for offer in offers if offer.currency == currency]
        lowest = min(own, key=lambda offer: offer.unit_price)
        several = len({(offer.unit_price, offer.per) for offer in own}) > 1 or bool(lowest.unit[0])
        prices[currency] = {
            "amount": format(lowest.unit_price.normalize(), "f"),
            "per": lowest.per,
            "unit": lowest.unit,
            "from": several,
        }
    return {
        "code": product.code,
        "slug": product.slug,
        "name": [product.name, product.name_zh],
        "line": [_shortened(product.summary, 160), _shortened(product.summary_zh, 90)],
        "seller": [product.seller.name, product.seller.name_zh],
        "method": product.delivery_method,
        "supervised": product.supervised,
        "trial": product.trial_days or 0,
        "logo": product.logo.name or "",
        "prices": prices,
    }


def _shortened(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _clear(product_ids: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalog_productfacet WHERE product_id = ANY(%s)", [list(product_ids)])
        cursor.execute("DELETE FROM catalog_productsearch WHERE product_id = ANY(%s)", [list(product_ids)])


def _marked(found: Sequence[Prepared], marking: marks.Marks) -> list[Marked]:
    return [(each, marking.of(each.document)) for each in found]


def _write_rows(found: Sequence[Marked]) -> None:
    """Write search rows with one COPY; the token list becomes a text search vector on the way."""
    if not found:
        return
    columns = ", ".join(SEARCH_COLUMNS)
    kept = columns.replace("tokens", "array_to_tsvector(tokens)")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS prepared")
        cursor.execute(
            "CREATE TEMPORARY TABLE prepared (product_id bigint, name text, name_zh text, document text, "
            "tokens text[], marks bytea, facets int[], categories int[], method smallint, modes smallint[], "
            "supervised boolean, trial boolean, seller_id bigint, popularity int, released timestamptz, "
            "price_key bigint, card jsonb) ON COMMIT DROP"
        )
        with cursor.copy(f"COPY prepared ({columns}) FROM STDIN") as copy:
            for each, own in found:
                copy.write_row(_search_row(each, own))
        cursor.execute(f"INSERT INTO catalog_productsearch ({columns}) SELECT {kept} FROM prepared")  # noqa: S608
        cursor.execute("DROP TABLE prepared")


def _write_facets(found: Sequence[Marked], *, is_frozen: bool = False) -> None:
    """Write facet rows with one COPY; several would leave pages that each reserved and did not fill.

    Rows of a table emptied in this transaction may be written `is_frozen`: scans need not ask who sees them.
    """
    if not found:
        return
    columns, freeze = ", ".join(FACET_COLUMNS), "WITH (FREEZE)" if is_frozen else ""
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY catalog_productfacet ({columns}) FROM STDIN {freeze}") as copy,
    ):
        for each, own in found:
            product = each.product
            for key in each.facets:
                copy.write_row((product.pk, product.seller_id, each.price_key, product.popularity, key, own))


def _search_row(each: Prepared, own: bytes) -> tuple[Any, ...]:
    product = each.product
    return (
        product.pk, each.name, each.name_zh, each.document, each.tokens, own, each.facets,
        each.categories, facets.METHODS.index(product.delivery_method), each.modes, product.supervised,
        bool(product.trial_days), product.seller_id, product.popularity, product.released_at, each.price_key,
        Jsonb(each.card),
    )  # fmt: skip


def _learn(tokens: set[str]) -> None:
    """Add words the vocabulary does not know yet; counts are made anew by `rebuild`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalog_vocabulary (word, products) SELECT unnest(%s::text[]), 1 ON CONFLICT DO NOTHING",
            [sorted(tokens)],
        )


def _profile(counts: Counter[str], *, total: int, at: datetime) -> SearchProfile:
    least = max(FREQUENT_AT_LEAST, int(total * FREQUENT_SHARE))
    profile, _made = SearchProfile.objects.update_or_create(
        pk=1, defaults={"frequent_pieces": marks.frequent_pieces(counts, least=least), "built_at": at}
    )
    return profile


__all__ = ["prepare", "rebuild", "refresh", "set_popularity_of_rows"]
