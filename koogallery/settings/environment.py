"""Typed readers of environment variables; every variable the project knows is read through one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

USES_BEFORE_PLANNED = 2
"""How often `kernel.prepared` sends a statement before PostgreSQL is to keep its plan."""

KNOWN: set[str] = set()
"""Names of the variables that the loaded settings have asked for; the deployment test compares them."""


def text(name: str, default: str = "") -> str:
    """The variable's text, or `default` when it is unset or empty."""
    KNOWN.add(name)
    return os.environ.get(name, "").strip() or default


def required(name: str) -> str:
    """The variable's text; `ImproperlyConfigured` when it is unset or empty."""
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"The environment variable {name} is required.")
    return value


def flag(name: str, *, default: bool = False) -> bool:
    """Whether the variable says yes; `ImproperlyConfigured` for anything but yes or no."""
    value = text(name).lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"The environment variable {name} must be 1 or 0, not {value!r}.")


def number(name: str, default: int) -> int:
    """The variable as a whole number."""
    value = text(name)
    if not value:
        return default
    try:
        return int(value)
    except ValueError:
        raise ImproperlyConfigured(f"The environment variable {name} must be a whole number, not {value!r}.") from None


def items(name: str, default: str = "") -> list[str]:
    """The comma-separated parts of the variable."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def database(url: str) -> dict[str, Any]:
    """Django's database settings for `postgresql://user:password@host:port/name?option=value`.

    `prepare_threshold=0` keeps no plans in the connection, for poolers that lend it for single transactions.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured("DATABASE_URL must be a postgresql:// address; there is no second dialect.")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    options["prepare_threshold"] = int(options.get("prepare_threshold", USES_BEFORE_PLANNED)) or None
    return {
        "ENGINE": "koogallery.kernel.postgres",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def mail(url: str) -> dict[str, Any]:
    """Django's mail settings for `smtp://`, `smtp+tls://` (STARTTLS), `smtps://`, `console:` or `file:///folder`."""
    parts = urlsplit(url)
    if parts.scheme == "console":
        return {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if parts.scheme == "file":
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": unquote(parts.path),
        }
    if parts.scheme not in {"smtp", "smtp+tls", "smtps"}:
        raise ImproperlyConfigured("EMAIL_URL must begin with smtp://, smtp+tls://, smtps://, console: or file:///.")
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": parts.port or {"smtp": 25, "smtp+tls": 587, "smtps": 465}[parts.scheme],
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
        "EMAIL_TIMEOUT": 10,
    }


def attachments(folder: Path) -> dict[str, Any]:
    """Django's storage settings for files that people send: the bucket that ATTACHMENTS_BUCKET names, else a folder.

    Either stores again under the same key. Bytes pass through the platform in both directions: nothing is public.
    """
    bucket, endpoint = text("ATTACHMENTS_BUCKET"), text("ATTACHMENTS_ENDPOINT")
    region, access_key = text("ATTACHMENTS_REGION"), text("ATTACHMENTS_ACCESS_KEY")
    secret_key = text("ATTACHMENTS_SECRET_KEY")
    if not bucket:
        return {"BACKEND": "koogallery.kernel.files.storing.Folder", "OPTIONS": {"location": folder}}
    from boto3.s3.transfer import TransferConfig  # only where there is a bucket
    from botocore.config import Config

    return {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": bucket,
            "endpoint_url": endpoint or None,
            "region_name": region or None,
            "access_key": access_key or None,
            "secret_key": secret_key or None,
            "file_overwrite": True,
            "default_acl": None,
            "max_memory_size": 1024 * 1024,
            "transfer_config": TransferConfig(use_threads=False),
            "client_config": Config(
                signature_version="s3v4",
                s3={"addressing_style": "path" if endpoint else "auto"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=10,
                read_timeout=60,
                retries={"max_attempts": 3, "mode": "standard"},
            ),
        },
    }
