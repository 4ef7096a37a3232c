"""Products: what buyers find, configure and buy."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from catalog import states
from catalog.states import ContactData, DeliveryMethod, InterfaceVersion, ProductState
from koogallery.kernel.addresses import Address
from koogallery.kernel.fields import EncryptedTextField
from koogallery.kernel.guard import GuardedManager, GuardedModel, GuardedQuerySet
from koogallery.kernel.texts import in_language

_PAGE = Address("catalog:product")


class ProductQuerySet(GuardedQuerySet):
    def on_sale(self) -> ProductQuerySet:
        """Products that can be found and bought."""
        return self.filter(state=ProductState.ON_SALE)


class Product(GuardedModel):
    """A product of one seller. Texts are sanitised HTML where they are called rich.

    `supervised`: delivered through a service flow that the buyer accepts. `stock` is None where nothing runs out.
    """

    code = models.SlugField(max_length=60, unique=True)
    slug = models.SlugField(max_length=120, unique=True)
    seller = models.ForeignKey("catalog.Seller", on_delete=models.PROTECT, related_name="products")
    categories = models.ManyToManyField("catalog.Category", related_name="products", blank=True)
    state = models.CharField(max_length=12, choices=ProductState.choices, default=ProductState.DRAFT)
    state_reason = models.CharField(max_length=300, blank=True)
    delivery_method = models.CharField(max_length=24, choices=DeliveryMethod.choices)
    supervised = models.BooleanField(default=False)

    name = models.CharField(max_length=120)
    name_zh = models.CharField(max_length=120, blank=True)
    summary = models.CharField(max_length=300, blank=True)
    summary_zh = models.CharField(max_length=300, blank=True)
    overview = models.TextField(blank=True)
    overview_zh = models.TextField(blank=True)
    introduction = models.TextField(_("introduction (rich)"), blank=True)
    introduction_zh = models.TextField(blank=True)
    usage_guide = models.TextField(_("usage guide (rich)"), blank=True)
    usage_guide_zh = models.TextField(blank=True)
    user_guide_file = models.FileField(upload_to="products/guides/", blank=True)
    logo = models.ImageField(upload_to="logos/products/", blank=True)

    support_hours = models.CharField(max_length=120, blank=True)
    support_hours_zh = models.CharField(max_length=120, blank=True)
    support_zone = models.CharField(max_length=40, default="GMT+08:00")
    support_hotline = models.CharField(max_length=60, blank=True)
    support_email = models.EmailField(blank=True)
    support_scope = models.TextField(blank=True)
    support_scope_zh = models.TextField(blank=True)

    eula = models.TextField(blank=True)
    eula_zh = models.TextField(blank=True)
    sales_regions = ArrayField(models.CharField(max_length=2), default=list, blank=True)

    request_template = models.FileField(upload_to="products/requests/", blank=True)
    request_attachment_required = models.BooleanField(default=False)
    delivery_days = models.PositiveSmallIntegerField(null=True, blank=True)
    acceptance_criteria = models.TextField(blank=True)
    acceptance_criteria_zh = models.TextField(blank=True)
    handover_text = models.TextField(blank=True)
    handover_text_zh = models.TextField(blank=True)

    supports_change = models.BooleanField(default=False)
    supports_auto_renewal = models.BooleanField(default=False)
    trial_days = models.PositiveSmallIntegerField(null=True, blank=True)
    contact_data = models.CharField(max_length=16, choices=ContactData.choices, default=ContactData.NONE)
    limit_per_account = models.PositiveIntegerField(null=True, blank=True)
    one_at_a_time = models.BooleanField(default=False)
    max_items = models.PositiveIntegerField(default=1)
    stock = models.PositiveIntegerField(null=True, blank=True)
    platform_fee_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal("10.00"))

    interface_version = models.CharField(
        max_length=1, choices=InterfaceVersion.choices, default=InterfaceVersion.NONE, blank=True
    )
    interface_url = models.CharField(max_length=500, blank=True)
    interface_key = EncryptedTextField(blank=True)

    image_reference = models.CharField(max_length=200, blank=True)
    security_group_rules = models.JSONField(default=list, blank=True)
    stack_template = models.TextField(blank=True)

    created_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)
    changed_at = models.DateTimeField()
    popularity = models.PositiveIntegerField(default=0)
    content_digest = models.CharField(max_length=64, blank=True)

    objects = GuardedManager.from_queryset(ProductQuerySet)()  # type: ignore[misc]

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["-pk"]
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["seller", "state"], name="product_of_seller"),
            models.Index(fields=["-released_at", "-id"], name="product_newest", condition=Q(state="on_sale")),
            models.Index(fields=["-popularity", "-id"], name="product_popular", condition=Q(state="on_sale")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(trial_days__isnull=True) | Q(trial_days__gte=3, trial_days__lte=180),
                name="product_trial_days",
            ),
            models.CheckConstraint(
                condition=Q(platform_fee_percent__gte=0, platform_fee_percent__lte=100), name="product_fee_percent"
            ),
            models.CheckConstraint(condition=Q(max_items__gte=1), name="product_max_items"),
            models.CheckConstraint(
                condition=~Q(delivery_method__in=sorted(states.ALWAYS_SUPERVISED)) | Q(supervised=True),
                name="product_always_supervised",
            ),
            models.CheckConstraint(
                condition=~Q(delivery_method__in=sorted(states.NEVER_SUPERVISED)) | Q(supervised=False),
                name="product_never_supervised",
            ),
            models.CheckConstraint(
                condition=~Q(state="on_sale") | Q(released_at__isnull=False), name="product_released"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return _PAGE(self.slug)

    @property
    def account_id(self) -> int:
        """The seller's account, whose trace list shows what operations managers do to the product."""
        return self.seller.account_id

    @property
    def product_code(self) -> str:
        """The code that conditions of identity policies compare."""
        return self.code

    @property
    def label(self) -> str:
        """The name in the language in force."""
        return in_language(self, "name")

    @property
    def one_line(self) -> str:
        """The summary in the language in force."""
        return in_language(self, "summary")

    def text(self, field: str) -> str:
        """A text of the product in the language in force."""
        return in_language(self, field)

    @property
    def is_on_sale(self) -> bool:
        return self.state == ProductState.ON_SALE

    @property
    def is_suspended(self) -> bool:
        """Whether it is off sale until a debug of its server passes."""
        return self.state == ProductState.SUSPENDED

    @property
    def has_interface(self) -> bool:
        """Whether delivery goes through the seller's SaaS interface."""
        return self.delivery_method == DeliveryMethod.SAAS and not self.supervised and bool(self.interface_version)

    @property
    def agreement_subject(self) -> str:
        """Under which identity keeps this product's agreement."""
        return f"eula:{self.code}"

    def trace_ref(self) -> tuple[str, str]:
        return self.code, self.name


class ProductImage(GuardedModel):
    """A picture on the overview of a product."""

    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="images")
    file = models.ImageField(upload_to="products/images/")
    caption = models.CharField(max_length=160, blank=True)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("product image")
        verbose_name_plural = _("product images")
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.caption or str(self.file.name)
