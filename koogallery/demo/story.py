"""Ninety days of buying, told forward in time: every step at its own moment, deadlines acting in between."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from billing import queries as billing
from catalog import queries as catalog
from catalog.operations import favorites
from koogallery import clock
from koogallery.demo import offers, returns, tickets
from koogallery.demo.deliveries import SHOWN, SHOWN_FROM, SHOWN_TO, Deliveries
from koogallery.identity import queries as identity
from koogallery.identity.operations import projects, tags
from koogallery.kernel import sweeps
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.pages import new_key
from koogallery.kernel.reasons import Missing, Refused
from orders.operations.cancelling import cancel_order
from orders.operations.card_paying import pay_by_card
from orders.operations.paying import pay_order
from orders.operations.placing import place_order
from orders.queries.eligibility import texts_to_sign
from orders.queries.quoting import quote_for
from orders.rules.quote import sign

DAYS = 90
AT_ONCE = ("interface-calls", "outbox")
BUYERS = {
    "northwind-trading": ("balance", 26),
    "meridian-health": ("credit", 22),
    "harbor-logistics": ("reseller", 12),
    "studio-maple": ("card", 14),
    "quayside-foods": ("balance", 16),
    "tern-analytics": ("balance", 18),
}
LONGEST_THOUGHT = timedelta(minutes=20)
UNHURRIED = 0.06
CHANGES_MIND = 0.05


@dataclass
class Story:
    """What happens, as steps in the order of time. The same seed tells the same story."""

    end: datetime
    days: int = DAYS
    chance: random.Random = field(default_factory=lambda: random.Random(2026))
    refused: list[str] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        """Nine in the morning of the first day."""
        first = clock.platform_date(self.end) - timedelta(days=self.days)
        return clock.day_start(first) + timedelta(hours=9)

    def tell(self) -> int:
        """Let every step happen at its moment; return how many orders were placed."""
        steps = sorted(self._steps(), key=lambda step: step[0])
        placed = 0
        moment = self.start
        for at, step in steps:
            self._let_time_pass(moment, at)
            with clock.at(at):
                placed += step(at)
            moment = at
        self._let_time_pass(moment, self.end)
        with clock.at(self.end):
            sweeps.tick(self.end)
        return placed

    @staticmethod
    def _let_time_pass(since: datetime, until: datetime) -> None:
        """Let what falls due act: what was just bought when it is paid, everything at each midnight on the way."""
        soon = min(since + LONGEST_THOUGHT, until)
        with clock.at(soon):
            for name in AT_ONCE:
                sweeps.sweeps[name].run(soon)
        midnight = clock.day_start(clock.platform_date(since) + timedelta(days=1))
        while midnight <= until:
            with clock.at(midnight):
                sweeps.tick(midnight)
            midnight += timedelta(days=1)

    def _steps(self) -> Iterator[tuple[datetime, Callable[[datetime], int]]]:
        for name, (method, count) in BUYERS.items():
            for _ in range(max(1, count * self.days // DAYS)):
                at = self._office_hour()
                yield at, partial(self._buy, name, method)
        deliveries = Deliveries(end=self.end)
        for day in range(1, self.days + 1):
            at = clock.day_start(clock.platform_date(self.start) + timedelta(days=day)) + timedelta(hours=15)
            if at < self.end - timedelta(hours=5):
                yield at, deliveries.work
        for number, (code, acts) in enumerate(SHOWN.items()):
            bought_at = self.end - SHOWN_FROM + timedelta(minutes=number)
            yield bought_at, partial(self._buy_shown, deliveries, code)
            for act, before in acts:
                yield self.end - before, partial(deliveries.show, code, act)
        yield self.start, self._set_up_northwind
        yield from tickets.steps(end=self.end)
        yield from offers.steps(deliveries, end=self.end)
        yield from returns.steps(deliveries, end=self.end)
        yield self.end - timedelta(hours=3), partial(self._leave_unpaid, "northwind-trading", "relata-crm")
        yield self.end - timedelta(hours=1), partial(self._leave_unpaid, "studio-maple", "inkroute")

    def _office_hour(self) -> datetime:
        """A moment between eight and twenty o'clock, later days more often."""
        day = int(self.days * self.chance.random() ** 0.7)
        at = clock.day_start(clock.platform_date(self.start) + timedelta(days=day))
        at += timedelta(hours=8, seconds=self.chance.randrange(12 * 3600))
        return min(max(at, self.start), self.end - timedelta(hours=5))

    def _call(self, name: str, at: datetime) -> Call:
        account = identity.account_by_name(name)
        assert account is not None
        return Call(
            role=Role.BUYER,
            at=at,
            account=account,
            user=identity.root_user(account),
            address=f"203.0.113.{20 + account.pk % 200}",
            idempotency_key=new_key(),
        )

    def _buy(self, name: str, method: str, at: datetime) -> int:
        """Place an order for something this account can buy, and mostly pay it."""
        call = self._call(name, at)
        for code in self.chance.sample(self._wanted(), k=6):
            with self._kept(code):
                order = self._place(call, code)
                self._settle(call, order, method)
                return 1
        return 0

    def _wanted(self) -> list[str]:
        codes = catalog.codes_on_sale()
        popular = ["relata-crm", "inkroute", "docflow", "deskly"]
        return codes + [code for code in popular for _ in range(3) if code in codes]

    def _place(self, call: Call, code: str, **data: str) -> Any:
        product = catalog.product_by_code(code)
        conditions = catalog.purchase_conditions(product)
        quote = quote_for(account=call.account, product=product, data={**self._choice(product), **data}, at=call.at)
        texts = texts_to_sign(call.account, conditions.agreement_subjects)
        return place_order(
            call,
            product=product.code,
            quote=sign(quote),
            agreed=[text.subject for text in texts],
            consent=True,
        )

    def _choice(self, product: Any) -> dict[str, str]:
        """A believable configuration: some specification, a small quantity, some length that is sold."""
        sheet = catalog.sheet_of(product)
        specification = self.chance.choice(sheet.specifications)
        data = {"specification": specification.code}
        for attribute in specification.attributes:
            if not attribute.is_quantity:
                data[f"attr_{attribute.code}"] = self.chance.choice(attribute.options).code
            else:
                low, high, step = attribute.minimum, attribute.maximum, attribute.step
                assert low is not None and high is not None and step is not None
                steps = min(self.chance.choice([0, 1, 2, 4, 9, 24]), int((high - low) // step))
                data[f"attr_{attribute.code}"] = str(low + step * steps)
        return data

    def _settle(self, call: Call, order: Any, method: str) -> None:
        if order.state != "pending_payment":
            return
        mood = self.chance.random()
        if mood < UNHURRIED:
            return
        later = self._later(call, timedelta(minutes=self.chance.randrange(1, LONGEST_THOUGHT.seconds // 60)))
        with clock.at(later.at):
            if mood < UNHURRIED + CHANGES_MIND:
                cancel_order(later, order=order.number)
            elif method == "card":
                pay_by_card(later, order_number=order.number, card=self._card(order))
            else:
                pay_order(later, order=order.number, method=method)

    @staticmethod
    def _later(call: Call, by: timedelta) -> Call:
        return Call(
            role=call.role,
            at=call.at + by,
            account=call.account,
            user=call.user,
            address=call.address,
            idempotency_key=new_key(),
        )

    @staticmethod
    def _card(order: Any) -> str:
        """The first card of the order's account."""
        methods = billing.payment_methods(order.account, order.total)
        return next(method.token for method in methods if method.kind == "card")

    def _set_up_northwind(self, at: datetime) -> int:
        call = self._call("northwind-trading", at)
        projects.enable_projects(call)
        for name in ("Warehouse", "Web shop"):
            projects.create_project(self._later(call, timedelta(minutes=1)), name=name.replace(" ", "_"), kind="prod")
        for key, value in (("department", "sales"), ("department", "it"), ("cost-centre", "4711")):
            tags.create_tag(self._later(call, timedelta(minutes=1)), key=key, value=value)
        for code in ("postgres-ready", "relata-crm", "coldkeep", "cloud-migration"):
            with self._kept(code):
                favorites.save(self._later(call, timedelta(minutes=2)), product=code)
        return 0

    def _leave_unpaid(self, name: str, code: str, at: datetime) -> int:
        with self._kept(code):
            self._place(self._call(name, at), code)
            return 1
        return 0

    def _buy_shown(self, deliveries: Deliveries, code: str, at: datetime) -> int:
        """Buy what shows one stage of a delivery."""
        call = self._call(SHOWN_TO, at)
        with self._kept(code):
            order = self._place(call, code)
            pay_order(self._later(call, timedelta(seconds=20)), order=order.number, method="balance")
            deliveries.shown[code] = order.number
            return 1
        return 0

    @contextmanager
    def _kept(self, code: str) -> Iterator[None]:
        """What is refused is part of life: it is traced, remembered and the story goes on."""
        try:
            yield
        except Refused as refused:
            self.refused.append(f"{code}: {refused.code}")
        except Missing:
            self.refused.append(f"{code}: missing")
