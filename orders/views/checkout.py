"""From the configured product to the paid order: confirmation, payment, result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from billing import queries as billing
from billing.rules.discounts import DiscountSource
from billing.rules.explanation import Explanation
from billing.states import PaymentState, PayMethod
from catalog import queries as catalog
from catalog.operations import offer_reading
from catalog.states import BillingMode
from koogallery.identity import queries as identity
from koogallery.kernel import operations, pages, policies
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Missing, Refused
from orders.forms import Confirmation, ConfirmForm, PayForm, configuration_of
from orders.operations import card_paying, change_checks, paying, placing, reading
from orders.queries import eligibility
from orders.queries.quoting import quote_for, quoted_again
from orders.rules.quote import Quote, SignedQuote, open_quote, sign
from orders.states import OrderState, PaidBy
from orders.views import milestones
from orders.views.orders import same_again_url

if TYPE_CHECKING:
    from catalog.models import PrivateOffer, Product
    from orders.models import Order

PAYING = ["queryOrderDetail", "payOrder", "confirmMilestoneOrder", "startCardPayment", "settleCardPayment"]


@page(audience="buyer", operations=["createOrder", "queryPrivateOfferDetail"])
def checkout(request: HttpRequest) -> HttpResponse:
    """The confirmation page of a configuration or signed quote, and **Pay Now**.

    A configuration that is posted (by the product page) comes back as an address that can be reloaded.
    """
    if request.method != "POST":
        return show(request, *_asked(request))
    if "quote" not in request.POST:
        return redirect(f"{reverse('orders:checkout')}?{urlencode(configuration_of(request.POST))}")
    signed = SignedQuote.parse(request.POST["quote"])
    quote = open_quote(signed, account_id=request.call.account_id)
    if "add_tag" in request.POST:
        return _shown_again(request, quote)
    entered = Confirmation.of(request.POST)
    try:
        order = placing.place_order(
            request.call,
            product=quote.product_code,
            quote=signed,
            project=entered.project,
            tags=entered.tags,
            agreed=entered.agreed,
            consent=entered.consent,
        )
    except Refused as refused:
        return _shown_again(request, quote, refused)
    waits = order.state == OrderState.PENDING_PAYMENT
    return redirect(reverse("orders:pay" if waits else "orders:result", args=[order.number]))


def _shown_again(request: HttpRequest, quote: Quote, refused: Refused | None = None) -> HttpResponse:
    """The page with what was entered and, beside its field, why it was refused."""
    product = catalog.product_by_code(quote.product_code)
    form = _form(request, quote, product)
    form.is_valid()
    form.errors.clear()
    if refused is not None and refused.code == "quote_changed":
        fresh = quoted_again(quote, account=request.call.account, product=product, at=request.call.at)
        return show(request, fresh, product, form=form, old=quote)
    if refused is not None:
        where = refused.field if refused.field in form.fields else None
        form.add_error(where, ValidationError(refused.sentence, code=refused.code))
    return show(request, quote, product, form=form)


def _asked(request: HttpRequest) -> tuple[Quote, Product]:
    """The quote that an address asks for: of a configuration, or one that is carried along signed."""
    call = request.call
    if posted := request.GET.get("quote"):
        quote = open_quote(SignedQuote.parse(posted), account_id=call.account_id)
        return quote, catalog.product_by_code(quote.product_code)
    data = configuration_of(request.GET)
    product = catalog.product_by_code(data.pop("product", ""))
    if not product.is_on_sale:
        raise Missing(product.code)
    if "offer" in data and (refused := operations.may(call, "queryPrivateOfferDetail", product)) is not None:
        raise refused
    return quote_for(account=call.account, product=product, data=data, at=call.at), product


def _form(request: HttpRequest, quote: Quote, product: Product) -> ConfirmForm:
    account = request.call.account
    configuration = catalog.Configuration.from_json(quote.configuration)
    texts = eligibility.texts_to_sign(account, catalog.purchase_conditions(product).agreement_subjects)
    projects = identity.projects_for(account) if eligibility.may_have_project(account, configuration) else []
    form = ConfirmForm(
        request.POST if request.method == "POST" else None,
        projects=[(project.code, project.name) for project in projects],
        texts=[(text.subject, text.title) for text in texts if text.subject != identity.TERMS],
        tags_offered=eligibility.may_have_tags(configuration, policies.in_force(request.call.at)),
        contact=eligibility.contact_kind(product.contact_data),
    )
    form.configuration = configuration
    form.texts = texts
    return form


def show(
    request: HttpRequest,
    quote: Quote,
    product: Product,
    *,
    form: ConfirmForm | None = None,
    old: Quote | None = None,
    offer: PrivateOffer | None = None,
) -> HttpResponse:
    """The confirmation page of a quote; `old` is the one whose price has changed, `offer` the one opened for it.

    Raises `Refused` for who may not see the private offer that the quote is of.
    """
    call = request.call
    signed = sign(quote).posted
    offer = offer or _linked_offer(request, quote, product)
    form = form or _form(request, quote, product)
    contact_kind = eligibility.contact_kind(product.contact_data)
    needs_method = placing.needs_payment_method(call.account, quote, form.configuration)
    context = {
        "page": {
            "title": _("Confirm order"),
            "console": "buyer",
            "breadcrumbs": [(product.label, product.get_absolute_url())],
        },
        "form": form,
        "quote": quote,
        "signed": signed,
        "again": offer.get_link() if offer else f"{reverse('orders:checkout')}?{urlencode({'quote': signed})}",
        "old": old,
        "product": product,
        "configuration": form.configuration,
        "explanation": Explanation.from_json(quote.explanation),
        "discount": _discount_words(quote),
        "offer": offer,
        "offer_is_taken": quote.discount_source == DiscountSource.OFFER,
        "parts": list(offer.parts.all()) if offer is not None and quote.milestones else [],
        "due_days": policies.in_force(call.at)["milestone.due_days"] if quote.milestones else 0,
        "terms": next((text for text in form.texts if text.subject == identity.TERMS), None),
        "agreements": [text for text in form.texts if text.subject != identity.TERMS],
        "contact_kind": contact_kind,
        "contact_value": identity.unmasked_contact(call.user, contact_kind) if contact_kind else "",
        "known_tags": identity.predefined_tags(call.account) if form.tags_offered else [],
        "is_reseller_customer": call.account.reseller_id is not None,
        "lacks_method": needs_method and not billing.has_payment_method(call.account),
        "rate": _rate(form.configuration),
        "is_pay_per_use": form.configuration.billing_mode == BillingMode.ON_DEMAND,
        "refused": operations.may(replace(call, form={"product_code": product.code}), "createOrder", product),
    }
    return pages.render(request, "orders/checkout.html", context, status=200)


def _linked_offer(request: HttpRequest, quote: Quote, product: Product) -> PrivateOffer | None:
    """The private offer whose configuration is quoted, whether or not its price counts."""
    number = quote.form.get("offer", "")
    if not number:
        return None
    return offer_reading.linked_offer(request.call, number=number, product=product, is_look=request.method == "GET")


def _rate(configuration: catalog.Configuration) -> str:
    """What a unit of use costs, for pay-per-use without bands."""
    plan = configuration.plan
    if configuration.billing_mode != BillingMode.ON_DEMAND or plan.bands:
        return ""
    chinese = (get_language() or "en").startswith("zh")
    unit = (chinese and configuration.usage_unit_zh) or configuration.usage_unit
    return _("%(price)s per %(unit)s") % {"price": f"{plan.currency} {plan.unit_price.normalize():f}", "unit": unit}


def _discount_words(quote: Quote) -> str:
    words = {
        "standing": _("Standing discount"),
        "reseller_customer": _("Your reseller's discount for you"),
        "reseller_partner": _("Your reseller's discount"),
        "reseller_product": _("Your reseller's discount on this product"),
        "offer": _("Private offer"),
    }
    return words.get(quote.discount_source, "")


@page(audience="buyer", operations=PAYING)
def pay(request: HttpRequest, number: str) -> HttpResponse:
    """The payment page: choose a method, **Confirm**."""
    call = request.call
    refused: Refused | None = None
    chosen = request.POST.get("method", "")[:120]
    if request.method == "POST" and chosen and chosen != PaidBy.MONTHLY:
        try:
            _pay(request, number, chosen)
        except Refused as why:
            refused = why
        if refused is None or refused.code == "order_already_paid":
            return redirect(reverse("orders:result", args=[number]))
    order = reading.query_order_detail(call, order=number)
    if order.state_enum.is_paid:
        return redirect(reverse("orders:result", args=[order.number]))
    if order.line.milestones:
        return milestones.pay(request, order, refused=refused)
    methods = billing.payment_methods(call.account, order.total)
    first = next((method.value for method in methods if method.available), None)
    form = PayForm(
        request.POST if request.method == "POST" else None,
        methods=[(method.value, method.label) for method in methods],
        initial={"method": first},
    )
    if refused is not None and form.is_valid():
        where = refused.field if refused.field in form.fields else None
        form.add_error(where, ValidationError(refused.sentence, code=refused.code))
    context = {
        "page": {
            "title": _("Pay order"),
            "console": "buyer",
            "breadcrumbs": [
                (_("Unpaid Orders"), reverse("orders:unpaid")),
                (order.number, order.get_absolute_url()),
            ],
        },
        "order": order,
        "line": order.line,
        "form": form,
        "methods": methods,
        "chosen": form["method"].value(),
        "is_payable": order.is_payable(call.at),
        "state": order.shown_state(call.at),
        "pending": paying.pending_payment(order.number),
        "same_again": same_again_url(order),
        "none_available": not any(method.available for method in methods),
        "refused": operations.may(call, "payOrder", order),
    }
    return pages.render(request, "orders/pay.html", context)


def _pay(request: HttpRequest, number: str, chosen: str) -> None:
    """Pay by what was chosen: `balance`, `credit` or `card:<token>`. Raises `Refused`."""
    method, _separator, token = chosen.partition(":")
    change_checks.before_payment(request.call, order=number)
    if method != PayMethod.CARD:
        paying.pay_order(request.call, order=number, method=method)
        return
    payment = card_paying.pay_by_card(request.call, order_number=number, card=token)
    if payment.state == PaymentState.FAILED:
        raise Refused("card_declined", field="method")


@page(audience="buyer", operations=["queryOrderDetail"])
def result(request: HttpRequest, number: str) -> HttpResponse:
    """What became of the order and what happens next; while a card is being checked the page asks again."""
    call = request.call
    order = reading.query_order_detail(call, order=number)
    pending = paying.pending_payment(order.number) if order.state == OrderState.PENDING_PAYMENT else None
    if order.is_payable(call.at) and pending is None:
        messages.warning(request, _("The order is not paid yet."))
        return redirect(reverse("orders:pay", args=[order.number]))
    context = {
        "page": {
            "title": _result_title(order, pending=pending is not None),
            "console": "plain",
            "breadcrumbs": [],
        },
        "order": order,
        "line": order.line,
        "state": order.shown_state(call.at),
        "pending": pending,
        "milestones": billing.milestones_of(order.number) if order.line.milestones else [],
    }
    return pages.render(request, "orders/result.html", context, fragment="outcome")


def _result_title(order: Order, *, pending: bool) -> str:
    if pending:
        return _("The card payment is being checked")
    if order.state == OrderState.CANCELED:
        return _("The order was canceled")
    return _("The order is placed")
