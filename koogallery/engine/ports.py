"""Free TCP ports on the loopback address."""

from __future__ import annotations

import random
import socket

# Below the range from which systems take the near ends of outgoing connections.
FIRST, LAST = 20_000, 32_000


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens now; raises `RuntimeError` when a hundred tries find none."""
    chooser = random.SystemRandom()
    for _ in range(100):
        port = chooser.randint(FIRST, LAST)
        if is_free(port):
            return port
    raise RuntimeError(f"No free port between {FIRST} and {LAST} on 127.0.0.1.")


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether this process could listen on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def answers(port: int, timeout: float = 0.2) -> bool:
    """Whether something accepts connections on the port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout):
            return True
    except OSError:
        return False
