"""Private offers as rules and operations: what may be agreed on, states by time and by act, sent once."""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.core import mail as postbox
from django.db import connections
from hypothesis import given
from hypothesis import strategies as st

from audit.models import Trace
from catalog.models import OfferMilestone, OfferUse, PrivateOffer, Product
from catalog.operations import offers, products
from catalog.queries.offers import showing
from catalog.queries.seller_offers import reach
from catalog.rules.offers import MilestoneTerms, figures, milestone_amounts
from catalog.states import OFFER_MOVES, OfferState, UseState
from koogallery import clock
from koogallery.identity.models import Account
from koogallery.identity.states import SellerRole
from koogallery.kernel import guard, outbox, pages
from koogallery.kernel.calls import Role, system_call
from koogallery.kernel.models import OutboxMessage
from koogallery.kernel.money import EXPONENTS, Money
from koogallery.kernel.reasons import Missing, Refused
from koogallery.kernel.sweeps import sweeps
from koogallery.notifications import gateways
from koogallery.notifications.models import Message
from orders.operations import cancelling
from tests.factories import billing, catalog, identity
from tests.factories import orders as ordering
from tests.factories.offers import draft_offer, equal_shares, one_time_product, order_by_offer, sent_offer, terms
from tests.factories.supervision import seller_of
from tests.personas import Persona, make_buyer, make_seller

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
STARTS = datetime.fromisoformat("2026-03-12T00:00:00+08:00")
OVER = datetime.fromisoformat("2026-03-21T00:00:00+08:00")
VALID = {"valid_from": "2026-03-12", "valid_to": "2026-03-20"}
SECOND = timedelta(seconds=1)

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer(db: None) -> Persona:
    """A customer with money."""
    persona = make_buyer(name="buyer")
    billing.fund(account_of(persona), 10_000)
    return persona


@pytest.fixture
def product() -> Product:
    """USD 1,000.00 once, supervised."""
    return one_time_product()


@pytest.fixture
def owner(product: Product) -> Persona:
    """The seller of the product."""
    return seller_of(product)


def account_of(persona: Persona) -> Account:
    assert persona.account is not None
    return persona.account


def again(offer: PrivateOffer) -> PrivateOffer:
    return PrivateOffer.objects.select_related("product", "account", "seller").get(pk=offer.pk)


def sweep(at: datetime) -> int:
    return sweeps["private-offers"].run(at)


def refused(act: Callable[[], Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value


def told() -> list[tuple[int | None, str]]:
    rows = Message.objects.filter(kind__startswith="private_offer").order_by("pk")
    return list(rows.values_list("account_id", "kind"))


# Validity: by time, and by the sweep


@pytest.mark.parametrize(
    ("moment", "state"),
    [
        (STARTS - SECOND, OfferState.SCHEDULED),
        (STARTS - timedelta(microseconds=1), OfferState.SCHEDULED),
        (STARTS, OfferState.IN_EFFECT),
        (STARTS + SECOND, OfferState.IN_EFFECT),
        (OVER - SECOND, OfferState.IN_EFFECT),
        (OVER - timedelta(microseconds=1), OfferState.IN_EFFECT),
        (OVER, OfferState.EXPIRED),
        (OVER + SECOND, OfferState.EXPIRED),
    ],
)
@pytest.mark.parametrize("is_swept", [False, True])
def test_the_state_follows_whole_days_of_the_platform_with_and_without_the_sweep(
    buyer: Persona, product: Product, moment: datetime, state: OfferState, is_swept: bool
) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT, **VALID)
    if is_swept:
        sweep(moment)
        assert again(offer).state == state
    assert again(offer).shown_state(moment) is state
    for each in OfferState:
        assert PrivateOffer.objects.filter(showing(each, moment)).exists() == (each is state), each


def test_the_sweep_acts_at_the_due_times_once_and_tells_both_sides(buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT, **VALID)
    customer, seller = account_of(buyer).pk, product.seller.account_id
    assert sweep(STARTS - SECOND) == 0
    assert told() == [(customer, "private_offer")]
    late = STARTS + timedelta(hours=5)
    assert sweep(late) == 1
    assert sweep(late) == 0
    assert again(offer).next_state_at == OVER
    assert sweep(OVER - SECOND) == 0
    assert sweep(OVER + timedelta(days=2)) == 1
    assert sweep(OVER + timedelta(days=3)) == 0
    ended = again(offer)
    assert (ended.state, ended.ended_at, ended.next_state_at) == (OfferState.EXPIRED, OVER, None)
    assert told()[1:] == [
        (customer, "private_offer_in_effect"),
        (customer, "private_offer_expired"),
        (seller, "private_offer_expired_seller"),
    ]
    traces = Trace.objects.filter(trace_name="advancePrivateOffer").order_by("time")
    assert [(each.time, each.response["state"]) for each in traces] == [(STARTS, "in_effect"), (OVER, "expired")]


def test_one_late_sweep_passes_both_ends(buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT, **VALID)
    assert sweep(OVER + timedelta(days=9)) == 2
    assert (again(offer).state, again(offer).ended_at) == (OfferState.EXPIRED, OVER)


def test_an_offer_whose_validity_began_is_in_effect_when_sent_and_is_not_announced_twice(
    buyer: Persona, product: Product
) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT)
    assert (offer.state, offer.next_state_at) == (OfferState.IN_EFFECT, offer.over_from)
    sweep(AT + timedelta(days=1))
    assert told() == [(account_of(buyer).pk, "private_offer")]


# States and acts


def in_state(state: OfferState, buyer: Persona, product: Product) -> PrivateOffer:
    """An offer that shows a state at `AT`, brought there by operations."""
    customer = account_of(buyer)
    if state is OfferState.DRAFT:
        return draft_offer(customer, product, at=AT)
    if state is OfferState.SCHEDULED:
        return sent_offer(customer, product, at=AT, **VALID)
    if state is OfferState.EXPIRED:
        return sent_offer(customer, product, at=AT - timedelta(days=60))
    offer = sent_offer(customer, product, at=AT)
    if state is OfferState.WITHDRAWN:
        return offers.withdraw(seller_of(product).call(at=AT, key=pages.new_key()), offer=offer.number)
    if state in (OfferState.RESERVED, OfferState.USED):
        order = order_by_offer(buyer, offer, at=AT)
        if state is OfferState.USED:
            ordering.pay(buyer, order, at=AT)
    return again(offer)


REFUSALS = {
    "update": dict.fromkeys(set(OfferState) - {OfferState.DRAFT}, "offer_sent"),
    "send": dict.fromkeys(set(OfferState) - {OfferState.DRAFT}, "offer_sent"),
    "withdraw": dict.fromkeys((OfferState.USED, OfferState.EXPIRED, OfferState.WITHDRAWN), "offer_ended"),
}
"""Which act of the seller is refused in which state; the others are done."""


@pytest.mark.parametrize("act", REFUSALS)
@pytest.mark.parametrize("state", OfferState)
def test_a_seller_does_what_the_state_allows_and_nothing_else(
    owner: Persona, buyer: Persona, product: Product, state: OfferState, act: str
) -> None:
    offer = in_state(state, buyer, product)
    before = PrivateOffer.objects.values().get(pk=offer.pk)
    assert again(offer).shown_state(AT) is state
    told_before, call = told(), owner.call(at=AT, key=pages.new_key())
    acts: dict[str, Callable[[], Any]] = {
        "update": lambda: offers.update(
            call, offer=offer.number, terms=terms(account_of(buyer), product, at=AT, share="0.50")
        ),
        "send": lambda: offers.send(call, offer=offer.number),
        "withdraw": lambda: offers.withdraw(call, offer=offer.number),
    }
    if code := REFUSALS[act].get(state):
        assert refused(acts[act]).code == code
        assert PrivateOffer.objects.values().get(pk=offer.pk) == before
        assert told() == told_before
        trace = Trace.objects.get(trace_name=f"{act}PrivateOffer", trace_rating="warning")
        assert (trace.code, trace.account_id, trace.resource_id) == (code, account_of(owner).pk, offer.number)
        return
    acts[act]()
    after = again(offer)
    assert after.number == offer.number
    if act == "update":
        assert (str(after.total), after.state) == ("USD 500.00", OfferState.DRAFT)
    else:
        assert OFFER_MOVES.allowed(state, after.shown_state(AT))
        assert after.state == (OfferState.IN_EFFECT if act == "send" else OfferState.WITHDRAWN)


def test_a_withdrawn_draft_is_told_to_nobody(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product, at=AT)
    offers.withdraw(owner.call(at=AT, key=pages.new_key()), offer=draft.number)
    assert told() == []
    assert again(draft).ended_at == AT


def test_withdrawing_leaves_an_order_as_it_is(owner: Persona, buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT)
    order = order_by_offer(buyer, offer, at=AT)
    offers.withdraw(owner.call(at=AT, key=pages.new_key()), offer=offer.number)
    assert told()[-1] == (account_of(buyer).pk, "private_offer_withdrawn")
    order = ordering.pay(buyer, order, at=AT + timedelta(hours=1))
    assert (order.state_enum.is_paid, str(order.total)) == (True, "USD 900.00")
    assert again(offer).state == OfferState.WITHDRAWN
    assert [use.state for use in again(offer).orders.all()] == [UseState.USED]


def test_a_canceled_order_does_not_bring_a_withdrawn_offer_back(
    owner: Persona, buyer: Persona, product: Product
) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT)
    order = order_by_offer(buyer, offer, at=AT)
    offers.withdraw(owner.call(at=AT, key=pages.new_key()), offer=offer.number)
    cancelling.cancel_order(buyer.call(at=AT, key=pages.new_key()), order=order.number)
    assert (again(offer).state, again(offer).taken) == (OfferState.WITHDRAWN, 0)


def test_a_draft_whose_days_have_passed_is_not_sent(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product, at=AT, valid_to="2026-03-10")
    late = datetime.fromisoformat("2026-03-11T00:00:00+08:00")
    fault = refused(lambda: offers.send(owner.call(at=late, key=pages.new_key()), offer=draft.number))
    assert (fault.code, fault.field) == ("offer_over", "valid_to")
    offers.send(owner.call(at=late - SECOND, key=pages.new_key()), offer=draft.number)


def test_a_draft_for_a_product_off_sale_is_not_sent(owner: Persona, buyer: Persona, product: Product) -> None:
    draft = draft_offer(account_of(buyer), product, at=AT)
    products.hide(system_call(at=AT), product=product.code)
    fault = refused(lambda: offers.send(owner.call(at=AT, key=pages.new_key()), offer=draft.number))
    assert fault.code == "not_on_sale"
    assert told() == []


# Once


def test_a_replay_answers_the_same_offer_and_tells_nobody_twice(
    owner: Persona, buyer: Persona, product: Product
) -> None:
    written, key = terms(account_of(buyer), product, at=AT, shares=["40", "60"]), pages.new_key()
    first, second = (offers.create(owner.call(at=AT, key=key), terms=written) for _time in range(2))
    assert first.pk == second.pk
    other = replace(written, name="Another")
    assert refused(lambda: offers.create(owner.call(at=AT, key=key), terms=other)).code == "replayed_with_other_content"
    for _time in range(2):
        offers.send(owner.call(at=AT, key=key), offer=first.number)
    assert (PrivateOffer.objects.count(), OfferMilestone.objects.count()) == (1, 2)
    assert told() == [(account_of(buyer).pk, "private_offer")]
    assert Trace.objects.filter(trace_name="sendPrivateOffer").count() == 1


def test_the_customer_gets_the_link_by_mail_with_its_code_and_by_sms(
    buyer: Persona, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[tuple[str, str]] = []

    class Gateway:
        def send(self, *, to: str, text: str, key: str) -> None:
            texts.append((to, text))

    monkeypatch.setattr(gateways, "gateway", Gateway)
    with guard.opened("test"):
        buyer.user.mobile = "+6591234567"
        buyer.user.save(update_fields=["mobile"])
    offer = sent_offer(account_of(buyer), product, at=AT)
    link = f"http://testserver{offer.get_link()}"
    with clock.at(AT):
        outbox.deliver_due(AT)
    (letter,) = postbox.outbox
    assert letter.to == [buyer.user.email]
    assert link in letter.body
    pictures = [part for part in letter.message().walk() if part.get_content_type() == "image/png"]
    assert len(pictures) == 1
    ((number, text),) = texts
    assert number == "+6591234567"
    assert link in text


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_send_at_once_send_one_mail_and_one_sms() -> None:
    product = one_time_product()
    owner, customer = seller_of(product), make_buyer()
    with guard.opened("test"):
        customer.user.mobile = "+6591234567"
        customer.user.save(update_fields=["mobile"])
    draft = draft_offer(account_of(customer), product)
    gate, outcomes = threading.Barrier(4), []

    def send() -> None:
        call = owner.call(key=pages.new_key())
        gate.wait()
        try:
            offers.send(call, offer=draft.number)
            outcomes.append("sent")
        except Refused as fault:
            outcomes.append(fault.code)
        finally:
            connections.close_all()

    tabs = [threading.Thread(target=send) for _tab in range(4)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(outcomes) == ["offer_sent"] * 3 + ["sent"]
    kinds = OutboxMessage.objects.values_list("kind", flat=True)
    assert sorted(kinds) == ["mail", "sms"]
    assert len(told()) == 1


# What may be agreed on


def rejected(owner: Persona, sold: Product, customer: Account, **fields: Any) -> tuple[str, str]:
    """Code and field of the refusal of terms, which changes nothing and is traced."""
    named = {name: fields.pop(name) for name in ("account", "product") if name in fields}
    written = replace(terms(customer, sold, at=AT, **fields), **named)
    fault = refused(lambda: offers.create(owner.call(at=AT, key=pages.new_key()), terms=written))
    assert PrivateOffer.objects.count() == 0
    trace = Trace.objects.get(trace_name="createPrivateOffer")
    assert (trace.code, trace.trace_rating, trace.account_id) == (fault.code, "warning", account_of(owner).pk)
    return fault.code, fault.field


RULES: dict[str, tuple[dict[str, Any], str, str]] = {
    "a name": ({"name": " "}, "text_required", "name"),
    "a known customer": ({"account": "nobody"}, "offer_account", "account"),
    "a customer": ({"account": " "}, "offer_account", "account"),
    "an own product": ({"product": "not-a-product"}, "offer_product", "product"),
    "at least one use": ({"uses": 0}, "offer_uses", "uses"),
    "at most ten uses": ({"uses": 11}, "offer_uses", "uses"),
    "a price": ({"share": None}, "offer_price_needed", "share"),
    "a share above 0": ({"share": "0"}, "offer_share_value", "share"),
    "a share up to 1": ({"share": "1.0001"}, "offer_share_value", "share"),
    "a share of four decimals": ({"share": "0.12345"}, "offer_share_value", "share"),
    "a price above 0": ({"fixed_price": "0"}, "amount_not_positive", "fixed_price"),
    "whole cents": ({"fixed_price": "9.999"}, "amount_not_whole", "fixed_price"),
    "no more than the list price": ({"fixed_price": "1000.01"}, "offer_above_list", "fixed_price"),
    "a future": ({"valid_from": "2026-03-09"}, "offer_in_the_past", "valid_from"),
    "an end after the begin": ({"valid_from": "2026-03-12", "valid_to": "2026-03-11"}, "offer_dates", "valid_to"),
    "a configuration that is sold": ({"form": {"specification": "gold"}}, "configuration_choice", "specification"),
    "a mode that is sold": ({"form": {"plan": "PERIOD"}}, "mode_not_sold", "plan"),
    "shares of 100, not 99": ({"shares": ["50", "49"]}, "milestone_shares_sum", "milestones"),
    "shares of 100, not 101": ({"shares": ["50", "51"]}, "milestone_shares_sum", "milestones"),
    "shares of 100, not 100.01": ({"shares": ["50", "50.01"]}, "milestone_shares_sum", "milestones"),
    "two milestones": ({"shares": ["100"]}, "milestone_count", "milestones"),
    "twelve milestones": ({"shares": equal_shares(13)}, "milestone_count", "milestones"),
    "a share above nothing": ({"shares": ["100", "0"]}, "milestone_share", "milestone-0-share"),
    "a share above less than nothing": ({"shares": ["60", "-10", "50"]}, "milestone_share", "milestone-1-share"),
    "a share of two decimals": ({"shares": ["33.333", "66.667"]}, "milestone_share", "milestone-0-share"),
    "one order": ({"shares": ["50", "50"], "uses": 2}, "milestone_one_order", "uses"),
}


@pytest.mark.parametrize("rule", RULES)
def test_an_offer_needs(owner: Persona, buyer: Persona, product: Product, rule: str) -> None:
    fields, code, field = RULES[rule]
    assert rejected(owner, product, account_of(buyer), **fields) == (code, field)


def test_a_milestone_needs_a_name_and_a_description(owner: Persona, buyer: Persona, product: Product) -> None:
    half = Decimal(50)
    for index, (name, delivery, code) in enumerate(
        [("", "All of it", "milestone_name"), ("Half", " ", "milestone_delivery")]
    ):
        parts = [MilestoneTerms(name="Half", delivery="The other half", share=half)] * 2
        parts[index] = MilestoneTerms(name=name, delivery=delivery, share=half)
        written = terms(account_of(buyer), product, at=AT, milestones=parts)
        fault = refused(lambda written=written: offers.create(owner.call(at=AT, key=pages.new_key()), terms=written))  # type: ignore[misc]
        assert (fault.code, fault.field) == (code, f"milestone-{index}-{code.removeprefix('milestone_')}")


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"delivery_method": "hardware"}, "milestone_method", "involves_milestones"),
        ({"delivery_method": "saas", "supervised": False}, "milestone_not_supervised", "involves_milestones"),
        ({"delivery_method": "saas", "plans": [catalog.plan()]}, "milestone_one_time", "plan"),
    ],
)
def test_milestones_need_a_supervised_product_of_three_methods_at_a_one_time_price(
    buyer: Persona, fields: dict[str, Any], code: str, field: str
) -> None:
    product = one_time_product(fields.pop("delivery_method"), **fields)
    assert rejected(seller_of(product), product, account_of(buyer), shares=["50", "50"]) == (code, field)


def test_pay_per_use_and_packages_are_not_offered(buyer: Persona) -> None:
    for product in (catalog.pay_per_use_product(), catalog.package_product()):
        written = terms(account_of(buyer), product, at=AT)
        call = seller_of(product).call(at=AT, key=pages.new_key())
        fault = refused(lambda call=call, written=written: offers.create(call, terms=written))  # type: ignore[misc]
        assert (fault.code, fault.field) == ("offer_mode", "plan")


def test_a_product_off_sale_is_not_offered(owner: Persona, buyer: Persona, product: Product) -> None:
    products.hide(system_call(at=AT), product=product.code)
    assert rejected(owner, product, account_of(buyer)) == ("not_on_sale", "product")


def test_a_product_is_not_offered_in_a_currency_it_is_not_sold_in(owner: Persona, product: Product) -> None:
    customer = account_of(make_buyer(currency="JPY"))
    assert rejected(owner, product, customer) == ("not_sold_in_currency", "plan")


def test_a_seller_makes_no_offer_to_itself(owner: Persona, product: Product) -> None:
    assert rejected(owner, product, account_of(owner)) == ("offer_account", "account")


def test_a_trial_is_never_offered(owner: Persona, buyer: Persona) -> None:
    product = catalog.saas_product(trial_days=14)
    written = terms(account_of(buyer), product, at=AT, form={"trial": "1", "attr_users": "10"})
    made = offers.create(seller_of(product).call(at=AT, key=pages.new_key()), terms=written)
    assert made.configuration["trial_days"] in (0, "0")
    assert "trial" not in made.form
    assert str(made.total) == "USD 90.00"


def test_only_the_seller_s_own_discount_counts(owner: Persona, buyer: Persona, product: Product) -> None:
    catalog.standing_discount(account_of(buyer), product, "0.50")
    made = draft_offer(account_of(buyer), product, at=AT, share="0.90")
    assert (str(made.list_total), str(made.total)) == ("USD 1,000.00", "USD 900.00")


@pytest.mark.parametrize(
    ("currency", "price", "shares", "amounts"),
    [
        ("USD", "1000.00", ["33.33", "33.33", "33.34"], ["USD 299.97", "USD 299.97", "USD 300.06"]),
        ("JPY", "1001", ["33.33", "33.33", "33.34"], ["JPY 300", "JPY 300", "JPY 301"]),
        ("KWD", "10.005", ["50", "50"], ["KWD 4.503", "KWD 4.502"]),
        ("USD", "1000.00", equal_shares(12), ["USD 74.97"] * 11 + ["USD 75.33"]),
    ],
)
def test_each_milestone_is_rounded_and_the_last_takes_the_remainder(
    currency: str, price: str, shares: list[str], amounts: list[str]
) -> None:
    product = one_time_product(plans=[catalog.plan(mode="ONE_TIME", unit_price=price, currencies=[currency])])
    offer = draft_offer(account_of(make_buyer(currency=currency)), product, at=AT, shares=shares)
    assert [str(part.money) for part in offer.parts.all()] == amounts
    assert sum(part.amount for part in offer.parts.all()) == offer.amount


@pytest.mark.parametrize(
    ("currency", "price", "shares", "field"),
    [
        ("JPY", "10", ["1", "99"], "milestone-0-share"),
        ("JPY", "10", ["99", "1"], "milestone-1-share"),
        ("KWD", "1.000", ["50", "0.04", "49.96"], "milestone-1-share"),
    ],
)
def test_a_share_that_comes_to_nothing_is_refused(currency: str, price: str, shares: list[str], field: str) -> None:
    product = one_time_product(plans=[catalog.plan(mode="ONE_TIME", unit_price=price, currencies=[currency])])
    customer = account_of(make_buyer(currency=currency))
    fault = rejected(seller_of(product), product, customer, shares=shares, share="1")
    assert fault == ("milestone_too_small", field)


@pytest.mark.parametrize(("currency", "fixed"), [("JPY", "900.5"), ("KWD", "0.0005"), ("USD", "0.001")])
def test_a_fixed_price_has_no_more_digits_than_its_currency(currency: str, fixed: str) -> None:
    product = one_time_product(plans=[catalog.plan(mode="ONE_TIME", unit_price="1000", currencies=[currency])])
    customer = account_of(make_buyer(currency=currency))
    fault = rejected(seller_of(product), product, customer, fixed_price=fixed)
    assert fault == ("amount_not_whole", "fixed_price")


def test_a_discount_down_to_nothing_is_refused() -> None:
    product = one_time_product(plans=[catalog.plan(mode="ONE_TIME", unit_price="1", currencies=["JPY"])])
    customer = account_of(make_buyer(currency="JPY"))
    assert rejected(seller_of(product), product, customer, share="0.49") == ("amount_not_positive", "share")


# Who may


def test_offers_of_another_seller_do_not_exist(buyer: Persona, product: Product) -> None:
    draft, rival = draft_offer(account_of(buyer), product, at=AT), make_seller()
    for act in (offers.send, offers.withdraw):
        with pytest.raises(Missing):
            act(rival.call(at=AT, key=pages.new_key()), offer=draft.number)
    written = terms(account_of(buyer), product, at=AT)
    with pytest.raises(Missing):
        offers.update(rival.call(at=AT, key=pages.new_key()), offer=draft.number, terms=written)
    fault = refused(lambda: offers.create(rival.call(at=AT, key=pages.new_key()), terms=written))
    assert (fault.code, fault.field) == ("offer_product", "product")
    assert again(draft).state == OfferState.DRAFT


@pytest.mark.parametrize("role", [SellerRole.READ_ONLY, SellerRole.DELIVERY, SellerRole.FINANCE])
def test_roles_without_the_right_do_nothing(owner: Persona, buyer: Persona, product: Product, role: SellerRole) -> None:
    draft = draft_offer(account_of(buyer), product, at=AT)
    user: Any = identity.UserFactory(account=account_of(owner), is_root=False, seller_role=role)
    colleague = Persona(user, Role.SELLER)
    for act in (offers.send, offers.withdraw):
        call = colleague.call(at=AT, key=pages.new_key())
        fault = refused(lambda act=act, call=call: act(call, offer=draft.number))  # type: ignore[misc]
        assert fault.code == "role_not_allowed"


def test_a_deny_for_one_product_holds_for_its_offers_and_for_no_other(
    owner: Persona, buyer: Persona, product: Product
) -> None:
    other, draft = one_time_product(seller=product.seller), draft_offer(account_of(buyer), product, at=AT)
    user: Any = identity.UserFactory(account=account_of(owner), is_root=False, seller_role=SellerRole.PRODUCT_MANAGER)
    identity.deny(user, "marketplace:privateOffer:*", products=[product.code])
    colleague = Persona(user, Role.SELLER)

    def call() -> Any:
        return colleague.call(at=AT, key=pages.new_key())

    written = terms(account_of(buyer), product, at=AT)
    assert refused(lambda: offers.create(call(), terms=written)).code == "iam_denied"
    assert refused(lambda: offers.send(call(), offer=draft.number)).code == "iam_denied"
    own = offers.create(call(), terms=terms(account_of(buyer), other, at=AT))
    assert refused(lambda: offers.update(call(), offer=own.number, terms=written)).code == "iam_denied"
    assert again(own).product_id == other.pk
    assert offers.send(call(), offer=own.number).state == OfferState.IN_EFFECT


def test_opening_is_kept_once(buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT)
    for hours in (1, 2):
        offers.note_opened(system_call(at=AT + timedelta(hours=hours)), offer=offer.number)
    assert again(offer).opened_at == AT + timedelta(hours=1)
    assert Trace.objects.filter(trace_name="openPrivateOffer").count() == 1


def test_the_figures_of_a_seller_count_what_was_sent_in_thirty_days(buyer: Persona, product: Product) -> None:
    month = timedelta(days=30)
    ordered, canceled = (sent_offer(account_of(buyer), product, at=AT - month + SECOND) for _one in range(2))
    sent_offer(account_of(buyer), product, at=AT - month)
    draft_offer(account_of(buyer), product, at=AT)
    order_by_offer(buyer, ordered, at=AT)
    order = order_by_offer(buyer, canceled, at=AT)
    cancelling.cancel_order(buyer.call(at=AT, key=pages.new_key()), order=order.number)
    offers.note_opened(system_call(at=AT), offer=canceled.number)
    found = reach(product.seller_id, at=AT)
    assert (found.sent, found.opened, found.ordered) == (2, 1, 1)


# Figures while an offer is written


@given(
    cents=st.integers(1, 10**9),
    currency=st.sampled_from(sorted(EXPONENTS)),
    weights=st.lists(st.integers(1, 9_999), min_size=2, max_size=12),
)
def test_the_amounts_shown_are_those_that_are_billed_and_sum_to_the_total(
    cents: int, currency: str, weights: list[int]
) -> None:
    shares = _hundred(weights)
    total = Money(Decimal(cents).scaleb(-EXPONENTS[currency]), currency)
    shown = figures(list_price=total, share=Decimal(1), fixed_price=None, shares=shares)
    assert shown.is_whole
    assert shown.total == total
    known = [each for each in shown.amounts if each is not None]
    assert sum(known[1:], known[0]) == total
    parts = [MilestoneTerms(name="a", delivery="b", share=share) for share in shares]
    try:
        assert milestone_amounts(parts, total=total) == shown.amounts
    except Refused as fault:
        assert fault.code == "milestone_too_small"
        assert not all(shown.amounts)


def _hundred(weights: list[int]) -> list[Decimal]:
    """Shares of two decimals that sum to 100, each more than 0."""
    left, shares = 10_000 - len(weights), []
    for weight in weights[:-1]:
        share = left * weight // 10_000
        shares.append(share + 1)
        left -= share
    return [Decimal(each).scaleb(-2) for each in [*shares, left + 1]]


def test_figures_bear_whatever_is_typed() -> None:
    price = Money(Decimal("99.99"), "USD")
    odd = figures(list_price=price, share=Decimal("7"), fixed_price=None, shares=[None, Decimal("-3"), Decimal("200")])
    assert odd.total is None
    assert odd.amounts == (None,) * 3
    assert odd.shares_text == "0 %"
    nothing = figures(list_price=None, share=Decimal("0.5"), fixed_price=None, shares=[])
    assert (nothing.total, nothing.saved, nothing.list_shown) == (None, None, None)
    both = figures(list_price=price, share=Decimal("0.5"), fixed_price=Decimal("1"), shares=[])
    assert both.total is None
    assert both.saved is None


# The state of an offer whose unpaid order lapsed (R19)


@pytest.mark.parametrize(
    ("placed", "moment", "state"),
    [
        (STARTS, STARTS + timedelta(hours=24) - SECOND, OfferState.RESERVED),
        (STARTS, STARTS + timedelta(hours=24), OfferState.IN_EFFECT),
        (STARTS, OVER - timedelta(microseconds=1), OfferState.IN_EFFECT),
        (STARTS, OVER, OfferState.EXPIRED),
        (OVER - SECOND, OVER + timedelta(hours=1), OfferState.RESERVED),
        (OVER - SECOND, OVER + timedelta(hours=24) - SECOND, OfferState.EXPIRED),
    ],
)
def test_a_lapsed_order_holds_its_offer_no_longer_before_any_sweep(
    buyer: Persona, product: Product, placed: datetime, moment: datetime, state: OfferState
) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT, **VALID)
    order_by_offer(buyer, offer, at=placed)
    assert again(offer).state == OfferState.RESERVED
    assert again(offer).shown_state(moment) is state
    for each in OfferState:
        assert PrivateOffer.objects.filter(showing(each, moment)).exists() == (each is state), each
    withdraw = lambda: offers.withdraw(  # noqa: E731
        seller_of(product).call(at=moment, key=pages.new_key()), offer=offer.number
    )
    if state is OfferState.EXPIRED:
        assert refused(withdraw).code == "offer_ended"
    else:
        assert withdraw().state == OfferState.WITHDRAWN


def test_of_two_orders_the_first_that_lapses_gives_the_offer_back(buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT, uses=2)
    first = order_by_offer(buyer, offer, at=AT)
    second = order_by_offer(buyer, again(offer), at=AT + timedelta(hours=1))
    assert again(offer).shown_state(AT + timedelta(hours=24) - SECOND) is OfferState.RESERVED
    assert again(offer).shown_state(AT + timedelta(hours=24)) is OfferState.IN_EFFECT
    ordering.pay(buyer, first, at=AT + timedelta(hours=2))
    assert again(offer).shown_state(AT + timedelta(hours=25) - SECOND) is OfferState.RESERVED
    assert again(offer).shown_state(AT + timedelta(hours=25)) is OfferState.IN_EFFECT
    ordering.pay(buyer, second, at=AT + timedelta(hours=3))
    assert again(offer).shown_state(AT + timedelta(hours=25)) is OfferState.USED


def test_an_offer_is_not_said_to_take_effect_when_it_is_over(buyer: Persona, product: Product) -> None:
    sent_offer(account_of(buyer), product, at=AT, **VALID)
    sweep(OVER)
    assert "private_offer_in_effect" not in [kind for _account, kind in told()]
    assert "private_offer_expired" in [kind for _account, kind in told()]


@pytest.mark.parametrize(
    ("moment", "count"),
    [
        (STARTS - timedelta(milliseconds=500), 0),
        (STARTS, 1),
        (OVER - timedelta(milliseconds=500), 1),
        (OVER, 0),
        (OVER + timedelta(milliseconds=500), 0),
    ],
)
def test_the_badge_counts_what_the_tab_shows_to_the_last_second(
    buyer: Persona, product: Product, moment: datetime, count: int
) -> None:
    sent_offer(account_of(buyer), product, at=AT, **VALID)
    with clock.at(moment):
        page = buyer.client.get("/console/offers/?tab=in_effect").content.decode()
        listed = page.count("Autumn offer")
    badge = re.search(r'href="/console/offers/".*?</a>', page, re.DOTALL)
    assert badge is not None
    assert ("badge" in badge[0] or ">1<" in badge[0]) == bool(listed) == bool(count)


def test_offers_from_before_learn_when_they_are_free_again(buyer: Persona, product: Product) -> None:
    offer = sent_offer(account_of(buyer), product, at=AT)
    order = order_by_offer(buyer, offer, at=AT)
    with guard.opened("test"):
        OfferUse.objects.update(pay_by=None)
        PrivateOffer.objects.update(free_from=None)
        importlib.import_module("catalog.migrations.0005_offers_free_by_time").keep_deadlines(apps, None)
    assert OfferUse.objects.get().pay_by == again(offer).free_from == order.payment_due_at
