"""The outermost middleware: the request's id in logs and answer, and its time in the metrics."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from koogallery import clock
from koogallery.observability import metrics

SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestMiddleware:
    """Gives every request an id: the one it brings in X-Request-ID if that is sane, else a new one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        brought = request.headers.get("X-Request-ID", "")
        request_id = brought if SANE_ID.fullmatch(brought) else secrets.token_hex(16)
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        began = clock.monotonic()
        response = self.get_response(request)
        match = getattr(request, "resolver_match", None)
        metrics.observe_request(
            route=match.view_name if match else "",
            method=request.method or "",
            status=response.status_code,
            seconds=clock.monotonic() - began,
        )
        response["X-Request-ID"] = request_id
        return response
