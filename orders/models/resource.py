"""A resource: what a paid order line produced, one row on Purchased Apps."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.db.models import F, Q
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from catalog.queries import Configuration
from catalog.states import BillingMode
from koogallery import clock
from koogallery.kernel.addresses import Address
from koogallery.kernel.fields import AmountField, CurrencyField, EncryptedTextField, FullPriceField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.money import Money
from koogallery.kernel.policies import PolicySet
from orders.models.line import OrderLine
from orders.rules import life
from orders.states import CloseReason, ExpirationPolicy, ResourceStatus

_PAGE = Address("orders:resource")


class Resource(GuardedModel):
    """What an account uses. Product and specification are as bought; `number` is its public id.

    `instance_id` is the seller's id for it. Application information is None until the seller brought it
    (`info_at`); password and license key are encrypted at rest. `expires_at` is 23:59:59 of the expiry date for
    yearly/monthly resources and None for others; `anchor_day` is kept for every renewal (R3). `life_due_at` is when its
    next step (grace, retention, release) is due, `notice_due_at` when its expiry is next told of. `configuration` is
    what it was changed to, None while it is as bought.
    """

    number = models.CharField(_("resource ID"), max_length=32, unique=True)
    account = models.ForeignKey(
        "identity.Account", models.PROTECT, related_name="resources", verbose_name=_("account"), db_index=False
    )
    line = models.ForeignKey(
        OrderLine, models.PROTECT, related_name="resources", verbose_name=_("order line"), db_index=False
    )
    item = models.PositiveIntegerField(_("item"), default=1)
    order_number = models.CharField(_("order No."), max_length=20)
    product = models.ForeignKey(
        "catalog.Product", models.PROTECT, related_name="resources", verbose_name=_("product"), db_index=False
    )
    seller = models.ForeignKey(
        "catalog.Seller", models.PROTECT, related_name="resources", verbose_name=_("seller"), db_index=False
    )
    product_name = models.CharField(_("product"), max_length=200)
    spec_text = models.CharField(_("specification"), max_length=300, blank=True)
    delivery_method = models.CharField(_("delivery method"), max_length=30)
    billing_mode = models.CharField(_("billing mode"), max_length=20)
    supervised = models.BooleanField(_("supervised"), default=False)
    trial = models.BooleanField(_("trial"), default=False)
    status = models.CharField(_("status"), max_length=12, choices=ResourceStatus)
    close_reason = models.CharField(_("reason"), max_length=14, choices=CloseReason, blank=True)

    instance_id = models.CharField(_("instance ID"), max_length=64, blank=True)
    frontend_url = models.CharField(_("frontend URL"), max_length=512, blank=True)
    admin_url = models.CharField(_("management URL"), max_length=512, blank=True)
    user_name = models.CharField(_("username"), max_length=255, blank=True)
    password = EncryptedTextField(_("password"), blank=True)
    memo = models.TextField(_("note of the seller"), blank=True)
    license_key = EncryptedTextField(_("license key"), blank=True, default="", db_default="")
    handover_text = models.TextField(_("hand-over text"), blank=True)
    handover_text_zh = models.TextField(blank=True)
    info_at = models.DateTimeField(_("application information since"), null=True, blank=True)

    purchased_at = models.DateTimeField(_("purchased"))
    enabled_at = models.DateTimeField(_("enabled"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    anchor_day = models.PositiveSmallIntegerField(null=True, blank=True)
    life_due_at = models.DateTimeField(_("next step"), null=True, blank=True)
    notice_due_at = models.DateTimeField(null=True, blank=True)
    configuration = models.JSONField(null=True, blank=True)
    expiration_policy = models.CharField(
        _("expiration policy"), max_length=12, choices=ExpirationPolicy, default=ExpirationPolicy.MANUAL
    )
    quota = models.DecimalField(_("quota"), max_digits=19, decimal_places=4, null=True, blank=True)
    quota_used = models.DecimalField(_("quota used"), max_digits=19, decimal_places=4, default=0)
    project_code = models.CharField(_("enterprise project"), max_length=64, blank=True)
    tags = models.JSONField(_("tags"), default=dict, blank=True)

    completes_at: datetime | None = None

    class Meta(GuardedModel.Meta):
        verbose_name = _("resource")
        verbose_name_plural = _("resources")
        constraints = [
            models.UniqueConstraint(fields=["line", "item"], name="resource_once_per_item"),
            models.CheckConstraint(
                condition=Q(status=ResourceStatus.CLOSED, closed_at__isnull=False) & ~Q(close_reason="")
                | ~Q(status=ResourceStatus.CLOSED) & Q(closed_at__isnull=True, close_reason=""),
                name="resource_closed_has_time",
            ),
            models.CheckConstraint(
                condition=Q(status__in=[ResourceStatus.IN_DELIVERY, ResourceStatus.CLOSED])
                | Q(enabled_at__isnull=False),
                name="resource_in_use_is_enabled",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__isnull=True) | Q(expires_at__gt=F("purchased_at")),
                name="resource_expires_after_purchase",
            ),
            models.CheckConstraint(condition=Q(quota_used__gte=0), name="resource_quota_used_not_negative"),
        ]
        indexes = [
            models.Index(fields=["account", "status", "-purchased_at"], name="resource_of_account"),
            models.Index(fields=["account", "-purchased_at"], name="resource_by_purchase"),
            models.Index(fields=["account", "expires_at"], name="resource_expiring"),
            models.Index(fields=["seller", "status"], name="resource_of_seller"),
            models.Index(fields=["instance_id"], name="resource_instance", condition=~Q(instance_id="")),
            models.Index(fields=["life_due_at"], name="resource_life_due", condition=Q(life_due_at__isnull=False)),
            models.Index(
                fields=["notice_due_at"], name="resource_notice_due", condition=Q(notice_due_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.number

    def trace_ref(self) -> tuple[str, str]:
        """How traces name the resource."""
        return self.number, self.product_name

    def get_absolute_url(self) -> str:
        """Resource Details."""
        return _PAGE(self.number)

    @property
    def product_code(self) -> str:
        """The code that conditions of identity policies compare."""
        return self.product.code

    @property
    def status_enum(self) -> ResourceStatus:
        """The status as an enum, for badges and moves."""
        return ResourceStatus(self.status)

    @property
    def specification(self) -> str:
        """Specification and attributes in one line, in the language in force."""
        if self.configuration:
            return self.configured.spec_text
        return self.line.order.specification or self.spec_text

    @property
    def configured(self) -> Configuration:
        """The configuration in force."""
        return Configuration.from_json(self.configuration) if self.configuration else self.line.configured

    @property
    def has_term(self) -> bool:
        """Whether it ends and can go on: yearly/monthly, no trial."""
        return self.billing_mode == BillingMode.PERIOD and not self.trial

    @property
    def awaits_information(self) -> bool:
        """Whether the seller's server still has to bring the application information."""
        return bool(self.instance_id) and self.info_at is None and self.status != ResourceStatus.CLOSED

    @property
    def handover(self) -> str:
        """The seller's hand-over text as bought, in the language in force."""
        chinese = (translation.get_language() or "en").startswith("zh")
        return (chinese and self.handover_text_zh) or self.handover_text

    def status_at(self, at: datetime, in_force: PolicySet) -> ResourceStatus:
        """Where it stands at a moment; a passed due time binds before the sweep has run (R19)."""
        status = self.status_enum
        if self.life_due_at is None or self.life_due_at > at or self.expires_at is None:
            return status
        if not self.has_term:
            return ResourceStatus.CLOSED
        return life.stage(
            expiry=clock.platform_date(self.expires_at),
            at=at,
            grace_days=in_force["grace_days"],
            retention_days=in_force["retention_days"],
            reached=status,
        ).status

    def is_delivered(self, at: datetime) -> bool:
        """Whether its delivery is completed at a moment, as it was read, though the sweep has not run (R19)."""
        is_due = self.completes_at is not None and self.completes_at <= at
        return is_due and self.status == ResourceStatus.IN_DELIVERY

    def remaining_days(self, at: datetime) -> int | None:
        """Expiry date minus today's date in the platform zone (R4); None without an expiry."""
        if self.expires_at is None:
            return None
        return (clock.platform_date(self.expires_at) - clock.platform_date(at)).days


class ResourceTerm(GuardedModel):
    """A paid term of a resource, with the full price of its configuration and the discount that stays with it.

    Its length is the line's; `extra_days` are those a unified renewal date added to that. `price` follows a change of
    the configuration within the term.
    """

    resource = models.ForeignKey(
        Resource,
        models.PROTECT,
        related_name="terms",
        verbose_name=_("resource"),
        db_index=False,
        db_constraint=False,
    )
    line = models.ForeignKey(
        OrderLine,
        models.PROTECT,
        related_name="+",
        verbose_name=_("order line"),
        db_index=False,
        db_constraint=False,
    )
    start = models.DateField(_("from"))
    end = models.DateField(_("to"))
    price = FullPriceField(_("full price"))
    extra_days = models.PositiveSmallIntegerField(_("extra days"), default=0, db_default=0)
    discount_share = models.DecimalField(_("share that is paid"), max_digits=12, decimal_places=10, default=1)
    paid = AmountField(_("paid"))
    currency = CurrencyField()

    class Meta(GuardedModel.Meta):
        verbose_name = _("resource term")
        verbose_name_plural = _("resource terms")
        ordering = ["start"]
        constraints = [
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="term_ends_after_start"),
            models.CheckConstraint(condition=Q(price__gte=0, paid__gte=0), name="term_amounts_not_negative"),
            models.UniqueConstraint(fields=["resource", "start"], name="term_once_per_start"),
        ]

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"

    @property
    def full_price(self) -> Money:
        """The full price of the configuration for this term, rounded to be shown; fees count `price`."""
        return Money(self.price, self.currency).rounded()

    @property
    def list_price(self) -> Money:
        """The price before discount of what was bought for this term, its extra days with it."""
        return self.line.list_total

    @property
    def paid_money(self) -> Money:
        """What was paid for this term when it was bought; a change within it is paid by its own order."""
        return Money(self.paid, self.currency)
