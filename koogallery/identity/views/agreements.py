"""Agreements: what the account signed, and the terms that everybody may read."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.identity import queries
from koogallery.identity.models import AgreementSignature, ContactConsent
from koogallery.identity.operations import agreements
from koogallery.identity.states import AgreementKind, ContactKind
from koogallery.identity.views.framing import framed
from koogallery.kernel import display
from koogallery.kernel.lists import Action, ChoiceFilter, Column, DateRangeFilter, Empty, ListPage, Search, actions
from koogallery.kernel.operations import may
from koogallery.kernel.pages import page, render
from koogallery.kernel.reasons import Refused


def address_of(signature: AgreementSignature) -> str:
    """The page of a signature."""
    return reverse("identity:agreement", args=[signature.number])


SIGNATURES = ListPage(
    name="agreements",
    caption=gettext_lazy("Signed agreements"),
    columns=(
        Column(
            "title",
            gettext_lazy("Agreement"),
            value=lambda signature: signature.text.title,
            link=address_of,
            strong=True,
            hideable=False,
        ),
        Column("kind", gettext_lazy("Type"), value=lambda signature: AgreementKind(signature.text.kind)),
        Column("version", gettext_lazy("Version"), value=lambda signature: signature.text.version, numeric=True),
        Column("user", gettext_lazy("Signed by"), value=lambda signature: signature.user.username),
        Column("order_number", gettext_lazy("Order No."), mono=True),
        Column("at", gettext_lazy("Signed"), sort="at"),
        actions(lambda signature, request: [Action(_("View"), address_of(signature))]),
    ),
    filters=(
        ChoiceFilter("kind", gettext_lazy("Type"), field="text__kind", choices=AgreementKind.choices),
        DateRangeFilter("signed", gettext_lazy("Signed"), field="at"),
    ),
    search=Search(("order_number", "text__subject"), placeholder=gettext_lazy("Order No.")),
    default_sort="-at",
    empty=Empty(
        gettext_lazy("No agreements yet"), gettext_lazy("What you agree to when you buy is kept here, word for word.")
    ),
)


def _consent_actions(consent: ContactConsent, request: HttpRequest) -> list[Action]:
    if consent.withdrawn_at is not None:
        return []
    return [
        Action(
            _("Withdraw"),
            reverse("identity:withdraw_consent", args=[consent.pk]),
            post=True,
            confirm=_("From now on the seller of order %(order)s sees masked data.") % {"order": consent.order_number},
            refused=may(request.call, "withdrawContactConsent"),
        )
    ]


def _consent_state(consent: ContactConsent) -> str:
    if consent.withdrawn_at is not None:
        return display.badge_html("withdrawn", label=_("Withdrawn"))
    return display.badge_html("granted", tone="success", label=_("Granted"))


CONSENTS = ListPage(
    name="consents",
    prefix="consent",
    caption=gettext_lazy("Contact data passed on"),
    columns=(
        Column("order_number", gettext_lazy("Order No."), mono=True, hideable=False),
        Column("seller_name", gettext_lazy("Seller")),
        Column("kind", gettext_lazy("Contact"), value=lambda consent: ContactKind(consent.kind)),
        Column("user", gettext_lazy("User"), value=lambda consent: consent.user.username),
        Column("state", gettext_lazy("Status"), html=_consent_state, csv=False),
        Column("granted_at", gettext_lazy("Granted"), sort="granted_at"),
        actions(_consent_actions),
    ),
    default_sort="-granted_at",
    empty=Empty(
        gettext_lazy("No contact data was passed on"),
        gettext_lazy("Some sellers ask for an address or number of the ordering user; your consent is listed here."),
    ),
)


@page(audience="buyer", operations=["queryAgreementSignList"])
def signature_list(request: HttpRequest) -> HttpResponseBase:
    """What the account signed, and the consents to pass on contact data."""
    consents = ContactConsent.objects.filter(account=request.call.account_id).select_related("user")
    bound = CONSENTS.bind(request, consents)
    if bound.wants_csv or bound.wants_fragment:
        return CONSENTS.respond(request, consents, "identity/agreements.html")
    context = {"page": framed(_("Agreements")), "consents": bound}
    return SIGNATURES.respond(request, agreements.query_signatures(request.call), "identity/agreements.html", context)


@page(audience="buyer", operations=["queryAgreementSignDetail"])
def signature_details(request: HttpRequest, number: str) -> HttpResponse:
    """One signature, with the text as it was signed."""
    signature = agreements.query_signature(request.call, signature=number)
    return render(
        request,
        "identity/agreement.html",
        {
            "page": framed(signature.text.title, (_("Agreements"), reverse("identity:agreements"))),
            "signature": signature,
        },
    )


@page(audience="buyer", operations=["withdrawContactConsent"])
def withdraw_consent(request: HttpRequest, number: int) -> HttpResponse:
    """Take a consent back."""
    if request.method == "POST":
        try:
            agreements.withdraw_consent(request.call, consent=str(number))
            messages.success(request, _("The consent is withdrawn."))
        except Refused as refused:
            messages.error(request, refused.sentence)
    return HttpResponseRedirect(reverse("identity:agreements"))


@page(audience="public")
def terms(request: HttpRequest) -> HttpResponse:
    """The Terms and Conditions in force."""
    texts = queries.current_agreements()
    if not texts:
        raise Http404
    return render(
        request,
        "identity/terms.html",
        {"page": framed(texts[0].title, console="storefront"), "text": texts[0]},
    )
