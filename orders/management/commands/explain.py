"""`manage.py explain <order or bill number>`: recompute amounts and due dates from what was stored with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.queries import milestone_bill_by_number
from billing.rules.bills import bill_due
from billing.rules.explanation import Explanation, UnknownRule, recompute
from koogallery.kernel.display import moment_text
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Missing
from orders.models import Order, OrderLine
from orders.queries.orders import order_by_number

if TYPE_CHECKING:
    from billing.models import MilestoneBill


class Command(BaseCommand):
    help = "Recompute an order's lines, or a milestone bill, from the stored explanation and compare to the cent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("number", help="the order number, CS…, or the number of a milestone bill, MB…")

    def handle(self, *args: Any, number: str, **options: Any) -> None:
        if (bill := milestone_bill_by_number(number)) is not None:
            self._bill(bill)
            return
        try:
            order = order_by_number(number)
        except Missing:
            raise CommandError(f"There is no order {number}, and no milestone bill of that number.") from None
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
        return self._same(line.number, stored, line.explanation, line.total)

    def _same(self, number: str, told_as: Explanation, stored: dict[str, Any], total: Money) -> bool:
        self.stdout.write(f"{number}  rule {told_as.rule} {told_as.version}")
        for told in [*told_as.fact_lines(), *told_as.lines()]:
            formula = f"  ({told.formula})" if told.formula else ""
            self.stdout.write(f"    {told.label}: {told.value}{formula}")
        try:
            amount = recompute(stored)
        except UnknownRule as unknown:
            raise CommandError(str(unknown)) from unknown
        same = amount == total.rounded() or (amount - total).amount == 0
        self.stdout.write(f"    stored {total}, recomputed {amount}: {'the same' if same else 'DIFFERENT'}")
        return same

    def _bill(self, bill: MilestoneBill) -> None:
        """The share of a milestone, and from when its bill is due."""
        milestone, stored = bill.milestone, bill.calculation
        self.stdout.write(
            f"{bill.number}  order {bill.order_number}  milestone {milestone.position} of {milestone.count}, "
            f"{milestone.name}  {bill.state}  {bill.money}"
        )
        same = stored is not None and self._same(str(milestone), stored, milestone.explanation, bill.generated)
        due_at = bill_due(generated_at=bill.generated_at, written_at=bill.written_at, days=milestone.due_days)
        late = ", counted from the writing because it came more than a day late" if bill.was_written_late else ""
        self.stdout.write(f"    generated {moment_text(bill.generated_at)}, written {moment_text(bill.written_at)}")
        self.stdout.write(
            f"    due after {milestone.due_days} days{late}: stored {moment_text(bill.due_at)}, "
            f"recomputed {moment_text(due_at)}: {'the same' if due_at == bill.due_at else 'DIFFERENT'}"
        )
        if not same or due_at != bill.due_at:
            raise CommandError(f"Not the same: {bill.number}.")
        self.stdout.write(self.style.SUCCESS("Amount and due date are the same."))

    def _sum(self, order: Order) -> list[str]:
        lines = [line.amount for line in order.lines.all()]
        return [] if sum(lines) == order.amount else [order.number]
