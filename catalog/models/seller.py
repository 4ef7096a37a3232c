"""Sellers: accounts with an approved seller profile."""

from __future__ import annotations

from datetime import datetime

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from catalog.states import SellerState
from koogallery.kernel.fields import EncryptedTextField
from koogallery.kernel.guard import GuardedModel
from koogallery.kernel.texts import in_language


class Seller(GuardedModel):  # type: ignore[django-manager-missing]
    """The profile with which an account sells. `review_due_at`: end of the third working day after it applied."""

    account = models.OneToOneField("identity.Account", on_delete=models.PROTECT, related_name="seller")
    code = models.SlugField(max_length=60, unique=True)
    slug = models.SlugField(max_length=80, unique=True)
    state = models.CharField(max_length=12, choices=SellerState.choices, default=SellerState.PENDING)
    name = models.CharField(max_length=120)
    name_zh = models.CharField(max_length=120, blank=True)
    introduction = models.TextField(blank=True)
    introduction_zh = models.TextField(blank=True)
    email = models.EmailField(_("customer-service e-mail"))
    phone = models.CharField(_("customer-service phone"), max_length=40, blank=True)
    hours = models.CharField(_("service hours"), max_length=120, blank=True)
    hours_zh = models.CharField(max_length=120, blank=True)
    zone = models.CharField(_("zone of the service hours"), max_length=40, default="GMT+08:00")
    website = models.URLField(blank=True)
    logo = models.ImageField(upload_to="logos/sellers/", blank=True)

    company = models.CharField(max_length=160, blank=True)
    contact_name = models.CharField(max_length=120, blank=True)
    licence_file = models.FileField(upload_to="sellers/licences/", blank=True)
    tax_number = models.CharField(max_length=60, blank=True)
    bank_account = EncryptedTextField(blank=True)

    applied_at = models.DateTimeField(null=True, blank=True)
    review_due_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    rejection_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name = _("seller")
        verbose_name_plural = _("sellers")
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("catalog:seller", args=[self.slug])

    @property
    def label(self) -> str:
        """The name in the language in force."""
        return in_language(self, "name")

    @property
    def intro(self) -> str:
        """The introduction in the language in force."""
        return in_language(self, "introduction")

    @property
    def service_hours(self) -> str:
        """Customer-service hours with their zone."""
        hours = in_language(self, "hours")
        return f"{hours} ({self.zone})" if hours else ""

    @property
    def is_approved(self) -> bool:
        return self.state == SellerState.APPROVED

    def review_is_late(self, at: datetime) -> bool:
        """Whether the decision should have been made by `at`."""
        return self.state == SellerState.PENDING and self.review_due_at is not None and at > self.review_due_at

    def trace_ref(self) -> tuple[str, str]:
        return self.code, self.name
