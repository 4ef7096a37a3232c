"""Enums of identity and the tables of allowed moves."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class AccountKind(TextChoices):
    """How an account pays (identity.md)."""

    PREPAID = "prepaid", _("Prepaid")
    POSTPAID = "postpaid", _("Postpaid")
    RESELLER_CUSTOMER = "reseller_customer", _("Reseller customer")


class FrozenBy(TextChoices):
    """Who froze an account; only the same side, or operations, may unfreeze it."""

    OPERATIONS = "operations", _("Operations")
    RESELLER = "reseller", _("Reseller")


class SellerRole(TextChoices):
    """What a user may do in the Seller Console of its account."""

    OWNER = "owner", _("Owner")
    PRODUCT_MANAGER = "product_manager", _("Product manager")
    DELIVERY = "delivery", _("Delivery")
    FINANCE = "finance", _("Finance")
    READ_ONLY = "read_only", _("Read-only")


class ProjectKind(TextChoices):
    """The kind of an enterprise project; commercial never becomes test."""

    COMMERCIAL = "prod", _("Commercial")
    TEST = "poc", _("Test")


class AgreementKind(TextChoices):
    """What a text is about; the subject of a text is its kind and, where it has one, a code: `eula:<product>`."""

    TERMS = "terms", _("Terms and Conditions")
    EULA = "eula", _("End user license agreement")
    SPECIAL = "special", _("Special agreement")


class ContactKind(TextChoices):
    """Which value of the ordering user a product's seller asks for (G25 1.1)."""

    EMAIL = "email", _("E-mail address")
    MOBILE = "mobile", _("Mobile number")
    USER_NAME = "user_name", _("IAM user name")


class Theme(TextChoices):
    """The colours a user prefers; `auto` follows the device."""

    AUTO = "auto", _("Like the device")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


class AttemptKind(TextChoices):
    """What is counted against a limit."""

    SIGN_IN = "sign_in", _("Sign-in")
    SIGN_UP = "sign_up", _("Sign-up")
    RESET = "reset", _("Password reset")


class OperatorRole(TextChoices):
    """What an operations manager is for; each is a Django group of this name, made by a migration."""

    ADMINISTRATOR = "Administrator", _("Administrator")
    CATALOGUE_REVIEWER = "Catalogue reviewer", _("Catalogue reviewer")
    APPEAL_OFFICER = "Appeal officer", _("Appeal officer")
    FINANCE = "Finance", _("Finance")
    SUPPORT = "Support", _("Support")
    AUDITOR = "Auditor", _("Auditor")
