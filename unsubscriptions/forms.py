"""HTTP in, clean values out: what the buyer asks for. The operation judges."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from supervision.rules.texts import MAX_CHARACTERS
from unsubscriptions.rules import amounts
from unsubscriptions.states import Reason


class AmountField(forms.CharField):
    """An amount as people type it; what is wrong with it is said by its reason."""

    def __init__(self, **kwargs: Any) -> None:
        attrs = {"inputmode": "decimal", "autocomplete": "off", "maxlength": 40}
        super().__init__(max_length=40, widget=forms.TextInput(attrs=attrs), **kwargs)

    def validate(self, value: Any) -> None:
        """Nothing: an empty amount is refused with its reason."""


class ChosenReason(forms.ChoiceField):
    """A reason from the list, none preselected."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("", gettext_lazy("Choose a reason")), *Reason.choices], **kwargs)

    def validate(self, value: Any) -> None:
        """Nothing: a missing or unknown reason is refused with its reason."""


class BuyerForm(forms.Form):
    """How much the buyer wants back, and why."""

    amount = AmountField(label=gettext_lazy("Negotiated refund amount"))
    reason = ChosenReason(label=gettext_lazy("Reason"))
    text = forms.CharField(
        label=gettext_lazy("Description"),
        required=False,
        help_text=gettext_lazy("Needed with the reason Other. The seller reads it."),
        widget=forms.Textarea(attrs={"rows": 4, "maxlength": MAX_CHARACTERS}),
    )
    contact = forms.BooleanField(
        label=gettext_lazy(
            "Provide your contact information in your account to the seller so they can contact you for any "
            "unsubscription problems"
        ),
        help_text=gettext_lazy(
            "It counts for the order, whatever becomes of this request, until you take it back under Agreements."
        ),
        required=False,
    )

    def __init__(self, *args: Any, limit: Money, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limit = limit
        self.fields["amount"].help_text = gettext_lazy("More than 0 and at most the actual payment, %(limit)s.") % {
            "limit": limit
        }

    def clean_amount(self) -> Money:
        """The amount in the currency of the order."""
        try:
            return amounts.parse(self.cleaned_data["amount"], currency=self.limit.currency)
        except Refused as refused:
            raise _error(refused) from None

    def clean(self) -> dict[str, Any]:
        """The reason, and a text where it needs one."""
        entered = super().clean() or self.cleaned_data
        reason, text = entered.get("reason", ""), entered.get("text", "")
        if reason not in Reason.values:
            self.refuse(Refused("unsub_reason_needed", field="reason"))
        elif reason == Reason.OTHER and not text.strip() and "text" not in self.errors:
            self.refuse(Refused("unsub_text_needed", field="text"))
        if len(text) > MAX_CHARACTERS:
            self.refuse(Refused("text_too_long", field="text", limit=MAX_CHARACTERS, length=len(text)))
        if self.errors and "amount" in entered:
            self.is_within_limit()
        return entered

    def is_within_limit(self) -> bool:
        """Whether the amount is at most the actual payment; more becomes an error."""
        try:
            amounts.check(self.cleaned_data["amount"], limit=self.limit)
        except Refused as refused:
            self.refuse(refused)
        return not self.errors

    @property
    def reason_label(self) -> Any:
        """The chosen reason as the confirmation repeats it."""
        return Reason(self.cleaned_data["reason"]).label

    def refuse(self, refused: Refused) -> None:
        """Make a refusal the error of its field, or of the form."""
        self.add_error(refused.field if refused.field in self.fields else None, _error(refused))


def _error(refused: Refused) -> forms.ValidationError:
    return forms.ValidationError(refused.sentence, code=refused.code)
