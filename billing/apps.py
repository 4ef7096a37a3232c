"""Billing's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    label = "billing"
    verbose_name = _("Billing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from billing.operations import settling_cards
        from koogallery.kernel import sweeps

        sweeps.register(
            sweeps.JobSweep(name="card-payments", due=settling_cards.next_payment, work=settling_cards.settle_payments)
        )
        sweeps.register(
            sweeps.JobSweep(name="card-refunds", due=settling_cards.next_refund, work=settling_cards.settle_refunds)
        )
