"""The guarded HTTP client: how the marketplace reaches a seller's server without being led astray.

HTTPS with TLS 1.2 or later to a domain name whose every address is public; the connection goes to the very address
that was checked, so a second answer of the name server changes nothing. Five seconds for everything, no redirects,
no proxy, at most 64 KiB. A rehearsal may also use plain HTTP and loopback addresses.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection

from koogallery import clock
from orders.saas.activities import SellerRequest
from orders.saas.answers import CallResult, failed, read_answer
from orders.saas.codes import CallError

TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 64 * 1024
USER_AGENT = "KooGallery"
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Sequence[str]]


class CallFailed(Exception):
    """No HTTP answer was received, or none that is taken."""

    def __init__(self, error: CallError, detail: str = "") -> None:
        super().__init__(error.value)
        self.error = error
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer as received."""

    status: int
    body: bytes
    body_sign: str | None


def check_url(url: str, *, allow_loopback: bool = False) -> Target:
    """The target of a seller's URL. Raises `CallFailed` (`address_refused`) with the reason in `detail`.

    HTTPS and a domain name; in a rehearsal also HTTP, `localhost` and loopback addresses.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode().rstrip("."), parts.port
    except ValueError:
        raise CallFailed(CallError.ADDRESS_REFUSED, "not a URL") from None
    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise CallFailed(CallError.ADDRESS_REFUSED, "not a URL")
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http"):
        raise CallFailed(CallError.ADDRESS_REFUSED, "only HTTPS is allowed")
    if parts.username is not None or parts.password is not None:
        raise CallFailed(CallError.ADDRESS_REFUSED, "no user name in the URL")
    if not _DOMAIN.fullmatch(host) and not (allow_loopback and (host == "localhost" or _is_loopback(host))):
        raise CallFailed(CallError.ADDRESS_REFUSED, "only domain names are allowed")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise CallFailed(CallError.ADDRESS_REFUSED, "not a URL")
    return Target(scheme=parts.scheme, host=host, port=port or (443 if parts.scheme == "https" else 80), path=path)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_public(address: str) -> bool:
    """Whether an IP address lies in the public internet: not private, shared, loopback, link-local, or a tunnel."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.sixtofour is not None or ip.teredo is not None or ip.is_site_local:
            return False
    return ip.is_global and not (
        ip.is_multicast or ip.is_private or ip.is_reserved or ip.is_unspecified or ip.is_link_local or ip.is_loopback
    )


def resolve_host(host: str, port: int) -> Sequence[str]:
    """The addresses of a name, in the order of the resolver. Raises `OSError`."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def call_seller(
    *,
    request: SellerRequest,
    key: str,
    allow_loopback: bool = False,
    timeout: float = TIMEOUT_SECONDS,
    resolve: Resolve = resolve_host,
    tls: ssl.SSLContext | None = None,
) -> CallResult:
    """Send the request once and read its answer; never raises for what the network or the seller does.

    Takes at most `timeout` seconds in all. Never call it inside a database transaction.
    """
    started = clock.monotonic()

    def elapsed_ms() -> int:
        return round((clock.monotonic() - started) * 1000)

    try:
        answer = fetch(
            url=request.url,
            method=request.method,
            body=request.body,
            headers=dict(request.headers),
            allow_loopback=allow_loopback,
            timeout=timeout,
            resolve=resolve,
            tls=tls,
        )
    except CallFailed as failure:
        return failed(error=failure.error, detail=failure.detail, elapsed_ms=elapsed_ms())
    return read_answer(
        version=request.version,
        activity=request.activity,
        key=key,
        http_status=answer.status,
        body=answer.body,
        body_sign=answer.body_sign,
        elapsed_ms=elapsed_ms(),
    )


def fetch(
    *,
    url: str,
    method: str,
    body: bytes,
    headers: dict[str, str],
    allow_loopback: bool = False,
    timeout: float = TIMEOUT_SECONDS,
    resolve: Resolve = resolve_host,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """One guarded HTTP exchange. Raises `CallFailed`."""
    deadline = clock.monotonic() + timeout
    target = check_url(url, allow_loopback=allow_loopback)
    addresses = _checked_addresses(target, allow_loopback=allow_loopback, deadline=deadline, resolve=resolve)
    plain = _connect(addresses, port=target.port, deadline=deadline)
    with _cut_off(plain, deadline=deadline) as late:
        try:
            answer = _exchange(plain, target, method=method, body=body, headers=headers, deadline=deadline, tls=tls)
        except CallFailed:
            raise
        except Exception as error:  # sockets, TLS, urllib3 and http.client each have their own
            raise _as_failure(error, is_late=late.is_set()) from error
        if late.is_set():
            raise CallFailed(CallError.TIMEOUT)
        return answer


def _as_failure(error: Exception, *, is_late: bool) -> CallFailed:
    if is_late or isinstance(error, (TimeoutError, exceptions.TimeoutError)):
        return CallFailed(CallError.TIMEOUT)
    if isinstance(error, (ssl.SSLError, exceptions.SSLError)):
        return CallFailed(CallError.TLS_FAILED, str(error))
    return CallFailed(CallError.CONNECTION_FAILED, type(error).__name__)


def _remaining(deadline: float) -> float:
    left = deadline - clock.monotonic()
    if left <= 0:
        raise CallFailed(CallError.TIMEOUT)
    return left


def _checked_addresses(target: Target, *, allow_loopback: bool, deadline: float, resolve: Resolve) -> Sequence[str]:
    found: queue.SimpleQueue[Sequence[str] | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(resolve(target.host, target.port))
        except Exception as error:
            found.put(error)

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    try:
        addresses = found.get(timeout=_remaining(deadline))
    except queue.Empty:
        raise CallFailed(CallError.TIMEOUT) from None
    if isinstance(addresses, Exception):
        raise CallFailed(CallError.NOT_RESOLVED, target.host) from addresses
    if not addresses:
        raise CallFailed(CallError.NOT_RESOLVED, target.host)
    for address in addresses:
        if not (is_public(address) or (allow_loopback and _is_loopback(address))):
            raise CallFailed(CallError.ADDRESS_REFUSED, f"{target.host} leads into a network that is not public")
    return addresses


def _connect(addresses: Sequence[str], *, port: int, deadline: float) -> socket.socket:
    """A connection to the first checked address that answers."""
    failure: OSError | None = None
    for position, address in enumerate(addresses):
        share = _remaining(deadline) / (len(addresses) - position)
        try:
            return socket.create_connection((address, port), timeout=share)
        except OSError as error:
            failure = error
    if isinstance(failure, TimeoutError):
        raise CallFailed(CallError.TIMEOUT) from failure
    raise CallFailed(CallError.CONNECTION_FAILED, type(failure).__name__) from failure


@contextlib.contextmanager
def _cut_off(plain: socket.socket, *, deadline: float) -> Iterator[threading.Event]:
    """Shut the connection down at the deadline, however slowly bytes drip; the event tells that it was."""
    late = threading.Event()
    twin = socket.socket(plain.family, plain.type, plain.proto, fileno=os.dup(plain.fileno()))

    def cut() -> None:
        late.set()
        with contextlib.suppress(OSError):
            twin.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, deadline - clock.monotonic()), cut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        twin.close()
        plain.close()


class _Pinned(HTTPConnection):
    """A connection over a socket that is already connected."""

    pinned: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.pinned


class _PinnedTls(HTTPSConnection):
    """The same with TLS; name and certificate are those of the domain."""

    pinned: socket.socket

    def _new_conn(self) -> socket.socket:
        return self.pinned


def _exchange(
    plain: socket.socket,
    target: Target,
    *,
    method: str,
    body: bytes,
    headers: dict[str, str],
    deadline: float,
    tls: ssl.SSLContext | None,
) -> Answer:
    plain.settimeout(_remaining(deadline))
    connection: _Pinned | _PinnedTls
    if target.scheme == "https":
        connection = _PinnedTls(target.host, target.port, ssl_context=tls or tls_context())
    else:
        connection = _Pinned(target.host, target.port)
    connection.pinned = plain
    connection.timeout = _remaining(deadline)
    try:
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **headers}
        connection.request(
            method, target.path, body=body or None, headers=sent, preload_content=False, decode_content=False
        )
        response = connection.getresponse()
        content = b"" if 300 <= response.status < 400 else response.read(MAX_ANSWER_BYTES + 1)
        if len(content) > MAX_ANSWER_BYTES:
            raise CallFailed(CallError.TOO_LARGE)
        if response.status == 200 and response.length_remaining:
            raise CallFailed(CallError.CONNECTION_FAILED, "answer is cut short")
        if content and response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise CallFailed(CallError.NOT_JSON, "compressed")
        return Answer(status=response.status, body=content, body_sign=response.headers.get("Body-Sign"))
    finally:
        connection.close()


def tls_context() -> ssl.SSLContext:
    """Verified certificates of the system's authorities, TLS 1.2 or later."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
