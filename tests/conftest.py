"""The test run's ground: one PostgreSQL and one Valkey a run, one database a worker, cloned from one template.

The first process of a run starts the engines (unless DATABASE_URL and REDIS_URL name others) and migrates the
template once. A test marked `django_db(transaction=True)` leaves its database behind: the next test gets a fresh
clone, since tables that refuse TRUNCATE cannot be flushed.
"""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connections
from django.test import TransactionTestCase
from django.utils import timezone, translation
from psycopg import sql
from pytest_django import DjangoDbBlocker
from pytest_django.plugin import blocking_manager_key

from koogallery.engine.checks import kept_bytecode
from koogallery.engine.postgres import Postgres
from koogallery.engine.valkey import Valkey
from tests import cluster_store

# A busy machine is no fault of a property; CI repeats the same examples, so that a red run can be looked into.
hypothesis.settings.register_profile("koogallery", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("koogallery")

# Workers and the processes that tests start; there are hundreds.
os.environ.update(kept_bytecode())
# Until all is collected nothing becomes garbage.
gc.set_threshold(100_000, 50, 50)

pytest_plugins = ["tests.browsing", "tests.personas"]

TEMPLATE = "KOOGALLERY_TEST_TEMPLATE"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class Ground:
    """The engines and databases of this process's test run."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.engines: list[Postgres | Valkey] = []
        self.made: list[str] = []
        self.current: str | None = None

    def start(self) -> None:
        """Start the engines and migrate the template, unless the process that started this one has done so."""
        if TEMPLATE in os.environ:
            return
        if settings.EMBEDDED:
            template = self._start_engines()
        else:
            template = f"koogallery_template_{os.getpid()}_{secrets.token_hex(3)}"
            self._make_template(template)
        os.environ[TEMPLATE] = template

    def stop(self) -> None:
        """Drop what this process made and stop what it started."""
        connections.close_all()
        if not self.engines:
            for name in reversed(self.made):
                self._drop(name)
        for engine in reversed(self.engines):
            engine.stop()
        if self.folder is not None:
            for link in self.folder.glob("*"):
                if link.is_symlink():
                    shutil.rmtree(link.resolve(), ignore_errors=True)
            shutil.rmtree(self.folder, ignore_errors=True)

    def fresh_database(self) -> str:
        """Give this process a new clone of the template and drop the one it had; the clone's name."""
        if self.current is not None:
            connections.close_all()
            self._drop(self.current)
            self.made.remove(self.current)
        name = f"koogallery_{os.getpid()}_{secrets.token_hex(3)}"
        self._administer(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
                sql.Identifier(name), sql.Identifier(os.environ[TEMPLATE])
            )
        )
        self.made.append(name)
        self.current = name
        self._connect_to(name)
        return name

    def _start_engines(self) -> str:
        """Start both engines; the name of the migrated template in them."""
        template = "koogallery_template"
        self.folder = Path(tempfile.mkdtemp(prefix="koogallery-test-"))
        self.folder.chmod(0o711)
        database, redis = urlsplit(os.environ["DATABASE_URL"]), urlsplit(os.environ["REDIS_URL"])
        folder, key = self.folder / "postgres", cluster_store.key()
        is_stored = cluster_store.take(key, folder)
        postgres = Postgres(folder, port=database.port, password=database.password, losable=True)
        self.engines.append(postgres)
        postgres.initialise()
        postgres.start()
        if not is_stored:
            self._make_template(template)
            postgres.stop()
            cluster_store.put(key, folder)
            postgres.start()
        valkey = Valkey(self.folder / "valkey", port=redis.port, password=redis.password)
        self.engines.append(valkey)
        valkey.start()
        return template

    def _make_template(self, name: str) -> None:
        self._administer(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        self.made.append(name)
        self._connect_to(name)
        call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        connections["default"].close()

    def _drop(self, name: str) -> None:
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as line:
            line.execute(statement)

    def _connect_to(self, name: str) -> None:
        connections["default"].close()
        connections["default"].settings_dict["NAME"] = name
        settings.DATABASES["default"]["NAME"] = name


ground = Ground()


def pytest_configure(config: pytest.Config) -> None:
    """Start the ground before a parallel run's workers, which inherit its addresses."""
    if not hasattr(config, "workerinput") and config.getoption("dist", "no") != "no":
        with config.stash[blocking_manager_key].unblock():
            ground.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    ground.stop()
    shutil.rmtree(settings.STORAGES["attachments"]["OPTIONS"]["location"], ignore_errors=True)


def pytest_collection_finish() -> None:
    """Spare the collector what stays until the end: every module, model, template and test."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave browser tests out when there is no Chromium."""
    if chromium() is None:
        without = pytest.mark.skip(reason="NO CHROMIUM FOUND: browser tests did not run")
        for item in items:
            if "browser" in item.keywords:
                item.add_marker(without)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if chromium() is None:
        terminalreporter.write_line("!!! NO CHROMIUM FOUND: BROWSER TESTS DID NOT RUN !!!", red=True, bold=True)


def chromium() -> str | None:
    """The path of Chromium on this machine: the variable CHROMIUM, else the PATH."""
    named = os.environ.get("CHROMIUM", "")
    return named or next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def _leave_database_behind(self: TransactionTestCase) -> None:
    """In place of Django's flush, which tables that refuse TRUNCATE forbid."""
    ground.fresh_database()


TransactionTestCase._fixture_teardown = _leave_database_behind  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def engines(django_db_blocker: DjangoDbBlocker) -> None:
    """Running engines and a migrated template; the database fixtures ask for it, a test of Redis alone may."""
    with django_db_blocker.unblock():
        ground.start()


@pytest.fixture(scope="session")
def django_db_setup(engines: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        ground.fresh_database()
    yield
    connections.close_all()


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """The address of this test's database, for the processes that the test starts."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{settings.DATABASES['default']['NAME']}"))


@pytest.fixture
def process_environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of a process that shares this test's database and Redis under local settings."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "koogallery.settings.local",
        "DATABASE_URL": database_url,
        "REDIS_URL": settings.REDIS_URL,
        "DATA": str(tmp_path / "data"),
        "SECRET_KEY": settings.SECRET_KEY,
        "KOOGALLERY_FIELD_KEYS": ",".join(settings.FIELD_KEYS),
        "KOOGALLERY_SIGNING_KEY": settings.SIGNING_KEY,
    }


@pytest.fixture(autouse=True)
def _own_language_and_time_zone() -> Iterator[None]:
    """What a request of a test activated in this thread, which Django keeps after the answer, ends with the test."""
    yield
    translation.deactivate()
    timezone.deactivate()


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    """Nothing that a test leaves in Redis reaches the next."""
    yield
    if TEMPLATE in os.environ:
        from koogallery.kernel import pagecache  # needs Django's settings

        cache.clear()
        pagecache.forget()
