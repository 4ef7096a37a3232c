"""Addresses of what was delivered: Purchased Apps, the sellers' servers, their API."""

from django.urls import path

from orders.views import api, apps, changes, interface, resources

API = "api/mkp-openapi-public/global/v1"

urlpatterns = [
    path("console/apps/", apps.app_list, name="apps"),
    path("console/apps/<str:number>/", resources.resource_detail, name="resource"),
    path("console/apps/<str:number>/password/", resources.resource_password, name="resource_password"),
    path("console/apps/<str:number>/license/", resources.resource_license, name="resource_license"),
    path("console/apps/<str:number>/disable/", resources.resource_disable, name="resource_disable"),
    path("console/apps/<str:number>/expiration/", resources.resource_policy, name="resource_policy"),
    path("console/apps/<str:number>/change/", changes.change, name="change"),
    path("console/apps/<str:number>/tags/", resources.resource_tags, name="resource_tags"),
    path("seller/interface/", interface.call_list, name="interface_calls"),
    path("seller/interface/debug/", interface.debug, name="interface_debug"),
    path("seller/interface/<str:number>/", interface.call_detail, name="interface_call"),
    path("seller/interface/<str:number>/replay/", interface.replay, name="interface_replay"),
    path(f"{API}/order/query", api.order_query, name="api_order_query"),
    path(f"{API}/isv/usage-data", api.usage_data, name="api_usage_data"),
]
