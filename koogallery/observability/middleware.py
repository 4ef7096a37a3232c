"""The outermost middleware: the request's id in logs and answer, and its time in the metrics."""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Callable, Sequence

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from koogallery import clock
from koogallery.observability import metrics

SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RequestMiddleware:
    """Gives every request an id, the one it brings in X-Request-ID if that is sane, and its visitor's address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.proxies = [ipaddress.ip_network(proxy) for proxy in settings.TRUSTED_PROXIES]

    def __call__(self, request: HttpRequest) -> HttpResponse:
        brought = request.headers.get("X-Request-ID", "")
        request_id = brought if SANE_ID.fullmatch(brought) else secrets.token_hex(16)
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if self.proxies:
            request.META["REMOTE_ADDR"] = visitor_address(
                peer=request.META.get("REMOTE_ADDR", ""),
                forwarded=request.META.get("HTTP_X_FORWARDED_FOR", ""),
                proxies=self.proxies,
            )
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


def visitor_address(*, peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """The address nearest to us that is none of our proxies; what stands before it was written by the visitor."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    address = peer
    while hops and _is_within(address, proxies):
        address = hops.pop()
    return address if _parse(address) is not None else peer


def _is_within(address: str, networks: Sequence[Network]) -> bool:
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in networks)


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None
