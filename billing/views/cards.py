"""The account's cards."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from billing import queries
from billing.forms import SandboxCardForm
from billing.operations import cards, reading
from billing.views.framing import billing_parent, framed
from koogallery.identity.states import AccountKind
from koogallery.kernel.operations import may
from koogallery.kernel.pages import attempt, page, render
from koogallery.kernel.reasons import Refused

NEXT = "after_card"


@page(audience="buyer", operations=["queryBilling"])
def card_list(request: HttpRequest) -> HttpResponse:
    """The cards with what can be done with them."""
    call = request.call
    reading.query_billing(call)
    context = {
        "page": framed(
            _("Cards"), billing_parent(), intro=_("Card data is entered at the card gateway and never reaches us.")
        ),
        "cards": queries.cards(call.account.pk),
        "may_add": may(call, "addCard"),
        "may_remove": may(call, "removeCard"),
        "is_customer": call.account.kind == AccountKind.RESELLER_CUSTOMER,
    }
    return render(request, "billing/cards.html", context)


@page(audience="buyer", operations=["addCard"])
def add_card(request: HttpRequest) -> HttpResponse:
    """Lead to the gateway's page; `next` is where to go once the card is there."""
    if request.method != "POST":
        return HttpResponseRedirect(reverse("billing:cards"))
    request.session[NEXT] = _safe(request, request.POST.get("next", ""))
    back = settings.SITE_ADDRESS + reverse("billing:cards")
    try:
        address = cards.entry_address(
            request.call,
            return_address=settings.SITE_ADDRESS + reverse("billing:card_entered"),
            cancel_address=back,
        )
    except Refused as refused:
        messages.error(request, refused.sentence)
        return HttpResponseRedirect(reverse("billing:cards"))
    if address.startswith("/"):
        return HttpResponseRedirect(address)
    context = {
        "page": framed(_("Add card"), billing_parent(), (_("Cards"), reverse("billing:cards"))),
        "address": address,
    }
    return render(request, "billing/to_gateway.html", context)


@page(audience="buyer", operations=["addCard"])
def card_entered(request: HttpRequest) -> HttpResponse:
    """Where the gateway leads after a card was entered there."""
    try:
        card = cards.add_entered_card(request.call, reference=request.GET.get("reference", "")[:200])
        messages.success(request, _("The card %(card)s was added.") % {"card": card})
    except Refused as refused:
        messages.error(request, refused.sentence)
    return _onwards(request)


@page(audience="buyer", operations=["addCard"])
def sandbox_card(request: HttpRequest) -> HttpResponse:
    """The sandbox gateway's own page: pick a test card."""
    if not (settings.SANDBOX_GATEWAY_ALLOWED and settings.CARD_GATEWAY == "sandbox"):
        raise Http404
    form = SandboxCardForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        card = attempt(form, lambda: cards.add_entered_card(request.call, reference=form.cleaned_data["reference"]))
        if card is not None:
            messages.success(request, _("The card %(card)s was added.") % {"card": card})
            return _onwards(request)
    context = {
        "page": framed(_("Add a test card"), billing_parent(), (_("Cards"), reverse("billing:cards"))),
        "form": form,
        "cancel_url": request.session.get(NEXT) or reverse("billing:cards"),
    }
    return render(request, "billing/sandbox_card.html", context)


@page(audience="buyer", operations=["removeCard"])
def remove_card(request: HttpRequest, code: str) -> HttpResponse:
    """Forget a card."""
    if request.method == "POST":
        try:
            card = cards.remove_card(request.call, card=code)
            messages.success(request, _("The card %(card)s was removed.") % {"card": card})
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("billing:cards"))


@page(audience="buyer", operations=["setDefaultCard"])
def set_default_card(request: HttpRequest, code: str) -> HttpResponse:
    """Offer this card first."""
    if request.method == "POST":
        try:
            card = cards.set_default_card(request.call, card=code)
            messages.success(request, _("%(card)s is now the default card.") % {"card": card})
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("billing:cards"))


def _safe(request: HttpRequest, address: str) -> str:
    """The address if it leads to a page of ours, else nothing."""
    if address.startswith("/") and url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        return address
    return ""


def _onwards(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(request.session.pop(NEXT, "") or reverse("billing:cards"))
