"""Made-up values for the style guide: enough to show every component in its states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, Value
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from koogallery import clock
from koogallery.kernel import display, files
from koogallery.kernel.charts import Point
from koogallery.kernel.display import MONTHS
from koogallery.kernel.lists import (
    Action,
    Bulk,
    ChoiceFilter,
    Column,
    DateRangeFilter,
    Empty,
    ListPage,
    Search,
    Tab,
    TextFilter,
    actions,
)
from koogallery.kernel.money import Money

NAMES = (
    "InkRoute",
    "Relata CRM",
    "Postgres Ready",
    "ColdKeep",
    "Deskly",
    "Harbor ERP",
    "Cloud Migration",
    "云数据库 备份",
)
STATES = (("Enabled", "success"), ("Grace period", "warning"), ("Retention period", "danger"), ("Processing", "info"))


def usd(amount: str) -> Money:
    """An amount in US dollars."""
    return Money(Decimal(amount), "USD")


def name_of(row: Any) -> str:
    return NAMES[row.pk % len(NAMES)]


def row_actions(row: Any, request: HttpRequest) -> list[Action]:
    """A link, a disabled control, and a menu with a confirmed danger."""
    return [
        Action(_("Resource Details"), "#details"),
        Action(_("Renew"), "#renew", reason=_("The product left the catalogue.") if row.pk % 3 == 0 else ""),
        Action(_("Edit tags"), "#tags"),
        Action(
            _("Disable"), "#disable", post=True, danger=True, confirm=_("The app stops at once and keeps its data.")
        ),
    ]


SAMPLE_LIST = ListPage(
    name="sample",
    caption=_("Purchased Apps"),
    columns=(
        Column("product", _("Product"), html=lambda row: display.product_html(name_of(row), url="#p"), hideable=False),
        Column("number", _("Order No."), value=lambda row: f"CS26{row.pk:010d}", link=lambda row: "#o", mono=True),
        Column("model", _("Specification"), value="model", sort="model", note=lambda row: row.app_label),
        Column(
            "state",
            _("Status"),
            html=lambda row: display.badge_html(STATES[row.pk % 4][0], tone=STATES[row.pk % 4][1]),
            csv=lambda row: STATES[row.pk % 4][0],
        ),
        Column("expires", _("Expires"), value=lambda row: clock.now() + timedelta(days=row.pk % 60), sort="id"),
        Column("paid", _("Actual payment"), value=lambda row: usd(f"{row.pk * 137}.5"), numeric=True, sort="id"),
        Column("hidden", _("Enterprise project"), value="app_label", shown=False),
        actions(row_actions),
    ),
    tabs=(
        Tab("all", _("In use")),
        Tab("auth", _("In delivery"), Q(app_label="auth")),
        Tab("none", _("Closed"), Q(pk__lt=0), empty=Empty(_("Nothing is closed"), _("Closed apps are kept here."))),
    ),
    filters=(
        ChoiceFilter("app", _("Delivery method"), (("auth", "SaaS"), ("admin", _("Image"))), field="app_label"),
        DateRangeFilter("bought", _("Bought"), field="bought_at"),
        TextFilter("model", _("Specification")),
    ),
    search=Search(("model", "app_label"), placeholder=_("Product, specification, order No.")),
    default_sort="model",
    empty=Empty(_("No apps yet"), _("What you buy appears here."), _("Browse products"), "/products/"),
    selectable=lambda row: str(row.pk),
    bulk=(Bulk(_("Renew"), "#renew"),),
)


class SampleForm(forms.Form):
    """Every kind of field."""

    name = forms.CharField(label=_("Account name"), help_text=_("4 to 32 letters, digits, hyphens."), max_length=32)
    email = forms.EmailField(label=_("E-mail"))
    password = forms.CharField(label=_("Password"), widget=forms.PasswordInput)
    method = forms.ChoiceField(label=_("Delivery method"), choices=(("", "–"), ("saas", "SaaS"), ("image", _("Image"))))
    quantity = forms.IntegerField(label=_("Users"), min_value=1, required=False, help_text=_("1 to 5,000"))
    start = forms.DateField(label=_("From"), widget=forms.DateInput(attrs={"type": "date"}), required=False)
    duration = forms.ChoiceField(
        label=_("Required Duration"), widget=forms.RadioSelect, choices=((1, _("1 month")), (12, _("1 year")))
    )
    reason = forms.CharField(label=_("Reason"), widget=forms.Textarea, max_length=1000, required=False)
    attachment = files.FilesField(label=_("Attachment"))
    terms = forms.BooleanField(label=_("I have read and agree to the terms."))


@dataclass(frozen=True)
class Line:
    label: str
    value: str
    formula: str = ""


class SampleExplanation:
    """Speaks as billing's explanations do."""

    def fact_lines(self) -> list[Line]:
        return [Line("Users", "40"), Line("Band", "20 – 99")]

    def lines(self) -> list[Line]:
        return [
            Line("Unit price of the band", "USD 30.00"),
            Line("Price × quantity × years", "USD 1,200.00", "30.00 × 40 × 1"),
            Line("To pay", "USD 1,200.00"),
        ]


@dataclass(frozen=True)
class Card:
    name: str
    seller: str
    line: str
    delivery: str
    price: Money | None
    price_prefix: str = ""
    price_unit: str = ""
    url: str = "#card"
    logo_url: str = ""


CARDS = (
    Card(
        "InkRoute",
        "Aldona Soft",
        "Document workflow for teams: review, sign, archive, with an audit trail of every version.",
        "SaaS",
        usd("25"),
        "from",
        "/ month",
    ),
    Card(
        "Postgres Ready",
        "Kestrel Systems",
        "Hardened PostgreSQL image with backups, pooling and monitoring set up on first start.",
        "Image",
        usd("0.12"),
        "from",
        "/ hour",
    ),
    Card(
        "Harbor ERP",
        "Aldona Soft",
        "ERP introduced in three delivered milestones; you accept each before the next is billed.",
        "SaaS · supervised",
        usd("36000"),
    ),
    Card(
        "ColdKeep",
        "Coldwork",
        "Encrypted database archive, licensed per year with delivery proof and product guide.",
        "License",
        usd("640"),
        "",
        "/ year",
    ),
    Card(
        "Cloud Migration",
        "Kestrel Systems",
        "Assessment, move and hand-over of up to 40 servers by certified engineers.",
        "Professional service",
        usd("7200"),
    ),
    Card(
        "Relata CRM",
        "Aldona Soft",
        "Customer relations for growing teams. The unit price falls as the team grows.",
        "SaaS",
        usd("22"),
        "from",
        "/ user and year",
    ),
)


def points() -> list[Point]:
    """Twelve months with a forecast."""
    values = (120, 180, 140, 260, 300, 280, 420, 390, 510, 480, 620, 560)
    return [
        Point(name, value, str(usd(str(value))), expected=name == "Dec")
        for name, value in zip(MONTHS, values, strict=True)
    ]


def steps() -> list[dict[str, Any]]:
    """A flow in its fourth step."""
    return [
        {"label": _("Customer submits request"), "note": "Feb 01, 09:40 · mei", "state": "done"},
        {"label": _("Seller accepts request"), "note": "Feb 03, 10:12 · Aldona", "state": "done"},
        {"label": _("Seller provides service"), "note": "Feb 09, 16:05 · Aldona", "state": "done"},
        {"label": _("Customer accepts service"), "note": _("your turn"), "state": "current"},
        {"label": _("Service completed"), "note": _("3 hours after acceptance"), "state": "upcoming"},
    ]


def entries() -> list[dict[str, Any]]:
    """A short history."""
    now = clock.now()
    return [
        {"title": _("Order paid"), "at": now, "actor": "mei", "tone": "success", "text": "USD 1,200.00"},
        {"title": _("Order placed"), "at": now - timedelta(hours=2), "actor": "mei", "tone": "accent"},
        {"title": _("Quote made"), "at": now - timedelta(hours=3)},
    ]


def rows(count: str) -> Any:
    """None, one or all of the sample rows."""
    queryset = ContentType.objects.annotate(bought_at=Value(clock.now()))
    if count == "0":
        return queryset.filter(pk__lt=0)
    if count == "1":
        return queryset.filter(app_label="sessions", model="session")
    return queryset


def long_text() -> Any:
    """Markup that a sanitised introduction may hold."""
    return format_html(
        "<h2>{}</h2><p>{}</p><ul><li>{}</li><li>{}</li></ul>", "What it does", "Text " * 40, "One", "Two"
    )
