"""Quotes: a product configured and priced for an account, as the product page shows it and the order will hold it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog import queries as catalog
from koogallery.kernel import ids
from koogallery.kernel.reasons import Refused
from orders.rules.quote import Quote
from orders.states import OrderType

if TYPE_CHECKING:
    from catalog.models import Product
    from koogallery.identity.models import Account


def quote_for(
    *, account: Account, product: Product, data: Mapping[str, Any], at: datetime, quote_id: str = ""
) -> Quote:
    """Configure and price `product` for `account`; a new quote unless `quote_id` says which one is quoted again.

    Raises `Refused("not_on_sale", name=product.label)` and what `catalog.queries.configure` and `price` raise.
    """
    if not product.is_on_sale:
        raise Refused("not_on_sale", name=product.label)
    configuration = catalog.configure(product, data, account=account)
    priced = catalog.price(configuration, account=account, at=at)
    return Quote(
        quote_id=quote_id or ids.public_id(),
        account_id=account.pk,
        type=OrderType.TRIAL if configuration.trial_days else OrderType.NEW,
        product_code=configuration.product_code,
        form=configuration.form_data(),
        configuration=configuration.to_json(),
        amount=priced.amount,
        list_amount=priced.list_amount,
        discount_share=priced.share,
        discount_source=priced.discount_source,
        discount_reference=priced.discount.reference if priced.discount else "",
        explanation=priced.explanation.to_json(),
        quoted_at=at,
    )


def quoted_again(quote: Quote, *, account: Account, product: Product, at: datetime) -> Quote:
    """The same configuration at today's price, under the same id.

    Raises what `quote_for` raises; a configuration that is no longer sold is refused.
    """
    return quote_for(account=account, product=product, data=quote.form, at=at, quote_id=quote.quote_id)
