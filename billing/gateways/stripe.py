"""Stripe through its library: cards are entered on Stripe's page and charged as PaymentIntents."""

from __future__ import annotations

from typing import Any

import stripe
from django.conf import settings

from billing.gateways import Answer, CardDetails, Stuck, Unclear, UnderWay
from koogallery.kernel.money import EXPONENTS, Money

TIMEOUT_SECONDS = 20
PAGE = 100


class StripeGateway:
    """Speaks to `settings.STRIPE_ADDRESS` (Stripe itself unless told) with `settings.STRIPE_API_KEY`."""

    name = "stripe"

    def __init__(self) -> None:
        self._client = stripe.StripeClient(
            settings.STRIPE_API_KEY,
            base_addresses={"api": settings.STRIPE_ADDRESS} if settings.STRIPE_ADDRESS else {},
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            max_network_retries=0,
        )

    def charge(self, *, key: str, token: str, customer_token: str, amount: Money, description: str) -> Answer:
        """Create and confirm a PaymentIntent; one that wants the holder's presence counts as declined."""
        params: dict[str, Any] = {
            "amount": minor_units(amount),
            "currency": amount.currency.lower(),
            "payment_method": token,
            "confirm": True,
            "off_session": True,
            "description": description[:250],
            "metadata": {"payment": key},
        }
        if customer_token:
            params["customer"] = customer_token
        try:
            intents: Any = self._client.v1.payment_intents
            intent = intents.create(params, {"idempotency_key": key})
        except stripe.CardError as declined:
            return Answer(approved=False, failure=str(declined.code or "card_declined"))
        except stripe.InvalidRequestError as wrong:
            return Answer(approved=False, failure=str(wrong.code or "invalid_request"))
        except stripe.StripeError as fault:
            raise Unclear(type(fault).__name__) from fault
        return _charged(intent)

    def find_charge(self, *, key: str, reference: str, customer_token: str) -> Answer | None:
        """Retrieve the PaymentIntent, else find it by our number among the customer's, newest first.

        Stripe replays its first answer to a key for 24 hours and forgets the key then, so asking by creating again
        would learn nothing at first and charge twice later.
        """
        intents: Any = self._client.v1.payment_intents
        try:
            if reference:
                return _charged(intents.retrieve(reference))
            if customer_token:
                found = intents.list({"customer": customer_token, "limit": PAGE}).auto_paging_iter()
            else:
                found = intents.search({"query": f"metadata['payment']:'{key}'"}).auto_paging_iter()
            intent = next((each for each in found if _named(each, "payment") == key), None)
        except stripe.StripeError as fault:
            raise Unclear(type(fault).__name__, reference=reference) from fault
        return None if intent is None else _charged(intent)

    def refund(self, *, key: str, reference: str, amount: Money) -> Answer:
        """Refund part of a PaymentIntent; what Stripe does not accept as a refund at all is for a person to look at.

        It may have been refunded or disputed on Stripe's pages: then the holder has the money already.
        """
        try:
            refund = self._client.v1.refunds.create(
                {"payment_intent": reference, "amount": minor_units(amount), "metadata": {"refund": key}},
                {"idempotency_key": key},
            )
        except stripe.CardError as refused:
            return Answer(approved=False, failure=str(refused.code or "refused"))
        except stripe.InvalidRequestError as wrong:
            raise Stuck(str(wrong.code or "invalid_request")) from wrong
        except stripe.StripeError as fault:
            raise Unclear(type(fault).__name__) from fault
        return _refunded(refund)

    def find_refund(self, *, key: str, charge_reference: str, reference: str) -> Answer | None:
        """Retrieve the refund, else find it by our number among those of its PaymentIntent."""
        refunds: Any = self._client.v1.refunds
        try:
            if reference:
                return _refunded(refunds.retrieve(reference))
            listed = refunds.list({"payment_intent": charge_reference, "limit": PAGE}).auto_paging_iter()
            refund = next((each for each in listed if _named(each, "refund") == key), None)
        except stripe.StripeError as fault:
            raise Unclear(type(fault).__name__, reference=reference) from fault
        return None if refund is None else _refunded(refund)

    def entry_address(self, *, account_number: str, return_address: str, cancel_address: str) -> str:
        """A Checkout session in set-up mode, of a new customer of Stripe's named by the account's number."""
        try:
            sessions: Any = self._client.v1.checkout.sessions
            session = sessions.create(
                {
                    "mode": "setup",
                    "payment_method_types": ["card"],
                    "customer_creation": "always",
                    "client_reference_id": account_number,
                    "success_url": f"{return_address}?reference={{CHECKOUT_SESSION_ID}}",
                    "cancel_url": cancel_address,
                }
            )
        except stripe.StripeError as fault:
            raise Unclear(type(fault).__name__) from fault
        return str(session.url)

    def card(self, *, reference: str, account_number: str) -> CardDetails | None:
        """The card of a finished Checkout session, if the session was this account's."""
        try:
            session = self._client.v1.checkout.sessions.retrieve(reference, {"expand": ["setup_intent.payment_method"]})
        except stripe.InvalidRequestError:
            return None
        except stripe.StripeError as fault:
            raise Unclear(type(fault).__name__) from fault
        intent: Any = session.setup_intent
        if session.client_reference_id != account_number or intent is None or intent.status != "succeeded":
            return None
        method = intent.payment_method
        return CardDetails(
            token=method.id,
            customer_token=str(session.customer or ""),
            brand=method.card.brand.title(),
            last_digits=method.card.last4,
            expires_month=method.card.exp_month,
            expires_year=method.card.exp_year,
        )


def _named(thing: Any, name: str) -> str:
    """What our metadata call it."""
    return str(getattr(getattr(thing, "metadata", None), name, ""))


def _charged(intent: Any) -> Answer:
    if intent.status == "succeeded":
        return Answer(approved=True, reference=intent.id)
    if intent.status == "processing":
        raise UnderWay(intent.status, reference=intent.id)
    return Answer(approved=False, reference=intent.id, failure=str(intent.status))


def _refunded(refund: Any) -> Answer:
    if refund.status == "succeeded":
        return Answer(approved=True, reference=refund.id)
    if refund.status in ("failed", "canceled"):
        return Answer(approved=False, reference=refund.id, failure=str(refund.status))
    raise UnderWay(str(refund.status), reference=refund.id)


def minor_units(amount: Money) -> int:
    """The amount in the currency's smallest unit: 1234 for USD 12.34."""
    return int(amount.amount.scaleb(EXPONENTS[amount.currency]))
