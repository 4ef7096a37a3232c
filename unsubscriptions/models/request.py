"""A request to give back what was bought: what the buyer asked for and what the seller answered."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import sentence
from supervision.states import Actor
from unsubscriptions.states import LIVE_STATES, Kind, PayoutState, Reason, RequestState, Status, status_of


class Request(GuardedModel):
    """What a buyer asked for about one order line; an image or a renewal is given back at once, without an answer.

    `limit_amount` was the actual payment when it was asked for (R13). `turn_since` is since when the seller has been
    waited for, moved by the time an appeal froze the flow (R10). `end_code` is the reason code for which the platform
    ended it.
    """

    number = models.CharField(_("request No."), max_length=24, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.NEGOTIATED)
    state = models.CharField(_("status"), max_length=10, choices=RequestState)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="+", verbose_name=_("account"), db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    seller = models.ForeignKey(
        "catalog.Seller", models.PROTECT, related_name="+", verbose_name=_("seller"), db_index=False
    )
    order = models.ForeignKey("orders.Order", models.PROTECT, related_name="+", verbose_name=_("order"))
    line = models.ForeignKey("orders.OrderLine", models.PROTECT, related_name="+", verbose_name=_("order line"))
    resource = models.ForeignKey(
        "orders.Resource", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("resource")
    )
    order_number = models.CharField(_("order No."), max_length=20)
    product_name = models.CharField(_("product"), max_length=200)
    delivery_method = models.CharField(_("delivery method"), max_length=30)
    amount = AmountField(_("refund"))
    renewals_amount = AmountField(_("of it renewals not started"), default=0)
    limit_amount = AmountField(_("actual payment"))
    currency = CurrencyField()
    reason = models.CharField(_("reason"), max_length=20, choices=Reason, blank=True)
    text = models.TextField(_("description"), blank=True)
    contact_given = models.BooleanField(_("contact data given to the seller"), default=False)
    requested_at = models.DateTimeField(_("requested"))
    turn_since = models.DateTimeField()
    reminded_at = models.DateTimeField(_("reminded"), null=True, blank=True)
    ended_at = models.DateTimeField(_("answered"), null=True, blank=True)
    ended_by = models.CharField(_("answered by"), max_length=10, choices=Actor, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    comment = models.TextField(_("comment"), blank=True)
    end_code = models.CharField(max_length=64, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("unsubscription request")
        verbose_name_plural = _("unsubscription requests")
        ordering = ["-requested_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["line"], condition=Q(state__in=LIVE_STATES), name="request_one_live_per_line"
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0) | ~Q(kind=Kind.NEGOTIATED) & Q(amount__gte=0), name="request_amount_positive"
            ),
            models.CheckConstraint(condition=Q(amount__lte=F("limit_amount")), name="request_within_limit"),
            models.CheckConstraint(
                condition=Q(state=RequestState.REQUESTED, ended_at__isnull=True, ended_by="")
                | ~Q(state=RequestState.REQUESTED) & Q(ended_at__isnull=False) & ~Q(ended_by=""),
                name="request_ended_has_time",
            ),
            models.CheckConstraint(condition=~Q(reason=Reason.OTHER) | ~Q(text=""), name="request_other_has_text"),
            models.CheckConstraint(
                condition=Q(kind=Kind.NEGOTIATED) & ~Q(reason="") | ~Q(kind=Kind.NEGOTIATED), name="request_has_reason"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-requested_at"], name="request_of_account"),
            models.Index(fields=["seller", "-requested_at"], name="request_of_seller"),
            models.Index(
                fields=["seller", "turn_since"], name="request_to_review", condition=Q(state=RequestState.REQUESTED)
            ),
            models.Index(fields=["order_number"], name="request_of_order"),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the request: by its order."""
        return self.order_number, self.product_name

    def traced_for(self) -> tuple[int, ...]:
        """The accounts in whose lists stands what operations did to it: both parties'."""
        return self.account_id, self.seller.account_id

    def get_absolute_url(self) -> str:
        """The buyer's page of the request."""
        return reverse("unsubscriptions:detail", args=[self.number])

    def get_seller_url(self) -> str:
        """The seller's page of the request."""
        return reverse("unsubscriptions:seller_detail", args=[self.number])

    @property
    def money(self) -> Money:
        """What is to be given back."""
        return Money(self.amount, self.currency)

    @property
    def renewals(self) -> Money:
        """What of it are renewals that have not started, given back whole."""
        return Money(self.renewals_amount, self.currency)

    @property
    def negotiated(self) -> Money:
        """What of it is negotiated: what goes back for the line itself."""
        return self.money - self.renewals

    @property
    def limit(self) -> Money:
        """The actual payment when it was asked for."""
        return Money(self.limit_amount, self.currency)

    @property
    def is_negotiated(self) -> bool:
        """Whether a seller is asked; images and their renewals are given back at once, by formula."""
        return self.kind == Kind.NEGOTIATED

    @property
    def kind_enum(self) -> Kind:
        """The kind as an enum."""
        return Kind(self.kind)

    @property
    def state_enum(self) -> RequestState:
        """The state as an enum, for moves."""
        return RequestState(self.state)

    @property
    def reason_enum(self) -> Reason | None:
        """The reason as an enum, where one was chosen."""
        return Reason(self.reason) if self.reason else None

    @property
    def is_open(self) -> bool:
        """Whether it waits for the seller's answer."""
        return self.state == RequestState.REQUESTED

    @property
    def status(self) -> Status:
        """What pages show, its payout included."""
        payout = getattr(self, "payout", None) if self.state == RequestState.AGREED else None
        return status_of(self.state_enum, PayoutState(payout.state) if payout is not None else None)

    @property
    def product_code(self) -> str:
        """The code that conditions of identity policies compare."""
        return self.line.product_code

    @property
    def project_code(self) -> str:
        """The enterprise project of its order, for traces."""
        return self.order.project_code

    @property
    def why_ended(self) -> str:
        """Why the platform ended it, in the language in force; empty where a party did."""
        return sentence(self.end_code) if self.end_code else ""


class RequestFile(GuardedModel):
    """A stored file that belongs to a request: the seller's evidence."""

    request = models.ForeignKey(Request, models.PROTECT, related_name="files", verbose_name=_("request"))
    file = models.OneToOneField("kernel.StoredFile", models.PROTECT, related_name="+", verbose_name=_("file"))
    by = models.CharField(_("by"), max_length=10, choices=Actor)

    class Meta(GuardedModel.Meta):
        verbose_name = _("file")
        verbose_name_plural = _("files")
        ordering = ["pk"]

    def __str__(self) -> str:
        return str(self.file)
