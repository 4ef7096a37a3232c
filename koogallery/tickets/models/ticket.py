"""A ticket: what a customer, or a visitor with a demand, asks of operations."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from koogallery.tickets.states import QUEUED, UNFINISHED, TicketKind, TicketState


class Ticket(GuardedModel):
    """A question with its state; only demands may come from visitors without an account.

    `linked_kind` and `linked_number` name what it is about (`queries.linked`); `contact` is who asked by the demand
    form. `changed_at` is the time of the last message.
    """

    number = models.CharField(_("ticket No."), max_length=24, unique=True)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, null=True, blank=True, related_name="tickets", verbose_name=_("account")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("opened by")
    )
    kind = models.CharField(_("kind"), max_length=20, choices=TicketKind)
    subject = models.CharField(_("subject"), max_length=120)
    state = models.CharField(_("status"), max_length=12, choices=TicketState, default=TicketState.OPEN)
    linked_kind = models.CharField(_("linked object"), max_length=20, blank=True)
    linked_number = models.CharField(_("number of the linked object"), max_length=40, blank=True)
    contact = models.JSONField(_("contact"), default=dict, blank=True)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("assigned to")
    )
    opened_at = models.DateTimeField(_("opened"))
    changed_at = models.DateTimeField(_("last change"))
    resolved_at = models.DateTimeField(_("resolved"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("service ticket")
        verbose_name_plural = _("service tickets")
        constraints = [
            models.CheckConstraint(
                condition=Q(account__isnull=False) | Q(kind=TicketKind.DEMAND), name="ticket_of_an_account"
            ),
            models.CheckConstraint(
                condition=Q(linked_kind="", linked_number="") | (~Q(linked_kind="") & ~Q(linked_number="")),
                name="ticket_linked_whole",
            ),
            models.CheckConstraint(
                condition=Q(state=TicketState.CLOSED, closed_at__isnull=False)
                | (~Q(state=TicketState.CLOSED) & Q(closed_at__isnull=True)),
                name="ticket_closed_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state=TicketState.RESOLVED) | Q(resolved_at__isnull=False),
                name="ticket_resolved_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-changed_at"], name="ticket_of_account"),
            models.Index(fields=["opened_at"], name="ticket_queue", condition=Q(state__in=["open", "in_progress"])),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.subject}"

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the ticket."""
        return self.number, self.subject

    def get_absolute_url(self) -> str:
        """The customer's page of the ticket."""
        return reverse("tickets:detail", args=[self.number])

    @property
    def kind_enum(self) -> TicketKind:
        """The kind as an enum."""
        return TicketKind(self.kind)

    @property
    def state_enum(self) -> TicketState:
        """The state as an enum, for badges and moves."""
        return TicketState(self.state)

    @property
    def is_unfinished(self) -> bool:
        """Whether it is neither resolved nor closed."""
        return self.state in UNFINISHED

    @property
    def is_queued(self) -> bool:
        """Whether operations are to act."""
        return self.state in QUEUED
