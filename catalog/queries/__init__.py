"""Reads that pages and other rooms use."""

from catalog.queries.configuration import (
    Choice,
    Configuration,
    Package,
    PricedConfiguration,
    configure,
    currency_of,
    price,
    term_text,
)
from catalog.queries.discounts import discounts_for
from catalog.queries.offers import differences, offer_by_token, offers_of, offers_of_seller, usable_offer, uses_of
from catalog.queries.products import (
    PurchaseConditions,
    codes_on_sale,
    interface_products,
    product_by_code,
    product_on_sale,
    products_by_code,
    purchase_conditions,
    seller_by_id,
    seller_of_account,
)
from catalog.queries.sheets import Sheet, sheet_of

__all__ = [
    "Choice",
    "Configuration",
    "Package",
    "PricedConfiguration",
    "PurchaseConditions",
    "Sheet",
    "codes_on_sale",
    "configure",
    "currency_of",
    "differences",
    "discounts_for",
    "interface_products",
    "offer_by_token",
    "offers_of",
    "offers_of_seller",
    "price",
    "product_by_code",
    "product_on_sale",
    "products_by_code",
    "purchase_conditions",
    "seller_by_id",
    "seller_of_account",
    "sheet_of",
    "term_text",
    "usable_offer",
    "uses_of",
]
