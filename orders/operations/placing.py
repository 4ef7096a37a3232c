"""Placing an order: from a signed quote to an order that waits for payment, or goes straight on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Q, Sum
from django.utils import translation

from billing.operations import milestones
from billing.queries import has_payment_method
from billing.rules.discounts import DiscountSource
from catalog import queries as catalog
from catalog.operations import offer_uses, stock
from catalog.queries.offers import offer_locked
from catalog.states import BillingMode, ContactData
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.identity.operations import agreements
from koogallery.kernel import events, ids, policies
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.events import OrderPlaced
from orders.models import Order, OrderLine, Resource
from orders.operations import cancelling, paying
from orders.queries import eligibility
from orders.queries.quoting import quoted_again
from orders.rules.quote import Quote, SignedQuote, open_quote
from orders.states import OrderState, OrderType, PaidBy

if TYPE_CHECKING:
    from catalog.models import PrivateOffer, Product
    from koogallery.identity.models import Account


def _product(call: Call, code: Any) -> Product:
    return catalog.product_by_code(str(code)[:64])


@operation(
    "createOrder",
    resource_type="Order",
    action="marketplace:order:create",
    roles={Role.BUYER},
    targets={"product": _product},
    once=True,
    default_allowed=True,
)
def place_order(
    call: Call,
    *,
    product: Product,
    quote: SignedQuote,
    project: str = "",
    tags: Mapping[str, str] | None = None,
    agreed: Collection[str] = (),
    consent: bool = False,
) -> Order:
    """Place the order of a signed quote; the amount stays fixed for the payment window (purchase.md, step 2).

    The account is locked: what it may buy only so often is decided one after the other. A quote becomes at most one
    order: a second call answers the first one's order (R18). `agreed` holds the subjects of the agreements that were
    ticked. Nothing due, pay-per-use and reseller customers go straight on to delivery.
    Raises `Refused` with the form's field: a changed price of an expired quote, a missing tick or payment method, a
    limit, sold-out stock, a frozen account.
    """
    quoted = open_quote(quote, account_id=call.account_id)
    if quoted.product_code != product.code:
        raise Refused("quote_invalid")
    account, in_force = identity.ordering_account(call.account.pk, at=call.at)
    if Order.objects.filter(quote_id=quoted.quote_id).exists():
        placed = Order.objects.get(quote_id=quoted.quote_id)
        describe(resource=placed, number=placed.number, repeated=True)
        return placed
    if account.is_frozen:
        raise Refused("account_frozen")
    conditions = catalog.purchase_conditions(product)
    if not conditions.is_on_sale:
        raise Refused("not_on_sale", name=product.label)
    offer = _offer(call, account, product, quoted)
    quoted = _still_true(quoted, account=account, product=product, at=call.at)
    configuration = catalog.Configuration.from_json(quoted.configuration)
    eligibility.check_deliverable(configuration)
    project = eligibility.checked_project(account, project, configuration=configuration)
    labels = eligibility.checked_tags(tags or {}, configuration=configuration, in_force=in_force)
    texts = _agreed_texts(account, conditions, agreed)
    if conditions.contact_data != ContactData.NONE and not consent:
        raise Refused("consent_required", field="consent")
    if needs_payment_method(account, quoted, configuration) and not has_payment_method(account):
        raise Refused("no_payment_method")
    _check_limits(account.pk, product, conditions, configuration, at=call.at)
    offer = _taken(offer, account, quoted, in_force, at=call.at)

    order = write(call, account, product, quoted, configuration, in_force, project=project, tags=labels)
    if conditions.contact_data != ContactData.NONE:
        agreements.grant_consent(
            call,
            kind=order.contact_kind,
            product_code=product.code,
            seller_name=product.seller.name,
            order_number=order.number,
        )
    if product.stock is not None:
        _free_stock(call, product, configuration.items)
        stock.take(call, product_code=product.code, count=configuration.items, order_number=order.number)
    if offer is not None:
        offer_uses.reserve(call, offer=offer.number, order_number=order.number, pay_by=order.payment_due_at)
    if quoted.milestones:
        milestones.plan(
            call,
            subject=paying.subject_of(order),
            total=order.total,
            parts=_parts(offer),
            due_days=in_force["milestone.due_days"],
            blocks_when_overdue=in_force["milestone.block_on_overdue"],
            reserved_until=order.payment_due_at,
        )
    agreements.sign(call, texts=texts, order_number=order.number)
    describe(resource=order, number=order.number, amount=order.total, state=order.state, project=project)
    events.publish(OrderPlaced(order=order, at=call.at))
    if (paid_by := goes_straight_on(order, configuration)) is not None:
        paying.go_on(call, order, paid_by=paid_by)
    return order


def goes_straight_on(order: Order, configuration: catalog.Configuration) -> PaidBy | None:
    """How an order skips Pending payment: charged to the reseller, or nothing due; None when it waits."""
    if order.reseller_id is not None and order.amount:
        return PaidBy.RESELLER
    if not order.amount or configuration.billing_mode == BillingMode.ON_DEMAND:
        return PaidBy.NOTHING
    return None


def needs_payment_method(account: Account, quoted: Quote, configuration: catalog.Configuration) -> bool:
    """Whether a payment method must exist before **Pay Now**: not for resellers' customers, milestones, or 0.00."""
    if account.reseller_id is not None or quoted.milestones:
        return False
    return bool(quoted.amount) or configuration.billing_mode == BillingMode.ON_DEMAND


def _still_true(quoted: Quote, *, account: Account, product: Product, at: datetime) -> Quote:
    """The quote within its 30 minutes; later, quoted again at the same total. Raises `Refused("quote_changed")`."""
    if not quoted.is_expired(at):
        return quoted
    fresh = quoted_again(quoted, account=account, product=product, at=at)
    if fresh.amount != quoted.amount:
        raise Refused("quote_changed", old=str(quoted.amount), new=str(fresh.amount))
    return fresh


def _offer(call: Call, account: Account, product: Product, quoted: Quote) -> PrivateOffer | None:
    """The offer that the quote takes, locked and usable. Raises `Refused` with why it cannot be used.

    An order that holds it and was not paid in time gives it back before the sweep does (R19). An offer of another
    account or product is none of theirs: `quote_invalid`.
    """
    if quoted.discount_source != DiscountSource.OFFER:
        return None
    number = quoted.discount_reference
    if catalog.is_reserved(number):
        cancelling.expire_overdue(product_id=product.pk, upto=call.at)
    offer = offer_locked(call, number)
    if (offer.account_id, offer.product_id) != (account.pk, product.pk):
        raise Refused("quote_invalid")
    offer_uses.check_usable(offer, call)
    return offer


def _taken(
    offer: PrivateOffer | None, account: Account, quoted: Quote, in_force: policies.PolicySet, *, at: datetime
) -> PrivateOffer | None:
    """The offer if its price still counts. Raises `Refused` when its milestones are not for the account."""
    if offer is None or quoted.discount_source != DiscountSource.OFFER:
        return None
    if offer.milestones:
        milestones.check_credit(
            account,
            total=quoted.amount,
            shares=[part.share_percent for part in offer.parts.all()],
            rule=in_force["milestone.credit_check"],
            at=at,
        )
    return offer


def _parts(offer: PrivateOffer | None) -> list[milestones.Part]:
    rows = offer.parts.all() if offer is not None else ()
    return [milestones.Part(name=row.name, delivery=row.delivery, share=row.share_percent) for row in rows]


def _free_stock(call: Call, product: Product, wanted: int) -> None:
    """When too few pieces are left, let overdue orders give theirs back before the sweep does (R19)."""
    left = stock.left_locked(product_code=product.code)
    if left is not None and left < wanted:
        cancelling.expire_overdue(product_id=product.pk, upto=call.at)


def _agreed_texts(account: Account, conditions: catalog.PurchaseConditions, agreed: Collection[str]) -> list[Any]:
    """The texts that this order signs. Raises `Refused` for one that was not ticked."""
    texts = eligibility.texts_to_sign(account, conditions.agreement_subjects)
    for text in texts:
        if text.subject != identity.TERMS and text.subject not in agreed:
            raise Refused("agreement_not_accepted", field="agreements", title=text.title)
    if identity.TERMS not in agreed:
        raise Refused("terms_not_accepted", field="terms")
    return texts


def _check_limits(
    account_id: int,
    product: Product,
    conditions: catalog.PurchaseConditions,
    configuration: catalog.Configuration,
    *,
    at: datetime,
) -> None:
    """Purchase limits, "one at a time" and "one trial", with the account locked. Raises `Refused`."""
    bought = eligibility.live_lines(account_id, product.pk, at=at)
    if configuration.trial_days:
        if bought.filter(order__type=OrderType.TRIAL).exists():
            raise Refused("trial_used")
        return
    limit = conditions.limit_per_account
    spec_limit = conditions.limits_per_specification.get(configuration.specification_code)
    if limit is not None or spec_limit is not None:
        sums = bought.filter(order__type=OrderType.NEW).aggregate(
            all=Sum("items"), specification=Sum("items", filter=Q(specification_code=configuration.specification_code))
        )
        if limit is not None and (sums["all"] or 0) + configuration.items > limit:
            raise Refused("limit_per_account", limit=limit)
        if spec_limit is not None and (sums["specification"] or 0) + configuration.items > spec_limit:
            raise Refused("limit_per_specification", limit=spec_limit)
    if conditions.one_at_a_time and eligibility.holds(account_id, product.pk, at=at):
        raise Refused("one_at_a_time")


def _once_key(account: Account, product: Product, quoted: Quote, resource: Resource | None) -> str | None:
    """What there may be only one of: a trial of a product, a renewal of a resource for a term."""
    if quoted.type == OrderType.TRIAL:
        return f"trial:{account.pk}:{product.code}"
    if quoted.type == OrderType.RENEW and resource is not None and resource.expires_at is not None:
        return f"renew:{resource.number}:{clock.platform_date(resource.expires_at)}"
    return None


def write(
    call: Call,
    account: Account,
    product: Product,
    quoted: Quote,
    configuration: catalog.Configuration,
    in_force: policies.PolicySet,
    *,
    project: str,
    tags: Mapping[str, str],
    resource: Resource | None = None,
) -> Order:
    """The rows of an order that waits for payment; `resource` is what it renews or changes."""
    with translation.override("en"):
        spec_text = configuration.spec_text
    with translation.override("zh-hans"):
        spec_text_zh = configuration.spec_text
    order = Order.objects.create(
        number=ids.order_number(call.at),
        account=account,
        user=call.user,
        seller=product.seller,
        product=product,
        product_name=product.name,
        product_code=product.code,
        spec_text=spec_text[:300],
        spec_text_zh=spec_text_zh[:300],
        type=quoted.type,
        state=OrderState.PENDING_PAYMENT,
        quote_id=quoted.quote_id,
        amount=quoted.amount.amount,
        list_amount=quoted.list_amount.amount,
        currency=quoted.amount.currency,
        reseller_id=account.reseller_id,
        policy=in_force.to_json(),
        form=dict(quoted.form),
        project_code=project,
        tags=dict(tags),
        contact_kind=eligibility.contact_kind(product.contact_data),
        placed_at=call.at,
        payment_due_at=call.at + timedelta(hours=in_force["order.payment_window_hours"]),
    )
    line = OrderLine(
        order=order,
        number=f"{order.number}-000001",
        product=product,
        product_code=product.code,
        product_name=product.name,
        specification_code=configuration.specification_code,
        sku_code=configuration.sku_code,
        spec_text=order.spec_text,
        delivery_method=configuration.delivery_method,
        supervised=configuration.supervised,
        billing_mode=configuration.billing_mode,
        quantity=configuration.quantity,
        items=configuration.items,
        term_unit=configuration.term_unit,
        term_count=configuration.term_count or None,
        configuration=dict(quoted.configuration),
        list_amount=quoted.list_amount.amount,
        discount_share=quoted.discount_share,
        discount_source=quoted.discount_source,
        discount_reference=quoted.discount_reference,
        amount=quoted.amount.amount,
        currency=quoted.amount.currency,
        explanation=dict(quoted.explanation),
        fee_percent=configuration.fee_percent,
        milestones=quoted.milestones,
        resource=resource,
        once_key=_once_key(account, product, quoted, resource),
    )
    line.save(force_insert=True)
    order.line = line
    return order
