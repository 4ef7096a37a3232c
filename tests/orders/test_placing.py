"""Placing an order: what a signed quote becomes, and every refusal of purchase.md, step 2."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from audit.models import Trace
from billing.models import Payment
from catalog.models import Product
from koogallery import clock
from koogallery.identity.models import Account, AgreementSignature, ContactConsent
from koogallery.kernel import guard, pages, policies
from koogallery.kernel.calls import system_call
from koogallery.kernel.reasons import Missing, Refused
from orders.models import Order, OrderEvent
from orders.operations import cancelling, placing, popularity
from orders.queries.quoting import quote_for
from orders.rules.quote import Sealed, SignedQuote, sign
from orders.states import OrderState, OrderType, PaidBy
from tests.factories import billing, catalog, identity, orders
from tests.personas import Persona

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")

pytestmark = pytest.mark.django_db


def refusal(code: str, *args: object, **fields: object) -> Refused:
    with pytest.raises(Refused) as caught:
        orders.place(*args, **fields)  # type: ignore[arg-type]
    assert caught.value.code == code
    return caught.value


def test_an_order_waits_for_payment_and_holds_what_the_quote_said(rich: Persona) -> None:
    product = catalog.saas_product()
    order = orders.place(rich, product, at=AT, quantity="7", term="1-year")

    assert order.state == OrderState.PENDING_PAYMENT
    assert order.number.startswith("CS2603101000") and len(order.number) == 17
    assert (order.amount, order.currency) == (Decimal("700.00"), "USD")
    assert order.payment_due_at == AT + timedelta(hours=24)
    assert order.policy["pack"] == "2025"
    line = order.lines.get()
    assert line.number == f"{order.number}-000001"
    assert line.total == order.total
    assert line.calculation is not None and line.calculation.amount == order.total
    assert line.configured.spec_text == "Standard · 7 users"
    assert orders.steps(order) == ["placed"]
    assert AgreementSignature.objects.get(order_number=order.number).user == rich.user
    assert not Payment.objects.exists()
    trace = Trace.objects.get(trace_name="createOrder")
    assert (trace.resource_id, trace.trace_rating, trace.account_id) == (order.number, "normal", rich.account.pk)


def test_a_replayed_form_answers_the_same_order(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    first = orders.place(rich, product, at=AT, signed=signed, key="form-key-0001")
    again = orders.place(rich, product, at=AT, signed=signed, key="form-key-0001")
    assert again.pk == first.pk
    assert Order.objects.count() == 1


def test_one_quote_becomes_one_order_whatever_key_submits_it(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    assert orders.place(rich, product, at=AT, signed=signed).pk == orders.place(rich, product, at=AT, signed=signed).pk


def test_the_same_key_with_another_quote_is_refused(rich: Persona) -> None:
    product = catalog.saas_product()
    orders.place(rich, product, at=AT, key="form-key-0001")
    refusal("replayed_with_other_content", rich, product, at=AT, key="form-key-0001", quantity="2")
    assert Order.objects.count() == 1


def test_a_form_refused_for_its_input_may_be_corrected_and_sent_again(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    refusal("terms_not_accepted", rich, product, at=AT, signed=signed, key="form-key-0001", agreed=())
    assert orders.place(rich, product, at=AT, signed=signed, key="form-key-0001").pk


def test_a_refusal_changes_nothing_and_is_traced_as_a_warning(rich: Persona) -> None:
    refused = refusal("terms_not_accepted", rich, catalog.saas_product(), at=AT, agreed=())
    assert refused.field == "terms"
    assert not Order.objects.exists()
    trace = Trace.objects.get(trace_name="createOrder")
    assert (trace.trace_rating, trace.code) == ("warning", "terms_not_accepted")


@pytest.mark.parametrize("tamper", ["text", "id", "account"])
def test_a_tampered_or_foreign_quote_is_refused(rich: Persona, stranger: Persona, tamper: str) -> None:
    product = catalog.saas_product()
    signed = orders.quote(stranger if tamper == "account" else rich, product, at=AT)
    if tamper == "text":
        signed = SignedQuote(signed.quote_id, Sealed(signed.sealed.text[:-2] + "AA"))
    if tamper == "id":
        signed = SignedQuote("0" * 32, signed.sealed)
    refusal("quote_invalid", rich, product, at=AT, signed=signed)


def test_an_expired_quote_at_the_same_price_goes_on(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    late = AT + timedelta(minutes=30)
    assert orders.place(rich, product, at=late, signed=signed).state == OrderState.PENDING_PAYMENT


def test_an_expired_quote_at_another_price_is_refused_with_both_prices(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    raise_price(product, "11.00")
    refused = refusal("quote_changed", rich, product, at=AT + timedelta(minutes=30), signed=signed)
    assert refused.params == {"old": "USD 10.00", "new": "USD 11.00"}


def test_within_thirty_minutes_the_quoted_price_holds_though_the_plan_changed(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    raise_price(product, "11.00")
    order = orders.place(rich, product, at=AT + timedelta(minutes=29, seconds=59), signed=signed)
    assert order.amount == Decimal("10.00")


def raise_price(product: Product, price: str) -> None:
    with guard.opened("test"):
        for sku in product.skus.all():
            for plan in sku.plans.all():
                plan.prices.update(unit_price=Decimal(price))


def test_a_frozen_account_may_not_order(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    with guard.opened("test"):
        Account.objects.filter(pk=rich.account.pk).update(frozen_at=AT, frozen_by="operations")
    refusal("account_frozen", rich, product, at=AT, signed=signed)


def test_a_payment_method_must_exist(buyer: Persona) -> None:
    refusal("no_payment_method", buyer, catalog.saas_product(), at=AT)


def test_a_denied_clerk_learns_the_policy(buyer: Persona, clerk: Persona) -> None:
    billing.fund(buyer.account, 1000)
    refused = refusal("iam_denied", clerk, catalog.saas_product(), at=AT)
    assert refused.params["policy"] == "no-orders"
    assert not Order.objects.exists()


def test_a_denial_for_one_product_leaves_the_others(rich: Persona) -> None:
    denied, allowed = catalog.saas_product(), catalog.saas_product()
    user = identity.UserFactory(account=rich.account, is_root=False, username="half")
    identity.deny(user, "marketplace:order:create", products=[denied.code], name="not-this-one")
    half = Persona(user, rich.role)
    refusal("iam_denied", half, denied, at=AT)
    assert orders.place(half, allowed, at=AT).user == user


def test_a_product_that_left_the_catalogue_is_refused(rich: Persona) -> None:
    product = catalog.saas_product()
    signed = orders.quote(rich, product, at=AT)
    with guard.opened("test"):
        Product.objects.filter(pk=product.pk).update(state="hidden")
    refusal("not_on_sale", rich, product, at=AT, signed=signed)


def test_images_cannot_be_ordered_yet(rich: Persona) -> None:
    product = catalog.make_product(delivery_method="image", plans=[catalog.plan(mode="PERIOD")])
    refusal("delivery_not_available", rich, product, at=AT)


def test_a_purchase_limit_counts_live_orders_only(rich: Persona) -> None:
    product = catalog.content_product(limit_per_account=1)
    first = orders.place(rich, product, at=AT)
    refusal("limit_per_account", rich, product, at=AT + timedelta(hours=23, minutes=59, seconds=59))
    assert orders.place(rich, product, at=AT + timedelta(hours=24)).pk != first.pk


def test_a_limit_of_a_specification_leaves_the_others(rich: Persona) -> None:
    product = catalog.content_product(specifications=("small", "large"))
    with guard.opened("test"):
        product.specifications.filter(code="small").update(limit_per_account=1)
    orders.place(rich, product, at=AT, specification="small")
    refusal("limit_per_specification", rich, product, at=AT, specification="small")
    assert orders.place(rich, product, at=AT, specification="large").spec_text == "Large"


def test_one_at_a_time_frees_when_the_order_is_canceled(rich: Persona) -> None:
    product = catalog.saas_product(one_at_a_time=True)
    orders.place(rich, product, at=AT)
    refusal("one_at_a_time", rich, product, at=AT)
    assert orders.place(rich, product, at=AT + timedelta(days=1)).pk


def test_one_at_a_time_frees_when_the_resource_expires(rich: Persona) -> None:
    product = catalog.make_product(
        delivery_method="content_service", one_at_a_time=True, plans=[catalog.plan(lengths=[1])]
    )
    orders.bought(rich, product, at=AT)
    expiry = datetime.fromisoformat("2026-04-10T23:59:59+08:00")
    refusal("one_at_a_time", rich, product, at=expiry)
    assert orders.place(rich, product, at=expiry + timedelta(seconds=1)).pk


def test_stock_is_taken_with_the_order_and_sold_out_is_refused(rich: Persona) -> None:
    product = catalog.hardware_product(stock=3)
    orders.place(rich, product, at=AT, items="2")
    product.refresh_from_db()
    assert product.stock == 1
    refused = refusal("sold_out", rich, product, at=AT, items="2")
    assert refused.field == "items"


def test_a_trial_is_free_and_once_per_account(rich: Persona, stranger: Persona) -> None:
    product = catalog.saas_product(trial_days=14)
    order = orders.place(rich, product, at=AT, trial="1")
    assert (order.type, order.amount, order.state, order.paid_by) == (
        OrderType.TRIAL,
        0,
        OrderState.PROCESSING,
        PaidBy.NOTHING,
    )
    refusal("trial_used", rich, product, at=AT, trial="1")
    assert orders.place(rich, product, at=AT).type == OrderType.NEW
    assert orders.place(stranger, product, at=AT, trial="1").account == stranger.account


def test_pay_per_use_skips_payment_and_needs_a_method(rich: Persona, stranger: Persona) -> None:
    product = catalog.pay_per_use_product()
    refusal("no_payment_method", stranger, product, at=AT)
    order = orders.place(rich, product, at=AT)
    assert order.state in (OrderState.PROCESSING, OrderState.COMPLETED)
    assert not Payment.objects.exists()


def test_a_resellers_customer_skips_payment_and_the_reseller_owes(customer: Persona, reseller: Persona) -> None:
    order = orders.place(customer, catalog.content_product(), at=AT)
    assert order.state == OrderState.COMPLETED
    assert (order.paid_by, order.reseller) == (PaidBy.RESELLER, reseller.account)
    payment = Payment.objects.get()
    assert (payment.payer_id, payment.amount) == (reseller.account.pk, Decimal("300.00"))


def test_a_discount_wins_and_is_kept_with_the_line(rich: Persona) -> None:
    product = catalog.saas_product()
    with clock.at(AT - timedelta(days=1)):
        catalog.standing_discount(rich.account, product, "0.85")
    order = orders.place(rich, product, at=AT, quantity="10")
    line = order.lines.get()
    assert (order.list_amount, order.amount) == (Decimal("100.00"), Decimal("85.00"))
    assert (line.discount_share, line.discount_source) == (Decimal("0.85"), "standing")


def test_consent_is_asked_for_and_recorded(rich: Persona) -> None:
    product = catalog.saas_product(contact_data="mobile")
    assert refusal("consent_required", rich, product, at=AT).field == "consent"
    order = orders.place(rich, product, at=AT, consent=True)
    assert order.contact_kind == "mobile"
    assert ContactConsent.objects.get().order_number == order.number


def test_an_eula_is_asked_again_only_when_its_text_changed(rich: Persona) -> None:
    product = catalog.content_product(eula="Use it kindly.")
    text = identity.AgreementTextFactory(subject=product.agreement_subject)
    refused = refusal("agreement_not_accepted", rich, product, at=AT)
    assert refused.params["title"] == "Licence"
    orders.place(rich, product, at=clock.now(), agreed=("terms", text.subject))
    orders.place(rich, product, at=clock.now())
    identity.AgreementTextFactory(subject=text.subject, version=2, texts={"en": "Use it very kindly."})
    refusal("agreement_not_accepted", rich, product, at=clock.now())


def test_the_project_is_default_unless_an_enabled_one_is_named(rich: Persona) -> None:
    product = catalog.saas_product()
    project = identity.ProjectFactory(account=rich.account)
    assert orders.place(rich, product, at=AT).project_code == "0"
    assert orders.place(rich, product, at=AT, project=project.code).project_code == project.code
    assert refusal("project_unknown", rich, product, at=AT, project="nope").field == "project"
    with guard.opened("test"):
        type(project).objects.filter(pk=project.pk).update(enabled=False)
    refusal("project_unknown", rich, product, at=AT, project=project.code)


def test_a_package_belongs_to_no_project(rich: Persona) -> None:
    project = identity.ProjectFactory(account=rich.account)
    refusal("project_not_for_package", rich, catalog.package_product(), at=AT, project=project.code)
    assert orders.place(rich, catalog.package_product(), at=AT).project_code == ""


def test_tags_are_for_pay_per_use_unless_the_policy_says_all(rich: Persona) -> None:
    assert orders.place(rich, catalog.pay_per_use_product(), at=AT, tags={"team": "blue"}).tags == {"team": "blue"}
    refusal("tags_not_offered", rich, catalog.saas_product(), at=AT, tags={"team": "blue"})
    policies.choose(system_call(at=AT), overrides={"tags.scope": "all"})
    order = orders.place(rich, catalog.saas_product(), at=AT, tags={"团队": "blue@1.x"})
    assert order.tags == {"团队": "blue@1.x"}


def test_a_tag_out_of_form_is_refused_next_to_its_field(rich: Persona) -> None:
    for tags in ({"bad key": "x"}, {"k" * 37: "x"}, {"key": "v" * 44}):
        assert refusal("tag_key_form" if "key" not in tags else "tag_value_form", rich,
                       catalog.pay_per_use_product(), at=AT, tags=tags).field == "tags"  # fmt: skip


def test_the_stamped_policy_sets_the_payment_window(rich: Persona) -> None:
    product = catalog.saas_product()
    before = orders.place(rich, product, at=AT)
    policies.choose(system_call(at=AT), overrides={"order.payment_window_hours": "48"})
    after = orders.place(rich, product, at=AT + timedelta(seconds=1))
    assert before.payment_due_at == AT + timedelta(hours=24)
    assert after.payment_due_at == AT + timedelta(hours=48, seconds=1)
    assert after.policies["order.payment_window_hours"] == 48


def test_a_product_that_does_not_exist_is_missing(rich: Persona) -> None:
    signed = sign(quote_for(account=rich.account, product=catalog.saas_product(), data={}, at=AT))
    with pytest.raises(Missing):
        placing.place_order(rich.call(at=AT, key=pages.new_key()), product="nothing", quote=signed, agreed=("terms",))
    assert not OrderEvent.objects.exists()


def test_popularity_counts_live_orders_of_thirty_days(rich: Persona) -> None:
    popular, quiet = catalog.content_product(), catalog.content_product()
    for days in (0, 29, 30):
        orders.bought(rich, popular, at=AT - timedelta(days=days))
    late = orders.place(rich, quiet, at=AT - timedelta(days=2))
    cancelling.expire_order(system_call(at=AT), order=late)
    popularity.publish(AT)
    popular.refresh_from_db()
    quiet.refresh_from_db()
    assert (popular.popularity, quiet.popularity) == (2, 0)
