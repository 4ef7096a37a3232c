"""Health and metrics, for load balancers, orchestrators and Prometheus."""

from __future__ import annotations

import ipaddress
import secrets

import redis
import structlog
from django.conf import settings
from django.db import connection
from django.db.utils import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from koogallery.observability import metrics

logger = structlog.get_logger(__name__)


@require_safe
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """200 while the process can answer at all."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 when PostgreSQL and Redis answer; 503 without PostgreSQL. Without Redis the site is up, but slower."""
    parts = {"database": _database_answers(), "redis": _redis_answers()}
    status = "ok" if all(parts.values()) else "degraded" if parts["database"] else "unavailable"
    return JsonResponse(
        {"status": status, **{name: "ok" if up else "unavailable" for name, up in parts.items()}},
        status=200 if parts["database"] else 503,
    )


@require_safe
@never_cache
def prometheus(request: HttpRequest) -> HttpResponse:
    """This process's metrics, for whoever holds METRICS_TOKEN; without one, for this machine. Else 404."""
    if not _may_read_metrics(request):
        return HttpResponseNotFound()
    return HttpResponse(metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return secrets.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    if request.headers.get("X-Forwarded-For") or request.headers.get("Forwarded"):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        logger.warning("health.database", error=str(error))
        return False
    return True


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as line:
            return bool(line.ping())
    except (redis.RedisError, OSError) as error:
        logger.warning("health.redis", error=str(error))
        return False
