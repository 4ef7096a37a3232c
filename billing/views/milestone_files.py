"""A milestone bill as a file: PDF and CSV, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing import queries
from billing.models import MilestoneBill
from billing.operations import reading
from billing.states import BillState
from billing.views.milestone_bills import BILLS, milestone_words, repaid_by
from koogallery.kernel.documents import Column, Document, Fact, Party, Table
from koogallery.kernel.money import Money
from koogallery.kernel.pages import page

if TYPE_CHECKING:
    from koogallery.identity.models import Account


@page(audience="buyer", operations=["queryMilestoneBillDetail"])
def pdf(request: HttpRequest, number: str) -> HttpResponse:
    """Download a bill as PDF."""
    call = request.call
    found = reading.query_milestone_bill(call, bill=number)
    document = document_of(
        found,
        account=call.account,
        state=found.shown_state(call.at),
        repaid=repaid_by(found, queries.payments_of_bill(found)) if found.state == BillState.REPAID else "",
    )
    content = document.pdf()
    return _download(content, name=f"{found.number}.pdf", content_type="application/pdf")


@page(audience="buyer", operations=["queryMilestoneBillDetail"])
def csv(request: HttpRequest, number: str) -> HttpResponse:
    """Download a bill as CSV: the columns of the list."""
    call = request.call
    found = reading.query_milestone_bill(call, bill=number)
    bound = BILLS.bind(request, queries.milestone_bills_of(call.account.pk).filter(pk=found.pk))
    content = "".join(bound.csv_lines()).encode()
    return _download(content, name=f"{found.number}.csv", content_type="text/csv; charset=utf-8")


def document_of(bill: MilestoneBill, *, account: Account, state: BillState, repaid: str = "") -> Document:
    """What the PDF of a bill says, in the language in force; `repaid` names by what it was repaid."""
    milestone = bill.milestone
    facts = [
        Fact(_("Status"), state),
        Fact(_("Order No."), bill.order_number),
        Fact(_("Product"), milestone.product),
        Fact(_("Generated"), bill.generated_at),
    ]
    if bill.was_written_late:
        facts.append(Fact(_("Written"), bill.written_at))
    facts.append(Fact(_("Due"), bill.due_at))
    if bill.state == BillState.REPAID:
        facts.append(Fact(_("Repaid on"), bill.ended_at))
        facts.append(Fact(_("Payment method"), repaid))
        facts.append(Fact(_("Payment No."), bill.payment_number))
    if bill.state == BillState.WITHDRAWN:
        facts.append(Fact(_("Withdrawn on"), bill.ended_at))
    notes = [_("A bill is repaid in full.")]
    if bill.was_written_late:
        notes.append(_("The bill was written late; its due date counts from the writing."))
    return Document(
        title=_("Milestone bill"),
        number=bill.number,
        language=get_language() or settings.LANGUAGE_CODE,
        issued_at=bill.written_at,
        issuer=Party("KooGallery"),
        recipient=Party(account.name, [_("Account ID %(number)s") % {"number": account.number}]),
        facts=facts,
        tables=[
            Table(
                columns=[
                    Column(_("Milestone"), weight=2),
                    Column(_("Delivery"), weight=3),
                    Column(_("Share"), numeric=True),
                    Column(_("Amount"), numeric=True),
                ],
                rows=[[milestone_words(bill), milestone.delivery, milestone.share_text, bill.generated]],
                totals=[*_taken_off(bill), (_("Amount"), bill.money)],
            ),
            *_calculation(bill),
        ],
        notes=notes,
        footer=f"KooGallery · {bill.number}",
        link=f"{settings.SITE_ADDRESS}{bill.get_absolute_url()}",
        link_label=_("View bill"),
    )


def _taken_off(bill: MilestoneBill) -> list[tuple[str, Money]]:
    return [(_("Taken off by unsubscription"), -bill.taken_off)] if bill.lowered else []


def _calculation(bill: MilestoneBill) -> list[Table]:
    explanation = bill.calculation
    if explanation is None:
        return []
    lines = [*explanation.fact_lines(), *explanation.lines()]
    return [
        Table(
            title=_("How is this calculated?"),
            columns=[Column(_("Step"), weight=3), Column(_("Formula"), weight=2), Column(_("Value"), numeric=True)],
            rows=[[line.label, line.formula, line.value] for line in lines],
        )
    ]


def _download(content: bytes, *, name: str, content_type: str) -> HttpResponse:
    headers = {
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return HttpResponse(content, content_type=content_type, headers=headers)
