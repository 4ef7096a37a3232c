"""HTTP in, clean values out: the confirmation, the payment, the search of orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from koogallery.identity.rules.tags import PER_RESOURCE

CONFIGURATION_FIELDS = ("product", "specification", "plan", "term", "items", "quantity", "trial")
MAX_VALUE = 120


def configuration_of(posted: QueryDict) -> dict[str, str]:
    """The configurator's fields in a request, and nothing else."""
    return {
        name: str(value)[:MAX_VALUE]
        for name, value in posted.items()
        if value not in (None, "") and (name in CONFIGURATION_FIELDS or name.startswith("attr_"))
    }


class ConfirmForm(forms.Form):
    """What the confirmation page asks besides its quote; the operation decides, so nothing is required here."""

    project = forms.ChoiceField(label=_("Enterprise project"), required=False)
    consent = forms.BooleanField(label=_("Pass on my contact data"), required=False)
    agreements = forms.MultipleChoiceField(label=_("Agreements"), required=False, widget=forms.CheckboxSelectMultiple)
    terms = forms.BooleanField(label=_("Terms and Conditions"), required=False)

    def __init__(
        self,
        *args: Any,
        projects: Sequence[tuple[str, str]] = (),
        texts: Sequence[tuple[str, str]] = (),
        tags_offered: bool = False,
        contact: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["project"].choices = list(projects)  # type: ignore[attr-defined]
        self.fields["agreements"].choices = list(texts)  # type: ignore[attr-defined]
        if not projects:
            del self.fields["project"]
        if not texts:
            del self.fields["agreements"]
        if not contact:
            del self.fields["consent"]
        self.tags_offered = tags_offered
        if tags_offered:
            self.fields["tags"] = forms.CharField(label=_("Tags"), required=False)

    @property
    def tag_rows(self) -> list[tuple[str, str]]:
        """The tags as entered, with one empty row more when **Add** was pressed."""
        if not self.is_bound:
            return []
        rows = _pairs(self.data)
        return [*rows, ("", "")][:PER_RESOURCE] if "add_tag" in self.data else rows

    @property
    def tags(self) -> dict[str, str]:
        """The tags that were entered."""
        return {key: value for key, value in _pairs(self.data) if key or value} if self.tags_offered else {}

    @property
    def agreed(self) -> list[str]:
        """The subjects of the agreements that were ticked."""
        ticked = list(self.cleaned_data.get("agreements", []))
        return [*ticked, "terms"] if self.cleaned_data.get("terms") else ticked


def _pairs(data: Any) -> list[tuple[str, str]]:
    if not isinstance(data, QueryDict):
        return []
    keys, values = data.getlist("tag_key"), data.getlist("tag_value")
    pairs: Iterable[tuple[str, str]] = zip(keys, values, strict=False)
    return [(key.strip()[:64], value.strip()[:64]) for key, value in pairs if key.strip() or value.strip()][
        : PER_RESOURCE + 1
    ]


class PayForm(forms.Form):
    """Which method pays an order."""

    method = forms.ChoiceField(
        label=_("Payment method"),
        widget=forms.RadioSelect,
        error_messages={"required": _("Choose a payment method.")},
    )

    def __init__(self, *args: Any, methods: Sequence[tuple[str, str]] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["method"].choices = list(methods)  # type: ignore[attr-defined]
