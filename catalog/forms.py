"""HTTP in, clean values out: the list's filters, the demand form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from urllib.parse import urlencode

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from catalog.queries import storefront
from catalog.rules.facets import Selection
from catalog.states import BillingMode, DeliveryMethod

PRICE = re.compile(r"\d{1,9}(\.\d{1,4})?")
SCALE = 10_000
MOST_PAGES = 500


@dataclass(frozen=True, kw_only=True)
class ListState:
    """What the address of the product list says; values it does not know are left out."""

    query: str = ""
    category: str = ""
    methods: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    seller: str = ""
    supervised: str = ""
    trial: bool = False
    price_from: str = ""
    price_to: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def read(cls, data: QueryDict) -> ListState:
        """The state of a query string."""
        number = data.get("page", "1")
        return cls(
            query=" ".join(data.get("q", "").replace("\x00", " ").split())[:100],
            category=data.get("category", "")[:60],
            methods=tuple(dict.fromkeys(each for each in data.getlist("method") if each in DeliveryMethod.values)),
            modes=tuple(dict.fromkeys(each for each in data.getlist("mode") if each in BillingMode.values)),
            seller=data.get("seller", "")[:80],
            supervised=data.get("supervised", "") if data.get("supervised", "") in ("yes", "no") else "",
            trial=data.get("trial", "") == "yes",
            price_from=data.get("price_from", "") if PRICE.fullmatch(data.get("price_from", "")) else "",
            price_to=data.get("price_to", "") if PRICE.fullmatch(data.get("price_to", "")) else "",
            sort=data.get("sort", "")[:20],
            page=min(int(number), MOST_PAGES) if re.fullmatch(r"\d{1,4}", number) and int(number) else 1,
        )

    def selection(self) -> Selection:
        """The filters as search takes them; an unknown category or seller selects nothing."""
        category = storefront.category_by_code(self.category) if self.category else None
        return Selection(
            category=category.pk if category else (-1 if self.category else 0),
            methods=frozenset(self.methods),
            modes=frozenset(self.modes),
            supervised={"yes": True, "no": False}.get(self.supervised),
            trial=self.trial,
            seller=(storefront.seller_id_by_slug(self.seller) or -1) if self.seller else 0,
            price_from=int(Decimal(self.price_from) * SCALE) if self.price_from else None,
            price_to=int(Decimal(self.price_to) * SCALE) if self.price_to else None,
        )

    @cached_property
    def _values(self) -> dict[str, tuple[str, ...]]:
        """The state by parameter, without the page."""
        single = {
            "q": self.query,
            "category": self.category,
            "seller": self.seller,
            "supervised": self.supervised,
            "trial": "yes" if self.trial else "",
            "price_from": self.price_from,
            "price_to": self.price_to,
            "sort": self.sort,
        }
        return {"method": self.methods, "mode": self.modes} | {
            name: (value,) if value else () for name, value in single.items()
        }

    @cached_property
    def _encoded(self) -> dict[str, str]:
        return {name: _pairs(name, values) for name, values in self._values.items()}

    def without(self, *names: str) -> list[tuple[str, str]]:
        """The state as hidden fields of a form that asks for some parameters itself, on the first page."""
        return [(name, value) for name, values in self._values.items() if name not in names for value in values]

    def url(self, path: str, **changed: object) -> str:
        """The address of this state with some of it changed; a change goes back to the first page."""
        parts = dict(self._encoded)
        if not changed and self.page > 1:
            changed = {"page": self.page}
        for name, value in changed.items():
            parts[name] = _pairs(name, value if isinstance(value, tuple) else (value,))
        query = "&".join(part for part in parts.values() if part)
        return f"{path}?{query}" if query else path

    @cached_property
    def _query(self) -> str:
        return "&".join(part for part in self._encoded.values() if part)

    def page_url(self, path: str, number: int) -> str:
        """The address of another page of this state."""
        query = self._query
        if number > 1:
            query = f"{query}&page={number}" if query else f"page={number}"
        return f"{path}?{query}" if query else path

    def toggled(self, name: str, values: tuple[str, ...], value: str) -> Mapping[str, tuple[str, ...]]:
        """The change that adds or removes one of several values."""
        kept = tuple(each for each in values if each != value)
        return {name: kept if value in values else (*values, value)}


def _pairs(name: str, values: tuple[object, ...]) -> str:
    return urlencode([(name, str(value)) for value in values if value not in ("", None)])


class DemandForm(forms.Form):
    """ "Not found what you need?" """

    subject = forms.CharField(label=_("What do you need?"), max_length=120)
    description = forms.CharField(
        label=_("Requirement Description"),
        max_length=4000,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("What it should do, for how many people, by when."),
    )
    company = forms.CharField(label=_("Company"), required=False, max_length=120)
    contact = forms.CharField(label=_("Contact person"), required=False, max_length=120)
    phone = forms.CharField(
        label=_("Phone number"), required=False, max_length=40, widget=forms.TextInput(attrs={"type": "tel"})
    )
    email = forms.EmailField(label=_("Your e-mail address"))
    searched_for = forms.CharField(required=False, max_length=120, widget=forms.HiddenInput)
