"""Addresses of unsubscription."""

from django.urls import path

from unsubscriptions.views import files, images, lists, requests, seller

app_name = "unsubscriptions"

BUYER = "console/unsubscriptions/"
SELLER = "seller/unsubscriptions/"

urlpatterns = [
    path(BUYER, lists.overview, name="list"),
    path(f"{BUYER}new/<str:line>/", requests.new, name="request"),
    path(f"{BUYER}images/<str:resource>/", images.image, name="image"),
    path(f"{BUYER}images/<str:resource>/renewal/", images.renewal, name="renewal"),
    path(f"{BUYER}<str:number>/", requests.detail, name="detail"),
    path(f"{BUYER}<str:number>/withdraw/", requests.withdraw, name="withdraw"),
    path(f"{BUYER}<str:number>/remind/", requests.remind, name="remind"),
    path(f"{BUYER}<str:number>/files/<str:file>/", files.download, name="file"),
    path(SELLER, seller.request_list, name="seller_list"),
    path(f"{SELLER}<str:number>/", seller.detail, name="seller_detail"),
    path(f"{SELLER}<str:number>/agree/", seller.agree, name="agree"),
    path(f"{SELLER}<str:number>/reject/", seller.reject, name="reject"),
    path(f"{SELLER}<str:number>/files/<str:file>/", files.seller_download, name="seller_file"),
]
