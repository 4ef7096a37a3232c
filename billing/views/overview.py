"""Billing Overview, top-up, repayment and statements."""

from __future__ import annotations

from decimal import Decimal

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing import queries
from billing.forms import RepayForm, TopUpForm
from billing.models import Payment
from billing.operations import crediting, reading, topping_up
from billing.states import CreditKind, PaymentPurpose, PaymentState, PayMethod
from billing.views.framing import billing_parent, framed
from koogallery.identity.states import AccountKind
from koogallery.kernel import display
from koogallery.kernel.charts import Point
from koogallery.kernel.lists import Column, DateRangeFilter, Empty, ListPage, Search
from koogallery.kernel.money import Money
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page, render
from koogallery.tickets.queries.tickets import latest_unfinished
from koogallery.tickets.states import TicketKind

MONTHS_SHOWN = 6
RECENT = 6


@page(audience="buyer", operations=["queryBilling"])
def overview(request: HttpRequest) -> HttpResponse:
    """Balance, credits, cards, what was spent by month, what was charged last."""
    call = request.call
    reading.query_billing(call)
    account = call.account
    spent = queries.spend_by_month(account.pk, currency=account.currency, months=MONTHS_SHOWN, at=call.at)
    statements = queries.open_statements(account.pk)
    credits = queries.credits(account.pk)
    in_milestones = any(credit.kind is CreditKind.MILESTONE for credit in credits)
    context = {
        "page": framed(_("Billing Overview")),
        "balance": queries.balance(account.pk),
        "credits": credits,
        "bills_due": queries.milestone_bills_due(account, at=call.at) if in_milestones else None,
        "statements": [(statement, statement.state_at(call.at)) for statement in statements],
        "cards": queries.cards(account.pk),
        "spent_now": spent[-1].amount,
        "spend": [
            Point(label=f"{month.start:%Y-%m}", value=max(month.amount.amount, Decimal(0)), text=str(month.amount))
            for month in spent
        ],
        "recent": queries.charges_of(account.pk)[:RECENT],
        "is_customer": account.kind == AccountKind.RESELLER_CUSTOMER,
        "is_postpaid": account.kind == AccountKind.POSTPAID,
        "has_credit": any(credit.kind is CreditKind.PLATFORM for credit in credits),
        "asked_for_credit": latest_unfinished(account.pk, TicketKind.CREDIT_PAYMENT),
        "may_ask": may(call, "createTicket"),
        "due_to_platform": queries.reseller_debt(account.pk, account.currency) if account.is_reseller else None,
        "may_top_up": may(call, "topUp"),
        "may_repay": may(call, "repayCredit"),
    }
    return render(request, "billing/overview.html", context)


TOP_UPS = ListPage(
    name="top_ups",
    caption=gettext_lazy("Top-up history"),
    columns=(
        Column("number", gettext_lazy("Payment No."), mono=True, hideable=False),
        Column("created_at", gettext_lazy("Time"), sort="created_at"),
        Column("purpose", gettext_lazy("Purpose"), value=lambda payment: PaymentPurpose(payment.purpose).label),
        Column(
            "method",
            gettext_lazy("Method"),
            value=lambda payment: str(payment.card or PayMethod(payment.method).label),
        ),
        Column("state", gettext_lazy("Status"), value=lambda payment: payment.state_enum),
        Column("note", gettext_lazy("Note")),
        Column("amount", gettext_lazy("Amount"), value="money", sort="amount", numeric=True),
    ),
    filters=(DateRangeFilter("at", gettext_lazy("Time"), field="created_at"),),
    search=Search(("number", "note"), placeholder=gettext_lazy("Payment No., note")),
    default_sort="-created_at",
    empty=Empty(gettext_lazy("No top-ups yet"), gettext_lazy("Money that you put on the balance appears here.")),
)


@page(audience="buyer", operations=["topUp", "queryBilling"])
def top_up(request: HttpRequest) -> HttpResponseBase:
    """Top up by card, with the history below."""
    call = request.call
    reading.query_billing(call)
    account, cards = call.account, queries.cards(call.account.pk)
    form = TopUpForm(request.POST or None, cards=cards, currency=account.currency)
    if request.method == "POST" and form.is_valid():
        payment = attempt(form, lambda: topping_up.top_up(call, amount=form.money, card=form.cleaned_data["card"]))
        if payment is not None:
            say_outcome(request, payment, done=_("%(amount)s were added to your balance."))
            return HttpResponseRedirect(reverse("billing:top_up"))
    context = {
        "page": framed(_("Top up"), billing_parent()),
        "form": form,
        "cards": cards,
        "balance": queries.balance(account.pk),
        "refused": may(call, "topUp"),
        "is_customer": account.kind == AccountKind.RESELLER_CUSTOMER,
    }
    return TOP_UPS.respond(request, queries.top_ups_of(account.pk), "billing/top_up.html", context)


def say_outcome(request: HttpRequest, payment: Payment, *, done: str) -> None:
    """Tell what became of a payment; a failure is said where the form stands, too."""
    if payment.state == PaymentState.SUCCEEDED:
        messages.success(request, done % {"amount": payment.money})
    elif payment.state == PaymentState.FAILED:
        messages.error(request, _("The card was declined. Nothing was charged."))
    else:
        messages.warning(
            request,
            _("The card's bank has not answered yet. We go on asking and book the payment once, as soon as it does."),
        )


def _to_repay(account_id: int, statement: str, owed: Money) -> Money:
    """What repays a statement, those before it included, since the oldest is lowered first; else all that is owed."""
    total = Money.zero(owed.currency)
    for each in queries.open_statements(account_id):
        total += each.outstanding
        if each.number == statement:
            return total
    return owed


@page(audience="buyer", operations=["repayCredit", "startRepayment", "queryBilling"])
def repay(request: HttpRequest) -> HttpResponse:
    """Repay platform credit."""
    call = request.call
    reading.query_billing(call)
    account = call.account
    credit = queries.credit(account.pk)
    if credit is None:
        raise Http404
    balance = queries.balance(account.pk)
    form = RepayForm(
        request.POST or None,
        cards=queries.cards(account.pk),
        balance=balance,
        currency=account.currency,
        initial={"amount": _to_repay(account.pk, request.GET.get("statement", ""), credit.owed).rounded().amount},
    )
    if request.method == "POST" and form.is_valid():
        payment = attempt(form, lambda: crediting.repay(call, amount=form.money, method=form.cleaned_data["method"]))
        if payment is not None:
            say_outcome(request, payment, done=_("%(amount)s were repaid."))
            return HttpResponseRedirect(reverse("billing:overview"))
    context = {
        "page": framed(_("Repay"), billing_parent()),
        "form": form,
        "credit": credit,
        "statements": [(each, each.state_at(call.at)) for each in queries.open_statements(account.pk)],
        "refused": may(call, "repayCredit"),
    }
    return render(request, "billing/repay.html", context)


@page(audience="buyer", operations=["queryBilling"])
def statements(request: HttpRequest) -> HttpResponse:
    """What was charged and refunded, month by month."""
    call = request.call
    reading.query_billing(call)
    months = queries.months_of(call.account.pk, currency=call.account.currency)
    context = {"page": framed(_("Statements"), billing_parent()), "months": months}
    return render(request, "billing/statements.html", context)


@page(audience="buyer", operations=["queryBilling"])
def statement(request: HttpRequest, year: int, month: int) -> HttpResponse:
    """One month: how the balance moved, what was charged by product, what was stated of the credit."""
    call = request.call
    reading.query_billing(call)
    found = queries.month_statement(call.account, year=year, month=month)
    if found is None:
        raise Http404
    context = {
        "page": framed(
            _("Statement %(month)s") % {"month": f"{year}-{month:02d}"},
            billing_parent(),
            (_("Statements"), reverse("billing:statements")),
        ),
        "statement": found,
        "bills_address": f"{reverse('billing:bills')}?at_from={found.first}&at_to={found.last}",
        "until": display.date_text(found.last),
    }
    return render(request, "billing/statement.html", context)
