"""The place of supervision in Django: subscriptions and sweeps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SupervisionConfig(AppConfig):
    name = "supervision"
    label = "supervision"
    verbose_name = _("Service supervision")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from koogallery.kernel import events, navigation, sweeps
        from orders.events import OrderPaid
        from orders.queries import delivered
        from supervision.operations import (  # noqa: F401
            appealing,
            closing,
            completing,
            deciding,
            evidence,
            opening,
            reminding,
            requesting,
        )
        from supervision.queries import history, lists

        events.subscribe(OrderPaid, opening.on_order_paid)
        navigation.provide_count("supervision_to_do", lists.buyer_to_do_given)
        navigation.provide_count("seller_supervision", lists.seller_to_do_given)
        navigation.provide("deliveries_to_do", lists.buyer_to_do_shown)
        navigation.provide("deliveries_to_handle", lists.seller_to_do_shown)
        navigation.provide("milestones_to_deliver", lists.seller_milestones_shown)
        delivered.use_license_files(history.license_files_of)
        delivered.use_completions(lists.completing)
        sweeps.register(
            sweeps.RowSweep(
                name="completing-flows",
                table="supervision_flow",
                due_column="completion_due_at",
                act=completing.complete_due,
                where=completing.WHERE,
            )
        )
        sweeps.register(
            sweeps.RowSweep(
                name="closing-flows",
                table="supervision_flow",
                due_column="auto_close_due_at",
                act=closing.close_due,
                where=closing.WHERE,
            )
        )
