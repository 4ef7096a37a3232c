"""Addresses of buying, orders and what was bought."""

from django.urls import path

from orders.urls_delivery import urlpatterns as delivered
from orders.urls_renewals import urlpatterns as renewals
from orders.views import checkout, offers, orders, overview, seller_orders

app_name = "orders"

urlpatterns = [
    path("console/", overview.console, name="overview"),
    path("console/checkout/", checkout.checkout, name="checkout"),
    path("console/orders/", orders.order_list, name="list"),
    path("console/orders/unpaid/", orders.unpaid_list, name="unpaid"),
    path("console/orders/<str:number>/", orders.order_detail, name="detail"),
    path("console/orders/<str:number>/pay/", checkout.pay, name="pay"),
    path("console/orders/<str:number>/result/", checkout.result, name="result"),
    path("console/orders/<str:number>/cancel/", orders.cancel, name="cancel"),
    path("offers/<str:token>/", offers.link, name="offer_link"),
    path("seller/", overview.seller, name="seller_overview"),
    path("seller/orders/", seller_orders.order_list, name="seller_list"),
    path("seller/orders/<str:number>/", seller_orders.order_detail, name="seller_detail"),
    *delivered,
    *renewals,
]
