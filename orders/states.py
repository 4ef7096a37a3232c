"""States and types of orders, with their tables of moves as data (purchase.md)."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from koogallery.kernel.states import Moves


class OrderState(models.TextChoices):
    """Where an order stands."""

    PENDING_PAYMENT = "pending_payment", _("Pending payment")
    PROCESSING = "processing", _("Processing")
    COMPLETED = "completed", _("Completed")
    CANCELED = "canceled", _("Canceled")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return _TONES[self]

    @property
    def is_paid(self) -> bool:
        """Whether the order left Pending payment for its delivery."""
        return self in PAID_STATES


class OrderType(models.TextChoices):
    """What an order is for."""

    NEW = "NEW", _("New purchase")
    TRIAL = "TRIAL", _("Trial")
    TRIAL_TO_FORMAL = "TRIAL_TO_FORMAL", _("Trial to formal")
    RENEW = "RENEW", _("Renewal")
    CHANGE = "CHANGE", _("Change")
    UNSUBSCRIBE = "UNSUBSCRIBE", _("Unsubscription")

    @property
    def makes_resource(self) -> bool:
        """Whether delivery produces a resource that was not there before."""
        return self in (OrderType.NEW, OrderType.TRIAL)

    @property
    def completes_on_payment(self) -> bool:
        """Whether payment is all there is to it."""
        return self in (OrderType.TRIAL_TO_FORMAL, OrderType.RENEW, OrderType.CHANGE)


class CancelReason(models.TextChoices):
    """Why an order was Canceled."""

    BUYER = "buyer", _("Canceled by the buyer")
    UNPAID = "unpaid", _("Not paid in time")
    UNDELIVERABLE = "undeliverable", _("The delivery failed")
    RESOURCE = "resource", _("The resource left the state that the order needs")
    OPERATIONS = "operations", _("Canceled by operations")


class PaidBy(models.TextChoices):
    """How an order left Pending payment."""

    NOTHING = "nothing", _("Nothing was due")
    BALANCE = "balance", _("Balance")
    CARD = "card", _("Card")
    CREDIT = "credit", _("Platform credit")
    RESELLER = "reseller", _("Charged to the reseller")
    MONTHLY = "monthly", _("Monthly settlement")


class OrderStep(models.TextChoices):
    """What a line of an order's timeline tells."""

    PLACED = "placed", _("Order placed")
    PAYMENT_STARTED = "payment_started", _("Payment started")
    PAYMENT_FAILED = "payment_failed", _("Payment failed")
    PAID = "paid", _("Paid")
    DELIVERY_STARTED = "delivery_started", _("Delivery started")
    DELIVERY_FAILED = "delivery_failed", _("Delivery failed")
    DELIVERED = "delivered", _("Delivered")
    COMPLETED = "completed", _("Order completed")
    CANCELED = "canceled", _("Order canceled")
    REFUNDED = "refunded", _("Money refunded")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")

    @property
    def tone(self) -> str:
        """The status colour of the step."""
        if self in (OrderStep.PAYMENT_FAILED, OrderStep.DELIVERY_FAILED, OrderStep.CANCELED):
            return "danger"
        return "success" if self in (OrderStep.PAID, OrderStep.DELIVERED, OrderStep.COMPLETED) else "neutral"


ORDER_MOVES = Moves(
    {
        OrderState.PENDING_PAYMENT: {OrderState.PROCESSING, OrderState.CANCELED},
        OrderState.PROCESSING: {OrderState.COMPLETED, OrderState.CANCELED},
        OrderState.COMPLETED: set(),
        OrderState.CANCELED: set(),
    }
)

PAID_STATES = (OrderState.PROCESSING, OrderState.COMPLETED)
LIVE_STATES = (OrderState.PENDING_PAYMENT, *PAID_STATES)

_TONES = {
    OrderState.PENDING_PAYMENT: "warning",
    OrderState.PROCESSING: "info",
    OrderState.COMPLETED: "success",
    OrderState.CANCELED: "neutral",
}


class ResourceStatus(models.TextChoices):
    """Where a resource stands in its life (subscriptions.md)."""

    IN_DELIVERY = "in_delivery", _("In delivery")
    ENABLED = "enabled", _("Enabled")
    GRACE = "grace", _("Grace period")
    RETENTION = "retention", _("Retention period")
    CLOSED = "closed", _("Closed")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return _RESOURCE_TONES[self]

    @property
    def is_in_use(self) -> bool:
        """Whether it stands in the main list of Purchased Apps."""
        return self in IN_USE_STATUSES


class CloseReason(models.TextChoices):
    """Why a resource was closed."""

    DISABLED = "disabled", _("Disabled by the buyer")
    RELEASED = "released", _("Released after the retention period")
    CANCELED = "canceled", _("The order was canceled")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")
    EXPIRED = "expired", _("The term ended")


class ExpirationPolicy(models.TextChoices):
    """What happens when the term ends."""

    MANUAL = "manual", _("Renew manually")
    AUTO = "auto", _("Auto-renew")
    NONE = "none", _("Do not renew")
    PAY_PER_USE = "pay_per_use", _("Change to pay-per-use")


class RenewalChangeState(models.TextChoices):
    """Where a change upon renewal stands."""

    WAITING = "waiting", _("Waiting for the renewal")
    EFFECTIVE = "effective", _("In effect")
    CANCELED = "canceled", _("Canceled")


class ChangeKind(models.TextChoices):
    """How a running resource is changed; one kind per change."""

    UPGRADE = "upgrade", _("Upgrade")
    EXPANSION = "expansion", _("Expansion")


class CallState(models.TextChoices):
    """Where a call to a seller's server stands."""

    WAITING = "waiting", _("Waiting")
    DONE = "done", _("Succeeded")
    REFUSED = "refused", _("Refused by the seller")
    GIVEN_UP = "given_up", _("Given up")
    PARKED = "parked", _("Parked")

    @property
    def tone(self) -> str:
        """The status colour of a badge."""
        return _CALL_TONES[self]


RESOURCE_MOVES = Moves(
    {
        ResourceStatus.IN_DELIVERY: {ResourceStatus.ENABLED, ResourceStatus.CLOSED},
        ResourceStatus.ENABLED: {ResourceStatus.GRACE, ResourceStatus.RETENTION, ResourceStatus.CLOSED},
        ResourceStatus.GRACE: {ResourceStatus.ENABLED, ResourceStatus.RETENTION, ResourceStatus.CLOSED},
        ResourceStatus.RETENTION: {ResourceStatus.ENABLED, ResourceStatus.CLOSED},
        ResourceStatus.CLOSED: set(),
    }
)

CALL_MOVES = Moves(
    {
        CallState.WAITING: {CallState.DONE, CallState.REFUSED, CallState.GIVEN_UP, CallState.PARKED},
        CallState.DONE: set(),
        CallState.REFUSED: {CallState.WAITING},
        CallState.GIVEN_UP: {CallState.WAITING},
        CallState.PARKED: {CallState.WAITING},
    }
)

IN_USE_STATUSES = (ResourceStatus.ENABLED, ResourceStatus.GRACE, ResourceStatus.RETENTION)
EXPIRING_DAYS = 30
AUTO_RENEWAL_PERIODS = {"month": [*range(1, 10), 12, 24, 36], "year": [1, 2, 3]}
"""How long an automatic renewal may be: 1 to 9 months or 1 to 3 years, which some plans sell as 12, 24, 36 months."""

_RESOURCE_TONES = {
    ResourceStatus.IN_DELIVERY: "info",
    ResourceStatus.ENABLED: "success",
    ResourceStatus.GRACE: "warning",
    ResourceStatus.RETENTION: "danger",
    ResourceStatus.CLOSED: "neutral",
}

_CALL_TONES = {
    CallState.WAITING: "info",
    CallState.DONE: "success",
    CallState.REFUSED: "danger",
    CallState.GIVEN_UP: "danger",
    CallState.PARKED: "warning",
}


class EntryKind(models.TextChoices):
    """What happens at a moment of the renewal calendar."""

    EXPIRY = "expiry", pgettext_lazy("event", "Expires")
    GRACE_END = "grace_end", _("Grace period ends")
    RETENTION_END = "retention_end", _("Retention period ends")
    DEDUCTION = "deduction", _("Automatic deduction")
    CHANGE = "change", _("Change takes effect")
    BILL = "bill", _("Milestone bill due")

    @property
    def tone(self) -> str:
        """The status colour of an entry."""
        return _ENTRY_TONES[self]

    @property
    def icon(self) -> str:
        """The icon beside its word."""
        return _ENTRY_ICONS[self]


_ENTRY_TONES = {
    EntryKind.EXPIRY: "warning",
    EntryKind.GRACE_END: "danger",
    EntryKind.RETENTION_END: "danger",
    EntryKind.DEDUCTION: "accent",
    EntryKind.CHANGE: "info",
    EntryKind.BILL: "neutral",
}
_ENTRY_ICONS = {
    EntryKind.EXPIRY: "calendar-clock",
    EntryKind.GRACE_END: "clock",
    EntryKind.RETENTION_END: "circle-alert",
    EntryKind.DEDUCTION: "wallet",
    EntryKind.CHANGE: "refresh-cw",
    EntryKind.BILL: "file-check",
}
