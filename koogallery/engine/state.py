"""What a running engine tells others: `engine.json` in the data folder, true while its lock is held."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import IO, Any

NOT_RUNNING = {
    "database_url": "postgresql://koogallery@127.0.0.1:1/koogallery",
    "redis_url": "redis://127.0.0.1:1/0",
}
"""Addresses at which nothing answers: settings load without an engine, a connection fails at once."""


def data_folder() -> Path:
    """The folder of this installation's data: the variable DATA, else `.local` beside manage.py."""
    root = Path(__file__).resolve().parents[2]
    return (root / (os.environ.get("DATA", "").strip() or ".local")).resolve()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, at once or not at all."""
    _draft(path, text).replace(path)


def _draft(path: Path, text: str) -> Path:
    """The text beside where it is to stand, under a name of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return draft


def _write_first(path: Path, text: str) -> None:
    """Write such a file unless there is one; of several processes at once the first has written it, whole."""
    draft = _draft(path, text)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    except OSError:  # a file system without links
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def acquire(data: Path) -> IO[str] | None:
    """Take the lock of the data folder's engine, to be held while it runs; None when another holds it."""
    data.mkdir(parents=True, exist_ok=True)
    file = open(data / "engine.lock", "a")  # noqa: SIM115  held open as long as the engine runs
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def is_running(data: Path) -> bool:
    """Whether an engine holds the data folder's lock."""
    if not (data / "engine.lock").exists():
        return False
    lock = acquire(data)
    if lock is None:
        return True
    lock.close()
    return False


def write(data: Path, state: dict[str, Any]) -> None:
    """Publish the addresses and process numbers of the engine that holds the lock."""
    write_private(data / "engine.json", json.dumps(state, indent=2) + "\n")


def read(data: Path) -> dict[str, Any] | None:
    """What the running engine has published; None when none runs or it is still starting."""
    if not is_running(data):
        return None
    try:
        found = dict(json.loads((data / "engine.json").read_text()))
    except (FileNotFoundError, ValueError):
        return None
    # What a killed supervisor left is not what the one that holds the lock now will publish.
    return found if is_alive(found["pids"]["supervisor"]) else None


def is_alive(pid: int) -> bool:
    """Whether a process with this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def forget(data: Path) -> None:
    """Take back what was published."""
    (data / "engine.json").unlink(missing_ok=True)


def addresses(data: Path) -> dict[str, Any]:
    """The running engine's `database_url`, `redis_url`, `rehearsal` and `site_port`, or where nothing answers."""
    return {**NOT_RUNNING, **(read(data) or {})}


def local_keys(data: Path) -> dict[str, str]:
    """This installation's own keys (secret, field encryption, signature), made at the first start and kept."""
    path = data / "keys.json"
    if not path.exists():
        made = {
            "secret_key": secrets.token_urlsafe(48),
            "field_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "signing_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        _write_first(path, json.dumps(made, indent=2))
    return dict(json.loads(path.read_text()))
