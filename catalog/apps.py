"""The catalogue's place in Django: who sells, the category menu, which pages may be kept, the vocabulary's night."""

from datetime import time

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "catalog"
    label = "catalog"
    verbose_name = _("Catalogue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from catalog.operations import (  # noqa: F401 (declares their operations)
            demands,
            indexing,
            loading_software,
            offer_reading,
            offer_uses,
            offers,
            popularity,
            reading,
            stock,
            suspending,
        )
        from catalog.queries import offers as offer_queries
        from catalog.queries import products, storefront
        from koogallery.identity import sellers
        from koogallery.kernel import navigation, pagecache, sweeps

        sellers.use_lookup(products.seller_id_of_account)
        sweeps.register(
            sweeps.RowSweep(
                name="private-offers",
                table="catalog_privateoffer",
                due_column="next_state_at",
                act=offers.advance_due,
            )
        )
        navigation.provide_count("offers_in_effect", offer_queries.offers_in_effect_given)
        navigation.provide("categories", lambda request: storefront.menu())
        navigation.provide_count("is_seller", products.approved_sellers_given)
        sweeps.register(
            sweeps.Periodic(name="search-vocabulary", work=lambda at: indexing.relearn(), daily_at=time(4, 0))
        )
        filters = (
            "q", "category", "method", "mode", "seller", "supervised", "trial", "price_from", "price_to",
            "sort", "page",
        )  # fmt: skip
        pagecache.declare("/")
        pagecache.declare("/products/", params=filters)
        pagecache.declare("/products/suggest/", params=("-",))
        pagecache.declare("/products/", below=True, params=("tab",))
        pagecache.declare("/sellers/", below=True, params=("page",))
        pagecache.declare("/help/", below=True)
