"""The place of orders in Django: subscriptions and sweeps."""

from datetime import time, timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "orders"
    label = "orders"
    verbose_name = _("Orders")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from billing.events import CardPaymentSettled, CardPaymentSettling, MilestoneRepaid
        from catalog.queries import storefront
        from koogallery.kernel import events, navigation, sweeps
        from koogallery.tickets.queries.linked import know
        from orders.events import OrderCanceled, OrderPaymentFailed, ResourceRenewed
        from orders.operations import (
            auto_renewing,
            cancelling,
            card_paying,
            debugging,
            interface_calls,
            life,
            nonces,
            popularity,
            renewing,  # noqa: F401
            repaid,
            taking_effect,
        )
        from orders.queries import linked, orders, renewals, resources

        events.subscribe(CardPaymentSettling, card_paying.on_card_settling)
        events.subscribe(CardPaymentSettled, card_paying.on_card_settled)
        events.subscribe(MilestoneRepaid, repaid.on_milestone_repaid)
        sweeps.register(
            sweeps.RowSweep(
                name="unpaid-orders",
                table="orders_order",
                due_column="payment_due_at",
                act=cancelling.expire_unpaid,
                where="t.state = 'pending_payment'",
            )
        )
        sweeps.register(
            sweeps.JobSweep(name="interface-calls", due=interface_calls.next_due, work=interface_calls.run_due)
        )
        sweeps.register(sweeps.Periodic(name="failing-interfaces", work=debugging.suspend_failing, daily_at=time(0, 5)))
        sweeps.register(sweeps.Periodic(name="popularity", work=popularity.publish, every=timedelta(hours=1)))
        sweeps.register(sweeps.Periodic(name="used-nonces", work=nonces.forget, daily_at=time(4, 35)))
        due, chunk = sweeps.RowSweep, auto_renewing.CHUNK
        for sweep in (
            due("renewal-changes", "orders_renewalchange", "effective_due_at", taking_effect.bring_changes_into_effect),
            due("auto-renewals", "orders_autorenewal", "next_attempt_at", auto_renewing.attempt_due, chunk=chunk),
            due("resource-life", "orders_resource", "life_due_at", life.advance_due),
            due("expiry-notices", "orders_resource", "notice_due_at", life.notify_due),
            due("auto-renewal-preflights", "orders_autorenewal", "preflight_due_at", auto_renewing.preflight_due),
        ):
            sweeps.register(sweep)
        events.subscribe(ResourceRenewed, auto_renewing.on_renewed)
        events.subscribe(OrderPaymentFailed, auto_renewing.on_payment_failed)
        events.subscribe(OrderCanceled, auto_renewing.on_canceled)
        storefront.use_ownership(resources.owns)
        know(linked.ORDER)
        navigation.provide_count("unpaid_orders", orders.unpaid_orders_given)
        navigation.provide_count("renewals_soon", renewals.renewals_soon_given)
