"""Every address of the platform, app by app."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("koogallery.observability.urls")),
    path("", include("koogallery.kernel.urls")),
    path("", include("koogallery.styleguide.urls")),
    path("", include("koogallery.identity.urls")),
    path("", include("audit.urls")),
    path("", include("koogallery.notifications.urls")),
    path("", include("billing.urls")),
    path("", include("catalog.urls")),
    path("", include("orders.urls")),
    path("", include("supervision.urls")),
]
