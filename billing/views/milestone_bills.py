"""Milestone Bills: what is due for the milestones of orders, and its repayment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.forms import BillRepayForm
from billing.models import MilestoneBill, Payment
from billing.operations import reading, repaying
from billing.rules.bills import overdue_from, overdue_until
from billing.states import BillState, CreditKind, PaymentState, PayMethod
from billing.views.bills import order_address
from billing.views.framing import framed
from billing.views.overview import say_outcome
from koogallery import clock
from koogallery.kernel.lists import Action, Column, DateRangeFilter, Empty, ListPage, Search, Tab, TextFilter, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import page, render
from koogallery.kernel.reasons import Refused

if TYPE_CHECKING:
    from datetime import datetime

REPAY = "repay-bill"
"""The dialog that repays a bill, also without JavaScript."""


def repay_address(bill: MilestoneBill) -> str:
    """The bill's page with the dialog that repays it open."""
    return f"{bill.get_absolute_url()}?confirm={REPAY}"


def milestone_words(bill: MilestoneBill) -> str:
    """`2 of 3 · Training`."""
    milestone = bill.milestone
    return _("%(position)s of %(count)s · %(name)s") % {
        "position": milestone.position,
        "count": milestone.count,
        "name": milestone.name,
    }


def _row_actions(bill: MilestoneBill, request: HttpRequest) -> list[Action]:
    details = Action(_("Details"), bill.get_absolute_url())
    if not bill.is_unpaid:
        return [details]
    return [Action(_("Repay"), repay_address(bill), refused=may(request.call, "repayMilestoneBill", bill)), details]


def _open(request: HttpRequest) -> Q:
    return Q(ended_at=None, due_at__gt=overdue_until(request.call.at))


def _overdue(request: HttpRequest) -> Q:
    return Q(ended_at=None, due_at__lte=overdue_until(request.call.at))


BILLS = ListPage(
    name="milestone-bills",
    caption=gettext_lazy("Milestone Bills"),
    columns=(
        Column("number", gettext_lazy("Bill No."), link=MilestoneBill.get_absolute_url, mono=True, hideable=False),
        Column(
            "order_number", gettext_lazy("Order No."), link=lambda bill: order_address(bill.order_number), mono=True
        ),
        Column("product", gettext_lazy("Product"), value="milestone.product", note=milestone_words, wide=True),
        Column("milestone", gettext_lazy("Milestone"), value=milestone_words, shown=False),
        Column("state", gettext_lazy("Status"), value=lambda bill: bill.shown_state(clock.now())),
        Column("generated", gettext_lazy("Generated"), value="generated_at", sort="generated_at", shown=False),
        Column("written", gettext_lazy("Written"), value="written_at", sort="written_at", shown=False),
        Column("due", gettext_lazy("Due"), value="due_at", sort="due_at"),
        Column("amount", gettext_lazy("Amount"), value="money", sort="amount", numeric=True, strong=True),
        Column(
            "repaid",
            gettext_lazy("Repaid on"),
            value=lambda bill: bill.ended_at if bill.state == BillState.REPAID else None,
            sort="ended_at",
            shown=False,
        ),
        actions(_row_actions),
    ),
    tabs=(
        Tab("all", gettext_lazy("All")),
        Tab("open", BillState.OPEN.label, _open),
        Tab("overdue", BillState.OVERDUE.label, _overdue),
        Tab("repaid", BillState.REPAID.label, Q(state=BillState.REPAID)),
        Tab("withdrawn", BillState.WITHDRAWN.label, Q(state=BillState.WITHDRAWN)),
    ),
    filters=(
        DateRangeFilter("due", gettext_lazy("Due"), field="due_at"),
        DateRangeFilter("generated", gettext_lazy("Generated"), field="generated_at"),
        TextFilter("product", gettext_lazy("Product"), field="milestone__description"),
    ),
    search=Search(("number", "order_number"), placeholder=gettext_lazy("Bill No., Order No.")),
    default_sort="-generated",
    empty=Empty(
        gettext_lazy("No milestone bills yet"),
        gettext_lazy("An order by a private offer with milestones is billed part by part. Its bills appear here."),
        gettext_lazy("Exclusive Offers"),
        "/console/offers/",
    ),
)


@page(audience="buyer", operations=["queryMilestoneBillList"])
def bill_list(request: HttpRequest) -> HttpResponseBase:
    """Every milestone bill of the account, with what is to be repaid on top."""
    call = request.call
    reading.query_milestone_bills(call, filters=request.GET.dict())
    account = call.account
    context = {
        "page": framed(_("Milestone Bills"), (_("Discounts"), "")),
        "due": SimpleLazyObject(lambda: queries.milestone_bills_due(account, at=call.at)),
        "credit": SimpleLazyObject(lambda: queries.credit(account.pk, CreditKind.MILESTONE)),
    }
    return BILLS.respond(request, queries.milestone_bills_of(account.pk), "billing/milestone_bills.html", context)


@page(audience="buyer", operations=["queryMilestoneBillDetail", "repayMilestoneBill", "startMilestoneRepayment"])
def bill(request: HttpRequest, number: str) -> HttpResponse:
    """One milestone bill, and **Repay**."""
    call = request.call
    found = reading.query_milestone_bill(call, bill=number)
    refused: Refused | None = None
    if request.method == "POST":
        refused = _repay(request, found)
        if refused is None:
            return redirect(found.get_absolute_url())
    methods = queries.repayment_methods(call.account, found.money) if found.is_unpaid else []
    form = BillRepayForm(
        request.POST if request.method == "POST" else None,
        methods=[(method.value, method.label) for method in methods],
        initial={"method": next((method.value for method in methods if method.available), None)},
    )
    if refused is not None and form.is_valid():
        where = refused.field if refused.field in form.fields else None
        form.add_error(where, ValidationError(refused.sentence, code=refused.code))
    payments = queries.payments_of_bill(found)
    pending = next((each for each in payments if each.state == PaymentState.PENDING), None)
    context = {
        "page": framed(_("Milestone bill %(number)s") % {"number": found.number}, (_("Discounts"), ""), list_parent()),
        "bill": found,
        "milestone": found.milestone,
        "state": found.shown_state(call.at),
        "blocks": found.is_overdue(call.at) and queries.blocks_acceptance(found.milestone),
        "order_address": order_address(found.order_number),
        "explanation": found.calculation,
        "timeline": timeline_of(found, payments, at=call.at),
        "pending": pending,
        "repaid_by": repaid_by(found, payments),
        "dialog": REPAY,
        "form": form,
        "methods": methods,
        "chosen": form["method"].value(),
        "is_payable": found.is_unpaid and pending is None,
        "none_available": not any(method.available for method in methods),
        "may_repay": may(call, "repayMilestoneBill", found),
    }
    return render(request, "billing/milestone_bill.html", context)


def repaid_by(bill: MilestoneBill, payments: list[Payment]) -> str:
    """By what a bill was repaid, of the tries to; empty before."""
    repaid = next((each for each in payments if each.number == bill.payment_number), None)
    return str(repaid.card or PayMethod(repaid.method).label) if repaid is not None else ""


def list_parent() -> tuple[str, str]:
    """The breadcrumb of a bill."""
    return _("Milestone Bills"), reverse("billing:milestone_bills")


def _repay(request: HttpRequest, found: MilestoneBill) -> Refused | None:
    """Repay by what was chosen and say what became of it; a refusal that the form is to show."""
    try:
        payment = repaying.repay(request.call, bill=found.number, method=request.POST.get("method", "")[:120])
    except Refused as refused:
        if refused.code not in ("bill_not_open", "payment_in_progress"):
            return refused
        messages.warning(request, refused.sentence)
        return None
    if payment.state == PaymentState.FAILED:
        return Refused("card_declined", field="method")
    say_outcome(request, payment, done=_("%(amount)s were repaid."))
    return None


def timeline_of(bill: MilestoneBill, payments: list[Payment], *, at: datetime) -> list[dict[str, Any]]:
    """What happened to a bill, as the component shows it."""
    entries: list[dict[str, Any]] = [{"title": _("Generated"), "at": bill.generated_at, "text": str(bill.generated)}]
    if bill.was_written_late:
        entries.append({"title": _("Written"), "at": bill.written_at, "text": _("The due date counts from here.")})
    late_from = overdue_from(bill.due_at)
    if late_from <= (bill.ended_at or at):
        entries.append({"title": BillState.OVERDUE.label, "at": late_from, "tone": "danger"})
    for payment in payments:
        by = str(payment.card or PayMethod(payment.method).label)
        if payment.state == PaymentState.FAILED:
            ended_at = payment.finished_at or payment.created_at
            entries.append({"title": _("Payment declined"), "at": ended_at, "text": by, "tone": "danger"})
        elif payment.state == PaymentState.PENDING:
            entries.append({"title": _("Payment is being checked"), "at": payment.created_at, "text": by})
        elif payment.number == bill.payment_number:
            entries.append({"title": BillState.REPAID.label, "at": bill.ended_at or at, "text": by, "tone": "success"})
    if bill.state == BillState.WITHDRAWN:
        entries.append(
            {"title": BillState.WITHDRAWN.label, "at": bill.ended_at or at, "text": _("The order ended before.")}
        )
    return sorted(entries, key=lambda entry: entry["at"])
