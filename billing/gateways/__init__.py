"""Card gateways: what the platform asks of any of them, and which one is in force.

Card data is entered at the gateway; the platform keeps the gateway's token. Every charge and refund carries a key of
ours: for a while it makes asking twice move money once, and for ever it lets us find what became of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.conf import settings

from koogallery.kernel.money import Money


class Unclear(Exception):
    """The gateway gave no final answer: the money may or may not have moved. Ask later what became of it.

    `reference` is the gateway's own name for the movement, when it told one.
    """

    def __init__(self, reason: str, *, reference: str = "") -> None:
        super().__init__(reason)
        self.reference = reference


class UnderWay(Unclear):
    """The gateway knows of the movement and has not ended it."""


class Stuck(Unclear):
    """Asking again will not help: a person has to look at the gateway's own pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the gateway did; `reference` is its own name for it, `failure` its reason for a refusal."""

    approved: bool
    reference: str = ""
    failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDetails:
    """What the gateway tells of a card that its holder has entered there."""

    token: str
    customer_token: str = ""
    brand: str
    last_digits: str
    expires_month: int
    expires_year: int


class CardGateway(Protocol):
    """One gateway. Every method but `name` speaks to another server: never call it inside a transaction."""

    name: str

    def charge(self, *, key: str, token: str, customer_token: str, amount: Money, description: str) -> Answer:
        """Take `amount` from a card, once per `key` for 24 hours. Raises `Unclear`."""

    def find_charge(self, *, key: str, reference: str, customer_token: str) -> Answer | None:
        """What became of the charge of that key, by its reference if known; None when there is none.

        Raises `Unclear`.
        """

    def refund(self, *, key: str, reference: str, amount: Money) -> Answer:
        """Give `amount` of the charge `reference` back, once per `key` for 24 hours. Raises `Unclear`."""

    def find_refund(self, *, key: str, charge_reference: str, reference: str) -> Answer | None:
        """What became of the refund of that key, by its reference if known; None when there is none.

        Raises `Unclear`.
        """

    def entry_address(self, *, account_number: str, return_address: str, cancel_address: str) -> str:
        """Where the holder enters a card; the gateway then leads to `return_address` with a reference."""

    def card(self, *, reference: str, account_number: str) -> CardDetails | None:
        """The card entered under `reference`, or None when there is none for this account. Raises `Unclear`."""


def gateway(name: str = "") -> CardGateway:
    """The gateway of that name, else the one in force (`settings.CARD_GATEWAY`). Raises `LookupError`."""
    wanted = name or settings.CARD_GATEWAY
    if wanted == "sandbox" and settings.SANDBOX_GATEWAY_ALLOWED:
        from billing.gateways.sandbox import SandboxGateway  # only where it is allowed

        return SandboxGateway()
    if wanted == "stripe":
        from billing.gateways.stripe import StripeGateway  # the library loads slowly

        return StripeGateway()
    raise LookupError(f"No card gateway {wanted!r} is in force.")
