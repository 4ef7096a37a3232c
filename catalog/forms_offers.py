"""HTTP in, clean values out: the form of a private offer with its configuration and milestones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.models import PrivateOffer, Product
from catalog.operations.offers import OfferTerms
from catalog.rules.offers import FEWEST_MILESTONES, MOST_MILESTONES, MilestoneTerms
from koogallery import clock
from koogallery.kernel.reasons import Refused

YES, NO = "yes", "no"
CONFIGURED = {"specification", "plan", "term", "items", "quantity"}
ROW_FIELD = re.compile(r"milestone-(\d{1,3})-(name|delivery|share)")
ROW_FIELDS = ("name", "delivery", "share")
MOST_ROWS = 20
"""Rows that a form keeps; more than `MOST_MILESTONES` are refused."""
LONGEST = 1_000


def day_input() -> forms.DateInput:
    """The browser's own date picker."""
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


class OfferForm(forms.Form):
    """The terms of an offer without its configuration and milestones; what may be agreed on, the rules say."""

    use_required_attribute = False

    name = forms.CharField(
        label=gettext_lazy("Offer name"), max_length=100, help_text=gettext_lazy("Shown to the buyer.")
    )
    account = forms.CharField(
        label=gettext_lazy("Customer account"),
        max_length=64,
        help_text=gettext_lazy("The customer's account ID or its exact name. Ask the customer for it."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    product = forms.ChoiceField(label=gettext_lazy("Product"))
    share = forms.DecimalField(
        label=gettext_lazy("Discount"),
        required=False,
        max_digits=12,
        help_text=gettext_lazy("The share that is paid: 0.90 is 10 % off."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "short", "maxlength": 12}),
    )
    fixed_price = forms.DecimalField(
        label=gettext_lazy("Fixed price"),
        required=False,
        max_digits=19,
        help_text=gettext_lazy("For the whole order, instead of a discount."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "short", "maxlength": 20}),
    )
    valid_from = forms.DateField(
        label=gettext_lazy("Valid from"), widget=day_input(), help_text=gettext_lazy("From 00:00:00 of this day.")
    )
    valid_to = forms.DateField(
        label=gettext_lazy("Valid to"), widget=day_input(), help_text=gettext_lazy("Until 23:59:59 of this day.")
    )
    uses = forms.IntegerField(
        label=gettext_lazy("Number of uses"),
        initial=1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "class": "short", "maxlength": 4}),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("The buyer reads it."),
    )
    involves_milestones = forms.ChoiceField(
        label=gettext_lazy("Involve milestones"),
        choices=((NO, gettext_lazy("No")), (YES, gettext_lazy("Yes"))),
        initial=NO,
        widget=forms.RadioSelect,
        help_text=gettext_lazy(
            "The buyer pays bill by bill. For SaaS, licenses and professional services with supervised delivery at a "
            "one-time price, and for one order."
        ),
    )

    def __init__(self, *args: Any, products: Sequence[Product], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = [(each.code, each.label) for each in products]
        self.fields["product"].widget.choices = self.fields["product"].choices = [  # type: ignore[attr-defined]
            ("", _("Choose a product")),
            *known,
        ]
        self.fields["uses"].help_text = _("How many orders the buyer may place with it, 1 to %(most)s.") % {
            "most": settings.OFFER_MOST_USES
        }


class MilestoneForm(forms.Form):
    """One row of the milestones."""

    use_required_attribute = False

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    delivery = forms.CharField(
        label=gettext_lazy("Delivery description"), max_length=500, widget=forms.Textarea(attrs={"rows": 2})
    )
    share = forms.DecimalField(
        label=gettext_lazy("Share in percent"),
        max_digits=12,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "short", "maxlength": 12}),
    )


@dataclass
class OfferEntry:
    """Everything that the form of an offer holds, as it was typed.

    `values` are the fields of `OfferForm`, `configuration` those of the configurator, `rows` the milestones in order.
    With `is_unconfigured` the product was chosen last, without JavaScript, and its configuration was not yet shown.
    """

    products: Sequence[Product]
    values: dict[str, str]
    configuration: dict[str, str]
    rows: list[dict[str, str]]
    is_unconfigured: bool = False
    refused: Refused | None = None
    is_checked: bool = False
    form: OfferForm = field(init=False)
    row_forms: list[MilestoneForm] = field(init=False)

    def __post_init__(self) -> None:
        self._make_forms()

    @classmethod
    def blank(cls, products: Sequence[Product], *, today: str, product: str = "") -> OfferEntry:
        """A new offer, valid from today, of a product or the only one."""
        first = products[0].code if len(products) == 1 else ""
        values = {"valid_from": today, "uses": "1", "involves_milestones": NO, "product": product or first}
        return cls(products, values, {}, [_blank_row() for _number in range(FEWEST_MILESTONES)])

    @classmethod
    def posted(cls, products: Sequence[Product], data: QueryDict) -> OfferEntry:
        """What a form sent."""
        values = {name: data.get(name, "")[: LONGEST + 1] for name in OfferForm.base_fields}
        configuration = {
            name[:60]: value[:60]
            for name, value in data.items()
            if isinstance(value, str) and (name in CONFIGURED or name.startswith("attr_"))
        }
        if data.get("configured", values["product"]) != values["product"]:
            configuration, is_unconfigured = {}, True
        else:
            is_unconfigured = False
        rows: dict[int, dict[str, str]] = {}
        for name, value in data.items():
            if (found := ROW_FIELD.fullmatch(name)) and isinstance(value, str):
                rows.setdefault(int(found[1]), _blank_row())[found[2]] = value[: LONGEST + 1]
        kept = [rows[number] for number in sorted(rows)][:MOST_ROWS]
        return cls(products, values, configuration, kept, is_unconfigured=is_unconfigured)

    @classmethod
    def of_offer(cls, products: Sequence[Product], offer: PrivateOffer) -> OfferEntry:
        """What a draft holds."""
        parts = list(offer.parts.all())
        values = {
            "name": offer.name,
            "account": offer.written_for or offer.account.number,
            "product": offer.product.code,
            "share": _plain(offer.share),
            "fixed_price": _plain(offer.fixed_price),
            "valid_from": clock.platform_date(offer.valid_from).isoformat(),
            "valid_to": clock.platform_date(offer.valid_to).isoformat(),
            "uses": str(offer.uses),
            "note": offer.note,
            "involves_milestones": YES if parts else NO,
        }
        rows = [
            {"name": each.name, "delivery": each.delivery, "share": _plain(each.share_percent)} for each in parts
        ] or [_blank_row() for _number in range(FEWEST_MILESTONES)]
        return cls(products, values, {str(name): str(value) for name, value in offer.form.items()}, rows)

    @property
    def involves_milestones(self) -> bool:
        """Whether the buyer pays in milestones."""
        return self.values.get("involves_milestones") == YES

    @property
    def product(self) -> Product | None:
        """The chosen product, if it is one of the seller's on sale."""
        return next((each for each in self.products if each.code == self.values.get("product")), None)

    @property
    def shares(self) -> list[Decimal | None]:
        """The milestones' shares, where they are numbers; none without milestones."""
        return [decimal_of(row["share"]) for row in self.rows] if self.involves_milestones else []

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The whole entry as fields of a form."""
        pairs = [*self.values.items(), *self.configuration.items()]
        if self.involves_milestones:
            pairs += [(f"milestone-{index}-{name}", row[name]) for index, row in enumerate(self.rows) for name in row]
        return pairs

    @property
    def may_add(self) -> bool:
        """Whether another milestone may be added."""
        return len(self.rows) < MOST_MILESTONES

    @property
    def may_remove(self) -> bool:
        """Whether a milestone may be taken away."""
        return len(self.rows) > FEWEST_MILESTONES

    def add_row(self) -> None:
        """Append a milestone, and with it choose milestones."""
        if self.may_add:
            self.rows.append(_blank_row())
        self.values["involves_milestones"] = YES
        self._make_forms()

    def remove_row(self, index: int) -> None:
        """Take a milestone away."""
        if self.may_remove and 0 <= index < len(self.rows):
            del self.rows[index]
        self._make_forms()

    def is_valid(self) -> bool:
        """Whether every field can be read; faults stand at their fields."""
        self.is_checked = True
        self._make_forms()
        readable = [self.form.is_valid()]
        if self.involves_milestones:
            readable += [row.is_valid() for row in self.row_forms]
        if self.is_unconfigured and self.product is not None:
            self.form.add_error("product", _("Now choose the configuration of the product."))
            return False
        return all(readable)

    def terms(self) -> OfferTerms:
        """The terms as written. Raises `Refused("milestone_count")` when milestones are wanted and none is there."""
        entered = self.form.cleaned_data
        if self.involves_milestones and not self.rows:
            raise Refused("milestone_count", field="milestones", fewest=FEWEST_MILESTONES, most=MOST_MILESTONES)
        return OfferTerms(
            name=entered["name"],
            account=entered["account"],
            product=entered["product"],
            form=dict(self.configuration),
            share=entered["share"],
            fixed_price=entered["fixed_price"],
            valid_from=entered["valid_from"],
            valid_to=entered["valid_to"],
            uses=entered["uses"],
            note=entered["note"],
            milestones=tuple(MilestoneTerms(**row.cleaned_data) for row in self.row_forms)
            if self.involves_milestones
            else (),
        )

    def refuse(self, refused: Refused) -> None:
        """Put a refusal at the field that it names; what is about no field of its own stands above the form."""
        self.refused = refused
        error = ValidationError(refused.sentence, code=refused.code)
        row = ROW_FIELD.fullmatch(refused.field)
        if refused.field in self.form.fields:
            self.form.add_error(refused.field, error)
        elif row and int(row[1]) < len(self.row_forms):
            self.row_forms[int(row[1])].add_error(row[2], error)
        elif not (self.milestones_error or self.configuration_error):
            self.form.add_error(None, error)

    @property
    def milestones_error(self) -> str:
        """What is wrong with the milestones together."""
        return self.refused.sentence if self.refused is not None and self.refused.field == "milestones" else ""

    @property
    def configuration_error(self) -> str:
        """What is wrong with the configuration."""
        where = self.refused.field if self.refused is not None else ""
        is_configured = where in CONFIGURED or where.startswith("attr_")
        return self.refused.sentence if self.refused is not None and is_configured else ""

    @property
    def problems(self) -> list[tuple[str, str]]:
        """Every fault with the element it is about, for the summary; empty where it is about none."""
        if not self.is_checked:
            return []
        found = [("", str(error)) for error in self.form.non_field_errors()]
        found += _faults(self.form)
        if text := self.configuration_error:
            found.append(("configuration", text))
        if self.involves_milestones:
            for number, row in enumerate(self.row_forms, 1):
                place = _("Milestone %(number)s") % {"number": number}
                found += [(target, f"{place}, {text}") for target, text in _faults(row)]
        if text := self.milestones_error:
            found.append(("milestones", text))
        return found

    def _make_forms(self) -> None:
        checked = self.is_checked
        self.form = OfferForm(self.values if checked else None, initial=self.values, products=self.products)
        self.row_forms = [
            MilestoneForm(
                {f"milestone-{index}-{name}": value for name, value in row.items()} if checked else None,
                initial=row,
                prefix=f"milestone-{index}",
            )
            for index, row in enumerate(self.rows)
        ]


def decimal_of(text: str) -> Decimal | None:
    """A typed number, or None."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and abs(number) < 10**15 and number.as_tuple().exponent > -12 else None  # type: ignore[operator]


def _faults(form: forms.Form) -> list[tuple[str, str]]:
    return [
        (bound.id_for_label or bound.auto_id, f"{bound.label}: {error}")
        for bound in form.visible_fields()
        for error in bound.errors
    ]


def _blank_row() -> dict[str, str]:
    return dict.fromkeys(ROW_FIELDS, "")


def _plain(number: Decimal | None) -> str:
    return "" if number is None else f"{number.normalize():f}"
