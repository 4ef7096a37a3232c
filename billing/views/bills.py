"""Bills: one line per charge and refund."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.models import Charge
from billing.operations import reading
from billing.rules.explanation import Explanation
from billing.states import ChargeKind, PayMethod
from billing.views.framing import framed
from koogallery.identity.queries import project_names
from koogallery.kernel import display
from koogallery.kernel.lists import (
    Action,
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
from koogallery.kernel.navigation import leads_somewhere
from koogallery.kernel.pages import page, render

ORDERS = "/console/orders/"


def order_address(order_number: str) -> str:
    """The page of an order, which stands above billing; nothing while there is none."""
    return f"{ORDERS}{order_number}/" if leads_somewhere(ORDERS) else ""


def _tags(charge: Charge) -> str:
    return ", ".join(f"{key}={value}" if value else key for key, value in sorted(charge.tags.items()))


def _calculation(charge: Charge) -> str:
    explanation = explanation_of(charge)
    if explanation is None:
        return ""
    return "; ".join(
        f"{line.label}: {line.formula + ' = ' if line.formula else ''}{line.value}" for line in explanation.lines()
    )


def explanation_of(charge: Charge) -> Explanation | None:
    """How the amount of a line that was `explained` came about, if it was stored."""
    stored = charge.explanation  # type: ignore[attr-defined]
    return Explanation.from_json(stored) if stored else None


BILLS = ListPage(
    name="bills",
    caption=gettext_lazy("Bills"),
    columns=(
        Column("number", gettext_lazy("Bill No."), link=Charge.get_absolute_url, mono=True, hideable=False),
        Column("at", gettext_lazy("Time"), sort="at"),
        Column("kind", gettext_lazy("Kind"), value=lambda charge: charge.kind_enum),
        Column("description", gettext_lazy("Product"), value="product"),
        Column(
            "order_number", gettext_lazy("Order No."), link=lambda charge: order_address(charge.order_number), mono=True
        ),
        Column("project", gettext_lazy("Enterprise project"), value=lambda charge: charge.project_code, shown=False),
        Column("tags", gettext_lazy("Tags"), value=_tags, shown=False),
        Column("method", gettext_lazy("Payment method"), value=lambda charge: PayMethod(charge.method).label),
        Column(
            "customer",
            gettext_lazy("Customer"),
            value="customer.name",
            shown=False,
        ),
        Column("calculation", gettext_lazy("Calculation"), value=_calculation, shown=False),
        Column("amount", gettext_lazy("Amount"), value="money", sort="amount", numeric=True, strong=True),
        actions(lambda charge, request: [Action(_("Details"), charge.get_absolute_url())]),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("charges", gettext_lazy("Charges"), Q(kind=ChargeKind.CHARGE)),
        Tab("refunds", gettext_lazy("Refunds"), Q(kind=ChargeKind.REFUND)),
    ),
    filters=(
        DateRangeFilter("at", gettext_lazy("Time"), field="at"),
        ChoiceFilter(
            "project",
            gettext_lazy("Enterprise project"),
            choices=lambda request: sorted(project_names(request.call.account).items()),
            field="project_code",
        ),
        TextFilter("tag", gettext_lazy("Tag"), apply=lambda rows, text: rows.filter(tags__has_key=text)),
    ),
    search=Search(
        ("number", "order_number", "description", "description_zh"),
        placeholder=gettext_lazy("Bill No., Order No., product"),
    ),
    default_sort="-at",
    empty=Empty(
        gettext_lazy("No bills yet"),
        gettext_lazy("What is charged and refunded appears here."),
        gettext_lazy("Browse products"),
        "/products/",
    ),
)


@page(audience="buyer", operations=["queryBillList"])
def bill_list(request: HttpRequest) -> HttpResponseBase:
    """Every charge and refund of the account."""
    reading.query_bills(request.call)
    rows = queries.explained(queries.charges_of(request.call.account.pk)).select_related("customer")
    return BILLS.respond(request, rows, "billing/bills.html", {"page": framed(_("Bills"))})


@page(audience="buyer", operations=["queryBillDetail"])
def bill(request: HttpRequest, number: str) -> HttpResponse:
    """One line of Bills with its calculation."""
    charge = reading.query_bill(request.call, bill=number)
    context = {
        "page": framed(_("Bill %(number)s") % {"number": number}, (_("Bills"), reverse("billing:bills"))),
        "bill": charge,
        "method": PayMethod(charge.method).label,
        "project": project_names(request.call.account).get(charge.project_code, charge.project_code),
        "tags": _tags(charge),
        "explanation": explanation_of(charge),
        "order_address": order_address(charge.order_number),
        "time": display.moment_text(charge.at),
    }
    return render(request, "billing/bill.html", context)
