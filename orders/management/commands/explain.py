"""`manage.py explain <order number>`: recompute an order's amounts from what was stored with them."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.rules.explanation import UnknownRule, recompute
from koogallery.kernel.reasons import Missing
from orders.models import Order, OrderLine
from orders.queries.orders import order_by_number


class Command(BaseCommand):
    help = "Recompute every line of an order from its stored explanation and compare to the cent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", help="the order number, CS…")

    def handle(self, *args: Any, number: str, **options: Any) -> None:
        try:
            order = order_by_number(number)
        except Missing:
            raise CommandError(f"There is no order {number}.") from None
        self.stdout.write(f"{order.number}  {order.product_name}  {order.state}  {order.total}")
        different = [line.number for line in order.lines.all() if not self._explained(line)]
        different += self._sum(order)
        if different:
            raise CommandError(f"Not the same amount: {', '.join(different)}.")
        self.stdout.write(self.style.SUCCESS("Every amount is the same."))

    def _explained(self, line: OrderLine) -> bool:
        stored = line.calculation
        if stored is None:
            self.stdout.write(f"{line.number}  {line.total}  without an explanation")
            return not line.amount
        self.stdout.write(f"{line.number}  rule {stored.rule} {stored.version}")
        for told in [*stored.fact_lines(), *stored.lines()]:
            formula = f"  ({told.formula})" if told.formula else ""
            self.stdout.write(f"    {told.label}: {told.value}{formula}")
        try:
            amount = recompute(line.explanation)
        except UnknownRule as unknown:
            raise CommandError(str(unknown)) from unknown
        same = amount == line.total.rounded() or (amount - line.total).amount == 0
        self.stdout.write(f"    stored {line.total}, recomputed {amount}: {'the same' if same else 'DIFFERENT'}")
        return same

    def _sum(self, order: Order) -> list[str]:
        lines = [line.amount for line in order.lines.all()]
        return [] if sum(lines) == order.amount else [order.number]
