"""What a seller hears of the milestones of an order."""

from __future__ import annotations

from django.urls import reverse

from billing.events import MilestoneRepaid
from koogallery.notifications.operations import notify
from orders.models import Order


def on_milestone_repaid(happened: MilestoneRepaid) -> None:
    """Tell the seller of an order that the customer repaid a milestone."""
    order = Order.objects.select_related("seller").only("seller__account").get(number=happened.order_number)
    notify(
        account_id=order.seller.account_id,
        kind="milestone_repaid_seller",
        params=happened.told,
        link=reverse("orders:seller_detail", args=[happened.order_number]),
        key=f"milestone-repaid:{happened.bill_number}",
        at=happened.at,
    )
