"""The built-in gateway of rehearsals, demos and tests: no money, real behaviour, books of its own."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.db import transaction
from django.db.models import F
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.gateways import Answer, CardDetails, Unclear
from billing.models import SandboxCharge, SandboxRefund
from koogallery.kernel.money import Money

GARBAGE_ANSWERS = 2


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card of the sandbox: its token, its last digits, and how it behaves."""

    token: str
    last_digits: str
    behaviour: object

    __test__ = False


TEST_CARDS = (
    TestCard("sandbox-approved", "4242", _("Every payment is approved")),
    TestCard("sandbox-declined", "0002", _("Every payment is declined")),
    TestCard("sandbox-timeout", "0119", _("The first answer is lost, then the payment is approved")),
    TestCard("sandbox-garbage", "0341", _("Two answers make no sense, then the payment is declined")),
    TestCard("sandbox-no-refund", "5126", _("Payments are approved, refunds are declined")),
    TestCard("sandbox-silent-refund", "9995", _("Payments are approved, refunds are never answered")),
)
_BY_TOKEN = {card.token: card for card in TEST_CARDS}


class SandboxGateway:
    """Remembers every key in its own tables, whatever becomes of the caller's process."""

    name = "sandbox"

    def charge(self, *, key: str, token: str, customer_token: str, amount: Money, description: str) -> Answer:
        """Take `amount`, once per `key`. Raises `Unclear` as the test card behaves."""
        with transaction.atomic(durable=True):
            charge, made = SandboxCharge.objects.select_for_update().get_or_create(
                key=key,
                defaults={
                    "token": token,
                    "amount": amount.amount,
                    "currency": amount.currency,
                    "approved": token not in ("sandbox-declined", "sandbox-garbage"),
                },
            )
        if (charge.token, charge.amount, charge.currency) != (token, amount.amount, amount.currency):
            raise Unclear("The key was used for another charge.")
        return self._answer(charge) if made else self._asked_again(charge)

    def find_charge(self, *, key: str, reference: str, customer_token: str) -> Answer | None:
        """What the charge of that key came to. Raises `Unclear` as the test card behaves."""
        charge = SandboxCharge.objects.filter(key=key).first()
        return None if charge is None else self._asked_again(charge)

    def _asked_again(self, charge: SandboxCharge) -> Answer:
        SandboxCharge.objects.filter(pk=charge.pk).update(asked=F("asked") + 1)
        charge.refresh_from_db(fields=["asked"])
        return self._answer(charge)

    def _answer(self, charge: SandboxCharge) -> Answer:
        if charge.token == "sandbox-timeout" and charge.asked == 1:
            raise Unclear("No answer within the time limit.")
        if charge.token == "sandbox-garbage" and charge.asked <= GARBAGE_ANSWERS:
            raise Unclear("The answer could not be read.")
        if not charge.approved:
            return Answer(approved=False, failure="card_declined")
        return Answer(approved=True, reference=charge.key)

    def refund(self, *, key: str, reference: str, amount: Money) -> Answer:
        """Give back, once per `key` and never more than was taken. Raises `Unclear` as the test card behaves."""
        with transaction.atomic(durable=True):
            charge = SandboxCharge.objects.select_for_update().filter(key=reference, approved=True).first()
            if charge is None:
                return Answer(approved=False, failure="charge_unknown")
            if charge.token == "sandbox-silent-refund":
                raise Unclear("No answer within the time limit.")
            covered = charge.refunded + amount.amount <= charge.amount
            refund, made = SandboxRefund.objects.get_or_create(
                key=key,
                defaults={
                    "charge": charge,
                    "amount": amount.amount,
                    "approved": covered and charge.token != "sandbox-no-refund",
                },
            )
            if made and refund.approved:
                SandboxCharge.objects.filter(pk=charge.pk).update(refunded=F("refunded") + amount.amount)
        return self._refund_answer(refund)

    def find_refund(self, *, key: str, charge_reference: str, reference: str) -> Answer | None:
        """What the refund of that key came to."""
        refund = SandboxRefund.objects.filter(key=key).first()
        return None if refund is None else self._refund_answer(refund)

    def _refund_answer(self, refund: SandboxRefund) -> Answer:
        return Answer(approved=refund.approved, reference=refund.key, failure="" if refund.approved else "card_refuses")

    def entry_address(self, *, account_number: str, return_address: str, cancel_address: str) -> str:
        """The page that plays the gateway's card form."""
        return f"{reverse('billing:sandbox_card')}?{urlencode({'back': cancel_address})}"

    def card(self, *, reference: str, account_number: str) -> CardDetails | None:
        """The test card of that token."""
        chosen = _BY_TOKEN.get(reference)
        if chosen is None:
            return None
        return CardDetails(
            token=chosen.token, brand="Visa", last_digits=chosen.last_digits, expires_month=12, expires_year=2099
        )
