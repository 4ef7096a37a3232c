"""Enums of the catalogue, their groupings, and the tables of allowed moves."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from koogallery.kernel.states import Moves


class DeliveryMethod(TextChoices):
    """How a product reaches its buyer."""

    IMAGE = "image", _("Image")
    SAAS = "saas", _("SaaS")
    LICENSE = "license", _("License")
    PROFESSIONAL_SERVICE = "professional_service", _("Professional service")
    HARDWARE = "hardware", _("Hardware")
    CONTENT_SERVICE = "content_service", _("Content service")
    CONSULTING_SERVICE = "consulting_service", _("Consulting service")
    CLOUD_HOST = "cloud_host", _("Cloud host")
    API = "api", _("API")


ALWAYS_SUPERVISED = frozenset({DeliveryMethod.LICENSE, DeliveryMethod.PROFESSIONAL_SERVICE, DeliveryMethod.HARDWARE})
NEVER_SUPERVISED = frozenset(
    {
        DeliveryMethod.IMAGE,
        DeliveryMethod.CONTENT_SERVICE,
        DeliveryMethod.CONSULTING_SERVICE,
        DeliveryMethod.CLOUD_HOST,
        DeliveryMethod.API,
    }
)
HANDED_OVER_BY_TEXT = frozenset(
    {
        DeliveryMethod.CONTENT_SERVICE,
        DeliveryMethod.CONSULTING_SERVICE,
        DeliveryMethod.CLOUD_HOST,
        DeliveryMethod.API,
    }
)
CAN_BE_CHANGED = frozenset({DeliveryMethod.SAAS, DeliveryMethod.LICENSE, DeliveryMethod.PROFESSIONAL_SERVICE})
"""Methods whose running resources may change their specification, if the product supports it."""


class BillingMode(TextChoices):
    """How a price plan charges."""

    PERIOD = "PERIOD", _("Yearly/Monthly")
    ONE_TIME = "ONE_TIME", _("One-time")
    ON_DEMAND = "ON_DEMAND", _("Pay-per-use")
    ON_DEMAND_PKG = "ON_DEMAND_PKG", _("Pay-per-use package")


UNSUPERVISED_MODES = frozenset({BillingMode.ON_DEMAND, BillingMode.ON_DEMAND_PKG})


class PriceModel(TextChoices):
    """How a price follows the quantity."""

    FLAT = "flat", _("Flat price")
    LINEAR = "linear", _("Unit price × quantity")
    TIERED = "tiered", _("Tiered: the whole quantity at its band's price")
    VOLUME = "volume", _("Volume: the whole quantity at its band's price")
    PER_SKU = "sku", _("Price per specification")


class TermUnit(TextChoices):
    """The cycle of a yearly/monthly plan."""

    MONTH = "month", _("Month")
    YEAR = "year", _("Year")


class Overflow(TextChoices):
    """What happens when a package is used up."""

    STOP = "stop", _("Service stops")
    PRICE = "price", _("Further use is charged")


class AttributeKind(TextChoices):
    """What a buyer chooses in a specification."""

    ENUMERATION = "enumeration", _("Enumeration")
    QUANTITY = "quantity", _("Quantity")


class ContactData(TextChoices):
    """What a seller asks the buyer to pass on."""

    NONE = "none", _("None")
    MOBILE = "mobile", _("Mobile number")
    EMAIL = "email", _("E-mail address")
    IAM_USER_NAME = "iam_user_name", _("IAM user name")


class InterfaceVersion(TextChoices):
    """Which version of the SaaS interface the seller's server speaks."""

    NONE = "", _("None")
    V1 = "1", _("1.0")
    V2 = "2", _("2.0")


class SellerState(TextChoices):
    """Where a seller's registration stands."""

    PENDING = "pending", _("Pending approval")
    APPROVED = "approved", _("Approved")
    REJECTED = "rejected", _("Rejected")

    @property
    def tone(self) -> str:
        return {SellerState.APPROVED: "success", SellerState.REJECTED: "danger"}.get(self, "info")


SELLER_MOVES = Moves(
    {
        SellerState.PENDING: {SellerState.APPROVED, SellerState.REJECTED},
        SellerState.APPROVED: set(),
        SellerState.REJECTED: {SellerState.PENDING},
    }
)


class ProductState(TextChoices):
    """Whether a product can be found and bought. `SUSPENDED` lasts until a debug of its interface passes."""

    DRAFT = "draft", _("Draft")
    ON_SALE = "on_sale", _("On sale")
    HIDDEN = "hidden", _("Hidden")
    SUSPENDED = "suspended", _("Taken off sale")
    REMOVED = "removed", _("Removed")

    @property
    def tone(self) -> str:
        return {
            ProductState.ON_SALE: "success",
            ProductState.SUSPENDED: "warning",
            ProductState.REMOVED: "danger",
        }.get(self, "neutral")


PRODUCT_MOVES = Moves(
    {
        ProductState.DRAFT: {ProductState.ON_SALE},
        ProductState.ON_SALE: {ProductState.HIDDEN, ProductState.SUSPENDED, ProductState.REMOVED},
        ProductState.HIDDEN: {ProductState.ON_SALE, ProductState.REMOVED},
        ProductState.SUSPENDED: {ProductState.ON_SALE, ProductState.HIDDEN, ProductState.REMOVED},
        ProductState.REMOVED: {ProductState.ON_SALE},
    }
)


OFFERED_MODES = frozenset({BillingMode.PERIOD, BillingMode.ONE_TIME})
"""Billing modes for which a seller may make a private offer."""
MILESTONE_METHODS = frozenset({DeliveryMethod.SAAS, DeliveryMethod.LICENSE, DeliveryMethod.PROFESSIONAL_SERVICE})
"""Delivery methods whose price may be paid in milestones."""


class OfferState(TextChoices):
    """Where a private offer stands."""

    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    IN_EFFECT = "in_effect", _("In effect")
    RESERVED = "reserved", _("Reserved")
    USED = "used", _("Used")
    EXPIRED = "expired", _("Expired")
    WITHDRAWN = "withdrawn", _("Withdrawn")

    @property
    def tone(self) -> str:
        """The badge's tone."""
        return _OFFER_TONES[self]

    @property
    def is_sent(self) -> bool:
        """Whether the buyer knows of it."""
        return self is not OfferState.DRAFT


_OFFER_TONES = {
    OfferState.DRAFT: "neutral",
    OfferState.SCHEDULED: "info",
    OfferState.IN_EFFECT: "success",
    OfferState.RESERVED: "warning",
    OfferState.USED: "success",
    OfferState.EXPIRED: "neutral",
    OfferState.WITHDRAWN: "danger",
}

OFFER_MOVES = Moves(
    {
        OfferState.DRAFT: {OfferState.SCHEDULED, OfferState.IN_EFFECT, OfferState.WITHDRAWN},
        OfferState.SCHEDULED: {OfferState.IN_EFFECT, OfferState.WITHDRAWN},
        OfferState.IN_EFFECT: {OfferState.RESERVED, OfferState.EXPIRED, OfferState.WITHDRAWN},
        OfferState.RESERVED: {OfferState.IN_EFFECT, OfferState.USED, OfferState.EXPIRED, OfferState.WITHDRAWN},
        OfferState.USED: {OfferState.IN_EFFECT, OfferState.EXPIRED},
        OfferState.EXPIRED: set(),
        OfferState.WITHDRAWN: set(),
    }
)
"""A used offer is free again when its order is Canceled before delivery."""


class UseState(TextChoices):
    """What became of an order that takes an offer."""

    RESERVED = "reserved", _("Order placed, unpaid")
    USED = "used", _("Used")
    FREED = "freed", _("Order canceled")


USE_MOVES = Moves(
    {
        UseState.RESERVED: {UseState.USED, UseState.FREED},
        UseState.USED: {UseState.FREED},
        UseState.FREED: set(),
    }
)
