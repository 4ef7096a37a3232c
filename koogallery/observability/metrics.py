"""Prometheus metrics of a process. Each web process answers for itself; the label `pid` tells them apart."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

REGISTRY = CollectorRegistry()
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_requests = Histogram(
    "koogallery_request_seconds",
    "Time from a request's arrival to its answer.",
    ["route", "method", "status"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_up = Gauge("koogallery_process_info", "This process.", ["pid"], registry=REGISTRY)
_refusals = Counter("koogallery_refusals_total", "Refused operations by reason code.", ["reason"], registry=REGISTRY)


def observe_request(*, route: str, method: str, status: int, seconds: float) -> None:
    """Count a request under its URL's name (never its address, so that labels stay few)."""
    _requests.labels(route or "(none)", method if method in METHODS else "(other)", f"{status // 100}xx").observe(
        seconds
    )


def count_refusal(reason: str) -> None:
    """Count a refusal under its reason code."""
    _refusals.labels(reason).inc()


def render() -> bytes:
    """The text a Prometheus server reads."""
    _up.labels(str(os.getpid())).set(1)
    return generate_latest(REGISTRY)
