"""The WSGI entry point that Granian serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "koogallery.settings.local")

application = get_wsgi_application()

# Every view is imported now: one that cannot be stops the start, and the first visitor does not wait for it.
get_resolver().url_patterns  # noqa: B018
