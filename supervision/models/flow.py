"""A service flow: the supervised delivery of one order line."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from koogallery import clock
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.policies import PolicySet
from supervision.states import OVER_STEPS, Actor, FlowTable, Step, Template, table_of


class Flow(GuardedModel):
    """How one line of an order is delivered and accepted; `number` is the line's.

    `step_since` is when the step was reached; `turn_since` the same, moved by the time an appeal froze the flow (R10).
    `completion_due_at` and `auto_close_due_at` act (R19), unless `frozen_at` is set; the completion also waits while
    `held_at` is set, because the order may be given back. `milestones` is 0 without
    milestones; then `milestone` stays 1. The two counts are of the flow, with milestones of the milestone.
    """

    number = models.CharField(_("line No."), max_length=30, unique=True)
    order = models.ForeignKey("orders.Order", models.PROTECT, related_name="flows", verbose_name=_("order"))
    line = models.OneToOneField("orders.OrderLine", models.PROTECT, related_name="flow", verbose_name=_("order line"))
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="flows", verbose_name=_("account"), db_index=False
    )
    seller = models.ForeignKey(
        "catalog.Seller", models.PROTECT, related_name="flows", verbose_name=_("seller"), db_index=False
    )
    order_number = models.CharField(_("order No."), max_length=20)
    product_name = models.CharField(_("product"), max_length=200)
    delivery_method = models.CharField(_("delivery method"), max_length=30)
    template = models.CharField(_("template"), max_length=10, choices=Template)
    proof_required = models.BooleanField(_("delivery proof required"))
    takes_enabling_time = models.BooleanField(_("enabling time may be given"))
    milestones = models.PositiveSmallIntegerField(_("milestones"), default=0)
    milestone = models.PositiveSmallIntegerField(_("milestone"), default=1)

    step = models.CharField(_("service status"), max_length=10, choices=Step)
    step_since = models.DateTimeField(_("status since"))
    turn_since = models.DateTimeField()
    created_at = models.DateTimeField(_("created"))
    frozen_at = models.DateTimeField(_("frozen"), null=True, blank=True)
    held_at = models.DateTimeField(_("completion held"), null=True, blank=True)
    customer_rejects = models.PositiveSmallIntegerField(_("rejections by the customer"), default=0)
    seller_rejects = models.PositiveSmallIntegerField(_("rejections by the seller"), default=0)
    reminded_at = models.DateTimeField(_("reminded"), null=True, blank=True)

    delivery_due_at = models.DateTimeField(_("delivery due"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)
    enabling_at = models.DateTimeField(_("enabling time"), null=True, blank=True)
    carrier = models.CharField(_("carrier"), max_length=100, blank=True)
    tracking_number = models.CharField(_("tracking number"), max_length=100, blank=True)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    completion_due_at = models.DateTimeField(_("completion due"), null=True, blank=True)
    auto_close_due_at = models.DateTimeField(_("closes"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("service flow")
        verbose_name_plural = _("service flows")
        constraints = [
            models.CheckConstraint(
                condition=Q(step=Step.ACCEPTED, completion_due_at__isnull=False, accepted_at__isnull=False)
                | ~Q(step=Step.ACCEPTED) & Q(completion_due_at__isnull=True),
                name="flow_accepted_has_due",
            ),
            models.CheckConstraint(
                condition=Q(step__in=OVER_STEPS, ended_at__isnull=False, frozen_at__isnull=True, held_at__isnull=True)
                | ~Q(step__in=OVER_STEPS) & Q(ended_at__isnull=True),
                name="flow_over_has_time",
            ),
            models.CheckConstraint(
                condition=Q(milestones=0, milestone=1) | Q(milestone__gte=1, milestone__lte=F("milestones")),
                name="flow_milestone_in_range",
            ),
            models.CheckConstraint(
                condition=Q(completion_due_at__isnull=True) | Q(completion_due_at__gte=F("accepted_at")),
                name="flow_completes_after_acceptance",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="flow_of_account"),
            models.Index(fields=["seller", "-created_at"], name="flow_of_seller"),
            models.Index(fields=["account", "step", "-created_at"], name="flow_of_account_step"),
            models.Index(fields=["seller", "step", "-created_at"], name="flow_of_seller_step"),
            models.Index(
                fields=["completion_due_at"],
                name="flow_completion_due",
                condition=Q(completion_due_at__isnull=False, frozen_at__isnull=True, held_at__isnull=True),
            ),
            models.Index(
                fields=["auto_close_due_at"],
                name="flow_auto_close_due",
                condition=Q(auto_close_due_at__isnull=False, frozen_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the flow: by its order."""
        return self.order_number, self.product_name

    def traced_for(self) -> tuple[int, ...]:
        """The accounts in whose lists stands what operations did to it: both parties'."""
        return self.account_id, self.seller.account_id

    def get_absolute_url(self) -> str:
        """The buyer's page of the flow."""
        return reverse("supervision:detail", args=[self.number])

    def get_seller_url(self) -> str:
        """The seller's page of the flow."""
        return reverse("supervision:seller_detail", args=[self.number])

    @property
    def product_code(self) -> str:
        """The code that conditions of identity policies compare."""
        return self.line.product_code

    @property
    def table(self) -> FlowTable:
        """The steps and moves of its template."""
        return table_of(self.template)

    @property
    def step_enum(self) -> Step:
        """The step as an enum, for badges and moves."""
        return Step(self.step)

    @property
    def policies(self) -> PolicySet:
        """The policies stamped on its order."""
        return self.order.policies

    @property
    def is_frozen(self) -> bool:
        """Whether an appeal, or its closing date, stopped it."""
        return self.frozen_at is not None

    @property
    def is_held(self) -> bool:
        """Whether its completion waits because the order may be given back."""
        return self.held_at is not None

    @property
    def is_last_part(self) -> bool:
        """Whether the next acceptance is the final one."""
        return self.milestone >= self.milestones

    @property
    def turn(self) -> Actor | None:
        """The party that must act; None once accepted or over."""
        return self.table.turn_of(self.step_enum)

    @property
    def closes_on(self) -> date | None:
        """The last day before it closes: the closing date (R8), later by the time that appeals took."""
        return clock.platform_date(self.auto_close_due_at - timedelta(seconds=1)) if self.auto_close_due_at else None

    def is_due_to_complete(self, at: datetime) -> bool:
        """Whether the completion has happened at a moment, though the sweep may not have run (R19)."""
        if self.completion_due_at is None or self.is_frozen or self.is_held:
            return False
        return self.completion_due_at <= at

    def is_due_to_close(self, at: datetime) -> bool:
        """Whether the closing date has passed at a moment, though the sweep may not have run (R19)."""
        return (
            self.auto_close_due_at is not None
            and not self.is_frozen
            and not self.step_enum.is_over
            and self.step != Step.ACCEPTED
            and self.auto_close_due_at <= at
        )

    def stopped_at(self, at: datetime) -> datetime | None:
        """Since when it stands still at a moment; a passed closing date binds before the sweep runs (R19)."""
        return self.auto_close_due_at if self.is_due_to_close(at) else self.frozen_at

    def shown_step(self, at: datetime) -> Step:
        """The step a page shows."""
        return Step.COMPLETED if self.is_due_to_complete(at) else self.step_enum
