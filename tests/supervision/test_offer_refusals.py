"""Private offers, milestone orders, bills: stand × operation × who. What is not theirs or not now changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from django.core import signing
from django.db import transaction

from audit.models import Trace
from billing.models import Milestone, MilestoneBill
from billing.operations import crediting, dunning, milestones, reading, repaying
from billing.states import CreditKind
from catalog.models import PrivateOffer, Product
from catalog.operations import offer_reading, offers
from catalog.states import OFFER_MOVES, OfferState
from koogallery.identity.states import AccountKind
from koogallery.kernel import guard, operations, pages
from koogallery.kernel.reasons import Missing, Refused
from orders.models import Order
from orders.operations import paying, placing
from orders.queries.quoting import quote_for, quote_of_offer
from orders.rules.quote import SALT, Sealed, SignedQuote, sign
from supervision.operations import accepting
from supervision.states import Step
from tests.factories import billing, catalog, identity
from tests.factories.billing import usd
from tests.factories.fingerprint import rows_of
from tests.factories.offers import (
    bills_of,
    confirm,
    draft_offer,
    in_milestones,
    make_postpaid,
    one_time_product,
    order_by_offer,
    sent_offer,
    terms,
)
from tests.factories.supervision import AT, seller_of
from tests.personas import Persona, make_buyer, make_operator, make_seller

pytestmark = pytest.mark.django_db

WATCHED = (
    "billing_",
    "catalog_offer",
    "catalog_privateoffer",
    "kernel_idempotencykey",
    "kernel_outboxmessage",
    "notifications_message",
    "orders_",
    "supervision_",
)
SHARES = ("30", "30", "40")
LATER = AT + timedelta(hours=1)


@dataclass
class Stand:
    """How far an offer has come, and who stands around it."""

    name: str
    buyer: Persona
    product: Product
    offer: PrivateOffer
    order: Order | None = None
    card: str = ""

    @property
    def seller(self) -> Persona:
        return seller_of(self.product)

    @property
    def bill(self) -> MilestoneBill | None:
        return bills_of(self.order)[0] if self.order and self.name == "billed" else None

    def quote(self) -> SignedQuote:
        return sign(quote_of_offer(self.offer, account=self.buyer.account, at=LATER))


def _stand(name: str) -> Stand:
    """A draft, an offer in effect, an unpaid order of it, or one with a bill and a delivery to accept; or withdrawn."""
    buyer = make_buyer()
    make_postpaid(buyer.account)
    billing.fund(buyer.account, 5000)
    card = billing.card(buyer.account).code
    if name == "billed":
        deal = in_milestones(buyer=buyer, shares=SHARES).to(Step.ACCEPT)
        offer = PrivateOffer.objects.select_related("product").get()
        return Stand(name, buyer, offer.product, offer, deal.order, card)
    product = one_time_product()
    offer = (draft_offer if name == "draft" else sent_offer)(buyer.account, product, at=AT, shares=SHARES, share="1")
    stand = Stand(name, buyer, product, offer, card=card)
    if name == "ordered":
        stand.order = order_by_offer(buyer, offer, at=AT)
    if name == "withdrawn":
        offers.withdraw(stand.seller.call(at=AT, key=pages.new_key()), offer=offer.number)
    offer.refresh_from_db()
    return stand


NOTHING = "XX2603101000ZZZZZZ"
"""A number of the right form that nothing has."""


@dataclass(frozen=True)
class Attempt:
    """One operation as somebody would call it, and when and by whom it is done."""

    name: str
    run: Callable[[Any, Stand], Any]
    by: str = ""
    on: frozenset[str] = frozenset()
    reads: bool = False

    def is_done(self, who: str, stand: Stand) -> bool:
        if who != self.by:
            return False
        if self.name == "withdrawPrivateOffer":
            return OFFER_MOVES.allowed(stand.offer.state_enum, OfferState.WITHDRAWN)
        return stand.name in self.on


STANDS = ("draft", "sent", "withdrawn", "ordered", "billed")
EVERY = frozenset(STANDS)
SENT = EVERY - {"draft"}


def _terms(stand: Stand) -> Any:
    return terms(stand.buyer.account, stand.product, at=LATER, shares=SHARES, share="1")


def _order(stand: Stand) -> str:
    return stand.order.number if stand.order else NOTHING


def _bill(stand: Stand) -> str:
    return stand.bill.number if stand.bill else NOTHING


def _flow(stand: Stand) -> str:
    return stand.order.lines.get().number if stand.order else NOTHING


def _due_milestone(stand: Stand) -> Any:
    """The row itself is for the platform alone; others are refused before it is looked at."""
    return Milestone.objects.filter(order_number=_order(stand)).first() or Milestone()


ATTEMPTS = (
    Attempt("createPrivateOffer", lambda call, on: offers.create(call, terms=_terms(on)), "seller", EVERY),
    Attempt(
        "updatePrivateOffer",
        lambda call, on: offers.update(call, offer=on.offer.number, terms=replace(_terms(on), name="Another name")),
        "seller",
        frozenset({"draft"}),
    ),
    Attempt(
        "sendPrivateOffer", lambda call, on: offers.send(call, offer=on.offer.number), "seller", frozenset({"draft"})
    ),
    Attempt("withdrawPrivateOffer", lambda call, on: offers.withdraw(call, offer=on.offer.number), "seller"),
    Attempt("openPrivateOffer", lambda call, on: offers.note_opened(call, offer=on.offer.number)),
    Attempt("advancePrivateOffer", lambda call, on: offers.advance(call, offer=on.offer.number)),
    Attempt(
        "querySellerOfferDetail",
        lambda call, on: offer_reading.query_seller_detail(call, offer=on.offer.number),
        "seller",
        EVERY,
        reads=True,
    ),
    Attempt(
        "queryPrivateOfferDetail",
        lambda call, on: offer_reading.query_detail(call, offer=on.offer.number),
        "buyer",
        SENT,
        reads=True,
    ),
    Attempt(
        "createOrder",
        lambda call, on: placing.place_order(call, product=on.product.code, quote=on.quote(), agreed=("terms",)),
        "buyer",
        frozenset({"sent"}),
    ),
    Attempt(
        "confirmMilestoneOrder",
        lambda call, on: paying.confirm_milestones(call, order=_order(on), confirmed=True),
        "buyer",
        frozenset({"ordered"}),
    ),
    Attempt("payOrder", lambda call, on: paying.pay_order(call, order=_order(on), method="balance")),
    Attempt(
        "repayMilestoneBill",
        lambda call, on: repaying.repay_at_once(call, bill=_bill(on), method="balance"),
        "buyer",
        frozenset({"billed"}),
    ),
    Attempt(
        "startMilestoneRepayment",
        lambda call, on: repaying.start_by_card(call, bill=_bill(on), card=on.card),
        "buyer",
        frozenset({"billed"}),
    ),
    Attempt(
        "bookMilestoneTransfer",
        lambda call, on: repaying.book_transfer(call, bill=_bill(on), amount=usd(300), reference="BANK 1"),
        "operator",
        frozenset({"billed"}),
    ),
    Attempt(
        "queryMilestoneBillDetail",
        lambda call, on: reading.query_milestone_bill(call, bill=_bill(on)),
        "buyer",
        frozenset({"billed"}),
        reads=True,
    ),
    Attempt(
        "confirmAcceptance",
        lambda call, on: accepting.accept(call, flow=_flow(on)),
        "buyer",
        frozenset({"billed"}),
    ),
    Attempt(
        "grantCredit",
        lambda call, on: crediting.grant_credit(
            call, account=on.buyer.account.number, kind=CreditKind.MILESTONE, limit=usd(20000)
        ),
        "operator",
        EVERY,
    ),
    Attempt("generateMilestoneBill", lambda call, on: milestones.generate(call, milestone=_due_milestone(on))),
    Attempt("markMilestoneBillOverdue", lambda call, on: dunning.mark_overdue(call, bill=on.bill or MilestoneBill())),
    Attempt("remindOfMilestoneBill", lambda call, on: dunning.remind(call, bill=on.bill or MilestoneBill())),
)


def _denied(account: Any, role: Any) -> Persona:
    user = identity.UserFactory(account=account, is_root=False)
    identity.deny(user, "marketplace:*:*", name="no-marketplace")
    return Persona(user, role)


@pytest.mark.parametrize("name", STANDS)
def test_only_who_may_does_what_can_be_done_now(name: str) -> None:
    stand = _stand(name)
    people = {
        "buyer": stand.buyer,
        "seller": stand.seller,
        "operator": make_operator(),
        "denied user of the buyer": _denied(stand.buyer.account, stand.buyer.role),
        "denied user of the seller": _denied(stand.seller.account, stand.seller.role),
        "another buyer": make_buyer(),
        "another seller": make_seller(),
    }
    make_postpaid(people["another buyer"].account)
    before = rows_of(*WATCHED)
    for attempt in ATTEMPTS:
        for who, persona in people.items():
            what = f"{attempt.name} by {who}"
            if attempt.is_done(who, stand):
                with transaction.atomic():
                    attempt.run(persona.call(at=LATER, key=pages.new_key()), stand)
                    assert attempt.reads or rows_of(*WATCHED) != before, f"{what} changed nothing"
                    transaction.set_rollback(True)
                continue
            traces = _warnings(attempt.name)
            with pytest.raises((Refused, Missing)) as refused:
                attempt.run(persona.call(at=LATER, key=pages.new_key()), stand)
                pytest.fail(f"{what} was done")
            assert rows_of(*WATCHED) == before, f"{what} was refused and changed rows"
            assert len(_warnings(attempt.name)) == len(traces) + 1 or persona.account is None, f"{what} left no trace"
            if persona.account is not None:
                assert _warnings(attempt.name)[-1].account_id == persona.account.pk, f"{what} stands in another's list"
            if "another" in who:
                _tells_nothing(stand, refused.value)


def _warnings(name: str) -> list[Trace]:
    return list(Trace.objects.filter(trace_name=name, trace_rating="warning").order_by("id"))


def _tells_nothing(stand: Stand, refused: Exception) -> None:
    """A stranger learns neither product nor seller nor price."""
    told = str(refused)
    for secret in (stand.product.name, str(stand.product.seller.name), stand.offer.name, "1,000.00", "300.00"):
        assert secret not in told


# The refusals by name


@dataclass(frozen=True)
class Case:
    """What is tried on an offer of the buyer's, or as an offer, and the reason it is refused for.

    `names_price` where the customer of the offer is told what its order comes to.
    """

    code: str
    act: Callable[[Persona], Any]
    operation: str = "createOrder"
    field: str = ""
    names_price: bool = False


def _milestone_offer(buyer: Persona, *, credit: str = "1000", **fields: Any) -> PrivateOffer:
    make_postpaid(buyer.account, milestone_credit=credit)
    return sent_offer(buyer.account, one_time_product(), at=AT, **({"shares": SHARES, "share": "1"} | fields))


def _ordered_as(buyer: Persona, offer: PrivateOffer, *, at: Any = LATER) -> Order:
    return order_by_offer(buyer, offer, at=at)


def _on_offer(prepare: Callable[[Persona, PrivateOffer], Any], **fields: Any) -> Callable[[Persona], Any]:
    return lambda buyer: prepare(buyer, _milestone_offer(buyer, **fields))


def _withdrawn(buyer: Persona, offer: PrivateOffer) -> Order:
    offers.withdraw(seller_of(offer.product).call(at=AT, key=pages.new_key()), offer=offer.number)
    return _ordered_as(buyer, offer)


def _reserved(buyer: Persona, offer: PrivateOffer) -> Order:
    _ordered_as(buyer, offer)
    return _ordered_as(buyer, offer)


def _used(buyer: Persona, offer: PrivateOffer) -> Order:
    confirm(buyer, _ordered_as(buyer, offer), at=LATER)
    return _ordered_as(buyer, offer)


def _tampered(change: Mapping[str, Any], *, salt: str = SALT, key: str | None = None) -> Callable[..., Order]:
    """Order by a quote whose content was changed and signed by somebody who has not our key."""

    def act(buyer: Persona, offer: PrivateOffer) -> Order:
        genuine = sign(quote_of_offer(offer, account=buyer.account, at=LATER))
        values = signing.loads(genuine.sealed.text, salt=SALT) | change
        forged = signing.dumps(values, key=key or "not-our-key", salt=salt, compress=True)
        return _place(buyer, offer, SignedQuote(genuine.quote_id, Sealed(forged)))

    return act


def _foreign(buyer: Persona, offer: PrivateOffer) -> Order:
    other = make_buyer()
    make_postpaid(other.account)
    return _place(other, offer, sign(quote_of_offer(offer, account=buyer.account, at=LATER)))


def _own_quote_of_a_foreign_offer(buyer: Persona, offer: PrivateOffer) -> Order:
    other = make_buyer()
    make_postpaid(other.account)
    return _place(other, offer, sign(quote_of_offer(offer, account=other.account, at=LATER)))


def _of_another_product(buyer: Persona, offer: PrivateOffer) -> Order:
    quote = quote_of_offer(offer, account=buyer.account, at=LATER)
    return _place(buyer, offer, sign(quote), product=one_time_product().code)


def _place(buyer: Persona, offer: PrivateOffer, quote: SignedQuote, *, product: str = "") -> Order:
    call = buyer.call(at=LATER, key=pages.new_key())
    return placing.place_order(call, product=product or offer.product.code, quote=quote, agreed=("terms",))


def _prepaid(buyer: Persona, offer: PrivateOffer) -> Order:
    with guard.opened("test"):
        buyer.account.kind = AccountKind.PREPAID
        buyer.account.save(update_fields=["kind"])
    return _ordered_as(buyer, offer)


def _second_order(buyer: Persona, offer: PrivateOffer) -> Order:
    """A credit of 1,999.99 of which 300.00 is billed and 700.00 will be: 999.99 is free for a second thousand."""
    confirm(buyer, _ordered_as(buyer, offer), at=LATER)
    return _ordered_as(buyer, sent_offer(buyer.account, one_time_product(), at=AT, shares=SHARES, share="1"))


def _unconfirmed(buyer: Persona, offer: PrivateOffer) -> Any:
    order = _ordered_as(buyer, offer)
    return paying.confirm_milestones(buyer.call(at=LATER, key=pages.new_key()), order=order.number, confirmed=False)


def _paid_otherwise(buyer: Persona, offer: PrivateOffer) -> Any:
    billing.fund(buyer.account, 5000)
    order = _ordered_as(buyer, offer)
    return paying.pay_order(buyer.call(at=LATER, key=pages.new_key()), order=order.number, method="balance")


def _frozen_account(buyer: Persona, offer: PrivateOffer) -> Any:
    order = _ordered_as(buyer, offer)
    with guard.opened("test"):
        buyer.account.frozen_at, buyer.account.frozen_by = AT, "operations"
        buyer.account.save(update_fields=["frozen_at", "frozen_by"])
    return confirm(buyer, order, at=LATER)


def _written(product: Callable[[], Product] = one_time_product, **fields: Any) -> Callable[[Persona], Any]:
    """Write an offer with these terms."""
    return lambda buyer: draft_offer(buyer.account, product(), at=AT, **({"share": "1"} | fields))


def _yearly() -> Product:
    return one_time_product(plans=[catalog.plan(unit_price="1000.00", term_unit="year", lengths=[1])])


CASES = {
    "wrong account, its quote": Case("quote_invalid", _on_offer(_foreign)),
    "wrong account, own quote": Case("quote_invalid", _on_offer(_own_quote_of_a_foreign_offer)),
    "another product": Case("quote_invalid", _on_offer(_of_another_product)),
    "early": Case("offer_not_yet", _on_offer(_ordered_as, valid_from="2026-03-11")),
    "late": Case(
        "offer_expired", _on_offer(lambda buyer, offer: _ordered_as(buyer, offer, at=AT + timedelta(days=31)))
    ),
    "one second late": Case(
        "offer_expired",
        _on_offer(lambda buyer, offer: _ordered_as(buyer, offer, at=offer.valid_to + timedelta(seconds=1))),
    ),
    "withdrawn": Case("offer_withdrawn", _on_offer(_withdrawn)),
    "reserved": Case("offer_reserved", _on_offer(_reserved)),
    "used": Case("offer_used", _on_offer(_used)),
    "tampered quantity": Case("quote_invalid", _on_offer(_tampered({"configuration": {"items": 10}}))),
    "tampered price": Case("quote_invalid", _on_offer(_tampered({"amount": {"amount": "0.01", "currency": "USD"}}))),
    "tampered milestones": Case("quote_invalid", _on_offer(_tampered({"milestones": 0}))),
    "a token of another purpose": Case("quote_invalid", _on_offer(_tampered({}, salt="another", key="not-our-key"))),
    "prepaid": Case("milestone_not_postpaid", _on_offer(_prepaid)),
    "no credit": Case("milestone_credit_missing", _on_offer(_ordered_as, credit="0")),
    "one cent short": Case("milestone_credit_short", _on_offer(_ordered_as, credit="999.99"), names_price=True),
    "one cent short beside another order": Case(
        "milestone_credit_short", _on_offer(_second_order, credit="1999.99"), names_price=True
    ),
    "not confirmed": Case("milestones_unconfirmed", _on_offer(_unconfirmed), "confirmMilestoneOrder"),
    "paid at once": Case("milestone_pays_monthly", _on_offer(_paid_otherwise), "payOrder", "method"),
    "frozen account": Case("account_frozen", _on_offer(_frozen_account), "confirmMilestoneOrder"),
    "shares of 99": Case("milestone_shares_sum", _written(shares=["50", "49"]), "createPrivateOffer", "milestones"),
    "shares of 101": Case("milestone_shares_sum", _written(shares=["50", "51"]), "createPrivateOffer", "milestones"),
    "a share of three decimals": Case(
        "milestone_share", _written(shares=["50.001", "49.999"]), "createPrivateOffer", "milestone-0-share"
    ),
    "a share of nothing": Case(
        "milestone_share", _written(shares=["0", "50", "50"]), "createPrivateOffer", "milestone-0-share"
    ),
    "one milestone": Case("milestone_count", _written(shares=["100"]), "createPrivateOffer", "milestones"),
    "thirteen milestones": Case(
        "milestone_count", _written(shares=["7.69"] * 12 + ["7.72"]), "createPrivateOffer", "milestones"
    ),
    "hardware": Case(
        "milestone_method",
        _written(lambda: one_time_product("hardware"), shares=SHARES),
        "createPrivateOffer",
        "involves_milestones",
    ),
    "not supervised": Case(
        "milestone_not_supervised",
        _written(lambda: one_time_product("saas", supervised=False), shares=SHARES),
        "createPrivateOffer",
        "involves_milestones",
    ),
    "a yearly price": Case("milestone_one_time", _written(_yearly, shares=SHARES), "createPrivateOffer", "plan"),
    "several orders": Case("milestone_one_order", _written(shares=SHARES, uses=2), "createPrivateOffer", "uses"),
    "in the past": Case("offer_in_the_past", _written(valid_from="2026-03-09"), "createPrivateOffer", "valid_from"),
    "ends before it begins": Case(
        "offer_dates", _written(valid_from="2026-03-12", valid_to="2026-03-11"), "createPrivateOffer", "valid_to"
    ),
    "above the list price": Case(
        "offer_above_list", _written(fixed_price="1000.01"), "createPrivateOffer", "fixed_price"
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_refusal_has_its_reason_its_trace_and_no_effect(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = make_buyer()
    stood: dict[str, str] = {}
    _look_before(monkeypatch, case.operation, stood)
    with pytest.raises(Refused) as refused:
        case.act(buyer)
    assert (refused.value.code, refused.value.field or "") == (case.code, case.field)
    assert refused.value.sentence
    assert rows_of(*WATCHED) == stood
    assert [trace.code for trace in _warnings(case.operation)] == [case.code]
    _nothing_leaked(refused.value, _warnings(case.operation), names_price=case.names_price)


def _nothing_leaked(refused: Refused, traces: list[Trace], *, names_price: bool) -> None:
    """No refusal tells an offer's name, product, seller, price or link, and no stranger's page of it does."""
    stranger = make_buyer()
    for offer in PrivateOffer.objects.select_related("product", "seller"):
        told = [str(refused), refused.sentence, *(f"{each.message} {each.response}" for each in traces)]
        price, pages_seen = f"{offer.amount:,.2f}", []
        assert names_price == any(price in text for text in told)
        for address in (offer.get_link(), offer.get_absolute_url()):
            response = stranger.client.get(address)
            assert response.status_code == 404
            pages_seen.append(response.content.decode().replace(address, "the address that was asked for"))
        for secret in (offer.token, offer.name, offer.product.name, offer.seller.name):
            assert not [text for text in (*told, *pages_seen) if secret in text], secret
        assert not [text for text in pages_seen if price in text]
        assert not [trace for trace in traces if offer.token in str(trace.request)]


def _look_before(monkeypatch: pytest.MonkeyPatch, name: str, stood: dict[str, str]) -> None:
    """Keep the rows as they stand when the operation is called for the last time: what comes before it is wanted."""
    run = operations._run

    def watched(spec: Any, *arguments: Any) -> Any:
        if spec.name == name and operations._running.get() is None:
            stood.clear()
            stood.update(rows_of(*WATCHED))
        return run(spec, *arguments)

    monkeypatch.setattr(operations, "_run", watched)


def test_an_offer_in_another_configuration_is_no_discount() -> None:
    """By Use Now: what the configurator sends is what is priced; the offer counts only where nothing differs."""
    buyer = make_buyer()
    product = one_time_product(max_items=20)
    offer = sent_offer(buyer.account, product, at=AT, share="0.50")
    same = quote_for(account=buyer.account, product=product, data={"offer": offer.number}, at=LATER)
    other = quote_for(account=buyer.account, product=product, data={"offer": offer.number, "items": "2"}, at=LATER)
    assert (same.amount, same.discount_reference) == (usd(500), offer.number)
    assert (other.amount, other.discount_reference) == (usd(2000), "")
    stranger = make_buyer()
    foreign = quote_for(account=stranger.account, product=product, data={"offer": offer.number}, at=LATER)
    assert (foreign.amount, foreign.discount_reference) == (usd(1000), "")
