"""Popularity: orders of the last 30 days, counted by the orders' room and handed down."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connection

from catalog.operations import indexing
from koogallery.kernel import pagecache
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation, untraced


@operation("setPopularity", resource_type="Catalogue", roles={Role.SYSTEM})
def set_popularity(call: Call, *, orders: Mapping[str, int]) -> None:
    """Set every product's popularity to its number of orders, by product code; products not named have none.

    Products are locked in the order of their ids, as whoever else locks several does.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH counted AS (SELECT * FROM unnest(%s::text[], %s::int[]) AS c (code, orders)), "
            "wanted AS (SELECT p.id, coalesce(c.orders, 0) AS orders FROM catalog_product p "
            "LEFT JOIN counted c USING (code) WHERE p.popularity <> coalesce(c.orders, 0) "
            "ORDER BY p.id FOR NO KEY UPDATE OF p) "
            "UPDATE catalog_product p SET popularity = w.orders FROM wanted w WHERE w.id = p.id",
            [list(orders), list(orders.values())],
        )
        changed = cursor.rowcount
    if not changed:
        untraced()
        return
    indexing.set_popularity_of_rows()
    pagecache.bump()
    describe(resource_id="popularity", resource_name="popularity", changed=changed)
