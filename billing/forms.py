"""What pages of billing take in."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from billing.gateways.sandbox import TEST_CARDS
from billing.models import Card
from billing.states import CreditKind, PayMethod
from koogallery.kernel.money import Money, quantum


def amount_field(label: Any, *, lowest: str | None = "0.001", **fields: Any) -> forms.DecimalField:
    """An amount; its currency and number of digits are checked by the operation."""
    return forms.DecimalField(
        label=label,
        max_digits=14,
        decimal_places=4,
        min_value=Decimal(lowest) if lowest is not None else None,
        **fields,
    )


def _choice(form: forms.Form, name: str) -> forms.ChoiceField:
    return cast(forms.ChoiceField, form.fields[name])


class AmountForm(forms.Form):
    """An amount in the account's currency."""

    amount = amount_field(_("Amount"))

    def __init__(self, *args: Any, currency: str = "USD", **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(*args, **kwargs)
        least = str(quantum(currency))
        self.fields["amount"].widget.attrs.update({"inputmode": "decimal", "step": least, "min": least})
        self.fields["amount"].label = _("Amount (%(currency)s)") % {"currency": currency}

    @property
    def money(self) -> Money:
        """What was entered."""
        return Money(self.cleaned_data["amount"], self.currency)


class TopUpForm(AmountForm):
    """How much, from which card."""

    card = forms.ChoiceField(label=_("Card"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, cards: Iterable[Card], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(card.code, str(card)) for card in cards]
        _choice(self, "card").choices = choices
        if choices:
            self.fields["card"].initial = choices[0][0]


class RepayForm(AmountForm):
    """How much is repaid, from the balance or a card."""

    method = forms.ChoiceField(label=_("Payment method"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, cards: Iterable[Card], balance: Money, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choice(self, "method").choices = [
            (PayMethod.BALANCE.value, _("Account balance (%(amount)s)") % {"amount": balance}),
            *[(f"card:{card.code}", str(card)) for card in cards],
        ]
        self.fields["method"].initial = PayMethod.BALANCE.value


class BillRepayForm(forms.Form):
    """What a bill is repaid with; it is repaid in full."""

    method = forms.ChoiceField(label=_("Payment method"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, methods: Iterable[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choice(self, "method").choices = list(methods)


class SandboxCardForm(forms.Form):
    """The sandbox gateway's card form: no number is typed, a test card is picked."""

    reference = forms.ChoiceField(label=_("Test card"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choice(self, "reference").choices = [
            (card.token, f"Visa •••• {card.last_digits} · {card.behaviour}") for card in TEST_CARDS
        ]
        self.fields["reference"].initial = TEST_CARDS[0].token


# Operations managers


class AddFundsForm(forms.Form):
    """Money without a payment."""

    amount = amount_field(_("Amount"))
    note = forms.CharField(label=_("Note"), max_length=255, required=False)


class BankTransferForm(forms.Form):
    """A transfer that has arrived."""

    amount = amount_field(_("Amount"))
    note = forms.CharField(label=_("Bank reference"), max_length=255)


class MilestoneTransferForm(forms.Form):
    """A transfer that has arrived for a milestone bill."""

    amount = amount_field(_("Amount"))
    reference = forms.CharField(label=_("Bank reference"), max_length=255)


class CreditForm(forms.Form):
    """A credit limit."""

    kind = forms.ChoiceField(label=_("Credit"), choices=CreditKind.choices)
    limit = amount_field(_("New limit"), lowest="0")
    reason = forms.CharField(label=_("Reason"), max_length=255)


class CreditPaymentForm(forms.Form):
    """A limit for who asked for credit payment, and what is answered."""

    limit = amount_field(_("Limit, in the account's currency"))
    text = forms.CharField(label=_("Answer to the customer"), max_length=4000, widget=forms.Textarea)


class AccountAmountForm(forms.Form):
    """Which account gets how much."""

    account = forms.CharField(label=_("Account name or account ID"), max_length=64)
    amount = amount_field(_("Amount"))
    note = forms.CharField(label=_("Note or bank reference"), max_length=255)


class AccountCreditForm(CreditForm):
    """Which account gets which credit."""

    account = forms.CharField(label=_("Account name or account ID"), max_length=64)
    field_order = ["account", "kind", "limit", "reason"]
