"""Milestones of an order line that is paid in parts, and the bill of each."""

from __future__ import annotations

from datetime import date, datetime

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from billing.rules.bills import counts_from, is_overdue
from billing.rules.explanation import Explanation
from billing.states import UNPAID_BILLS, BillState
from koogallery import clock
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from koogallery.kernel.texts import in_language


class Milestone(GuardedModel):
    """One part of an order line: what is delivered, which share of the price is billed for it.

    `bill_due_at` is when its bill is to be written, from the order (the first) or the acceptance before it; the bill
    run clears it. `earn_from` is when its money is the seller's, once repaid: its acceptance, for the last one the
    completion of the order. `lapsed_at` says that it will not be billed: the order ended before. `held_at` is since
    when its bill waits although it is due, because the order may be given back. `reserved_until` is until when an order
    that is not confirmed keeps credit for it; None once it is confirmed. `blocks_when_overdue` is the order's policy:
    whether its unpaid bill keeps the next milestone from being accepted.
    """

    order_number = models.CharField(_("order No."), max_length=24)
    line_number = models.CharField(_("line No."), max_length=30)
    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="milestones", db_index=False)
    seller_id = models.BigIntegerField(null=True)
    fee_percent = models.DecimalField(max_digits=7, decimal_places=4, default=0)
    position = models.PositiveSmallIntegerField(_("milestone"))
    count = models.PositiveSmallIntegerField(_("milestones"))
    name = models.CharField(_("name"), max_length=100)
    delivery = models.CharField(_("delivery"), max_length=500)
    share_percent = models.DecimalField(_("share in percent"), max_digits=5, decimal_places=2)
    amount = AmountField(_("amount"))
    currency = CurrencyField()
    explanation = models.JSONField(default=dict)
    due_days = models.PositiveSmallIntegerField()
    blocks_when_overdue = models.BooleanField(default=True, db_default=True)
    product_code = models.CharField(max_length=64, blank=True, default="", db_default="")
    description = models.CharField(max_length=255, blank=True)
    description_zh = models.CharField(max_length=255, blank=True, default="", db_default="")
    project_code = models.CharField(max_length=64, blank=True)
    tags = models.JSONField(default=dict)
    reserved_until = models.DateTimeField(null=True)
    bill_due_at = models.DateTimeField(null=True)
    held_at = models.DateTimeField(null=True)
    accepted_at = models.DateTimeField(_("accepted"), null=True)
    earn_from = models.DateTimeField(null=True)
    lapsed_at = models.DateTimeField(null=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("milestone")
        verbose_name_plural = _("milestones")
        ordering = ["line_number", "position"]
        constraints = [
            models.UniqueConstraint(fields=["line_number", "position"], name="milestone_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="milestone_positive"),
            models.CheckConstraint(
                condition=Q(position__gte=1, position__lte=F("count"), count__gte=2, count__lte=12),
                name="milestone_in_range",
            ),
        ]
        indexes = [
            models.Index(
                fields=["bill_due_at"],
                name="milestone_bill_due",
                condition=Q(bill_due_at__isnull=False, held_at__isnull=True),
            ),
            models.Index(fields=["account", "order_number"], name="milestone_of_account"),
            models.Index(fields=["order_number"], name="milestone_of_order"),
        ]

    def __str__(self) -> str:
        return f"{self.line_number}/{self.position}"

    @property
    def money(self) -> Money:
        """Its part of the price."""
        return Money(self.amount, self.currency)

    @property
    def share_text(self) -> str:
        """Its share as read: `30 %`."""
        return f"{self.share_percent.normalize():f} %"

    @property
    def product(self) -> str:
        """The product and its specification, in the language in force."""
        return in_language(self, "description")

    @property
    def part(self) -> str:
        """How payments for it are told apart from those for the line's other milestones."""
        return part_of(self.position)


def part_of(position: int) -> str:
    """The `part` of payments for a milestone."""
    return f"m{position}"


class MilestoneBill(GuardedModel):
    """What is due for one milestone (billing.md, Milestone bills).

    `generated_at` is the order's or acceptance's time, `written_at` when a process wrote the bill. It is due at
    23:59:59 of `due_at`'s date and overdue from the next 00:00:00, when `overdue_due_at` acts; `remind_at` is the due
    column of the reminders. It uses the customer's milestone credit until it is repaid, in full, or withdrawn. `amount`
    is what is due, after `lowered` was taken off because a part of the order was given back. The
    statement that writes it copies milestone and account from the milestone's row, so that nothing has to prove them.
    """

    number = models.CharField(_("bill No."), max_length=24, unique=True)
    milestone = models.OneToOneField(Milestone, models.PROTECT, related_name="bill", db_constraint=False)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="milestone_bills", db_index=False, db_constraint=False
    )
    order_number = models.CharField(_("order No."), max_length=24)
    amount = AmountField(_("amount"))
    lowered = AmountField(_("lowered by"), default=0, db_default=0)
    currency = CurrencyField()
    state = models.CharField(_("status"), max_length=10, choices=BillState, default=BillState.OPEN)
    generated_at = models.DateTimeField(_("generated"))
    written_at = models.DateTimeField(_("written"))
    due_at = models.DateTimeField(_("due"))
    overdue_due_at = models.DateTimeField(null=True)
    remind_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(_("repaid or withdrawn"), null=True)
    payment_number = models.CharField(max_length=24, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("milestone bill")
        verbose_name_plural = _("milestone bills")
        ordering = ["-generated_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="milestone_bill_positive"),
            models.CheckConstraint(condition=Q(lowered__gte=0), name="milestone_bill_lowered_not_negative"),
            models.CheckConstraint(
                condition=Q(state__in=UNPAID_BILLS, ended_at__isnull=True)
                | ~Q(state__in=UNPAID_BILLS)
                & Q(ended_at__isnull=False, overdue_due_at__isnull=True, remind_at__isnull=True),
                name="milestone_bill_ended_when",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-generated_at", "-id"], name="milestone_bill_of_account"),
            models.Index(
                fields=["account", "due_at"], name="milestone_bill_unpaid", condition=Q(ended_at__isnull=True)
            ),
            models.Index(fields=["order_number"], name="milestone_bill_of_order"),
            models.Index(
                fields=["overdue_due_at"], name="milestone_bill_overdue", condition=Q(overdue_due_at__isnull=False)
            ),
            models.Index(fields=["remind_at"], name="milestone_bill_remind", condition=Q(remind_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.number, self.order_number

    def get_absolute_url(self) -> str:
        """The buyer's page of the bill."""
        return reverse("billing:milestone_bill", args=[self.number])

    @property
    def money(self) -> Money:
        """What is due."""
        return Money(self.amount, self.currency)

    @property
    def taken_off(self) -> Money:
        """What was taken off because a part of the order was given back."""
        return Money(self.lowered, self.currency)

    @property
    def generated(self) -> Money:
        """What it was generated over, before any of it was taken off."""
        return Money(self.amount + self.lowered, self.currency)

    @property
    def product_code(self) -> str:
        """The code that conditions of identity policies compare."""
        return self.milestone.product_code

    @property
    def state_enum(self) -> BillState:
        """The state as its enum."""
        return BillState(self.state)

    @property
    def is_unpaid(self) -> bool:
        """Whether it is still to be repaid."""
        return self.state in UNPAID_BILLS

    def is_overdue(self, at: datetime) -> bool:
        """Whether it is past its due time and not repaid; binds before the sweep has run (R19)."""
        return self.is_unpaid and is_overdue(due_at=self.due_at, at=at)

    def shown_state(self, at: datetime) -> BillState:
        """The state a page shows."""
        return BillState.OVERDUE if self.is_overdue(at) else self.state_enum

    @property
    def last_day(self) -> date:
        """The day by which it is to be repaid, in the platform zone."""
        return clock.platform_date(self.due_at)

    @property
    def was_written_late(self) -> bool:
        """Whether the due date counts from the writing, which a page then shows, too."""
        return counts_from(generated_at=self.generated_at, written_at=self.written_at) != self.generated_at

    @property
    def calculation(self) -> Explanation | None:
        """How the amount came about, for “How is this calculated?”."""
        stored = self.milestone.explanation
        return Explanation.from_json(stored) if stored else None
