"""`manage.py explain <number>`: recompute amounts and due dates from what was stored with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.queries import milestone_bill_by_number, refund_by_number, refunds_of
from billing.rules.bills import bill_due
from billing.rules.explanation import Explanation, UnknownRule, recompute
from koogallery.kernel.display import moment_text
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Missing
from orders.models import Order, OrderLine
from orders.queries.orders import order_by_number
from orders.queries.returns import lines_given_back_by, returned_of
from orders.states import OrderType

if TYPE_CHECKING:
    from billing.models import MilestoneBill, Refund


class Command(BaseCommand):
    help = "Recompute orders, milestone bills, refunds and unsubscriptions from what is stored, to the cent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "number",
            help="the number of an order (CS…), a milestone bill (MB…), a refund (RF…) or an unsubscription (UN…)",
        )

    def handle(self, *args: Any, number: str, **options: Any) -> None:
        if (bill := milestone_bill_by_number(number)) is not None:
            self._bill(bill)
            return
        if (refund := refund_by_number(number)) is not None:
            different = [] if self._refund(refund) else [refund.number]
        elif number.startswith("UN"):
            different = self._request(number)
        else:
            different = self._order(number)
        if different:
            raise CommandError(f"Not the same amount: {', '.join(different)}.")
        self.stdout.write(self.style.SUCCESS("Every amount is the same."))

    def _order(self, number: str) -> list[str]:
        """The lines of an order, and their sum; what an UNSUBSCRIBE order gives back with its refunds."""
        try:
            order = order_by_number(number)
        except Missing:
            raise CommandError(
                f"There is no order {number}, and no milestone bill, refund or unsubscription of that number."
            ) from None
        self.stdout.write(f"{order.number}  {order.product_name}  {order.state}  {order.total}")
        if order.type == OrderType.UNSUBSCRIBE:
            return self._given_back(order) + self._sum(order)
        return [line.number for line in order.lines.all() if not self._explained(line)] + self._sum(order)

    def _given_back(self, order: Order) -> list[str]:
        """Each negative line, whose explanation yields what is given back, and the refund that booked it."""
        different = []
        for line in lines_given_back_by(order):
            given, stored = line.reverses, line.calculation
            assert given is not None
            self.stdout.write(f"{line.number}  gives {given.number} back")
            if stored is None or not self._same(line.number, stored, line.explanation, -line.total):
                different.append(line.number)
            refunds = refunds_of(given.order.number)
            mine = [refund for refund in refunds if refund.key == f"unsubscription:{line.number}"]
            different += [refund.number for refund in mine if not self._refund(refund)]
        return different

    def _request(self, number: str) -> list[str]:
        """A request: what it gave back, if both sides agreed."""
        found = next((each for each in returned_of(number) if each.number == number), None)
        if found is None:
            raise CommandError(f"There is no unsubscription {number}.")
        self.stdout.write(f"{found.number}  order {found.order_number}  {found.status}  {found.amount}")
        if not found.return_order:
            self.stdout.write("    nothing was given back")
            return []
        return self._order(found.return_order)

    def _refund(self, refund: Refund) -> bool:
        """How much went back, and where its parts went."""
        self.stdout.write(f"{refund.number}  line {refund.line_number}  {refund.reason}  {refund.money}")
        stored = Explanation.from_json(refund.explanation) if refund.explanation else None
        if stored is None:
            self.stdout.write("    decided by people, or all that was paid: there is nothing to recompute")
        same = stored is None or self._same(refund.number, stored, refund.explanation, refund.money)
        parts = list(refund.parts.all())
        for part in parts:
            self.stdout.write(f"    {part.money} to {part.destination}: {part.state}")
        whole = sum(part.amount for part in parts) == refund.amount
        if not whole:
            self.stdout.write(f"    its parts do not sum to {refund.money}: DIFFERENT")
        return same and whole

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
