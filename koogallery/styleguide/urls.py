"""The style guide's address; it exists in DEBUG and in tests only."""

from django.conf import settings
from django.urls import path

from koogallery.styleguide import views

urlpatterns = (
    [
        path("styleguide/", views.components, name="styleguide"),
        path("styleguide/secret/", views.secret, name="styleguide_secret"),
        path("styleguide/storefront/", views.storefront, name="styleguide_storefront"),
        path("styleguide/<str:page_kind>/", views.example, name="styleguide_example"),
    ]
    if getattr(settings, "STYLEGUIDE", settings.DEBUG)
    else []
)
