"""The place of tickets in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TicketsConfig(AppConfig):
    name = "koogallery.tickets"
    label = "tickets"
    verbose_name = _("Service tickets")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from koogallery.tickets.operations import handling, opening, reading, replying  # noqa: F401
