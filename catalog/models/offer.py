"""Private offers: a price that a seller makes to one account for one configuration (catalog.md)."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from billing.rules.discounts import Discount, DiscountSource
from catalog.states import OfferState, UseState
from koogallery import clock
from koogallery.kernel.fields import AmountField, CurrencyField, UnitPriceField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money


class PrivateOffer(GuardedModel):
    """One product in one configuration for one account, at a share of its list price or at a fixed price.

    `form` holds the configurator's fields, `configuration` what they made, with the plan of that time; `list_price`
    is the unrounded list price of the whole line then, to which `share` applies. It is in effect from `valid_from`
    (00:00:00) to `valid_to` (23:59:59). `next_state_at` is the due column of its next state by time. `taken` orders of
    `uses` hold it; a reserved one is `free_from` the moment when its first unpaid order lapses. `milestones` is the
    number of its milestones, 0 for an ordinary offer. `written_for` is the customer as the seller named it.
    """

    number = models.CharField(_("offer No."), max_length=24, unique=True)
    token = models.CharField(max_length=64, unique=True)
    seller = models.ForeignKey("catalog.Seller", models.PROTECT, related_name="offers", db_index=False)
    account = models.ForeignKey("identity.Account", models.PROTECT, related_name="offers", db_index=False)
    product = models.ForeignKey("catalog.Product", models.PROTECT, related_name="offers")
    written_for = models.CharField(max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=100)
    note = models.CharField(_("note"), max_length=1000, blank=True)
    form = models.JSONField(default=dict)
    configuration = models.JSONField(default=dict)
    spec_text = models.CharField(_("specification"), max_length=300, blank=True)
    spec_text_zh = models.CharField(max_length=300, blank=True)
    share = models.DecimalField(_("discount"), max_digits=5, decimal_places=4, null=True, blank=True)
    fixed_price = AmountField(_("fixed price"), null=True, blank=True)
    list_price = UnitPriceField(_("list price"))
    amount = AmountField(_("amount"))
    currency = CurrencyField()
    valid_from = models.DateTimeField(_("valid from"))
    valid_to = models.DateTimeField(_("valid to"))
    uses = models.PositiveSmallIntegerField(_("orders"), default=1)
    taken = models.PositiveSmallIntegerField(default=0)
    free_from = models.DateTimeField(null=True, blank=True)
    milestones = models.PositiveSmallIntegerField(_("milestones"), default=0)
    state = models.CharField(_("status"), max_length=10, choices=OfferState, default=OfferState.DRAFT)
    next_state_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(_("created"))
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("private offer")
        verbose_name_plural = _("private offers")
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(share__isnull=True, fixed_price__gt=0)
                | Q(fixed_price__isnull=True, share__gt=0, share__lte=1),
                name="offer_share_or_price",
            ),
            models.CheckConstraint(condition=Q(valid_to__gt=F("valid_from")), name="offer_dates"),
            models.CheckConstraint(condition=Q(taken__lte=F("uses"), uses__gte=1), name="offer_taken_within_uses"),
            models.CheckConstraint(
                condition=Q(milestones=0) | Q(milestones__gte=2, milestones__lte=12, uses=1), name="offer_milestones"
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-sent_at", "-id"], name="offer_of_account"),
            models.Index(fields=["seller", "-created_at", "-id"], name="offer_of_seller"),
            models.Index(fields=["next_state_at"], name="offer_due", condition=Q(next_state_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """Id and name in traces."""
        return self.number, self.name

    def get_absolute_url(self) -> str:
        """The buyer's page of the offer."""
        return reverse("catalog:offer", args=[self.number])

    def get_seller_url(self) -> str:
        """The seller's page of the offer."""
        return reverse("catalog:seller_offer", args=[self.number])

    def get_link(self) -> str:
        """The address that leads the buyer to the confirmation page."""
        return reverse("orders:offer_link", args=[self.token])

    @property
    def product_code(self) -> str:
        """The code that conditions of identity policies compare."""
        return self.product.code

    @property
    def specification(self) -> str:
        """The configuration in words, in the language in force."""
        chinese = (get_language() or "en").startswith("zh")
        return (chinese and self.spec_text_zh) or self.spec_text

    @property
    def customer(self) -> str:
        """The customer as its seller may know it: as written until the offer was sent, then by its name."""
        return self.account.name if self.sent_at is not None else self.written_for or self.account.name

    @property
    def total(self) -> Money:
        """What the offer costs."""
        return Money(self.amount, self.currency)

    @property
    def list_total(self) -> Money:
        """What it would cost without the offer when it was made, rounded."""
        return Money(self.list_price, self.currency).rounded()

    @property
    def saved(self) -> Money:
        """What the offer takes off the list price."""
        return self.list_total - self.total

    @property
    def discount(self) -> Discount:
        """The offer as a discount that competes with others."""
        if self.fixed_price is not None:
            return Discount(source=DiscountSource.OFFER, fixed_price=self.fixed_price, reference=self.number)
        share = self.share if self.share is not None else Decimal(1)
        return Discount(source=DiscountSource.OFFER, share=share, list_price=self.list_price, reference=self.number)

    @property
    def state_enum(self) -> OfferState:
        """The state as stored; `shown_state` says it at a moment."""
        return OfferState(self.state)

    def shown_state(self, at: datetime) -> OfferState:
        """The state at a moment; time binds before the sweep has run (R19)."""
        state = self.state_enum
        if state is OfferState.SCHEDULED and self.valid_from <= at:
            state = OfferState.IN_EFFECT
        if state is OfferState.RESERVED and self.free_from is not None and self.free_from <= at:
            state = OfferState.IN_EFFECT
        if state is OfferState.IN_EFFECT and self.is_over(at):
            return OfferState.EXPIRED
        return state

    def is_over(self, at: datetime) -> bool:
        """Whether its validity has passed: from the 00:00:00 after its last second (R8)."""
        return at >= self.over_from

    @property
    def over_from(self) -> datetime:
        """The 00:00:00 after its validity."""
        return clock.day_start(clock.platform_date(self.valid_to) + timedelta(days=1))


class OfferMilestone(GuardedModel):
    """One milestone of an offer: what is delivered, and the share of the price that is billed for it."""

    offer = models.ForeignKey(PrivateOffer, models.CASCADE, related_name="parts", db_index=False)
    position = models.PositiveSmallIntegerField(_("milestone"))
    name = models.CharField(_("name"), max_length=100)
    delivery = models.CharField(_("delivery"), max_length=500)
    share_percent = models.DecimalField(_("share in percent"), max_digits=5, decimal_places=2)
    amount = AmountField(_("amount"))
    currency = CurrencyField()

    class Meta(GuardedModel.Meta):
        verbose_name = _("milestone of an offer")
        verbose_name_plural = _("milestones of an offer")
        ordering = ["offer", "position"]
        constraints = [
            models.UniqueConstraint(fields=["offer", "position"], name="offer_milestone_once"),
            models.CheckConstraint(condition=Q(share_percent__gt=0, share_percent__lt=100), name="offer_share"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="offer_milestone_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.offer} {self.position}"

    @property
    def money(self) -> Money:
        """What is billed for it."""
        return Money(self.amount, self.currency)

    @property
    def share_text(self) -> str:
        """Its share as read: `30 %`."""
        return f"{self.share_percent.normalize():f} %"


class OfferUse(GuardedModel):
    """An order that takes an offer; unpaid at `pay_by` it holds it no longer (R19)."""

    offer = models.ForeignKey(PrivateOffer, models.PROTECT, related_name="orders")
    order_number = models.CharField(_("order No."), max_length=24, unique=True)
    state = models.CharField(_("status"), max_length=10, choices=UseState, default=UseState.RESERVED)
    taken_at = models.DateTimeField(_("placed"))
    pay_by = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta(GuardedModel.Meta):
        verbose_name = _("use of an offer")
        verbose_name_plural = _("uses of an offer")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.order_number

    @property
    def state_enum(self) -> UseState:
        """The state as stored; `shown_state` says it at a moment."""
        return UseState(self.state)

    def shown_state(self, at: datetime) -> UseState:
        """The state at a moment: an order past its payment deadline is Canceled though the sweep has not run (R19)."""
        lapsed = self.state_enum is UseState.RESERVED and self.pay_by is not None and self.pay_by <= at
        return UseState.FREED if lapsed else self.state_enum
