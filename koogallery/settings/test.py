"""The test run: engines of its own, started by tests/conftest.py at the addresses chosen here."""

from __future__ import annotations

import os

from koogallery.engine.ports import free_port
from koogallery.observability.logging import logging_settings
from koogallery.settings import environment
from koogallery.settings.base import *
from koogallery.settings.base import DATA, MIDDLEWARE

# The first process of a run chooses, the ones it starts inherit the choice.
EMBEDDED = not environment.text("DATABASE_URL") or bool(environment.text("KOOGALLERY_TEST_ENGINE"))
if EMBEDDED and not environment.text("KOOGALLERY_TEST_ENGINE"):
    os.environ["KOOGALLERY_TEST_ENGINE"] = "1"
    os.environ["DATABASE_URL"] = f"postgresql://koogallery:test@127.0.0.1:{free_port()}/postgres"
    os.environ["REDIS_URL"] = f"redis://:test@127.0.0.1:{free_port()}/0"

DEBUG = False
STYLEGUIDE = True
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SITE_ADDRESS = "http://testserver"
SECRET_KEY = "only for tests"
FIELD_KEYS = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
SIGNING_KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

# Each worker of a parallel run has a database of its own in PostgreSQL (its name is set by conftest) and in Redis.
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
REDIS_URL = environment.required("REDIS_URL").rsplit("/", 1)[0] + f"/{_worker}"
DATABASES = {"default": environment.database(environment.required("DATABASE_URL"))}
DATABASES["default"]["CONN_MAX_AGE"] = 0
CACHES = {"default": {"BACKEND": "koogallery.kernel.caching.RedisCache", "LOCATION": REDIS_URL}}
CELERY_BROKER_URL = REDIS_URL

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
DEFAULT_FROM_EMAIL = "KooGallery <no-reply@koogallery.test>"

MIDDLEWARE = [entry for entry in MIDDLEWARE if "whitenoise" not in entry]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    "attachments": environment.attachments(DATA / "test-attachments" / str(os.getpid())),
}
STATIC_ROOT = DATA / "test-static"

LOGGING = logging_settings(style="console", level="WARNING")
