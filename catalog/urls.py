"""Addresses of the storefront, favourites and a seller's products."""

from django.urls import path

from catalog.views import favorites, offers, product, seller_offer_writing, seller_offers, sellers, storefront

app_name = "catalog"

urlpatterns = [
    path("", storefront.home, name="home"),
    path("products/", storefront.product_list, name="list"),
    path("products/suggest/", storefront.suggest, name="suggest"),
    path("products/<slug:slug>/", product.product, name="product"),
    path("products/<slug:slug>/price/", product.price, name="price"),
    path("products/<slug:slug>/save/", product.save, name="save"),
    path("products/<slug:slug>/unsave/", product.unsave, name="unsave"),
    path("sellers/<slug:slug>/", sellers.seller, name="seller"),
    path("demand/", storefront.demand, name="demand"),
    path("help/", storefront.help_pages, name="help"),
    path("help/<slug:topic>/", storefront.help_pages, name="help_topic"),
    path("console/favorites/", favorites.favorite_list, name="favorites"),
    path("console/offers/", offers.offer_list, name="offers"),
    path("console/offers/<str:number>/", offers.offer, name="offer"),
    path("saved/", favorites.saved, name="saved"),
    path("seller/offers/", seller_offers.offer_list, name="seller_offers"),
    path("seller/offers/new/", seller_offer_writing.new, name="seller_offer_new"),
    path("seller/offers/<str:number>/", seller_offers.offer, name="seller_offer"),
    path("seller/offers/<str:number>/edit/", seller_offer_writing.edit, name="seller_offer_edit"),
    path("seller/offers/<str:number>/send/", seller_offers.send, name="seller_offer_send"),
    path("seller/offers/<str:number>/withdraw/", seller_offers.withdraw, name="seller_offer_withdraw"),
    path("seller/products/", sellers.product_list, name="seller_products"),
    path("seller/products/<slug:code>/", sellers.product_detail, name="seller_product"),
]
