"""The cards of an account: added at the gateway, kept here as its token."""

from __future__ import annotations

from billing import gateways
from billing.gateways import CardDetails
from billing.models import Card, Payment, RefundPart
from billing.states import PaymentState, RefundState
from koogallery.identity import queries as identity
from koogallery.identity.states import AccountKind
from koogallery.kernel import ids
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused


def entry_address(call: Call, *, return_address: str, cancel_address: str) -> str:
    """Where the holder enters a card; asks the gateway. Raises `Refused("no_card_gateway"|"gateway_silent")`."""
    try:
        return gateways.gateway().entry_address(
            account_number=call.account.number, return_address=return_address, cancel_address=cancel_address
        )
    except LookupError:
        raise Refused("no_card_gateway") from None
    except gateways.Unclear:
        raise Refused("gateway_silent") from None


def add_entered_card(call: Call, *, reference: str) -> Card:
    """Keep the card that was entered at the gateway under `reference`. Raises `Refused`."""
    try:
        chosen = gateways.gateway()
        details = chosen.card(reference=reference, account_number=call.account.number)
    except LookupError:
        raise Refused("no_card_gateway") from None
    except gateways.Unclear:
        raise Refused("gateway_silent") from None
    if details is None:
        raise Refused("card_not_entered")
    return add_card(call, gateway=chosen.name, details=details)


@operation("addCard", resource_type="Card", roles={Role.BUYER, Role.SYSTEM})
def add_card(call: Call, *, gateway: str, details: CardDetails) -> Card:
    """Keep a card of the call's account; the same card is kept once. The first one becomes the default."""
    account = identity.account(call.account.pk, locked=True)
    if account.kind == AccountKind.RESELLER_CUSTOMER:
        raise Refused("reseller_pays")
    present = list(Card.objects.filter(account=account, removed_at=None))
    same = next((card for card in present if (card.gateway, card.token) == (gateway, details.token)), None)
    if same is not None:
        return same
    card = Card.objects.create(
        code=ids.public_id(),
        account=account,
        gateway=gateway,
        token=details.token,
        customer_token=details.customer_token,
        brand=details.brand[:20],
        last_digits=details.last_digits[-4:],
        expires_month=details.expires_month,
        expires_year=details.expires_year,
        is_default=not present,
        added_at=call.at,
    )
    describe(card=str(card))
    return card


def own_card_locked(call: Call, code: str) -> Card:
    """A card of the call's account, locked. Raises `Missing`."""
    card = Card.objects.select_for_update().filter(account=call.account_id, code=code, removed_at=None).first()
    if card is None:
        raise Missing(f"No card {code}.")
    return card


@operation("removeCard", resource_type="Card", roles={Role.BUYER}, targets={"card": own_card_locked})
def remove_card(call: Call, *, card: Card) -> Card:
    """Forget a card; the oldest other one becomes the default. Raises `Refused("card_in_use")`."""
    if (
        Payment.objects.filter(card=card, state=PaymentState.PENDING).exists()
        or RefundPart.objects.filter(payment__card=card, state=RefundState.PENDING).exists()
    ):
        raise Refused("card_in_use")
    was_default = card.is_default
    card.removed_at, card.is_default = call.at, False
    card.save(update_fields=["removed_at", "is_default"])
    if was_default and (heir := Card.objects.filter(account=card.account_id, removed_at=None).first()) is not None:
        heir.is_default = True
        heir.save(update_fields=["is_default"])
    return card


@operation("setDefaultCard", resource_type="Card", roles={Role.BUYER}, targets={"card": own_card_locked})
def set_default_card(call: Call, *, card: Card) -> Card:
    """Let this card be the one that is offered first and charged automatically."""
    Card.objects.filter(account=card.account_id, is_default=True).update(is_default=False)
    card.is_default = True
    card.save(update_fields=["is_default"])
    return card
