"""A laptop: the project's own engines, readable logs, mail in a folder, keys made at the first start."""

from __future__ import annotations

from koogallery.engine import state
from koogallery.observability.logging import logging_settings
from koogallery.settings import environment
from koogallery.settings.base import *
from koogallery.settings.base import DATA, LOG_LEVEL

DEBUG = environment.flag("DEBUG")
ALLOWED_HOSTS = environment.items("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],.localhost")
INTERNAL_IPS = ["127.0.0.1", "::1"]
ALLOW_LOOPBACK_SELLERS = True

_keys = state.local_keys(DATA)
SECRET_KEY = environment.text("SECRET_KEY", _keys["secret_key"])
FIELD_KEYS = environment.items("KOOGALLERY_FIELD_KEYS", _keys["field_key"])
SIGNING_KEY = environment.text("KOOGALLERY_SIGNING_KEY", _keys["signing_key"])

_engine = state.addresses(DATA)

# A command typed beside `make run PORT=8100 REHEARSAL=1` stands at the rehearsed time and links to that port, too.
_port = environment.number("PORT", _engine.get("site_port") or 8000)
SITE_ADDRESS = environment.text("SITE_ADDRESS", f"http://127.0.0.1:{_port}")
REHEARSAL = environment.flag("KOOGALLERY_REHEARSAL", default=bool(_engine.get("rehearsal")))

REDIS_URL = environment.text("REDIS_URL", _engine["redis_url"])
DATABASES = {"default": environment.database(environment.text("DATABASE_URL", _engine["database_url"]))}
CACHES = {"default": {"BACKEND": "koogallery.kernel.caching.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL

_mail = environment.mail(environment.text("EMAIL_URL", f"file://{DATA / 'mail'}"))
globals().update(_mail)
DEFAULT_FROM_EMAIL = environment.text("DEFAULT_FROM_EMAIL", "KooGallery <no-reply@koogallery.localhost>")

LOGGING = logging_settings(style="console", level=LOG_LEVEL)
