"""What one customer gave back, or wants to: a request in each state, and images in use and unsubscribed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from billing import queries as billing
from catalog import queries as catalog
from koogallery.demo.deliveries import Deliveries
from koogallery.identity import queries as identity
from koogallery.kernel import sweeps
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.pages import new_key
from orders.operations.card_paying import pay_by_card
from orders.operations.paying import pay_order
from orders.operations.placing import place_order
from orders.operations.renewing import renew
from orders.queries import renewing as renewals
from orders.queries.eligibility import texts_to_sign, without_provider
from orders.queries.quoting import quote_for
from orders.queries.resources import own_resource
from orders.queries.returns import line_by_number, resources_of_line
from orders.rules.quote import sign
from unsubscriptions.operations import images, requesting, reviewing
from unsubscriptions.queries.images import case_of
from unsubscriptions.queries.standing import money_of

Step = Callable[[datetime], int]
CUSTOMER = "northwind-trading"
SILENT_CARD = "9995"
HOUR = timedelta(hours=1)
TRIES = 13
"""So often a gateway is asked for a refund, and once more, until operations are to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A request to look at: for what, bought and asked so many days before the end, why, and what became of it."""

    product: str
    bought: float
    asked: float
    share: str = "1"
    reason: str = "no_longer_needed"
    text: str = ""
    contact: bool = False
    by_silent_card: bool = False
    becomes: str = ""
    answered: float = 0
    comment: str = ""


SHOWN = (
    Shown(product="schemaguard", bought=9, asked=2, reason="delivered_late", contact=True,
          text="We asked for it in the first week; the audit is over now."),
    Shown(product="restore-drill", bought=14, asked=11, share="0.5", reason="not_as_described", becomes="reject",
          answered=10, comment="The first drill was prepared and a date offered. We would rather find another date."),
    Shown(product="coldkeep", bought=13, asked=7, reason="by_mistake", becomes="withdraw", answered=6),
    Shown(product="stagehand", bought=12, asked=8, share="0.75", reason="other", becomes="agree", answered=7,
          text="The application that it was for is given up.", comment="We keep a quarter for the first workshop."),
    Shown(product="payrun", bought=6, asked=4, becomes="agree", answered=2, by_silent_card=True,
          comment="Agreed in full."),
    Shown(product="schemaguard", bought=4, asked=1, becomes="agree", answered=0.03, by_silent_card=True,
          reason="by_mistake", comment="No harm done."),
)  # fmt: skip


def steps(deliveries: Deliveries, *, end: datetime) -> Iterator[tuple[datetime, Step]]:
    """What the customer buys and gives back in the last weeks, and what sellers answer."""
    for number, shown in enumerate(SHOWN):
        told = _Return(shown, deliveries, name=f"return-{number}")
        minutes = timedelta(minutes=3 * number)
        yield end - timedelta(days=shown.bought) + minutes, told.buy
        yield end - timedelta(days=shown.asked) + minutes, told.ask
        if shown.becomes:
            yield end - timedelta(days=shown.answered) + minutes, told.answer
        if shown.by_silent_card:
            answered_at = end - timedelta(days=shown.answered) + minutes
            for hour in range(TRIES):
                if (at := answered_at + HOUR * hour) < end:
                    yield at, _ask_gateways
    told_image = _Image("postgres-ready", {"specification": "single", "term": "1-year"})
    yield end - timedelta(days=18), told_image.buy
    renewed = _Image("postgres-ready", {"specification": "replica", "term": "1-month"})
    yield end - timedelta(days=15), renewed.buy
    yield end - timedelta(days=3), renewed.renew
    given_back = _Image("postgres-ready", {"specification": "single", "term": "3-month"})
    yield end - timedelta(days=17), given_back.buy
    yield end - timedelta(days=9), given_back.unsubscribe


def _ask_gateways(at: datetime) -> int:
    """Let refunds to cards be asked for."""
    sweeps.sweeps["card-refunds"].run(at)
    return 0


class _Return:
    """One purchase that is to be given back."""

    def __init__(self, shown: Shown, deliveries: Deliveries, *, name: str) -> None:
        self.shown, self.deliveries, self.name = shown, deliveries, name
        self.line: Any = None
        self.number = ""

    def buy(self, at: datetime) -> int:
        """Order and pay it; its delivery is left to its seller's other customers."""
        call = _customer(at)
        order = _place(call, self.shown.product, {})
        later = _customer(at + timedelta(minutes=1))
        if self.shown.by_silent_card:
            assert later.account is not None
            card = next(card for card in billing.cards(later.account.pk) if card.last_digits == SILENT_CARD)
            pay_by_card(later, order_number=order.number, card=card.code)
        else:
            pay_order(later, order=order.number, method="balance")
        self.deliveries.shown[self.name] = order.number
        self.line = line_by_number(f"{order.number}-000001")
        return 1

    def ask(self, at: datetime) -> int:
        """Ask the seller to take it back."""
        amount = (money_of(self.line).actual_payment * Decimal(self.shown.share)).rounded()
        asked = requesting.request(
            _customer(at),
            line=self.line.number,
            amount=amount,
            reason=self.shown.reason,
            text=self.shown.text,
            contact=self.shown.contact,
        )
        self.number = asked.number
        return 0

    def answer(self, at: datetime) -> int:
        """The request is agreed to, rejected or withdrawn."""
        if self.shown.becomes == "withdraw":
            requesting.withdraw(_customer(at), request=self.number)
            return 0
        answer = reviewing.agree if self.shown.becomes == "agree" else reviewing.reject
        answer(_seller(self.line, at), request=self.number, comment=self.shown.comment)
        return 0


@dataclass
class _Image:
    """An image without provider, and what its owner does with it."""

    product: str
    form: dict[str, str]
    resource: Any = field(default=None)

    def buy(self, at: datetime) -> int:
        """Order and pay it; it is there at once."""
        with without_provider():
            order = _place(_customer(at), self.product, self.form)
            pay_order(_customer(at + timedelta(minutes=1)), order=order.number, method="balance")
        line = line_by_number(f"{order.number}-000001")
        assert line is not None
        self.resource = resources_of_line(line)[0]
        return 1

    def renew(self, at: datetime) -> int:
        """Renew it early by its own length."""
        call = _customer(at)
        resource = own_resource(call, self.resource.number)
        quote = renewals.renewal_quote(resource, form={"length": self.form["term"]}, at=at)
        order = renew(call, resource=resource.number, quote=sign(quote))
        pay_order(_customer(at + timedelta(minutes=1)), order=order.number, method="balance")
        return 0

    def unsubscribe(self, at: datetime) -> int:
        """Unsubscribe it by the formula."""
        call = _customer(at)
        refund = case_of(own_resource(call, self.resource.number), account=call.account, at=at).refund
        assert refund is not None
        images.unsubscribe(call, resource=self.resource.number, expected=refund.amount)
        return 0


def _place(call: Call, code: str, form: dict[str, str]) -> Any:
    account, product = call.account, catalog.product_by_code(code)
    assert account is not None
    quote = quote_for(account=account, product=product, data={**_choice(product), **form}, at=call.at)
    texts = texts_to_sign(account, catalog.purchase_conditions(product).agreement_subjects)
    return place_order(
        call, product=product.code, quote=sign(quote), agreed=[text.subject for text in texts], consent=True
    )


def _choice(product: Any) -> dict[str, str]:
    """The first specification that is offered, with its first options and its smallest quantity."""
    specification = catalog.sheet_of(product).specifications[0]
    data = {"specification": specification.code}
    for attribute in specification.attributes:
        name = f"attr_{attribute.code}"
        data[name] = str(attribute.minimum) if attribute.is_quantity else attribute.options[0].code
    return data


def _customer(at: datetime) -> Call:
    account = identity.account_by_name(CUSTOMER)
    assert account is not None
    return _call(account, Role.BUYER, at)


def _seller(line: Any, at: datetime) -> Call:
    return _call(catalog.product_by_code(line.product_code).seller.account, Role.SELLER, at)


def _call(account: Any, role: Role, at: datetime) -> Call:
    return Call(
        role=role,
        at=at,
        account=account,
        user=identity.root_user(account),
        address=f"203.0.113.{20 + account.pk % 200}",
        idempotency_key=new_key(),
    )
