"""Finding products: words, typos, filters, facets, order. Everything that the category page shows of its list.

What few products have is looked up by an index and ranked as a whole. What many have is a bit of their marks: it is
counted on short facet rows, and unless few remain only the most popular and the names that begin so are ranked. Facets
are counted on packed keys. Only when nothing is found are words corrected.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from catalog.models import Category
from catalog.queries.matching import Kept, Match, PerVersion, Wide, correct, match_of, wide_conditions
from catalog.rules import facets, words
from catalog.rules.facets import Counts, Selection, Tree

PER_PAGE = 20
RANKED_AT_MOST = 500
BROWSED_AT_MOST = 10_000
SORTED_AT_MOST = 1_000

ORDERS = {
    "relevance": "",
    "newest": "released DESC, product_id DESC",
    "popularity": "popularity DESC, product_id DESC",
    "price": "price_key ASC NULLS LAST, product_id DESC",
    "price-down": "price_key DESC NULLS LAST, product_id DESC",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A page of results. `corrected` is the query that was used instead when nothing was found for the one given."""

    cards: list[dict[str, Any]]
    counts: Counts
    page: int
    pages: int
    sort: str
    corrected: str = ""

    @property
    def total(self) -> int:
        return self.counts.total


def find(*, query: str = "", selection: Selection, sort: str = "", page: int = 1, per_page: int = PER_PAGE) -> Found:
    """The products on sale that match every word of `query` and the selection, in the order asked for.

    Without a query the order is by popularity. At most the 500 best of a search are shown, 10,000 when browsing.
    """
    asked = " ".join(words.words_of(query)[: words.MOST_WORDS])
    sort = sort if sort in ORDERS and (asked or sort != "relevance") else ("relevance" if asked else "popularity")
    found = _find(asked, selection, sort, page, per_page)
    if found.counts.total or not asked:
        return found
    if _groups_are_empty(asked, selection) and (corrected := correct(asked)):
        again = _find(corrected, selection, sort, page, per_page)
        if again.counts.total:
            return Found(
                cards=again.cards,
                counts=again.counts,
                page=again.page,
                pages=again.pages,
                sort=sort,
                corrected=corrected,
            )
    return found


def _groups_are_empty(asked: str, selection: Selection) -> bool:
    """Whether the words match nothing at all, rather than nothing within the filters."""
    return selection.is_empty or not _find(asked, Selection(), "relevance", 1, 1).counts.total


def _find(asked: str, selection: Selection, sort: str, page: int, per_page: int) -> Found:
    match = match_of(asked)
    most = RANKED_AT_MOST if asked else BROWSED_AT_MOST
    page = max(1, min(page, most // per_page))
    if match.is_selective:
        groups, sellers, cards = _selective(match, selection, sort, page, per_page)
        counts = facets.count(groups, selection=selection, tree=category_tree()).with_sellers(dict(sellers))
    else:
        counts = counts_of(selection, match)
        cards = _browsed(match, selection, counts.total, sort, page, per_page)
    shown = min(counts.total, most)
    return Found(cards=cards, counts=counts, page=page, pages=max(1, -(-shown // per_page)), sort=sort)


_categories = PerVersion(lambda: _read_categories())


def _read_categories() -> tuple[list[Category], Tree]:
    found = list(Category.objects.all())
    return found, Tree({each.pk: each.parent_id for each in found})


def categories() -> list[Category]:
    """All categories, in their order; kept per process until something shown changes."""
    found: list[Category] = _categories()[0]
    return found


def category_tree() -> Tree:
    """Which category lies below which."""
    found: Tree = _categories()[1]
    return found


# Rows


def _filters(selection: Selection) -> tuple[list[str], list[Any]]:
    """The selection as conditions on `catalog_productsearch`."""
    conditions, params = _price(selection)
    wanted: list[tuple[str, Any, bool]] = [
        ("categories @> %s::int[]", [selection.category], bool(selection.category)),
        ("method = ANY(%s::smallint[])", selection.method_bits, bool(selection.methods)),
        ("modes && %s::smallint[]", selection.mode_bits, bool(selection.modes)),
        ("supervised = %s", selection.supervised, selection.supervised is not None),
        ("trial = %s", True, selection.trial),
        ("seller_id = %s", selection.seller, bool(selection.seller)),
    ]
    for condition, value, applies in wanted:
        if applies:
            conditions.append(condition)
            params.append(value)
    return conditions, params


def _price(selection: Selection) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    params: list[Any] = []
    if selection.price_from is not None:
        conditions.append("price_key >= %s")
        params.append(selection.price_from)
    if selection.price_to is not None:
        conditions.append("price_key <= %s")
        params.append(selection.price_to)
    return conditions, params


def _key_conditions(selection: Selection, *, column: str) -> list[tuple[str, list[Any]]]:
    """Method, modes, supervised and trial as conditions on a key; categories not included."""
    found: list[tuple[str, list[Any]]] = []
    if selection.methods:
        found.append((f"({column} & 15) = ANY(%s)", [selection.method_bits]))
    if selection.mode_mask:
        found.append((f"({column} & %s) <> 0", [selection.mode_mask]))
    if selection.supervised is not None:
        found.append((f"({column} & {facets.SUPERVISED}) {'<>' if selection.supervised else '='} 0", []))
    if selection.trial:
        found.append((f"({column} & {facets.TRIAL}) <> 0", []))
    return found


def _counts_row(selection: Selection) -> tuple[str, list[Any]]:
    """Whether a key stands for its product under the selected category, as `Tree.counts_row` says."""
    category = selection.category
    if not category:
        return f"(key & {facets.FIRST}) <> 0", []
    tree = category_tree()
    if tree.is_top(category):
        condition = f"(key >> {facets.CATEGORY_SHIFT}) = ANY(%s) AND (key & {facets.FIRST_IN_PARENT}) <> 0"
        return condition, [tree.within(category)]
    return f"(key >> {facets.CATEGORY_SHIFT}) = %s", [category]


def _group_columns(selection: Selection) -> tuple[str, list[Any]]:
    """Two filtered counts: of keys within seller and price, and of sellers within everything but the seller."""
    price, price_params = _price(selection)
    seller = ["seller_id = %s"] if selection.seller else []
    key_filter = " AND ".join(seller + price)
    key_params = ([selection.seller] if selection.seller else []) + price_params
    own, own_params = _counts_row(selection)
    conditions, params = [own], list(own_params)
    for condition, values in _key_conditions(selection, column="key"):
        conditions.append(condition)
        params.extend(values)
    seller_filter = " AND ".join(conditions + price)
    keys = f"count(*) FILTER (WHERE {key_filter})" if seller or price else "count(*)"
    return (
        f"{keys}, count(*) FILTER (WHERE {seller_filter})",
        key_params + params + price_params,
    )


def _split(rows: Sequence[Sequence[Any]]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    groups = [(row[0], row[2]) for row in rows if row[0] is not None and row[2]]
    sellers = [(row[1], row[3]) for row in rows if row[1] is not None and row[3]]
    return groups, sellers


def _selective(
    match: Match, selection: Selection, sort: str, page: int, per_page: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]], list[dict[str, Any]]]:
    """One statement: the matches once, their facets, and the page of the best of them."""
    where, params = list(match.conditions), list(match.params)
    for wide in match.wide:
        where.append("position(%s in document) > 0")
        params.append(wide.pattern)
    columns, column_params = _group_columns(selection)
    filters, filter_params = _filters(selection)
    score, score_params = _score(match.query)
    order = ORDERS[sort] or f"{score} DESC, popularity DESC, product_id DESC"
    sql = f"""
        WITH hits AS MATERIALIZED (
            SELECT product_id, name, name_zh, popularity, released, price_key, seller_id, facets, categories,
                   method, modes, supervised, trial
            FROM catalog_productsearch WHERE {" AND ".join(where)}
        ), grouped AS (
            SELECT key, seller_id, {columns}
            FROM (SELECT unnest(facets) AS key, seller_id, price_key FROM hits) rows
            GROUP BY GROUPING SETS ((key), (seller_id))
        ), best AS (
            SELECT product_id, row_number() OVER (ORDER BY {order}) AS place
            FROM hits WHERE {" AND ".join(filters) or "TRUE"}
            ORDER BY place LIMIT %s OFFSET %s
        )
        SELECT key, seller_id, "count", count_1, NULL::jsonb, NULL::bigint
        FROM grouped AS grouped (key, seller_id, "count", count_1)
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, s.card, best.place FROM best JOIN catalog_productsearch s USING (product_id)
    """  # noqa: S608 (built of constants; values are parameters)
    bound = [*params, *column_params]
    bound += score_params if not ORDERS[sort] else []
    bound += [*filter_params, per_page, (page - 1) * per_page]
    with connection.cursor() as cursor:
        cursor.execute(sql, bound)
        rows = cursor.fetchall()
    groups, sellers = _split([row for row in rows if row[5] is None])
    placed = sorted((row[5], row[4]) for row in rows if row[5] is not None) if len(rows) else []
    return groups, sellers, [stored_card(card) for _place, card in sorted(placed, key=lambda each: each[0])]


def stored_card(stored: Any) -> dict[str, Any]:
    """A stored card; a raw cursor hands JSON over as text."""
    if isinstance(stored, str):
        card: dict[str, Any] = json.loads(stored)
        return card
    return dict(stored)


def _score(query: str) -> tuple[str, list[Any]]:
    """4 for the exact name, 3 for a name that begins so, 2 for a name with every word, else 1."""
    every = query.split()
    english = " AND ".join("name LIKE %s" for _ in every)
    chinese = " AND ".join("name_zh LIKE %s" for _ in every)
    parts = [f"%{word}%" for word in every]
    joined = query.replace(" ", "")
    return (
        "CASE WHEN name IN (%s, %s) OR name_zh IN (%s, %s) THEN 4 WHEN name LIKE %s OR name_zh LIKE %s THEN 3 "
        f"WHEN ({english}) OR ({chinese}) THEN 2 ELSE 1 END",
        [query, joined, query, joined, f"{query}%", f"{query}%", *parts, *parts],
    )


_kept_counts = Kept(512)


def counts_of(selection: Selection, match: Match = Match(query="")) -> Counts:
    """Facets of frequent words, or of everything, from the short facet rows; kept until something shown changes."""
    found: Counts = _kept_counts.get((match.wide, selection), functools.partial(_count, match.wide, selection))
    return found


def _count(wide: tuple[Wide, ...], selection: Selection) -> Counts:
    groups, sellers = _count_groups(wide, selection)
    return facets.count(groups, selection=selection, tree=category_tree()).with_sellers(dict(sellers))


def _count_groups(wide: tuple[Wide, ...], selection: Selection) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    columns, params = _group_columns(selection)
    conditions, wide_params = wide_conditions(wide)
    params += wide_params
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT key, seller_id, {columns} FROM catalog_productfacet {where} "  # noqa: S608
            "GROUP BY GROUPING SETS ((key), (seller_id))",
            params,
        )
        return _split(cursor.fetchall())


def _browsed(
    match: Match, selection: Selection, total: int, sort: str, page: int, per_page: int
) -> list[dict[str, Any]]:
    """A page of the `total` products that frequent words, or none, leave.

    Few are sorted as a whole, for a walk of an index would pass nearly all of a catalogue before it met them. Of many
    the index of their order is walked.
    """
    if not total:
        return []
    if total <= SORTED_AT_MOST:
        source, params = _few(match, selection, sort)
    elif match.query and sort == "relevance":
        source, params = _best(match, selection)
    else:
        filters, params = _row_conditions(match, selection)
        order = ORDERS[sort] or ORDERS["popularity"]
        source = f"SELECT card FROM catalog_productsearch WHERE {filters} ORDER BY {order}"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"{source} LIMIT %s OFFSET %s", [*params, per_page, (page - 1) * per_page])
        return [stored_card(row[0]) for row in cursor.fetchall()]


def _few(match: Match, selection: Selection, sort: str) -> tuple[str, list[Any]]:
    """All of few products in their order; the facet rows tell which."""
    conditions, params = _facet_conditions(match, selection)
    order_params: list[Any] = []
    order = ORDERS[sort]
    if not order:
        score, order_params = _score(match.query)
        order = f"{score} DESC, popularity DESC, product_id DESC"
    return (
        "SELECT card FROM catalog_productsearch WHERE product_id = ANY(ARRAY("  # noqa: S608
        f"SELECT product_id FROM catalog_productfacet WHERE {conditions})) ORDER BY {order}",
        [*params, *order_params],
    )


def _best(match: Match, selection: Selection) -> tuple[str, list[Any]]:
    """The most popular of many products and those whose name begins so, best first."""
    rows, row_params = _row_conditions(match, selection)
    popular, popular_params = _facet_conditions(match, selection)
    score, score_params = _score(match.query)
    return (
        f"""
        WITH popular AS MATERIALIZED (
            SELECT product_id FROM catalog_productfacet WHERE {popular}
            ORDER BY popularity DESC, product_id DESC LIMIT {RANKED_AT_MOST}
        ), named AS MATERIALIZED (
            SELECT product_id FROM catalog_productsearch WHERE {rows} AND name LIKE %s LIMIT {RANKED_AT_MOST}
        )
        SELECT card FROM catalog_productsearch
        WHERE product_id = ANY(ARRAY(SELECT product_id FROM popular UNION SELECT product_id FROM named))
        ORDER BY {score} DESC, popularity DESC, product_id DESC
        """,  # noqa: S608
        [*popular_params, *row_params, f"{match.query}%", *score_params],
    )


def _row_conditions(match: Match, selection: Selection) -> tuple[str, list[Any]]:
    """Frequent words and the selection as one condition on `catalog_productsearch`."""
    asked, params = wide_conditions(match.wide)
    filters, filter_params = _filters(selection)
    return " AND ".join([*asked, *filters]) or "TRUE", [*params, *filter_params]


def _facet_conditions(match: Match, selection: Selection) -> tuple[str, list[Any]]:
    """The same on `catalog_productfacet`, for one row of each product."""
    conditions, params = wide_conditions(match.wide)
    price, price_params = _price(selection)
    conditions, params = conditions + price, params + price_params
    if selection.seller:
        conditions.append("seller_id = %s")
        params.append(selection.seller)
    own, own_params = _counts_row(selection)
    for condition, values in [(own, own_params), *_key_conditions(selection, column="key")]:
        conditions.append(condition)
        params += values
    return " AND ".join(conditions), params


# Typos and suggestions


def suggestions(query: str, *, most: int = 8) -> list[dict[str, Any]]:
    """The cards of products whose name has the words of the query, names that begin so first."""
    asked = " ".join(words.words_of(query)[: words.MOST_WORDS])
    if not asked or (len(asked) < 2 and not words.is_chinese(asked[0])):
        return []
    match = match_of(asked)
    every = [f"%{word}%" for word in asked.split()]
    english = " AND ".join("name LIKE %s" for _ in every)
    chinese = " AND ".join("name_zh LIKE %s" for _ in every)
    columns = "product_id, name, popularity, card"
    own, own_params = ("", [])
    if match.is_selective and not match.wide:
        own = f"""
            UNION (SELECT {columns} FROM (
                SELECT {columns}, name_zh FROM catalog_productsearch WHERE {" AND ".join(match.conditions)} LIMIT 2000
            ) hits WHERE ({english}) OR ({chinese}) ORDER BY popularity DESC LIMIT {most * 2})
        """  # noqa: S608
        own_params = [*match.params, *every, *every]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT card FROM (
                (SELECT {columns} FROM catalog_productsearch WHERE name LIKE %s ORDER BY name LIMIT {most * 8}) {own}
            ) found ORDER BY (name = %s) DESC, (name LIKE %s) DESC, popularity DESC, product_id DESC LIMIT %s
            """,  # noqa: S608
            [f"{asked}%", *own_params, asked, f"{asked}%", most],
        )
        return [stored_card(row[0]) for row in cursor.fetchall()]
