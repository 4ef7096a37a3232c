"""HTTP in, clean values out: the confirmation, the payment, the search of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from koogallery.identity.rules.tags import PER_RESOURCE
from koogallery.kernel.reasons import Refused
from orders.saas.activities import PARAMETERS, Activity, InterfaceVersion, Parameter, supports
from orders.saas.order_information import MOCK_ORDERS
from orders.states import PaidBy

CONFIGURATION_FIELDS = ("product", "specification", "plan", "term", "items", "quantity", "trial", "offer")
MAX_VALUE = 120


def configuration_of(posted: QueryDict) -> dict[str, str]:
    """The configurator's fields in a request, and nothing else."""
    return {
        name: str(value)[:MAX_VALUE]
        for name, value in posted.items()
        if value not in (None, "") and (name in CONFIGURATION_FIELDS or name.startswith("attr_"))
    }


class ConfirmForm(forms.Form):
    """What the confirmation page asks besides its quote; the operation decides what will do."""

    project = forms.ChoiceField(label=_("Enterprise project"))
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


class MonthlyForm(forms.Form):
    """How an order with milestones is paid: there is one way, chosen already."""

    method = forms.ChoiceField(
        label=_("Payment method"),
        choices=[(PaidBy.MONTHLY.value, PaidBy.MONTHLY.label)],
        widget=forms.RadioSelect,
        initial=PaidBy.MONTHLY.value,
        required=False,
    )


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


class DebugChoiceForm(forms.Form):
    """Which activity of which product is debugged."""

    product = forms.ChoiceField(label=_("Product"))
    activity = forms.ChoiceField(label=_("Activity"), choices=[(each.value, each.value) for each in Activity])

    def __init__(
        self, *args: Any, products: Sequence[tuple[str, str]], versions: Mapping[str, str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"].choices = list(products)  # type: ignore[attr-defined]
        self.versions = versions

    def clean(self) -> dict[str, Any]:
        """Refuse an activity that the product's version has not."""
        cleaned = super().clean() or {}
        version, activity = self.versions.get(cleaned.get("product", "")), cleaned.get("activity")
        if version and activity and not supports(version=InterfaceVersion(int(version)), activity=Activity(activity)):
            self.add_error("activity", Refused("activity_unknown").sentence)
        return cleaned


class DebugForm(forms.Form):
    """The parameters of one activity in one version, filled with those of a published debug order."""

    def __init__(
        self,
        *args: Any,
        version: InterfaceVersion,
        activity: Activity,
        product_code: str,
        account: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        known = {
            "orderId": MOCK_ORDERS[0],
            "orderLineId": f"{MOCK_ORDERS[0]}-000001",
            "productId": product_code,
            "customerId": account,
            "expireTime": "20991231235959",
        }
        self.names = []
        for parameter in PARAMETERS[version][activity]:
            if parameter.name == "businessId":
                continue
            self.names.append(parameter.name)
            self.fields[parameter.name] = _parameter_field(parameter, initial=known.get(parameter.name, ""))

    @property
    def parameters(self) -> dict[str, str]:
        """What was entered."""
        return {name: self.cleaned_data[name] for name in self.names if self.cleaned_data.get(name)}


def _parameter_field(parameter: Parameter, *, initial: str) -> forms.Field:
    if parameter.choices:
        return forms.ChoiceField(
            label=parameter.name, required=parameter.needed, choices=[(each, each) for each in parameter.choices]
        )
    return forms.CharField(
        label=parameter.name, required=parameter.needed, max_length=parameter.length, initial=initial
    )
