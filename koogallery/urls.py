"""Every address of the platform, app by app."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path

APPS = [
    ("", "koogallery.observability.urls"),
    ("", "koogallery.kernel.urls"),
    ("", "koogallery.styleguide.urls"),
    ("", "koogallery.identity.urls"),
    ("", "audit.urls"),
    ("", "koogallery.notifications.urls"),
    ("", "billing.urls"),
    ("", "catalog.urls"),
    ("", "orders.urls"),
]


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


urlpatterns = [
    path("admin/", admin.site.urls),
    *[path(prefix, include(module)) for prefix, module in APPS if _exists(module)],
]
