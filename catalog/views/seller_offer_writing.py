"""Create Offer, and Edit of a draft: the form, then the preview as the buyer will see it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from catalog.forms_offers import OfferEntry, decimal_of
from catalog.models import PrivateOffer
from catalog.operations import offer_reading, offers
from catalog.queries.configuration import currency_of
from catalog.queries.configurator import Configurator, configurator
from catalog.queries.seller_offers import products_to_offer
from catalog.rules.offers import Figures, figures
from catalog.states import OFFERED_MODES, OfferState
from catalog.views.offers import terms_shown
from catalog.views.seller_offers import edit_url, parent, sending, sent_text
from koogallery import clock
from koogallery.kernel import markup, operations
from koogallery.kernel.calls import Call
from koogallery.kernel.pages import page, render
from koogallery.kernel.reasons import Refused

if TYPE_CHECKING:
    from koogallery.identity.models import Account

SAVING = ("save", "send")
PARTS = ("configuration", "figures", "milestones")
"""The parts of the form that htmx asks for."""


@page(audience="seller", operations=["createPrivateOffer", "queryOfferCustomer", "sendPrivateOffer"])
def new(request: HttpRequest) -> HttpResponse:
    """**Create Offer**: the form, then the preview as the buyer will see it."""
    return _write(request, None)


@page(
    audience="seller",
    operations=["querySellerOfferDetail", "queryOfferCustomer", "updatePrivateOffer", "sendPrivateOffer"],
)
def edit(request: HttpRequest, number: str) -> HttpResponse:
    """**Edit** a draft in the same two steps."""
    found = offer_reading.query_seller_detail(request.call, offer=number)
    if found.state != OfferState.DRAFT and request.POST.get("do") not in SAVING:
        messages.error(request, Refused("offer_sent").sentence)
        return redirect(found.get_seller_url())
    return _write(request, found)


def _write(request: HttpRequest, draft: PrivateOffer | None) -> HttpResponse:
    """One step of writing an offer: a part that htmx asks for, a row more or less, the preview, or saving."""
    call: Call = request.call  # type: ignore[attr-defined]
    products = products_to_offer(call.account_id)
    if request.method != "POST":
        today = clock.platform_date(call.at).isoformat()
        asked = request.GET.get("product", "")[:60]
        entry = (
            OfferEntry.of_offer(products, draft) if draft else OfferEntry.blank(products, today=today, product=asked)
        )
        return _form(request, entry, draft)
    entry = OfferEntry.posted(products, request.POST)
    step = request.POST.get("do", "preview")
    if step == "add":
        entry.add_row()
    elif step.startswith("remove-") and step.removeprefix("remove-").isdecimal():
        entry.remove_row(int(step.removeprefix("remove-")[:3]))
    part = request.GET.get("part", "")
    if part in PARTS and getattr(request, "htmx", None):
        return _form(request, entry, draft, part=part)
    if step not in ("preview", *SAVING) or not entry.is_valid():
        return _form(request, entry, draft)
    return _save(request, entry, draft, step) if step in SAVING else _preview(request, entry, draft)


def _preview(request: HttpRequest, entry: OfferEntry, draft: PrivateOffer | None) -> HttpResponse:
    """The second step: the offer as the buyer will see it. What is refused here is traced as saving it would be."""
    call: Call = request.call  # type: ignore[attr-defined]
    writes = "updatePrivateOffer" if draft else "createPrivateOffer"
    try:
        if refused := operations.may(call, writes, draft):
            raise refused
        offer_reading.customer_as_written(call, entry.values["account"])
        made, parts = offers.drafted(call, entry.terms())
    except Refused as refused:
        operations.refuse(call, writes, refused, target=draft)
        entry.refuse(refused)
        return _form(request, entry, draft)
    context = {
        "page": {"title": _("Preview"), "console": "seller", "breadcrumbs": [parent()]},
        "steps": _steps(at_preview=True),
        "action": edit_url(draft) if draft else reverse("catalog:seller_offer_new"),
        "entry": markup.hidden_inputs(entry.pairs),
        "sending": sending(made),
        "may_send": operations.may(call, "sendPrivateOffer", draft),
        **terms_shown(made, parts, call),
    }
    return _uncached(render(request, "catalog/seller_offer_preview.html", context))


def _save(request: HttpRequest, entry: OfferEntry, draft: PrivateOffer | None, step: str) -> HttpResponse:
    """**Save as draft** or **Send**; what cannot be sent stays a draft."""
    call: Call = request.call  # type: ignore[attr-defined]
    try:
        offer_reading.customer_as_written(call, entry.values["account"])
        terms = entry.terms()
        written = offers.update(call, offer=draft.number, terms=terms) if draft else offers.create(call, terms=terms)
    except Refused as refused:
        if draft is not None and refused.code == "offer_sent":
            messages.error(request, refused.sentence)
            return redirect(draft.get_seller_url())
        entry.refuse(refused)
        return _form(request, entry, draft)
    if step == "save":
        messages.success(request, _("The draft %(number)s is saved.") % {"number": written.number})
        return redirect(written.get_seller_url())
    try:
        messages.success(request, sent_text(offers.send(call, offer=written.number)))
    except Refused as refused:
        messages.error(request, _("The draft is saved, but not sent. %(why)s") % {"why": refused.sentence})
    return redirect(written.get_seller_url())


def _form(request: HttpRequest, entry: OfferEntry, draft: PrivateOffer | None, *, part: str = "") -> HttpResponse:
    """The first step, or a part of it, with everything that was typed."""
    call: Call = request.call  # type: ignore[attr-defined]
    refused = operations.may(call, "updatePrivateOffer" if draft else "createPrivateOffer", draft)
    customer = None if refused else _customer(call, entry)
    currency = currency_of(customer or call.account)
    shown = _configurator(entry, currency=currency, call=call)
    come_to = _figures(entry, shown)
    context = {
        "page": {
            "title": _("Edit offer") if draft else _("Create Offer"),
            "console": "seller",
            "breadcrumbs": [parent()],
        },
        "steps": _steps(at_preview=False),
        "action": edit_url(draft) if draft else reverse("catalog:seller_offer_new"),
        "back": draft.get_seller_url() if draft else reverse("catalog:seller_offers"),
        "refused": refused,
        "entry": entry,
        "form": entry.form,
        "rows": [
            (row, come_to.amounts[index] if entry.involves_milestones else None)
            for index, row in enumerate(entry.row_forms)
        ],
        "shown": shown,
        "currency": currency,
        "knows_customer": customer is not None,
        "figures": come_to,
        "part": part,
    }
    status = 422 if entry.problems else 200
    return _uncached(render(request, "catalog/seller_offer_form.html", context, fragment=part, status=status))


def _customer(call: Call, entry: OfferEntry) -> Account | None:
    """The customer whose currency the form shows prices in; nobody once the seller has named too many."""
    if entry.refused is not None and entry.refused.code == "requests_too_many":
        return None
    try:
        return offer_reading.customer_as_written(call, entry.values.get("account", ""))
    except Refused:
        return None


def _configurator(entry: OfferEntry, *, currency: str, call: Call) -> Configurator | None:
    """What can be chosen of the product, at list prices, without the billing modes that no offer is made for."""
    product = entry.product
    if product is None:
        return None
    data = dict(entry.configuration)
    shown = configurator(product, data, account=None, at=call.at, currency=currency)
    offered = tuple(pick for pick in shown.modes.picks if pick.value in OFFERED_MODES)
    if not offered:
        return shown
    if not any(pick.checked for pick in offered):
        data["plan"] = offered[0].value
        shown = configurator(product, data, account=None, at=call.at, currency=currency)
        offered = tuple(pick for pick in shown.modes.picks if pick.value in OFFERED_MODES)
    return replace(shown, modes=replace(shown.modes, picks=offered))


def _figures(entry: OfferEntry, shown: Configurator | None) -> Figures:
    return figures(
        list_price=shown.priced.list_price if shown is not None and shown.priced is not None else None,
        share=decimal_of(entry.values.get("share", "")),
        fixed_price=decimal_of(entry.values.get("fixed_price", "")),
        shares=entry.shares,
    )


def _steps(*, at_preview: bool) -> list[dict[str, Any]]:
    return [
        {"label": _("Terms"), "state": "done" if at_preview else "current"},
        {"label": _("Preview"), "state": "current" if at_preview else "upcoming"},
    ]


def _uncached(response: HttpResponse) -> HttpResponse:
    add_never_cache_headers(response)
    return response
