"""An appeal: one party asks operations to decide; meanwhile the flow stands still."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from supervision.models.flow import Flow
from supervision.states import UNDECIDED, Actor, AppealState, Decision, Step


class Appeal(GuardedModel):
    """A question to operations about a flow; `filed_by` the platform means that its closing date was reached.

    `decision_due_at` is 23:59:59 of the last working day for the decision (R9). A decision whose effect on money is
    above the policy's limit waits, `PROPOSED`, for another operations manager.
    """

    number = models.CharField(_("appeal No."), max_length=24, unique=True)
    flow = models.ForeignKey(Flow, models.PROTECT, related_name="appeals", verbose_name=_("service flow"))
    filed_by = models.CharField(_("filed by"), max_length=10, choices=Actor)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("account")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    reason = models.TextField(_("reason"))
    filed_at = models.DateTimeField(_("filed"))
    decision_due_at = models.DateTimeField(_("decision due"))
    state = models.CharField(_("status"), max_length=10, choices=AppealState, default=AppealState.OPEN)

    decision = models.CharField(_("decision"), max_length=20, choices=Decision, blank=True)
    restart_step = models.CharField(_("restart from"), max_length=10, choices=Step, blank=True)
    refund_amount = AmountField(_("refund"), default=0)
    currency = CurrencyField()
    note = models.TextField(_("explanation to both sides"), blank=True)
    effects = models.JSONField(_("effects"), default=dict, blank=True)
    proposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    proposed_at = models.DateTimeField(_("signed"), null=True, blank=True)
    countersigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("countersigned by"),
    )
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("appeal")
        verbose_name_plural = _("appeals")
        ordering = ["decision_due_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["flow"], condition=Q(state__in=["open", "proposed"]), name="appeal_one_undecided_per_flow"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "proposed"], ended_at__isnull=True)
                | Q(state__in=["decided", "withdrawn"], ended_at__isnull=False),
                name="appeal_ended_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["proposed", "decided"])
                | Q(proposed_by__isnull=False, proposed_at__isnull=False) & ~Q(decision=""),
                name="appeal_decided_is_signed",
            ),
            models.CheckConstraint(
                condition=Q(countersigned_by__isnull=True) | ~Q(countersigned_by=F("proposed_by")),
                name="appeal_signed_by_two",
            ),
            models.CheckConstraint(condition=Q(refund_amount__gte=0), name="appeal_refund_not_negative"),
        ]
        indexes = [
            models.Index(fields=["decision_due_at"], name="appeal_queue", condition=Q(state__in=["open", "proposed"])),
            models.Index(fields=["flow", "-filed_at"], name="appeal_of_flow"),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the appeal."""
        return self.number, self.flow.product_name

    def traced_for(self) -> tuple[int, ...]:
        """The accounts in whose lists stands what operations did to it."""
        return self.flow.traced_for()

    @property
    def state_enum(self) -> AppealState:
        """The state as an enum, for badges."""
        return AppealState(self.state)

    @property
    def decision_enum(self) -> Decision | None:
        """The decision as an enum, once there is one."""
        return Decision(self.decision) if self.decision else None

    @property
    def is_undecided(self) -> bool:
        """Whether the flow still waits for it."""
        return self.state in UNDECIDED

    @property
    def shown_reason(self) -> str:
        """The reason as written, or the platform's own sentence in the language in force."""
        return gettext(self.reason) if self.filed_by == Actor.SYSTEM else self.reason

    def forget_proposal(self) -> list[str]:
        """Take back, in memory, a decision that was proposed and not carried out; the columns to save."""
        self.decision, self.note, self.effects = "", "", {}
        self.refund_amount, self.restart_step = Decimal(0), ""
        self.proposed_by, self.proposed_at = None, None
        return ["decision", "note", "effects", "refund_amount", "restart_step", "proposed_by", "proposed_at"]

    @property
    def refund(self) -> Money:
        """The amount that a decision to refund a part gives back."""
        return Money(self.refund_amount, self.currency)
