"""The place of supervision in Django: subscriptions and sweeps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SupervisionConfig(AppConfig):
    name = "supervision"
    label = "supervision"
    verbose_name = _("Service supervision")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from koogallery.kernel import events
        from orders.events import OrderPaid
        from supervision.operations import appealing, deciding, opening, reminding, requesting  # noqa: F401

        events.subscribe(OrderPaid, opening.on_order_paid)
