"""Child processes that cannot outlive the process that started them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def follow_parent(death_signal: int) -> Callable[[], None]:
    """A function for the child, run after it changed its user: the kernel sends the signal when the parent dies.

    "Parent" is the thread that starts the child, so children are started from the main thread. Elsewhere than on
    Linux a killed parent leaves the child; the next start finds and ends it.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def start(
    command: Sequence[str],
    *,
    death_signal: int = signal.SIGTERM,
    account: int | None = None,
    environment: Mapping[str, str] | None = None,
    output: IO[bytes] | int | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, as the user with number `account` if one is given."""
    return subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=dict(environment) if environment is not None else None,
        cwd=folder,
        user=account,
        group=group_of(account),
        extra_groups=[] if account is not None else None,
        start_new_session=True,
        preexec_fn=follow_parent(death_signal),
    )


def group_of(account: int | None) -> int | None:
    """The main group of a user."""
    if account is None:
        return None
    import pwd

    return pwd.getpwuid(account).pw_gid


def stop(process: subprocess.Popen[bytes], *, ask: int = signal.SIGTERM, patience: float = 10.0) -> None:
    """Ask a child to end, wait `patience` seconds, then kill what is left of its session."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(ask)
        deadline = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
    kill_session(process)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """Kill every process that a child left in its process group, and the child itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.poll() is None:
        process.wait()
