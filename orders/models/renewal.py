"""Auto-renewal of a resource, and a change that waits for the next term."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from billing.rules.terms import TermLength, TermUnit
from koogallery.kernel.guard import GuardedModel
from orders.models.order import Order
from orders.models.resource import Resource
from orders.states import AUTO_RENEWAL_PERIODS, RenewalChangeState


class AutoRenewal(GuardedModel):
    """How a resource renews itself: for how long, how often, by what, and on which day.

    `days_before` counts the deduction day back from the expiry. `method` is `balance`, `credit`, `card:<code>` or
    `reseller`, never another than was chosen. `next_attempt_at` and `preflight_due_at` are due columns; both are None
    while it is off. `left` counts the renewals to come, None without limit; `times` is how many were chosen. `foreseen`
    is the reason code for which the last pre-flight would have failed.
    """

    resource = models.OneToOneField(Resource, models.PROTECT, related_name="auto_renewal")
    enabled = models.BooleanField(_("enabled"), default=True)
    term_unit = models.CharField(_("renewal period"), max_length=10)
    term_count = models.PositiveSmallIntegerField(_("renewal period"))
    left = models.PositiveSmallIntegerField(_("renewals left"), null=True, blank=True)
    times = models.PositiveSmallIntegerField(_("number of renewals"), null=True, blank=True)
    days_before = models.PositiveSmallIntegerField(_("deducted days before the expiry"), default=7)
    method = models.CharField(_("payment method"), max_length=60)
    enabled_at = models.DateTimeField(_("enabled"))
    enabled_by = models.CharField(max_length=150, blank=True)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    preflight_due_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(_("failed"), null=True, blank=True)
    failure = models.CharField(_("reason"), max_length=64, blank=True)
    failure_params = models.JSONField(default=dict, blank=True)
    foreseen = models.CharField(_("foreseen failure"), max_length=64, blank=True, default="", db_default="")

    class Meta(GuardedModel.Meta):
        verbose_name = _("auto-renewal")
        verbose_name_plural = _("auto-renewals")
        constraints = [
            models.CheckConstraint(
                condition=Q(enabled=True) | Q(next_attempt_at__isnull=True, preflight_due_at__isnull=True),
                name="auto_renewal_off_is_not_due",
            ),
            models.CheckConstraint(
                condition=Q(term_unit="month", term_count__in=AUTO_RENEWAL_PERIODS["month"])
                | Q(term_unit="year", term_count__in=AUTO_RENEWAL_PERIODS["year"]),
                name="auto_renewal_period",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], name="auto_renewal_due", condition=Q(next_attempt_at__isnull=False)
            ),
            models.Index(
                fields=["preflight_due_at"], name="auto_renewal_preflight", condition=Q(preflight_due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return str(self.resource_id)

    @property
    def length(self) -> TermLength:
        """For how long it renews."""
        return TermLength(self.term_count, TermUnit(self.term_unit))


class RenewalChange(GuardedModel):
    """A paid change upon renewal until it takes effect at the 00:00:00 after the current expiry (`effective_at`).

    `effective_due_at` is the due column of the sweep. At most one waits for a resource.
    """

    resource = models.ForeignKey(Resource, models.PROTECT, related_name="renewal_changes")
    order = models.OneToOneField(Order, models.PROTECT, related_name="renewal_change")
    state = models.CharField(_("status"), max_length=10, choices=RenewalChangeState)
    effective_at = models.DateTimeField(_("takes effect"))
    effective_due_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("change upon renewal")
        verbose_name_plural = _("changes upon renewal")
        constraints = [
            models.UniqueConstraint(
                fields=["resource"],
                condition=Q(state=RenewalChangeState.WAITING),
                name="one_change_waits_for_a_resource",
            ),
            models.CheckConstraint(
                condition=Q(state=RenewalChangeState.WAITING, effective_due_at=F("effective_at"), ended_at__isnull=True)
                | ~Q(state=RenewalChangeState.WAITING) & Q(effective_due_at__isnull=True, ended_at__isnull=False),
                name="renewal_change_waits_or_ended",
            ),
        ]
        indexes = [
            models.Index(
                fields=["effective_due_at"], name="renewal_change_due", condition=Q(effective_due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return str(self.order)

    def is_effective(self, at: datetime) -> bool:
        """Whether it has taken effect at a moment, though the sweep may not have run (R19)."""
        return self.effective_at <= at

    def move(self, state: RenewalChangeState, *, at: datetime, **columns: Any) -> None:
        """End the waiting of a locked row."""
        self.state, self.ended_at, self.effective_due_at = state, at, None
        self.save(update_fields=["state", "ended_at", "effective_due_at", *columns])
