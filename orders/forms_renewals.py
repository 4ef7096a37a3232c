"""HTTP in, clean values out: renewing a resource, several at once, and by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from orders.operations.auto_renewing import Chosen

RENEWAL_FIELDS = ("length", "unified", "change", "target", "quantity")
MAX_VALUE = 64
DAYS = (*range(1, 29), 31)
MOST_TIMES = 99


def renewal_of(posted: QueryDict | Mapping[str, str]) -> dict[str, str]:
    """The fields of a renewal in a request, and nothing else."""
    return {name: str(posted[name])[:MAX_VALUE] for name in RENEWAL_FIELDS if posted.get(name)}


def quoted_form(asked: Mapping[str, str]) -> dict[str, str]:
    """What a quote is asked for: target and quantity count only while **Change upon Renewal** is on."""
    names = RENEWAL_FIELDS if asked.get("change") else ("length", "unified")
    return {name: asked[name] for name in names if name != "change" and asked.get(name)}


def unified_choices() -> list[tuple[str, Any]]:
    """The days on which a unified renewal date may be."""
    days: list[tuple[str, Any]] = [("", _("None: keep the day of the month"))]
    days += [(str(day), _("Day %(day)d of the month") % {"day": day}) for day in DAYS[:-1]]
    return [*days, (str(DAYS[-1]), _("Last day of the month"))]


class RenewalForm(forms.Form):
    """For how long a resource is renewed, until which day, and what it becomes; the quote decides what will do."""

    length = forms.ChoiceField(label=_("Renewal length"), widget=forms.RadioSelect, required=False)
    unified = forms.ChoiceField(label=_("Unified renewal date"), required=False)
    change = forms.BooleanField(label=_("Change upon Renewal"), required=False)
    target = forms.ChoiceField(label=_("Specification"), widget=forms.RadioSelect, required=False)
    quantity = forms.CharField(label=_("Quantity"), required=False)

    def __init__(
        self,
        *args: Any,
        lengths: Sequence[tuple[str, Any]] = (),
        targets: Sequence[tuple[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["length"].choices = list(lengths)  # type: ignore[attr-defined]
        self.fields["unified"].choices = unified_choices()  # type: ignore[attr-defined]
        self.fields["target"].choices = list(targets)  # type: ignore[attr-defined]

    def clean_nothing(self) -> None:
        """Bring the form into a state in which errors can be added: the quote checks its values."""
        self.is_valid()
        self.errors.clear()


class AutoRenewalForm(forms.Form):
    """How a resource renews itself."""

    length = forms.ChoiceField(label=_("Renewal period"))
    times = forms.IntegerField(
        label=_("Number of renewals"),
        required=False,
        min_value=1,
        max_value=MOST_TIMES,
        help_text=_("1 to 99. Leave empty for unlimited."),
    )
    days_before = forms.TypedChoiceField(label=_("Deduction day"), coerce=int)
    method = forms.ChoiceField(
        label=_("Payment method"),
        widget=forms.RadioSelect,
        help_text=_("Only this one is charged, never another."),
        error_messages={"required": _("Choose a payment method.")},
    )

    def __init__(
        self,
        *args: Any,
        lengths: Sequence[tuple[str, Any]] = (),
        days: Sequence[tuple[str, Any]] = (),
        methods: Sequence[tuple[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        for name, choices in (("length", lengths), ("days_before", days), ("method", methods)):
            self.fields[name].choices = list(choices)  # type: ignore[attr-defined]

    @property
    def chosen(self) -> Chosen:
        """What was entered."""
        return Chosen(
            length=self.cleaned_data["length"],
            times=self.cleaned_data["times"],
            days_before=self.cleaned_data["days_before"],
            method=self.cleaned_data["method"],
        )


class BatchForm(forms.Form):
    """What is common to the resources that are renewed together."""

    all_length = forms.ChoiceField(label=_("Length for all"), required=False)
    unified = forms.ChoiceField(label=_("Unified renewal date"), required=False)

    def __init__(self, *args: Any, lengths: Sequence[tuple[str, Any]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["all_length"].choices = [("", _("Each its own")), *lengths]  # type: ignore[attr-defined]
        self.fields["unified"].choices = unified_choices()  # type: ignore[attr-defined]
