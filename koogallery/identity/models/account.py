"""The tenant: one company or person. Money, orders and resources belong to it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from koogallery.identity.states import AccountKind, FrozenBy
from koogallery.kernel import ids
from koogallery.kernel.fields import CurrencyField
from koogallery.kernel.guard import GuardedModel


class Account(GuardedModel):
    """A tenant with one root user and any number of IAM users."""

    number = models.CharField(_("account ID"), max_length=32, unique=True, default=ids.public_id, editable=False)
    name = models.CharField(_("account name"), max_length=64)
    kind = models.CharField(_("kind"), max_length=20, choices=AccountKind, default=AccountKind.PREPAID)
    reseller = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="customers", verbose_name=_("reseller")
    )
    is_reseller = models.BooleanField(_("is a reseller"), default=False)
    currency = CurrencyField(_("currency"), default="USD")
    zone = models.CharField(_("display zone"), max_length=64, blank=True)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES, default="en")
    email = models.EmailField(_("e-mail address"), blank=True)
    mobile = models.CharField(_("mobile number"), max_length=32, blank=True)
    frozen_at = models.DateTimeField(_("frozen since"), null=True, blank=True)
    frozen_reason = models.CharField(_("reason for freezing"), max_length=500, blank=True)
    frozen_by = models.CharField(_("frozen by"), max_length=20, choices=FrozenBy, blank=True)
    tracker_enabled = models.BooleanField(_("traces are recorded"), default=True)
    projects_enabled = models.BooleanField(_("enterprise projects are enabled"), default=False)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(Lower("name"), name="account_name_once"),
            models.CheckConstraint(
                condition=models.Q(kind=AccountKind.RESELLER_CUSTOMER, reseller__isnull=False)
                | (~models.Q(kind=AccountKind.RESELLER_CUSTOMER) & models.Q(reseller__isnull=True)),
                name="account_reseller_fits_kind",
            ),
            models.CheckConstraint(
                condition=models.Q(is_reseller=False) | models.Q(reseller__isnull=True),
                name="account_reseller_is_no_customer",
            ),
            models.CheckConstraint(
                condition=models.Q(frozen_at__isnull=True, frozen_by="")
                | (models.Q(frozen_at__isnull=False) & ~models.Q(frozen_by="")),
                name="account_frozen_by_someone",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def account_id(self) -> int:
        """Itself: traces of operations on an account show in its own list."""
        return self.pk

    @property
    def is_frozen(self) -> bool:
        """Whether the account may read, top up and repay only."""
        return self.frozen_at is not None

    def trace_ref(self) -> tuple[str, str]:
        """Account ID and name."""
        return self.number, self.name
