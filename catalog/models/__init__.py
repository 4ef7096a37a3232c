"""Rows of the catalogue, one noun per file."""

from catalog.models.category import Category
from catalog.models.discount import ResellerDiscount, StandingDiscount
from catalog.models.favorite import Favorite
from catalog.models.offer import OfferMilestone, OfferUse, PrivateOffer
from catalog.models.plan import PlanPrice, PricePlan
from catalog.models.product import Product, ProductImage
from catalog.models.search import ProductFacet, ProductSearch, SearchProfile, Vocabulary
from catalog.models.seller import Seller
from catalog.models.specification import Attribute, AttributeOption, ChangePath, Sku, Specification
from catalog.models.stock import StockMovement

__all__ = [
    "Attribute",
    "AttributeOption",
    "Category",
    "ChangePath",
    "Favorite",
    "OfferMilestone",
    "OfferUse",
    "PlanPrice",
    "PricePlan",
    "PrivateOffer",
    "Product",
    "ProductFacet",
    "ProductImage",
    "ProductSearch",
    "ResellerDiscount",
    "SearchProfile",
    "Seller",
    "Sku",
    "Specification",
    "StandingDiscount",
    "StockMovement",
    "Vocabulary",
]
