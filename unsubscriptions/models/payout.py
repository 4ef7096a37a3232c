"""The way of the money back, once it was given back."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from unsubscriptions.models.request import Request
from unsubscriptions.states import PayoutState


class Payout(GuardedModel):
    """What goes back for a request, by its UNSUBSCRIBE order, until `due_at`.

    The refund itself is booked once, when it is carried out; this tells when all of it has arrived. `amount` goes back
    to the paying methods, `lowered` was taken off milestone bills that were not paid yet. `breach_due_at` acts when the
    money is late; what is, or came, late keeps `breached_at`.
    """

    request = models.OneToOneField(Request, models.PROTECT, related_name="payout", verbose_name=_("request"))
    order = models.OneToOneField("orders.Order", models.PROTECT, related_name="+", verbose_name=_("order"))
    amount = AmountField(_("refund"))
    lowered = AmountField(_("taken off unpaid bills"), default=0)
    currency = CurrencyField()
    state = models.CharField(_("status"), max_length=10, choices=PayoutState)
    began_at = models.DateTimeField(_("unsubscribed"))
    due_at = models.DateTimeField(_("due"))
    breach_due_at = models.DateTimeField(null=True, blank=True)
    breached_at = models.DateTimeField(_("late since"), null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    done_at = models.DateTimeField(_("refunded"), null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("payout")
        verbose_name_plural = _("payouts")
        ordering = ["due_at", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0, lowered__gte=0), name="payout_not_negative"),
            models.CheckConstraint(
                condition=Q(state=PayoutState.DONE, done_at__isnull=False, breach_due_at__isnull=True)
                | ~Q(state=PayoutState.DONE) & Q(done_at__isnull=True),
                name="payout_done_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state=PayoutState.FAILED) | Q(failed_at__isnull=False), name="payout_failed_has_time"
            ),
        ]
        indexes = [
            models.Index(fields=["breach_due_at"], name="payout_breach_due", condition=Q(breach_due_at__isnull=False)),
            models.Index(fields=["due_at"], name="payout_open", condition=~Q(state=PayoutState.DONE)),
        ]

    def __str__(self) -> str:
        return self.request.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the payout: by the order that was given back."""
        return self.request.trace_ref()

    def traced_for(self) -> tuple[int, ...]:
        """The accounts in whose lists stands what operations did to it."""
        return self.request.traced_for()

    @property
    def account_id(self) -> int:
        """The account that gets its money back."""
        return self.request.account_id

    @property
    def money(self) -> Money:
        """What goes back to the paying methods."""
        return Money(self.amount, self.currency)

    @property
    def lowered_money(self) -> Money:
        """What was taken off unpaid milestone bills."""
        return Money(self.lowered, self.currency)

    @property
    def state_enum(self) -> PayoutState:
        """The state as an enum, for badges and moves."""
        return PayoutState(self.state)

    def is_late(self, at: datetime) -> bool:
        """Whether the money is, or came, late; a passed limit binds before the sweep has run (R19)."""
        return self.done_at > self.due_at if self.done_at is not None else at >= self.due_at
