"""HTTP in, clean values out: the confirmation, the payment, the search of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What was entered on the confirmation page; whether it will do is the operation's to say."""

    project: str
    tags: dict[str, str]
    agreed: tuple[str, ...]
    consent: bool

    @classmethod
    def of(cls, posted: QueryDict) -> Confirmation:
        """The entries of a posted confirmation."""
        ticked = tuple(subject[:120] for subject in posted.getlist("agreements")[:20])
        return cls(
            project=posted.get("project", "")[:64],
            tags=dict(_pairs(posted)),
            agreed=(*ticked, "terms") if posted.get("terms") else ticked,
            consent=bool(posted.get("consent")),
        )


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


class ExpirationForm(forms.Form):
    """What happens when the term of a resource ends."""

    policy = forms.ChoiceField(label=_("Expiration policy"), widget=forms.RadioSelect)

    def __init__(self, *args: Any, choices: Sequence[tuple[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["policy"].choices = list(choices)  # type: ignore[attr-defined]


class ResourceTagsForm(forms.Form):
    """The tags of a resource, a row each."""

    def __init__(self, *args: Any, tags: Mapping[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["tags"] = forms.CharField(label=_("Tags"), required=False)
        self.current = dict(tags)

    @property
    def rows(self) -> list[tuple[str, str]]:
        """The tags as entered or as they are, with an empty row to fill."""
        rows = _pairs(self.data) if self.is_bound else list(self.current.items())
        return [*rows, ("", "")][:PER_RESOURCE]

    @property
    def tags(self) -> dict[str, str]:
        """The tags that were entered."""
        return dict(_pairs(self.data))
