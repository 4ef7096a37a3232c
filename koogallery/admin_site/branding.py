"""How the operations console looks and what its sidebar holds; read by Unfold as `settings.UNFOLD`."""

from __future__ import annotations

from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

PRIMARY = {
    "50": "oklch(97% .014 254.6)",
    "100": "oklch(93.2% .032 255.6)",
    "200": "oklch(88.2% .059 254.1)",
    "300": "oklch(80.9% .105 251.8)",
    "400": "oklch(70.7% .165 254.6)",
    "500": "oklch(62.3% .19 259.8)",
    "600": "oklch(54.6% .2 262.9)",
    "700": "oklch(48.8% .19 264.4)",
    "800": "oklch(42.4% .17 265.6)",
    "900": "oklch(37.9% .13 265.5)",
    "950": "oklch(28.2% .08 267.9)",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": _("KooGallery operations"),
    "SITE_HEADER": "KooGallery",
    "SITE_SUBHEADER": _("Operations"),
    "SITE_SYMBOL": "storefront",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("img/mark.svg")}],
    "SITE_URL": "/",
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": True,
    "LANGUAGES": {"action": lambda request: reverse("admin:language")},
    "BORDER_RADIUS": "6px",
    "COLORS": {"primary": PRIMARY},
    "ENVIRONMENT": "koogallery.admin_site.sidebar.environment",
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": "koogallery.admin_site.sidebar.navigation",
    },
}
