"""Orders by private offers: what Pay Now refuses, who gets a single use, what frees it, which discount counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.models import Trace
from billing import queries as billing
from billing.models import Milestone, MilestoneBill
from billing.models.ledger import Posting
from catalog.models import OfferUse, PrivateOffer, Product
from catalog.operations import offers as offering
from catalog.states import OfferState, UseState
from koogallery.identity.states import FrozenBy
from koogallery.kernel import guard, pages
from koogallery.kernel.reasons import Refused
from koogallery.kernel.sweeps import tick
from orders.models import Order
from orders.operations import cancelling, placing
from orders.queries.quoting import quote_of_offer
from orders.rules.quote import SignedQuote, sign
from orders.states import OrderState, PaidBy
from tests.factories import billing as money
from tests.factories import catalog, orders
from tests.factories.offers import (
    confirm,
    draft_offer,
    in_milestones,
    make_postpaid,
    one_time_product,
    order_by_offer,
    sent_offer,
)
from tests.factories.supervision import seller_of
from tests.orders.test_races import at_once
from tests.personas import Persona, make_buyer

AT = datetime.fromisoformat("2026-03-10T10:00:00+08:00")
MINUTE = timedelta(minutes=1)
FORM = {"attr_users": "10", "term": "1-year", "plan": "PERIOD"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(db: None) -> Product:
    """SaaS at USD 100.00 a user and year."""
    return catalog.saas_product()


@pytest.fixture
def offer(rich: Persona, product: Product) -> PrivateOffer:
    """10 % off USD 1,000.00, for 30 days."""
    return sent_offer(rich.account, product, at=AT, form=FORM)


def quoted(persona: Persona, offer: PrivateOffer, *, at: datetime = AT) -> SignedQuote:
    """The quote that the offer's link shows."""
    offer.refresh_from_db()
    return sign(quote_of_offer(offer, account=persona.call(at=at).account, at=at))


def place(persona: Persona, offer: PrivateOffer, signed: SignedQuote, *, at: datetime, key: str = "") -> Order:
    call = persona.call(at=at, key=key or pages.new_key())
    return placing.place_order(call, product=offer.product.code, quote=signed, agreed=("terms",))


def refusal(act: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as refused:
        act()
    return refused.value.code


def nothing_changed(offer: PrivateOffer, state: OfferState = OfferState.IN_EFFECT) -> None:
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (state, 0)
    for model in (Order, OfferUse, Milestone, MilestoneBill):
        assert not model.objects.exists()


# By Use Now and by link


def test_use_now_takes_the_offer_when_the_configuration_is_its_own(rich: Persona, offer: PrivateOffer) -> None:
    order = orders.place(rich, offer.product, at=AT, offer=offer.number, **FORM)
    line = order.line
    assert (order.amount, order.list_amount) == (Decimal(900), Decimal(1000))
    assert (line.discount_source, line.discount_reference, line.discount_share) == (
        "offer",
        offer.number,
        Decimal("0.9"),
    )
    use = OfferUse.objects.get()
    assert (use.order_number, use.state) == (order.number, UseState.RESERVED)


@pytest.mark.parametrize(
    "other",
    [{"attr_users": "9"}, {"attr_users": "11"}, {"term": "2-year"}, {"term": "6-month"}, {"offer": "PO-other"}],
    ids=str,
)
def test_another_configuration_is_bought_at_its_ordinary_price(
    rich: Persona, offer: PrivateOffer, other: dict[str, str]
) -> None:
    order = orders.place(rich, offer.product, at=AT, **{**FORM, "offer": offer.number, **other})
    assert order.amount == order.list_amount and order.line.discount_source == ""
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.IN_EFFECT, 0)


def test_a_trial_takes_no_offer(rich: Persona) -> None:
    product = catalog.saas_product(trial_days=7)
    offer = sent_offer(rich.account, product, at=AT, form=FORM)
    order = orders.place(rich, product, at=AT, offer=offer.number, trial="1", **FORM)
    assert not order.amount and order.line.discount_source == ""


def test_an_offer_of_another_account_gives_nothing(rich: Persona, offer: PrivateOffer) -> None:
    other = make_buyer(name="other")
    money.fund(other.account, 10_000)
    order = orders.place(other, offer.product, at=AT, offer=offer.number, **FORM)
    assert order.amount == Decimal(1000)
    assert refusal(lambda: place(other, offer, quoted(rich, offer), at=AT)) == "quote_invalid"
    offer.refresh_from_db()
    assert offer.taken == 0


def test_the_prices_are_those_of_the_offer_s_creation(rich: Persona, offer: PrivateOffer) -> None:
    with guard.opened("test"):
        for sku in offer.product.skus.all():
            for plan in sku.plans.all():
                plan.prices.update(unit_price=Decimal("500.00"))
    assert order_by_offer(rich, offer, at=AT).amount == Decimal(900)


def test_a_fixed_price_is_what_is_paid(rich: Persona, product: Product) -> None:
    offer = sent_offer(rich.account, product, at=AT, form=FORM, fixed_price="777.77")
    order = orders.pay(rich, order_by_offer(rich, offer, at=AT), at=AT)
    assert (order.amount, order.paid_by) == (Decimal("777.77"), PaidBy.BALANCE)


@pytest.mark.parametrize(
    ("standing", "source", "amount"),
    [("0.95", "offer", "900"), ("0.90", "standing", "900"), ("0.85", "standing", "850")],
)
def test_the_lowest_total_wins_and_an_offer_that_does_not_count_is_not_taken(
    rich: Persona, offer: PrivateOffer, standing: str, source: str, amount: str
) -> None:
    catalog.standing_discount(rich.account, offer.product, share=standing, valid_from=AT)
    order = order_by_offer(rich, offer, at=AT)
    assert (order.line.discount_source, order.amount) == (source, Decimal(amount))
    offer.refresh_from_db()
    assert offer.taken == (1 if source == "offer" else 0)
    assert OfferUse.objects.count() == offer.taken


def test_milestones_stand_alone_beside_a_lower_standing_discount(buyer: Persona) -> None:
    make_postpaid(buyer.account)
    product = one_time_product()
    catalog.standing_discount(buyer.account, product, share="0.50", valid_from=AT)
    offer = sent_offer(buyer.account, product, at=AT, shares=["50", "50"])
    order = order_by_offer(buyer, offer, at=AT)
    assert (order.amount, order.line.milestones) == (Decimal(900), 2)


# Its life: reserved, used, freed


def test_an_offer_is_reserved_used_and_traced(rich: Persona, offer: PrivateOffer) -> None:
    order = order_by_offer(rich, offer, at=AT)
    offer.refresh_from_db()
    assert offer.state == OfferState.RESERVED
    orders.pay(rich, order, at=AT + MINUTE)
    offer.refresh_from_db()
    assert (offer.state, offer.taken, offer.next_state_at) == (OfferState.USED, 1, None)
    names = set(Trace.objects.filter(resource_id=offer.number).values_list("trace_name", flat=True))
    assert {"reservePrivateOffer", "usePrivateOffer"} <= names
    assert refusal(lambda: place(rich, offer, quoted(rich, offer), at=AT + MINUTE)) == "offer_used"


def test_a_second_tab_is_told_of_the_first_one_s_order(rich: Persona, offer: PrivateOffer) -> None:
    one, two = quoted(rich, offer), quoted(rich, offer)
    first = place(rich, offer, one, at=AT)
    assert place(rich, offer, one, at=AT + MINUTE) == first
    assert refusal(lambda: place(rich, offer, two, at=AT + MINUTE)) == "offer_reserved"
    orders.pay(rich, first, at=AT + MINUTE)
    assert refusal(lambda: place(rich, offer, two, at=AT + 2 * MINUTE)) == "offer_used"
    assert Order.objects.count() == 1


def test_a_canceled_order_frees_its_offer(rich: Persona, offer: PrivateOffer) -> None:
    order = order_by_offer(rich, offer, at=AT)
    cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=order.number)
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.IN_EFFECT, 0)
    again = order_by_offer(rich, offer, at=AT + MINUTE)
    assert again.number != order.number
    assert list(OfferUse.objects.values_list("state", flat=True)) == [UseState.FREED, UseState.RESERVED]


def test_an_order_that_was_not_paid_in_time_frees_its_offer_by_the_sweep(rich: Persona, offer: PrivateOffer) -> None:
    order_by_offer(rich, offer, at=AT)
    tick(AT + timedelta(hours=24))
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.IN_EFFECT, 0)
    tick(AT + timedelta(hours=25))
    assert Trace.objects.filter(trace_name="freePrivateOffer").count() == 1


def test_an_order_that_was_not_paid_in_time_frees_its_offer_before_the_sweep(
    rich: Persona, offer: PrivateOffer
) -> None:
    late = order_by_offer(rich, offer, at=AT)
    again = place(rich, offer, quoted(rich, offer), at=AT + timedelta(hours=24))
    late.refresh_from_db()
    assert (late.state, again.amount) == (OrderState.CANCELED, Decimal(900))
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.RESERVED, 1)


def test_a_lapsed_order_that_the_sweep_works_on_still_holds_the_offer(
    rich: Persona, offer: PrivateOffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row is skipped, so that the offer is not given twice; the next try finds it free."""
    order_by_offer(rich, offer, at=AT)
    monkeypatch.setattr(cancelling, "expire_overdue", lambda **skipped: None)
    assert refusal(lambda: order_by_offer(rich, offer, at=AT + timedelta(hours=24))) == "offer_reserved"
    assert Order.objects.count() == OfferUse.objects.count() == 1


def test_freed_after_its_validity_an_offer_is_expired(rich: Persona, offer: PrivateOffer) -> None:
    last = datetime.fromisoformat("2026-04-09T20:00:00+08:00")
    order_by_offer(rich, offer, at=last)
    tick(last + timedelta(hours=24))
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.EXPIRED, 0)


def test_an_order_placed_in_time_is_paid_after_the_validity(rich: Persona, offer: PrivateOffer) -> None:
    last = datetime.fromisoformat("2026-04-09T20:00:00+08:00")
    order = orders.pay(rich, order_by_offer(rich, offer, at=last), at=last + timedelta(hours=5))
    offer.refresh_from_db()
    assert (order.amount, offer.state) == (Decimal(900), OfferState.USED)


def test_an_offer_for_three_orders_makes_three(rich: Persona, product: Product) -> None:
    offer = sent_offer(rich.account, product, at=AT, form=FORM, uses=3)
    placed = [order_by_offer(rich, offer, at=AT) for _ in range(3)]
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.RESERVED, 3)
    assert refusal(lambda: order_by_offer(rich, offer, at=AT)) == "offer_reserved"
    for order in placed[:2]:
        orders.pay(rich, order, at=AT)
    cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=placed[2].number)
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.IN_EFFECT, 2)
    orders.pay(rich, order_by_offer(rich, offer, at=AT), at=AT)
    assert refusal(lambda: order_by_offer(rich, offer, at=AT)) == "offer_used"


def test_withdrawing_leaves_a_placed_order_as_it_is(rich: Persona, offer: PrivateOffer) -> None:
    order = order_by_offer(rich, offer, at=AT)
    offering.withdraw(seller_of(offer.product).call(at=AT, key=pages.new_key()), offer=offer.number)
    order = orders.pay(rich, order, at=AT + MINUTE)
    offer.refresh_from_db()
    assert (order.amount, offer.state) == (Decimal(900), OfferState.WITHDRAWN)


# What Pay Now refuses


def test_an_offer_that_expires_between_quote_and_pay_now_is_refused(rich: Persona, offer: PrivateOffer) -> None:
    signed = quoted(rich, offer, at=datetime.fromisoformat("2026-04-09T23:50:00+08:00"))
    for minutes in (10, 45):
        at = datetime.fromisoformat("2026-04-09T23:50:00+08:00") + timedelta(minutes=minutes)
        assert refusal(lambda at=at: place(rich, offer, signed, at=at)) == "offer_expired"
    nothing_changed(offer)


def test_within_its_last_second_an_offer_is_usable(rich: Persona, offer: PrivateOffer) -> None:
    at = datetime.fromisoformat("2026-04-09T23:59:59.500000+08:00")
    assert orders.place(rich, offer.product, at=at, offer=offer.number, **FORM).amount == Decimal(900)


def test_an_old_quote_is_still_held_to_the_offer(rich: Persona, offer: PrivateOffer) -> None:
    assert place(rich, offer, quoted(rich, offer), at=AT + timedelta(hours=3)).amount == Decimal(900)


def test_an_old_quote_whose_offer_no_longer_counts_is_shown_anew(rich: Persona, offer: PrivateOffer) -> None:
    signed = quoted(rich, offer)
    catalog.standing_discount(rich.account, offer.product, share="0.50", valid_from=AT + MINUTE)
    assert refusal(lambda: place(rich, offer, signed, at=AT + timedelta(hours=1))) == "quote_changed"
    nothing_changed(offer)


def test_an_early_offer_is_refused_to_the_second(rich: Persona, product: Product) -> None:
    offer = sent_offer(rich.account, product, at=AT, form=FORM, valid_from="2026-03-20", valid_to="2026-03-25")
    start = datetime.fromisoformat("2026-03-20T00:00:00+08:00")
    signed = quoted(rich, offer, at=start)
    assert refusal(lambda: place(rich, offer, signed, at=start - timedelta(seconds=1))) == "offer_not_yet"
    nothing_changed(offer, OfferState.SCHEDULED)
    assert place(rich, offer, signed, at=start).amount == Decimal(900)


def test_an_offer_withdrawn_meanwhile_is_refused(rich: Persona, offer: PrivateOffer) -> None:
    signed = quoted(rich, offer)
    offering.withdraw(seller_of(offer.product).call(at=AT, key=pages.new_key()), offer=offer.number)
    assert refusal(lambda: place(rich, offer, signed, at=AT)) == "offer_withdrawn"
    nothing_changed(offer, OfferState.WITHDRAWN)


def test_a_draft_gives_no_price(rich: Persona, product: Product) -> None:
    draft = draft_offer(rich.account, product, at=AT, form=FORM)
    assert orders.place(rich, product, at=AT, offer=draft.number, **FORM).amount == Decimal(1000)
    assert refusal(lambda: place(rich, draft, quoted(rich, draft), at=AT)) == "offer_withdrawn"


def freeze(persona: Persona) -> None:
    with guard.opened("test"):
        persona.account.frozen_at, persona.account.frozen_by = AT, FrozenBy.OPERATIONS
        persona.account.save(update_fields=["frozen_at", "frozen_by"])


def test_a_frozen_account_orders_by_no_offer(rich: Persona, offer: PrivateOffer) -> None:
    signed = quoted(rich, offer)
    freeze(rich)
    assert refusal(lambda: place(rich, offer, signed, at=AT)) == "account_frozen"
    nothing_changed(offer)


def milestone_offer(persona: Persona) -> PrivateOffer:
    """USD 1,000.00 in three milestones."""
    return sent_offer(persona.account, one_time_product(), at=AT, share="1", shares=["30", "30", "40"])


def ledger_size() -> int:
    return Posting.objects.count()


@pytest.mark.parametrize(
    ("credit", "code"),
    [(None, "milestone_not_postpaid"), (0, "milestone_credit_missing"), ("999.99", "milestone_credit_short")],
)
def test_milestones_are_for_postpaid_customers_whose_credit_covers_the_total(
    rich: Persona, credit: str | int | None, code: str
) -> None:
    if credit is not None:
        make_postpaid(rich.account, milestone_credit=credit)
    offer = milestone_offer(rich)
    before = ledger_size()
    assert refusal(lambda: order_by_offer(rich, offer, at=AT)) == code
    nothing_changed(offer)
    assert ledger_size() == before
    trace = Trace.objects.filter(trace_name="createOrder").latest("pk")
    assert (trace.code, trace.trace_rating) == (code, "warning")


def test_credit_to_the_cent_is_enough_and_the_next_order_finds_it_spoken_for(buyer: Persona) -> None:
    make_postpaid(buyer.account, milestone_credit="1000.00")
    first = order_by_offer(buyer, milestone_offer(buyer), at=AT)
    assert refusal(lambda: order_by_offer(buyer, milestone_offer(buyer), at=AT)) == "milestone_credit_short"
    confirm(buyer, first, at=AT)
    assert refusal(lambda: order_by_offer(buyer, milestone_offer(buyer), at=AT)) == "milestone_credit_short"
    assert Order.objects.count() == 1


def test_a_reseller_s_customer_has_no_milestones(customer: Persona) -> None:
    offer = milestone_offer(customer)
    assert refusal(lambda: order_by_offer(customer, offer, at=AT)) == "milestone_not_postpaid"
    nothing_changed(offer)


def test_a_reseller_s_customer_uses_an_ordinary_offer_at_once(customer: Persona, product: Product) -> None:
    offer = sent_offer(customer.account, product, at=AT, form=FORM)
    order = order_by_offer(customer, offer, at=AT)
    offer.refresh_from_db()
    assert (order.paid_by, order.amount, offer.state) == (PaidBy.RESELLER, Decimal(900), OfferState.USED)


def test_a_frozen_account_neither_orders_nor_confirms_milestones(buyer: Persona) -> None:
    make_postpaid(buyer.account)
    offer, second = milestone_offer(buyer), milestone_offer(buyer)
    order = order_by_offer(buyer, offer, at=AT)
    signed = quoted(buyer, second)
    freeze(buyer)
    assert refusal(lambda: confirm(buyer, order, at=AT)) == "account_frozen"
    assert refusal(lambda: place(buyer, second, signed, at=AT)) == "account_frozen"
    order.refresh_from_db()
    assert order.state == OrderState.PENDING_PAYMENT and not MilestoneBill.objects.exists()


# Money of milestones


def test_the_milestones_of_an_order_show_bill_and_money() -> None:
    deal = in_milestones()
    rows = billing.milestones_of(deal.order.number)
    assert [str(row.milestone.money) for row in rows] == ["USD 300.00", "USD 300.00", "USD 400.00"]
    assert [row.bill is not None for row in rows] == [True, False, False]
    assert {str(row.held) for row in rows} == {"USD 0.00"}


def test_a_canceled_milestone_order_leaves_nothing_to_bill(buyer: Persona) -> None:
    make_postpaid(buyer.account)
    offer = milestone_offer(buyer)
    order = order_by_offer(buyer, offer, at=AT)
    cancelling.cancel_order(buyer.call(at=AT, key=pages.new_key()), order=order.number)
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.IN_EFFECT, 0)
    assert all(row.is_lapsed for row in billing.milestones_of(order.number))
    confirm(buyer, order_by_offer(buyer, offer, at=AT), at=AT)
    assert billing.order_money(order.number).paid.amount == 0


# What it costs


def test_an_ordinary_purchase_asks_nothing_about_offers(rich: Persona, product: Product) -> None:
    with CaptureQueriesContext(connection) as caught:
        orders.pay(rich, orders.place(rich, product, at=AT, **FORM), at=AT)
    assert not [query["sql"] for query in caught.captured_queries if "catalog_privateoffer" in query["sql"]]


# Races


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pays", [False, True])
def test_twenty_parallel_pay_nows_of_a_single_use_make_one_order(rich: Persona, product: Product, pays: bool) -> None:
    offer = sent_offer(rich.account, product, at=AT, form=FORM)
    signed = [quoted(rich, offer) for _ in range(20)]

    def buy(number: int) -> str:
        order = place(rich, offer, signed[number], at=AT)
        if pays:
            orders.pay(rich, order, at=AT)
        return str(order.number)

    answers = at_once(buy)
    order = Order.objects.get()
    assert answers.count(order.number) == 1
    assert set(answers) - {order.number} <= ({"offer_reserved", "offer_used"} if pays else {"offer_reserved"})
    offer.refresh_from_db()
    assert (offer.state, offer.taken) == (OfferState.USED if pays else OfferState.RESERVED, 1)
    assert OfferUse.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_buyers_never_pass_the_uses_while_orders_are_canceled(rich: Persona, product: Product) -> None:
    offer = sent_offer(rich.account, product, at=AT, form=FORM, uses=3)
    first = order_by_offer(rich, offer, at=AT)
    signed = [quoted(rich, offer) for _ in range(10)]

    def act(number: int) -> str:
        if number == 0:
            cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=first.number)
            return "canceled"
        return str(place(rich, offer, signed[number], at=AT).number)

    answers = at_once(act, count=10)
    placed = Order.objects.exclude(state=OrderState.CANCELED).count()
    offer.refresh_from_db()
    assert placed == offer.taken == OfferUse.objects.exclude(state=UseState.FREED).count()
    assert 2 <= placed <= 3 and answers.count("offer_reserved") == 9 - placed


@pytest.mark.django_db(transaction=True)
def test_parallel_milestone_orders_never_pass_the_credit(buyer: Persona) -> None:
    make_postpaid(buyer.account, milestone_credit="2500.00")
    offers = [milestone_offer(buyer) for _ in range(6)]
    signed = [quoted(buyer, each) for each in offers]
    answers = at_once(lambda number: place(buyer, offers[number], signed[number], at=AT).number, count=6)
    assert answers.count("milestone_credit_short") == 4
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_twenty_parallel_confirmations_generate_one_bill(buyer: Persona) -> None:
    make_postpaid(buyer.account)
    order = order_by_offer(buyer, milestone_offer(buyer), at=AT)
    answers = at_once(lambda number: confirm(buyer, order, at=AT).number)
    assert set(answers) == {order.number, "order_already_paid"} and answers.count(order.number) == 1
    assert MilestoneBill.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_ordering_and_canceling_pieces_by_offers_ends_without_a_deadlock(rich: Persona) -> None:
    product = catalog.hardware_product(stock=10)
    offer = sent_offer(rich.account, product, at=AT, uses=5)
    placed = [order_by_offer(rich, offer, at=AT) for _ in range(3)]
    signed = [quoted(rich, offer) for _ in range(6)]

    def act(number: int) -> str:
        if number < 3:
            cancelling.cancel_order(rich.call(at=AT, key=pages.new_key()), order=placed[number].number)
            return "canceled"
        return str(place(rich, offer, signed[number - 3], at=AT).number)

    at_once(act, count=9)
    product.refresh_from_db()
    offer.refresh_from_db()
    open_orders = Order.objects.exclude(state=OrderState.CANCELED).count()
    assert open_orders == offer.taken and product.stock == 10 - open_orders
