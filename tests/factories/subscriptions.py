"""Yearly/monthly resources for tests, bought and delivered as buyers do, and what follows: renewals, changes.

owned = subscribed(term="1-month", at="2026-01-31")          # USD 10.00 a month, balance funded
owned.renew("1-month"); owned.at("2026-02-20")
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from catalog.models import Product
from koogallery import clock
from koogallery.kernel import pages, sweeps
from orders.models import AutoRenewal, Order, Resource
from orders.operations import auto_renewing, paying, renewing
from orders.operations.auto_renewing import Chosen
from orders.queries import eligibility
from orders.queries import renewing as queries
from orders.queries.resources import own_resource
from orders.rules.quote import Quote, sign
from orders.states import OrderState
from tests.factories import billing, catalog, orders
from tests.personas import Persona, make_buyer


def period_product(**fields: Any) -> Product:
    """A license-free yearly/monthly SaaS without interface: USD 10.00 a month, 100.00 a year, renewable by itself."""
    values: dict[str, Any] = {
        "delivery_method": "saas",
        "supervised": False,
        "supports_auto_renewal": True,
        "supports_change": True,
        "plans": [
            catalog.plan(term_unit="month", unit_price="10.00", lengths=[1, 2, 3, 6]),
            catalog.plan(term_unit="year", unit_price="100.00", lengths=[1, 2, 3]),
        ],
    }
    return catalog.make_product(**(values | fields))


def moment(text: str) -> datetime:
    """`2026-01-31` is 10:00 of that platform day; a full moment is itself."""
    return datetime.fromisoformat(text if "T" in text else f"{text}T10:00:00+08:00")


@dataclass
class Owned:
    """A resource with its buyer and the moment at which they act."""

    resource: Resource
    buyer: Persona
    now: datetime

    def at(self, text: str) -> Owned:
        """Act at another moment; every deadline on the way happens at its own time, housekeeping by the hour beside."""
        target = moment(text)
        watched = {name: each for name, each in sweeps.sweeps.items() if not isinstance(each, sweeps.Periodic)}
        for _round in range(10_000):
            dues = {name: due for name, sweep in watched.items() if (due := sweep.next_due()) and due <= target}
            if not dues:
                break
            sweeps.tick(min(dues.values()))
        self.now = target
        self.resource.refresh_from_db()
        return self

    def quote(self, length: str = "", **form: str) -> Quote:
        """A quote of a renewal, or of a change when a `kind` is given."""
        resource = own_resource(self.buyer.call(at=self.now), self.resource.number)
        if "kind" in form:
            return queries.change_quote(resource, form=form, at=self.now)
        return queries.renewal_quote(resource, form={"length": length, **form}, at=self.now)

    def place(self, length: str = "", **form: str) -> Order:
        """The order of such a quote, unpaid."""
        quote = self.quote(length, **form)
        order = renewing.change if "kind" in form else renewing.renew
        call = self.buyer.call(at=self.now, key=pages.new_key())
        return order(call, resource=self.resource.number, quote=sign(quote))

    def renew(self, length: str, *, method: str = "balance", **form: str) -> Order:
        """Renew and pay."""
        return self._pay(self.place(length, **form), method)

    def change(self, *, method: str = "balance", **form: str) -> Order:
        """Change and pay."""
        return self._pay(self.place(**form), method)

    def _pay(self, order: Order, method: str) -> Order:
        if order.state == OrderState.PENDING_PAYMENT:
            call = self.buyer.call(at=self.now, key=pages.new_key())
            order = paying.pay_order(call, order=order.number, method=method)
        self.resource.refresh_from_db()
        order.refresh_from_db()
        return order

    def cancel_renewal(self) -> Order:
        """Cancel the change upon renewal that waits."""
        call = self.buyer.call(at=self.now, key=pages.new_key())
        order = renewing.cancel_renewal(call, resource=self.resource.number)
        self.resource.refresh_from_db()
        return order

    def automate(
        self, length: str = "1-month", *, method: str = "balance", times: int | None = None, days_before: int = 7
    ) -> AutoRenewal:
        """Switch auto-renewal on."""
        chosen = Chosen(length=length, times=times, days_before=days_before, method=method)
        call = self.buyer.call(at=self.now, key=pages.new_key())
        auto = auto_renewing.enable(call, resource=self.resource.number, chosen=chosen)
        self.resource.refresh_from_db()
        return auto

    @property
    def expires(self) -> str:
        """The expiry date."""
        assert self.resource.expires_at is not None
        return clock.platform_date(self.resource.expires_at).isoformat()


def subscribed(
    *,
    term: str = "1-month",
    at: str = "2026-01-31",
    funds: str | int | Decimal = 10_000,
    buyer: Persona | None = None,
    product: Product | None = None,
    **fields: Any,
) -> Owned:
    """A resource that was bought and enabled at a moment."""
    who, now = buyer or make_buyer(), moment(at)
    chosen = [name for name in fields if name.startswith("attr_") or name in ("quantity", "specification")]
    data = {name: fields.pop(name) for name in chosen}
    order = orders.bought(who, product or period_product(**fields), funds=funds, at=now, term=term, **data)
    return Owned(resource=Resource.objects.get(line__order=order), buyer=who, now=now)


def image(
    *, term: str = "1-month", at: str = "2026-01-31", buyer: Persona | None = None, funds: int = 100_000, **fields: Any
) -> Owned:
    """A yearly/monthly image without provider: USD 100.00 a month, 1,000.00 a year unless priced otherwise."""
    monthly, yearly = fields.pop("monthly", "100.00"), fields.pop("yearly", "1000.00")
    plans = [
        catalog.plan(term_unit="month", unit_price=monthly, lengths=[1, 2, 3, 6, 9]),
        catalog.plan(term_unit="year", unit_price=yearly, lengths=[1, 2, 3]),
    ]
    with eligibility.without_provider():
        return subscribed(
            term=term, at=at, buyer=buyer, funds=funds, **({"delivery_method": "image", "plans": plans} | fields)
        )


def funds_of(buyer: Persona, amount: str | int | Decimal) -> None:
    """Top the buyer's balance up."""
    billing.fund(buyer.account, amount)
