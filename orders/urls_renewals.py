"""Addresses of Billing Center > Renewals."""

from django.urls import path

from orders.views import auto_renewals, renewal_batch, renewals

urlpatterns = [
    path("console/renewals/", renewals.renewal_list, name="renewals"),
    path("console/renewals/batch/", renewal_batch.batch, name="renewal_batch"),
    path("console/renewals/<str:number>/", renewals.renewal, name="renewal"),
    path("console/renewals/<str:number>/cancel/", renewals.cancel, name="renewal_cancel"),
    path("console/renewals/<str:number>/auto/", auto_renewals.auto_renewal, name="auto_renewal"),
    path("console/renewals/<str:number>/auto/disable/", auto_renewals.disable, name="auto_renewal_disable"),
]
