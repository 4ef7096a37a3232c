"""Enums of messages."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Channel(TextChoices):
    """By which way, beside the message centre, a message reaches its reader."""

    MAIL = "mail", _("E-mail")
    SMS = "sms", _("SMS")


class Severity(TextChoices):
    """How a message is marked."""

    INFO = "info", _("Information")
    SUCCESS = "success", _("Success")
    WARNING = "warning", _("Attention")
    DANGER = "danger", _("Problem")

    @property
    def tone(self) -> str:
        """The badge's colour."""
        return str(self.value)


class Topic(TextChoices):
    """What messages are about: the tabs of the message centre and the groups of the preferences."""

    ORDERS = "orders", _("Orders")
    RESOURCES = "resources", _("Resources")
    DELIVERY = "delivery", _("Deliveries and appeals")
    MONEY = "money", _("Bills and payments")
    OFFERS = "offers", _("Offers")
    SELLING = "selling", _("Selling")
    ACCOUNT = "account", _("Account")
