"""Billing's place in Django."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    name = "billing"
    label = "billing"
    verbose_name = _("Billing")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from datetime import time

        from billing import queries
        from billing.operations import (  # noqa: F401
            cards,
            checking,
            closing,
            crediting,
            dunning,
            milestones,
            reading,
            repaying,
            settling_cards,
            statements,
        )
        from koogallery.kernel import navigation, sweeps

        navigation.provide_count("milestone_bills_due", queries.milestone_bills_due_given)
        sweeps.register(
            sweeps.JobSweep(name="card-payments", due=settling_cards.next_payment, work=settling_cards.settle_payments)
        )
        sweeps.register(
            sweeps.JobSweep(name="card-refunds", due=settling_cards.next_refund, work=settling_cards.settle_refunds)
        )
        sweeps.register(
            sweeps.RowSweep(
                name="credit-reminders",
                table="billing_creditstatement",
                due_column="remind_at",
                act=statements.remind_due,
            )
        )
        sweeps.register(
            sweeps.RowSweep(
                name="milestone-bills",
                table="billing_milestone",
                due_column="bill_due_at",
                act=milestones.bill_due,
                where=milestones.WHERE,
            )
        )
        sweeps.register(
            sweeps.RowSweep(
                name="overdue-milestone-bills",
                table="billing_milestonebill",
                due_column="overdue_due_at",
                act=dunning.mark_due,
            )
        )
        sweeps.register(
            sweeps.RowSweep(
                name="milestone-bill-reminders",
                table="billing_milestonebill",
                due_column="remind_at",
                act=dunning.remind_due,
            )
        )
        sweeps.register(sweeps.Periodic(name="credit-statements", work=statements.generate, daily_at=time(0, 0)))
        sweeps.register(sweeps.Periodic(name="ledger-check", work=checking.nightly, daily_at=time(2, 30)))
