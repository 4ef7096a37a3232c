"""The catalogue's place in Django; it tells identity which accounts sell."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CatalogConfig(AppConfig):
    name = "catalog"
    label = "catalog"
    verbose_name = _("Catalogue")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from catalog.queries import products
        from koogallery.identity import sellers

        sellers.use_lookup(products.seller_id_of_account)
