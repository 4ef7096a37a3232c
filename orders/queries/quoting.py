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
    from catalog.models import PrivateOffer, Product
    from koogallery.identity.models import Account


def quote_for(
    *, account: Account, product: Product, data: Mapping[str, Any], at: datetime, quote_id: str = ""
) -> Quote:
    """Configure and price `product` for `account`; a new quote unless `quote_id` says which one is quoted again.

    `data["offer"]` may name a private offer: it counts when the configuration is the offer's. Raises
    `Refused("not_on_sale", name=product.label)` and what `catalog.queries.configure` and `price` raise.
    """
    if not product.is_on_sale:
        raise Refused("not_on_sale", name=product.label)
    configuration = catalog.configure(product, data, account=account)
    if wanted := str(data.get("offer") or ""):
        offer = catalog.usable_offer(wanted, account_id=account.pk, product_id=product.pk, at=at)
        if offer is not None and catalog.is_offers(offer, configuration):
            return quote_of_offer(offer, account=account, at=at, quote_id=quote_id)
    return _quote(configuration, catalog.price(configuration, account=account, at=at), account, at, quote_id)


def quote_of_offer(offer: PrivateOffer, *, account: Account, at: datetime, quote_id: str = "") -> Quote:
    """The quote of a private offer in the configuration and with the prices of its creation.

    Where another discount of the account is lower, that one counts and the offer is not taken; an offer with milestones
    stands alone. Raises `Refused("not_on_sale")`.
    """
    if not offer.product.is_on_sale:
        raise Refused("not_on_sale", name=offer.product.label)
    configuration = catalog.Configuration.from_json(offer.configuration)
    priced = catalog.price(configuration, account=account, at=at, offer=offer)
    return _quote(configuration, priced, account, at, quote_id, offer=offer.number)


def _quote(
    configuration: catalog.Configuration,
    priced: catalog.PricedConfiguration,
    account: Account,
    at: datetime,
    quote_id: str,
    *,
    offer: str = "",
) -> Quote:
    return Quote(
        quote_id=quote_id or ids.public_id(),
        account_id=account.pk,
        type=OrderType.TRIAL if configuration.trial_days else OrderType.NEW,
        product_code=configuration.product_code,
        form={**configuration.form_data(), **({"offer": offer} if offer else {})},
        configuration=configuration.to_json(),
        amount=priced.amount,
        list_amount=priced.list_amount,
        discount_share=priced.share,
        discount_source=priced.discount_source,
        discount_reference=priced.discount.reference if priced.discount else "",
        explanation=priced.explanation.to_json(),
        quoted_at=at,
        milestones=priced.milestones,
    )


def quoted_again(quote: Quote, *, account: Account, product: Product, at: datetime) -> Quote:
    """The same configuration at today's price, under the same id.

    Raises what `quote_for` raises; a configuration that is no longer sold is refused, unless an offer holds it.
    """
    if wanted := quote.form.get("offer"):
        offer = catalog.usable_offer(wanted, account_id=account.pk, product_id=product.pk, at=at)
        if offer is not None:
            return quote_of_offer(offer, account=account, at=at, quote_id=quote.quote_id)
    return quote_for(account=account, product=product, data=quote.form, at=at, quote_id=quote.quote_id)
