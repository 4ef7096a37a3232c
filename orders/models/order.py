"""An order: one configuration bought by one account, with its amount fixed when it was placed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import translation
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.addresses import Address
from koogallery.kernel.fields import AmountField, CurrencyField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from orders.states import CancelReason, OrderState, OrderType, PaidBy

if TYPE_CHECKING:
    from orders.models.line import OrderLine

_PAGE = Address("orders:detail")
_NOT_DONE = ~Q(state=OrderState.COMPLETED)


class Order(GuardedModel):
    """What an account ordered from a seller.

    `policy` is the stamp of the pack in force when it was placed; `form` the configurator's fields, for buying the same
    again; `payment_due_at` binds by time (R19) while the order is Pending payment. `unsubscribed_at` is when it was
    given back; an order of type UNSUBSCRIBE says so with negative amounts.
    """

    number = models.CharField(_("order No."), max_length=20, unique=True)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="orders", verbose_name=_("account"), db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, verbose_name=_("user"), db_index=False
    )
    seller = models.ForeignKey(
        "catalog.Seller",
        models.PROTECT,
        related_name="orders",
        verbose_name=_("seller"),
        db_index=False,
        db_constraint=False,
    )
    product = models.ForeignKey(
        "catalog.Product", models.PROTECT, related_name="orders", verbose_name=_("product"), db_index=False
    )
    product_name = models.CharField(_("product"), max_length=200)
    product_code = models.CharField(_("product code"), max_length=64)
    spec_text = models.CharField(_("specification"), max_length=300, blank=True)
    spec_text_zh = models.CharField(max_length=300, blank=True)
    type = models.CharField(_("order type"), max_length=20, choices=OrderType)
    state = models.CharField(_("status"), max_length=20, choices=OrderState)
    quote_id = models.CharField(max_length=32, unique=True, null=True, blank=True)
    amount = AmountField(_("amount"))
    list_amount = AmountField(_("list price"))
    currency = CurrencyField()
    paid_by = models.CharField(_("payment method"), max_length=10, choices=PaidBy, blank=True)
    reseller = models.ForeignKey(
        "identity.Account",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="customer_orders",
        verbose_name=_("reseller"),
        db_index=False,
    )
    policy = models.JSONField(default=dict)
    form = models.JSONField(default=dict)
    project_code = models.CharField(_("enterprise project"), max_length=64, blank=True)
    tags = models.JSONField(_("tags"), default=dict, blank=True)
    contact_kind = models.CharField(_("contact data passed on"), max_length=20, blank=True)
    placed_at = models.DateTimeField(_("placed"))
    payment_due_at = models.DateTimeField(_("payment due"), null=True, blank=True)
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    canceled_at = models.DateTimeField(_("canceled"), null=True, blank=True)
    cancel_reason = models.CharField(_("reason"), max_length=20, choices=CancelReason, blank=True)
    cancel_note = models.TextField(blank=True)
    unsubscribed_at = models.DateTimeField(_("unsubscribed"), null=True, blank=True)

    card_pending = False
    completes_at: datetime | None = None

    class Meta(GuardedModel.Meta):
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        constraints = [
            models.CheckConstraint(
                condition=~Q(type=OrderType.UNSUBSCRIBE) & Q(amount__gte=0, list_amount__gte=0)
                | Q(type=OrderType.UNSUBSCRIBE, amount__lte=0, list_amount__lte=0),
                name="order_amount_not_negative",
            ),
            models.CheckConstraint(
                condition=~Q(state=OrderState.PENDING_PAYMENT) | Q(payment_due_at__isnull=False, paid_at__isnull=True),
                name="order_pending_has_due",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[OrderState.PROCESSING, OrderState.COMPLETED]) | Q(paid_at__isnull=False),
                name="order_delivered_is_paid",
            ),
            models.CheckConstraint(
                condition=Q(completed_at__isnull=False, state=OrderState.COMPLETED)
                | (Q(completed_at__isnull=True) & ~Q(state=OrderState.COMPLETED)),
                name="order_completed_has_time",
            ),
            models.CheckConstraint(
                condition=(Q(canceled_at__isnull=False, state=OrderState.CANCELED) & ~Q(cancel_reason=""))
                | (Q(canceled_at__isnull=True, cancel_reason="") & ~Q(state=OrderState.CANCELED)),
                name="order_canceled_has_time",
            ),
            models.CheckConstraint(
                condition=Q(unsubscribed_at__isnull=True) | Q(state=OrderState.COMPLETED),
                name="order_unsubscribed_is_completed",
            ),
            models.CheckConstraint(
                condition=Q(payment_due_at__isnull=True) | Q(payment_due_at__gte=F("placed_at")),
                name="order_due_after_placed",
            ),
        ]
        indexes = [
            models.Index(fields=["account", "-placed_at"], name="order_of_account"),
            models.Index(fields=["account", "state", "-placed_at"], name="order_open_of_account", condition=_NOT_DONE),
            models.Index(fields=["seller", "-placed_at"], name="order_of_seller"),
            models.Index(fields=["seller", "state", "-placed_at"], name="order_open_of_seller", condition=_NOT_DONE),
            models.Index(fields=["product", "placed_at"], name="order_of_product"),
            models.Index(fields=["reseller"], name="order_of_reseller", condition=Q(reseller__isnull=False)),
            models.Index(
                fields=["payment_due_at"], name="order_unpaid_due", condition=Q(state=OrderState.PENDING_PAYMENT)
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the order."""
        return self.number, self.product_name

    def get_absolute_url(self) -> str:
        """The buyer's page of the order."""
        return _PAGE(self.number)

    @property
    def specification(self) -> str:
        """Specification and attributes in one line, in the language in force."""
        chinese = (translation.get_language() or "en").startswith("zh")
        return (chinese and self.spec_text_zh) or self.spec_text

    @property
    def total(self) -> Money:
        """What was to be paid."""
        return Money(self.amount, self.currency)

    @property
    def list_total(self) -> Money:
        """The price before discount, rounded."""
        return Money(self.list_amount, self.currency)

    @property
    def saved(self) -> Money:
        """What the discount took off."""
        return self.list_total - self.total

    @cached_property
    def line(self) -> OrderLine:
        """The product's line; an image's server stands beside it."""
        return self.lines.all()[0]

    @property
    def state_enum(self) -> OrderState:
        """The state as an enum, for badges and moves."""
        return OrderState(self.state)

    @property
    def type_enum(self) -> OrderType:
        """The type as an enum."""
        return OrderType(self.type)

    @property
    def why_canceled(self) -> str:
        """Why it was Canceled, in the language in force as far as the sentence is one of the platform's."""
        if self.cancel_note:
            return gettext(self.cancel_note)
        return str(CancelReason(self.cancel_reason).label) if self.cancel_reason else ""

    @property
    def policies(self) -> PolicySet:
        """The policies stamped when the order was placed."""
        return PolicySet.from_json(self.policy)

    def is_payable(self, at: datetime) -> bool:
        """Whether it may still be paid at a moment; a passed deadline binds before the sweep runs (R19)."""
        return self.state == OrderState.PENDING_PAYMENT and self.payment_due_at is not None and at < self.payment_due_at

    def shown_state(self, at: datetime) -> OrderState:
        """The state a page shows: what is due has happened though the sweep has not run (R19).

        An order past its payment deadline is Canceled, one that was read with a passed completion Completed.
        """
        if self.state == OrderState.PENDING_PAYMENT and not self.is_payable(at):
            return OrderState.CANCELED
        is_delivered = self.completes_at is not None and self.completes_at <= at
        return OrderState.COMPLETED if self.state == OrderState.PROCESSING and is_delivered else self.state_enum
