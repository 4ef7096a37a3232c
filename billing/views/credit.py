"""Credit statements: what was used of the platform credit by month, until when it is to be repaid, what was repaid."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Q
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.models import Charge, CreditStatement
from billing.operations import reading
from billing.rules.bills import overdue_until
from billing.states import StatementState
from billing.views.bills import order_address
from billing.views.framing import billing_parent, framed
from koogallery import clock
from koogallery.kernel.lists import Action, Column, DateRangeFilter, Empty, ListPage, Search, Tab, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import page


def repay_address(statement: CreditStatement) -> str:
    """The page that repays a statement, and those before it."""
    return f"{reverse('billing:repay')}?statement={statement.number}"


def _row_actions(statement: CreditStatement, request: HttpRequest) -> list[Action]:
    details = Action(_("Details"), statement.get_absolute_url())
    if statement.repaid_at is not None:
        return [details]
    refused = may(request.call, "repayCredit")
    return [Action(_("Repay"), repay_address(statement), refused=refused), details]


def _open(request: HttpRequest) -> Q:
    return Q(repaid_at=None, due_at__gt=overdue_until(request.call.at))


def _overdue(request: HttpRequest) -> Q:
    return Q(repaid_at=None, due_at__lte=overdue_until(request.call.at))


STATEMENTS = ListPage(
    name="credit_statements",
    caption=gettext_lazy("Credit statements"),
    columns=(
        Column(
            "number", gettext_lazy("Statement No."), link=CreditStatement.get_absolute_url, mono=True, hideable=False
        ),
        Column("month", gettext_lazy("Month"), value=lambda row: f"{row.month:%Y-%m}", sort="month"),
        Column("state", gettext_lazy("Status"), value=lambda row: row.state_at(clock.now())),
        Column("generated", gettext_lazy("Generated"), value="generated_at", sort="generated_at", shown=False),
        Column("due", gettext_lazy("Due"), value="due_at", sort="due_at"),
        Column("amount", gettext_lazy("Amount"), value="money", sort="amount", numeric=True),
        Column("repaid", gettext_lazy("Repaid"), value="repaid_money", numeric=True),
        Column("outstanding", gettext_lazy("To repay"), value="outstanding", numeric=True, strong=True),
        Column("repaid_on", gettext_lazy("Repaid on"), value="repaid_at", sort="repaid_at", shown=False),
        actions(_row_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("open", StatementState.OPEN.label, _open),
        Tab("overdue", StatementState.OVERDUE.label, _overdue),
        Tab("repaid", StatementState.REPAID.label, Q(repaid_at__isnull=False, repaid=F("amount"))),
    ),
    filters=(DateRangeFilter("due", gettext_lazy("Due"), field="due_at"),),
    search=Search(("number",), placeholder=gettext_lazy("Statement No.")),
    default_sort="-month",
    empty=Empty(
        gettext_lazy("No credit statements yet"),
        gettext_lazy("What is used of the platform credit in a month is stated on the 3rd of the next one."),
        gettext_lazy("Billing Overview"),
        "/console/billing/",
    ),
)


@page(audience="buyer", operations=["queryBilling"])
def statements(request: HttpRequest) -> HttpResponseBase:
    """Every statement of the account's platform credit."""
    call = request.call
    reading.query_billing(call)
    context = {"page": framed(_("Credit statements"), billing_parent()), "may_repay": may(call, "repayCredit")}
    return STATEMENTS.respond(
        request, queries.statements_of(call.account.pk), "billing/credit_statements.html", context
    )


LINES = ListPage(
    name="credit_statement_lines",
    caption=gettext_lazy("What was charged to the credit"),
    columns=(
        Column("number", gettext_lazy("Bill No."), link=Charge.get_absolute_url, mono=True, hideable=False),
        Column("at", gettext_lazy("Time"), sort="at"),
        Column("kind", gettext_lazy("Kind"), value=lambda charge: charge.kind_enum),
        Column("description", gettext_lazy("Product"), value="product"),
        Column(
            "order_number", gettext_lazy("Order No."), link=lambda charge: order_address(charge.order_number), mono=True
        ),
        Column("customer", gettext_lazy("Customer"), value="customer.name", shown=False),
        Column("amount", gettext_lazy("Amount"), value="money", sort="amount", numeric=True, strong=True),
    ),
    default_sort="-at",
    empty=Empty(
        gettext_lazy("Nothing was charged in this time"),
        gettext_lazy("The statement holds what was used before and not stated then."),
    ),
)


@page(audience="buyer", operations=["queryBilling"])
def statement(request: HttpRequest, number: str) -> HttpResponseBase:
    """One statement: what it holds, how it came about, until when it is to be repaid."""
    call = request.call
    reading.query_billing(call)
    found = queries.statements_of(call.account.pk).filter(number=number).first()
    if found is None:
        raise Http404
    charged = queries.charged_for(found)
    context: dict[str, Any] = {
        "page": framed(
            _("Credit statement %(month)s") % {"month": f"{found.month:%Y-%m}"},
            billing_parent(),
            (_("Credit statements"), reverse("billing:credit_statements")),
        ),
        "statement": found,
        "state": found.state_at(call.at),
        "charged": charged,
        "settled_before": found.money - charged,
        "repay_address": repay_address(found),
        "may_repay": may(call, "repayCredit"),
    }
    return LINES.respond(request, queries.charges_behind(found), "billing/credit_statement.html", context)
