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
        from billing.events import CardPaymentSettled, CardPaymentSettling
        from catalog.queries import storefront
        from koogallery.kernel import events, navigation, sweeps
        from koogallery.tickets.queries.linked import know
        from orders.operations import cancelling, card_paying, debugging, interface_calls, nonces, popularity
        from orders.queries import linked, orders, resources

        events.subscribe(CardPaymentSettling, card_paying.on_card_settling)
        events.subscribe(CardPaymentSettled, card_paying.on_card_settled)
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
        storefront.use_ownership(resources.owns)
        know(linked.ORDER)
        navigation.provide_count("unpaid_orders", orders.unpaid_orders_given)
