"""Addresses of service supervision."""

from django.urls import path

from supervision.views import flows, seller_flows

app_name = "supervision"

urlpatterns = [
    path("console/supervision/", flows.flow_list, name="list"),
    path("console/supervision/<str:number>/", flows.flow_detail, name="detail"),
    path("seller/supervision/", seller_flows.flow_list, name="seller_list"),
    path("seller/supervision/<str:number>/", seller_flows.flow_detail, name="seller_detail"),
]
