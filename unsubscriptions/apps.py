"""The place of unsubscriptions in Django: subscriptions, ports and sweeps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class UnsubscriptionsConfig(AppConfig):
    name = "unsubscriptions"
    label = "unsubscriptions"
    verbose_name = _("Unsubscriptions")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from billing.events import RefundSettled
        from billing.operations import checking
        from koogallery.kernel import events, navigation, sweeps
        from orders.queries import returns
        from supervision.events import AppealEnded
        from unsubscriptions.operations import (  # noqa: F401
            agreements,
            ending,
            images,
            paying_out,
            reading,
            requesting,
            reviewing,
        )
        from unsubscriptions.queries import checks, entries, lists, requests

        checking.add(*checks.CHECKS)
        events.subscribe(RefundSettled, paying_out.on_refund_settled)
        events.subscribe(AppealEnded, ending.on_appeal_ended)
        returns.use(entry=entries.entry_of, returned=entries.returned_of, open_requests=requests.waiting_for_answer)
        navigation.provide_count("seller_unsubscriptions", lists.seller_to_review_given)
        navigation.provide_count("open_unsubscriptions", lists.in_progress_given)
        navigation.provide("unsubscriptions_in_progress", lists.in_progress_shown)
        navigation.provide("unsubscriptions_to_review", lists.to_review_shown)
        sweeps.register(
            sweeps.RowSweep(
                name="late-payouts",
                table="unsubscriptions_payout",
                due_column="breach_due_at",
                act=paying_out.report_due,
            )
        )
