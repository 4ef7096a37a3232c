"""Every address of the platform, app by app; what visitors ask for most stands first, where it is found soonest.

identity stands before catalog, whose `help/<topic>/` would take `help/terms/`.
"""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("koogallery.identity.urls")),
    path("", include("catalog.urls")),
    path("admin/", admin.site.urls),
    path("", include("koogallery.observability.urls")),
    path("", include("koogallery.kernel.urls")),
    path("", include("koogallery.styleguide.urls")),
    path("", include("audit.urls")),
    path("", include("koogallery.notifications.urls")),
    path("", include("koogallery.tickets.urls")),
    path("", include("billing.urls")),
    path("", include("orders.urls")),
    path("", include("supervision.urls")),
    path("", include("unsubscriptions.urls")),
]
