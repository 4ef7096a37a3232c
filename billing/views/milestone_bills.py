"""Milestone Bills: what is due for the milestones of orders, and its repayment."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from billing.operations import reading
from billing.views.framing import framed
from koogallery.kernel.pages import page, render


@page(audience="buyer", operations=["queryMilestoneBillDetail"])
def bill(request: HttpRequest, number: str) -> HttpResponse:
    """One milestone bill."""
    found = reading.query_milestone_bill(request.call, bill=number)
    context = {"page": framed(_("Bill %(number)s") % {"number": number}), "bill": found}
    return render(request, "billing/milestone_bill.html", context)
