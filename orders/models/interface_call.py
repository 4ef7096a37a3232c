"""Calls to sellers' servers: rows of an outbox, each with its tries (purchase.md, SaaS interface)."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.guard import GuardedModel
from orders.models.line import OrderLine
from orders.models.order import Order
from orders.models.resource import Resource
from orders.saas.activities import Activity
from orders.saas.codes import outcome_sentence
from orders.states import CALL_MOVES, CallState


class InterfaceCall(GuardedModel):
    """One call of an activity, tried until it succeeds, is refused or its time is over.

    `next_try_at` is the due column, None once ended; while a worker asks, it stands at the end of the worker's lease.
    `deadline_at` is when trying ends. `for_release`: the order is Canceled already, success is followed by a release.
    """

    number = models.CharField(_("call ID"), max_length=32, unique=True)
    key = models.CharField(max_length=120, unique=True)
    activity = models.CharField(_("activity"), max_length=30)
    version = models.CharField(_("interface version"), max_length=1)
    seller = models.ForeignKey("catalog.Seller", models.PROTECT, related_name="+", verbose_name=_("seller"))
    product = models.ForeignKey("catalog.Product", models.PROTECT, related_name="+", verbose_name=_("product"))
    order = models.ForeignKey(
        Order, models.PROTECT, null=True, blank=True, related_name="interface_calls", verbose_name=_("order")
    )
    line = models.ForeignKey(OrderLine, models.PROTECT, null=True, blank=True, related_name="+")
    resource = models.ForeignKey(
        Resource, models.PROTECT, null=True, blank=True, related_name="interface_calls", verbose_name=_("resource")
    )
    parameters = models.JSONField(_("parameters"), default=dict)
    test = models.BooleanField(_("debug"), default=False)
    state = models.CharField(_("status"), max_length=10, choices=CallState, default=CallState.WAITING)
    created_at = models.DateTimeField(_("created"))
    first_try_at = models.DateTimeField(_("first try"))
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True)
    deadline_at = models.DateTimeField(_("tried until"))
    claimed_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    last_code = models.CharField(_("last code"), max_length=32, blank=True)
    last_message = models.CharField(_("last message"), max_length=500, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    replays = models.PositiveSmallIntegerField(_("replays"), default=0)
    for_release = models.BooleanField(default=False)

    class Meta(GuardedModel.Meta):
        verbose_name = _("interface call")
        verbose_name_plural = _("interface calls")
        constraints = [
            models.CheckConstraint(
                condition=Q(state=CallState.WAITING, next_try_at__isnull=False)
                | ~Q(state=CallState.WAITING) & Q(next_try_at__isnull=True),
                name="call_waiting_has_due",
            ),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="call_due", condition=Q(next_try_at__isnull=False)),
            models.Index(fields=["seller", "-created_at"], name="call_of_seller"),
            models.Index(fields=["seller", "state", "-created_at"], name="call_of_seller_state"),
            models.Index(fields=["product", "created_at"], name="call_of_product"),
            models.Index(fields=["-created_at"], name="call_debugged", condition=Q(test=True)),
        ]

    def __str__(self) -> str:
        return f"{self.activity} {self.number}"

    @property
    def account_id(self) -> int:
        """The account whose trace list shows the call: the seller's."""
        return self.seller.account_id

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the call."""
        return self.number, self.activity

    def get_absolute_url(self) -> str:
        """The seller's page of the call."""
        return reverse("orders:interface_call", args=[self.number])

    @property
    def state_enum(self) -> CallState:
        """The state as an enum."""
        return CallState(self.state)

    @property
    def is_check(self) -> bool:
        """Whether it asks, once and while a buyer waits, if a change may be ordered."""
        return self.activity == Activity.CHANGE_INSTANCE_CHECK and not self.test

    @property
    def is_replayable(self) -> bool:
        """Whether it ended without success and can be made again; nobody waits for a check of a change any more."""
        return not self.is_check and CALL_MOVES.allowed(self.state_enum, CallState.WAITING)

    @property
    def last_sentence(self) -> str:
        """The last answer in words, in the language in force."""
        return outcome_sentence(self.last_code)


class InterfaceAttempt(GuardedModel):
    """One try of a call: what was sent and answered, with secrets masked."""

    call = models.ForeignKey(InterfaceCall, models.PROTECT, related_name="attempts", verbose_name=_("call"))
    number = models.PositiveSmallIntegerField(_("try"))
    at = models.DateTimeField(_("time"))
    request_url = models.TextField(_("address"), blank=True)
    request_body = models.TextField(_("request"), blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    response_body = models.TextField(_("response"), blank=True)
    status = models.CharField(_("result"), max_length=12)
    code = models.CharField(_("result code"), max_length=32, blank=True)
    message = models.CharField(_("message"), max_length=500, blank=True)
    signature_ok = models.BooleanField(_("signature of the answer"), null=True, blank=True)
    elapsed_ms = models.PositiveIntegerField(_("duration in ms"), default=0)

    class Meta(GuardedModel.Meta):
        verbose_name = _("interface attempt")
        verbose_name_plural = _("interface attempts")
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["call", "number"], name="attempt_once")]
        indexes = [models.Index(fields=["at"], name="attempt_at")]

    def __str__(self) -> str:
        return f"{self.call_id} #{self.number}"

    @property
    def sentence(self) -> str:
        """The outcome in words, in the language in force."""
        return outcome_sentence(self.code)


class UsageRecord(GuardedModel):
    """A usage report of a seller for a pay-per-use resource; its serial is recognised when sent again."""

    seller = models.ForeignKey("catalog.Seller", models.PROTECT, related_name="+", verbose_name=_("seller"))
    resource = models.ForeignKey(Resource, models.PROTECT, related_name="usage", verbose_name=_("resource"))
    serial = models.CharField(_("serial"), max_length=64)
    begin_at = models.DateTimeField(_("from"))
    end_at = models.DateTimeField(_("to"))
    value = models.DecimalField(_("usage"), max_digits=16, decimal_places=4)
    recorded_at = models.DateTimeField(_("recorded"))
    received_at = models.DateTimeField(_("received"))

    class Meta(GuardedModel.Meta):
        verbose_name = _("usage record")
        verbose_name_plural = _("usage records")
        constraints = [
            models.UniqueConstraint(fields=["seller", "serial"], name="usage_serial_once"),
            models.UniqueConstraint(fields=["resource", "begin_at", "end_at"], name="usage_range_once"),
            models.CheckConstraint(condition=Q(value__gte=0), name="usage_not_negative"),
            models.CheckConstraint(condition=Q(end_at__gte=models.F("begin_at")), name="usage_range"),
        ]

    def __str__(self) -> str:
        return self.serial
