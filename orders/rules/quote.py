"""The signed quote: what the confirmation page shows and Pay Now is held to (pricing.md, Quote).

A quote is a frozen value that travels with the form. It is signed with the installation's key, belongs to one account,
binds for 30 minutes, and becomes at most one order (R18).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.core import signing

from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.states import OrderType

VALID_FOR = timedelta(minutes=30)
SALT = "orders.quote"
MAX_LENGTH = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """One configuration of one product, priced for one account.

    `form` holds the configurator's fields, so that the same can be configured again; `configuration` and `explanation`
    are stored with the order. Amounts are rounded. `milestones` is in how many parts a private offer lets it be paid.
    `resource` is the number of the resource that is renewed or changed.
    """

    quote_id: str
    account_id: int
    type: OrderType
    product_code: str
    form: Mapping[str, str]
    configuration: Mapping[str, Any]
    amount: Money
    list_amount: Money
    discount_share: Decimal
    discount_source: str
    discount_reference: str
    explanation: Mapping[str, Any]
    quoted_at: datetime
    milestones: int = 0
    resource: str = ""

    @property
    def expires_at(self) -> datetime:
        """Until when **Pay Now** is held to the amount."""
        return self.quoted_at + VALID_FOR

    def is_expired(self, at: datetime) -> bool:
        """Whether the 30 minutes are over at a moment (R6)."""
        return at >= self.expires_at

    @property
    def saved(self) -> Money:
        """What the discount takes off the list price."""
        return self.list_amount - self.amount


class Sealed:
    """The signed text of a quote; traces show its kind, not its content."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass(frozen=True, slots=True)
class SignedQuote:
    """A quote as the form carries it: its id in clear, for traces and idempotency, and the sealed text."""

    quote_id: str
    sealed: Sealed

    @classmethod
    def parse(cls, posted: str) -> SignedQuote:
        """What a form posted; whether it is genuine is seen when it is opened."""
        quote_id, _, text = posted[:MAX_LENGTH].partition(".")
        return cls(quote_id[:32], Sealed(text))

    @property
    def posted(self) -> str:
        """The text of the form's hidden field."""
        return f"{self.quote_id}.{self.sealed.text}"


def sign(quote: Quote) -> SignedQuote:
    """Seal a quote with the installation's key."""
    values = {
        "id": quote.quote_id,
        "account": quote.account_id,
        "type": str(quote.type),
        "product": quote.product_code,
        "form": dict(quote.form),
        "configuration": dict(quote.configuration),
        "amount": quote.amount.to_json(),
        "list": quote.list_amount.to_json(),
        "share": format(quote.discount_share, "f"),
        "source": quote.discount_source,
        "reference": quote.discount_reference,
        "explanation": dict(quote.explanation),
        "at": quote.quoted_at.isoformat(),
        "milestones": quote.milestones,
        "resource": quote.resource,
    }
    return SignedQuote(quote.quote_id, Sealed(signing.dumps(values, salt=SALT, compress=True)))


def open_quote(signed: SignedQuote, *, account_id: int | None) -> Quote:
    """The quote in a form, whatever its age. Raises `Refused("quote_invalid")` when it is not genuine or foreign."""
    try:
        values = signing.loads(signed.sealed.text, salt=SALT)
    except signing.BadSignature:
        raise Refused("quote_invalid") from None
    if values["id"] != signed.quote_id or values["account"] != account_id:
        raise Refused("quote_invalid")
    return Quote(
        quote_id=values["id"],
        account_id=values["account"],
        type=OrderType(values["type"]),
        product_code=values["product"],
        form=values["form"],
        configuration=values["configuration"],
        amount=Money.from_json(values["amount"]),
        list_amount=Money.from_json(values["list"]),
        discount_share=Decimal(values["share"]),
        discount_source=values["source"],
        discount_reference=values["reference"],
        explanation=values["explanation"],
        quoted_at=datetime.fromisoformat(values["at"]),
        milestones=values["milestones"],
        resource=values["resource"],
    )
