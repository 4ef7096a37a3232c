"""Addresses of service supervision."""

from django.urls import path

from supervision.views import appeals, deliveries, evidence, files, flows, requests, seller_flows

app_name = "supervision"

BUYER = "console/supervision/"
SELLER = "seller/supervision/"

urlpatterns = [
    path(BUYER, flows.flow_list, name="list"),
    path(f"{BUYER}<str:number>/", flows.flow_detail, name="detail"),
    path(f"{BUYER}<str:number>/request/", requests.submit, name="request"),
    path(f"{BUYER}<str:number>/template/", requests.template, name="template"),
    path(f"{BUYER}<str:number>/accept/", requests.accept, name="accept"),
    path(f"{BUYER}<str:number>/reject/", requests.reject, name="reject"),
    path(f"{BUYER}<str:number>/remind/", requests.remind, name="remind"),
    path(f"{BUYER}<str:number>/appeal/", appeals.initiate, name="appeal"),
    path(f"{BUYER}<str:number>/withdraw/", appeals.withdraw, name="withdraw"),
    path(f"{BUYER}<str:number>/message/", appeals.message, name="message"),
    path(f"{BUYER}<str:number>/evidence/", evidence.export, name="evidence"),
    path(f"{BUYER}<str:number>/files/<str:file>/", files.download, name="file"),
    path(f"{BUYER}<str:number>/licenses/<str:file>/", files.download_license, name="license_file"),
    path(SELLER, seller_flows.flow_list, name="seller_list"),
    path(f"{SELLER}<str:number>/", seller_flows.flow_detail, name="seller_detail"),
    path(f"{SELLER}<str:number>/accept-request/", deliveries.accept_request, name="accept_request"),
    path(f"{SELLER}<str:number>/reject-request/", deliveries.reject_request, name="reject_request"),
    path(f"{SELLER}<str:number>/deliver/", deliveries.deliver, name="deliver"),
    path(f"{SELLER}<str:number>/appeal/", appeals.seller_initiate, name="seller_appeal"),
    path(f"{SELLER}<str:number>/withdraw/", appeals.seller_withdraw, name="seller_withdraw"),
    path(f"{SELLER}<str:number>/message/", appeals.seller_message, name="seller_message"),
    path(f"{SELLER}<str:number>/evidence/", evidence.seller_export, name="seller_evidence"),
    path(f"{SELLER}<str:number>/files/<str:file>/", files.seller_download, name="seller_file"),
]
