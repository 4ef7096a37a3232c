"""Whole pages for visitors who are not signed in, kept in each process and dropped by a version in Redis.

Apps declare which addresses may be kept (`declare`), and say on commit that something they show has changed (`bump`).
Every process asks Redis for the version at most four times a second; without Redis nothing is kept. No request waits
for another's question, so that a Redis that hangs delays one request every two seconds.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import redis
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from koogallery import clock

logger = logging.getLogger(__name__)

KEY = "koogallery:shown-version"
POLL_SECONDS = 0.25
RETRY_SECONDS = 2.0
LIFETIME_SECONDS = 45.0
LONGEST_QUERY = 400
MAX_BYTES = 24 * 1024 * 1024
MAX_PAGE_BYTES = 512 * 1024


@dataclass
class _Version:
    """The version as this process last saw it; None while Redis does not answer."""

    value: int | None = None
    asked_at: float = -1e9
    wait: float = 0.0
    client: redis.Redis | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_version = _Version()


def _client() -> redis.Redis:
    if _version.client is None:
        _version.client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5, health_check_interval=30
        )
    return _version.client


def version() -> int | None:
    """The version of everything shown, at most half a second old; None while Redis does not answer.

    One thread at a time asks and no other waits for it: they go by what is known, or nothing.
    """
    if _is_fresh():
        return _version.value
    if not _version.lock.acquire(blocking=False):
        return _version.value if clock.monotonic() - _version.asked_at < 2 * POLL_SECONDS else None
    try:
        if not _is_fresh():
            _ask()
    finally:
        _version.lock.release()
    return _version.value


def _is_fresh() -> bool:
    return clock.monotonic() - _version.asked_at < _version.wait


def _ask() -> None:
    try:
        stored = _client().get(KEY)
        if stored is None:
            _client().set(KEY, secrets.randbelow(2**40), nx=True)
            stored = _client().get(KEY)
        _version.value, _version.wait = int(stored or 0), POLL_SECONDS
    except redis.RedisError:
        _version.value, _version.wait = None, RETRY_SECONDS
    finally:
        _version.asked_at = clock.monotonic()


def bump() -> None:
    """Once the running transaction has committed, let every process drop what it keeps."""
    transaction.on_commit(bump_now, robust=True)


def bump_now() -> None:
    """Let every process drop what it keeps; without Redis, lifetimes end it."""
    try:
        _client().eval(
            "if redis.call('exists', KEYS[1]) == 0 then redis.call('set', KEYS[1], ARGV[1]) end "
            "return redis.call('incr', KEYS[1])",
            1,
            KEY,
            secrets.randbelow(2**40),
        )
    except redis.RedisError:
        logger.warning("page_cache_version_not_bumped")
    _version.asked_at = -1e9


def forget() -> None:
    """Drop what this process keeps and its connection; for tests."""
    pages.clear()
    _version.value, _version.asked_at, _version.wait, _version.client = None, -1e9, 0.0, None


@dataclass(frozen=True, slots=True)
class _Page:
    version: int
    until: float
    size: int
    answer: _Again


class _Pages:
    """The least recently used pages, bounded by their bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, ...], _Page] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: tuple[str, ...], *, version: int, now: float) -> _Page | None:
        with self._lock:
            page = self._kept.get(key)
            if page is None:
                return None
            if page.version != version or page.until < now:
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return page

    def put(self, key: tuple[str, ...], page: _Page) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = page
            self._bytes += page.size
            while self._bytes > self._max and self._kept:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def _drop(self, key: tuple[str, ...]) -> None:
        page = self._kept.pop(key, None)
        if page is not None:
            self._bytes -= page.size


pages = _Pages(MAX_BYTES)
_exact: dict[str, frozenset[str]] = {}
_below: list[tuple[str, frozenset[str]]] = []


def declare(address: str, *, params: Iterable[str] = (), below: bool = False) -> None:
    """Let pages at `address` (with `below`, also beneath it) be kept, with these query parameters and no others.

    Such a page shows every visitor the same, holds no token, and calls `bump` covers what it shows.
    """
    if below:
        _below.append((address, frozenset(params)))
    else:
        _exact[address] = frozenset(params)


def _params_of(path: str) -> frozenset[str] | None:
    found = _exact.get(path)
    if found is not None:
        return found
    for prefix, params in _below:
        if path.startswith(prefix):
            return params
    return None


def key_of(request: HttpRequest) -> tuple[str, ...] | None:
    """Under what the answer may be kept, or None when it may not: another page, a visitor with a session."""
    meta = request.META
    path = request.path_info
    if meta["REQUEST_METHOD"] != "GET" or _params_of(path) is None:
        return None
    cookies: dict[str, str] = request.COOKIES if "HTTP_COOKIE" in meta else {}
    if settings.SESSION_COOKIE_NAME in cookies or "messages" in cookies:
        return None
    fragment = ""
    if meta.get("HTTP_HX_REQUEST") == "true" and meta.get("HTTP_HX_HISTORY_RESTORE_REQUEST") != "true":
        fragment = f"{meta.get('HTTP_HX_TARGET', '')[:40]}|{meta.get('HTTP_HX_BOOSTED', '')[:5]}"
    return (
        meta.get("HTTP_HOST", ""),
        meta.get("wsgi.url_scheme", ""),
        path,
        meta.get("QUERY_STRING", ""),
        cookies.get(settings.LANGUAGE_COOKIE_NAME) or meta.get("HTTP_ACCEPT_LANGUAGE", "")[:80],
        cookies.get("theme", ""),
        fragment,
    )


def asks_only_known(request: HttpRequest) -> bool:
    """Whether the query string is short and has only the parameters that its page declares."""
    query = request.META.get("QUERY_STRING", "")
    if not query:
        return True
    if len(query) > LONGEST_QUERY:
        return False
    known = _params_of(request.path_info) or frozenset()
    return all(name in known for name, _ in parse_qsl(query, keep_blank_values=True))


class PageCacheMiddleware:
    """The first middleware: answers visitors from memory before any other runs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        key = key_of(request)
        shown = version() if key is not None else None
        if key is None or shown is None:
            return self.get_response(request)
        kept = pages.get(key, version=shown, now=clock.monotonic())
        if kept is not None:
            return _again(kept.answer)
        if not asks_only_known(request):
            return self.get_response(request)
        response = self.get_response(request)
        if may_keep(response):
            pages.put(
                key,
                _Page(
                    version=shown,
                    until=clock.monotonic() + LIFETIME_SECONDS,
                    size=len(response.content),
                    answer=_kept_answer(response),
                ),
            )
        return response


class _Again(HttpResponse):
    """An answer from memory: its headers are listed once, and its end concerns no connection, as it used none."""

    listed: tuple[tuple[str, str], ...] = ()

    def items(self) -> Iterable[tuple[str, str]]:
        """The headers, as the server sends them."""
        return self.listed or super().items()

    def close(self) -> None:
        """Nothing was opened for it; the next request's start looks after connections."""
        self.closed = True


def _kept_answer(response: HttpResponse) -> _Again:
    """What is kept of an answer: its bytes and headers, but not its request's id."""
    kept = _Again(response.content)
    for name in list(kept.headers):
        del kept.headers[name]
    for name, value in response.items():
        if name != "X-Request-ID":
            kept.headers[name] = value
    kept.listed = tuple(HttpResponse.items(kept))
    return kept


def _again(kept: _Again) -> HttpResponse:
    """A new answer with the same bytes and headers, without the cost of making one."""
    answer = _Again.__new__(_Again)
    answer.__dict__.update(kept.__dict__)
    answer._resource_closers = []  # type: ignore[attr-defined]
    return answer


def may_keep(response: HttpResponse) -> bool:
    """Only whole answers with status 200, without cookies, not too large, not marked private."""
    return (
        response.status_code == 200
        and not response.streaming
        and not response.cookies
        and "no-store" not in response.headers.get("Cache-Control", "")
        and "Content-Encoding" not in response.headers
        and len(response.content) <= MAX_PAGE_BYTES
    )
