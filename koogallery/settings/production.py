"""Production: nothing has a default that would be unsafe, and a missing variable stops the start."""

from __future__ import annotations

from django.core.exceptions import ImproperlyConfigured

from koogallery.observability.logging import logging_settings
from koogallery.settings import environment
from koogallery.settings.base import *
from koogallery.settings.base import LOG_LEVEL, REHEARSAL, REHEARSAL_START

if REHEARSAL or REHEARSAL_START:
    raise ImproperlyConfigured("A rehearsal (KOOGALLERY_REHEARSAL) is refused together with production settings.")

DEBUG = False
SECRET_KEY = environment.required("SECRET_KEY")
SECRET_KEY_FALLBACKS = environment.items("SECRET_KEY_FALLBACKS")
FIELD_KEYS = [key for key in environment.required("KOOGALLERY_FIELD_KEYS").split(",") if key]
SIGNING_KEY = environment.required("KOOGALLERY_SIGNING_KEY")

ALLOWED_HOSTS = [host for host in environment.required("ALLOWED_HOSTS").split(",") if host]
SITE_ADDRESS = environment.required("SITE_ADDRESS")
CSRF_TRUSTED_ORIGINS = environment.items("CSRF_TRUSTED_ORIGINS", SITE_ADDRESS)

# Behind the reverse proxy, which sets this header and removes a visitor's own.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrf"

DATABASES = {"default": environment.database(environment.required("DATABASE_URL"))}
REDIS_URL = environment.required("REDIS_URL")
CACHES = {"default": {"BACKEND": "koogallery.kernel.caching.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL

_mail = environment.mail(environment.required("EMAIL_URL"))
globals().update(_mail)
DEFAULT_FROM_EMAIL = environment.required("DEFAULT_FROM_EMAIL")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# The sandbox gateway gives money away.
SANDBOX_GATEWAY_ALLOWED = False
CARD_GATEWAY = environment.text("CARD_GATEWAY", "stripe" if environment.text("STRIPE_API_KEY") else "none")

LOGGING = logging_settings(style="json", level=LOG_LEVEL)
