"""A load generator: keep-alive connections over raw sockets, so that the server is what is measured."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

CONNECTIONS = 4


@dataclass(frozen=True)
class Load:
    """What a load found: requests a second, and times of single requests in seconds."""

    rate: float
    p50: float
    p95: float
    p99: float
    errors: int


def http_load(
    *,
    port: int,
    paths: Sequence[str],
    seconds: float = 3.0,
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] | None = None,
) -> Load:
    """Ask for the paths in turn over `connections` connections, for `seconds` after a short warm-up."""
    requests = [_request(port=port, path=path, headers=headers or {}) for path in paths]
    with ProcessPoolExecutor(max_workers=connections, mp_context=get_context("spawn")) as pool:
        starts = time.time() + 1.0  # noqa: TID251  processes agree on a moment to begin
        jobs = [
            pool.submit(_one_connection, port, requests[n:] + requests[:n], starts, seconds)
            for n in _offsets(connections, len(requests))
        ]
        results = [job.result() for job in jobs]
    times = sorted(moment for durations, _ in results for moment in durations)
    return Load(
        rate=len(times) / seconds,
        p50=percentile(times, 0.50),
        p95=percentile(times, 0.95),
        p99=percentile(times, 0.99),
        errors=sum(errors for _, errors in results),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the ordered values lie."""
    if not ordered:
        return float("nan")
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _offsets(connections: int, count: int) -> list[int]:
    return [(number * count) // connections for number in range(connections)]


def _request(*, port: int, path: str, headers: Mapping[str, str]) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept-Encoding: gzip"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _one_connection(port: int, requests: list[bytes], starts: float, seconds: float) -> tuple[list[float], int]:
    durations: list[float] = []
    errors = 0
    line = socket.create_connection(("127.0.0.1", port), timeout=30)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for request in requests[:20]:
        _exchange(line, request)
    time.sleep(max(0.0, starts - time.time()))  # noqa: TID251
    ends = time.perf_counter() + seconds
    number = 0
    while True:
        began = time.perf_counter()
        if began >= ends:
            return durations, errors
        if not _exchange(line, requests[number % len(requests)]):
            errors += 1
        durations.append(time.perf_counter() - began)
        number += 1


def _exchange(line: socket.socket, request: bytes) -> bool:
    """Send one request and read its whole answer; whether its status is below 400."""
    line.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        part = line.recv(65536)
        if not part:
            raise ConnectionError("the server closed the connection")
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (field.partition(b":") for field in head.split(b"\r\n")[1:])
    }
    if b"content-length" in fields:
        missing = int(fields[b"content-length"]) - len(body)
        while missing > 0:
            missing -= len(line.recv(min(missing, 65536)))
    elif fields.get(b"transfer-encoding") == b"chunked":
        while not body.endswith(b"0\r\n\r\n"):
            body += line.recv(65536)
    return int(head.split(b" ", 2)[1]) < 400
