"""Production's role may read and write rows, and cannot get past what protects ledger and traces."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from koogallery.engine.postgres import program
from koogallery.engine.supervisor import ROOT

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def role_url(engines: None) -> Iterator[str]:
    """A database made by the deployment's script and migrated by its owner; the address of the platform's role."""
    own = urlsplit(os.environ["DATABASE_URL"])
    mark = secrets.token_hex(4)
    names = {"OWNER_NAME": f"owner_{mark}", "ROLE_NAME": f"role_{mark}", "DATABASE_NAME": f"market_{mark}"}
    place = f"@{own.hostname}:{own.port}/{names['DATABASE_NAME']}"
    environment = {
        **os.environ,
        **names,
        "OWNER_PASSWORD": "the owner's",
        "ROLE_PASSWORD": "the role's",
        "PATH": f"{Path(program('psql')).parent}:{os.environ['PATH']}",
        "PGHOST": own.hostname or "",
        "PGPORT": str(own.port),
        "POSTGRES_USER": own.username or "",
        "PGPASSWORD": own.password or "",
    }
    subprocess.run(["sh", str(ROOT / "deploy/postgres/10-roles.sh")], env=environment, check=True)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"],
        cwd=ROOT,
        env={
            **environment,
            "DJANGO_SETTINGS_MODULE": "koogallery.settings.local",
            "DATABASE_URL": f"postgresql://{names['OWNER_NAME']}:the%20owner's{place}",
        },
        check=True,
    )
    yield f"postgresql://{names['ROLE_NAME']}:the%20role's{place}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as line:
        for statement, name in (
            ("DROP DATABASE {} WITH (FORCE)", "DATABASE_NAME"),
            ("DROP ROLE {}", "ROLE_NAME"),
            ("DROP ROLE {}", "OWNER_NAME"),
        ):
            line.execute(sql.SQL(statement).format(sql.Identifier(names[name])))


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as line:
        found = line.execute("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return [name for (name,) in found]


def test_the_role_reads_and_writes_rows_of_every_table(role_url: str) -> None:
    with psycopg.connect(role_url) as line:
        for name in tables(role_url):
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
                assert line.execute("SELECT has_table_privilege(%s, %s)", [name, privilege]).fetchone() == (True,), name


def test_the_role_truncates_nothing(role_url: str) -> None:
    with psycopg.connect(role_url) as line:
        for name in tables(role_url):
            assert line.execute("SELECT has_table_privilege(%s, 'TRUNCATE')", [name]).fetchone() == (False,), name


@pytest.mark.parametrize(
    "statement",
    [
        "SET session_replication_role = replica",
        "ALTER TABLE django_migrations DISABLE TRIGGER ALL",
        "CREATE TABLE hidden (id int)",
        "DROP TABLE django_migrations",
        "CREATE ROLE another SUPERUSER",
    ],
)
def test_the_role_cannot_switch_off_what_protects_the_rows(statement: str, role_url: str) -> None:
    with psycopg.connect(role_url) as line, pytest.raises(psycopg.errors.InsufficientPrivilege):
        line.execute(statement)


def manage(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of manage.py as the platform's role."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "koogallery.settings.local", "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )


EVERY_SWEEP = """
from koogallery import clock

from koogallery.kernel.sweeps import sweeps
for name, sweep in sweeps.items():
    print(name, sweep.run(clock.now()))
"""

PARTITIONS = """
from datetime import timedelta
from django.db import IntegrityError, transaction
from audit import partitions
from koogallery import clock
now = clock.real_now()
partitions.keep(now + timedelta(days=200))
assert partitions.start_of(now + timedelta(days=280)) in partitions.existing()
oldest = partitions.existing()[0]
partitions.keep(oldest + timedelta(days=420))
assert oldest not in partitions.existing()
try:
    partitions.keep(now + timedelta(days=500))
except IntegrityError as refused:
    print("refused:", refused)
"""


def test_the_role_can_do_the_platforms_work(role_url: str) -> None:
    made = manage(role_url, "create_account", "acme", "--balance", "100", "--password", "a long enough password")
    assert made.returncode == 0, made.stderr
    swept = manage(role_url, "shell", "-c", EVERY_SWEEP)
    assert swept.returncode == 0, swept.stderr
    assert swept.stdout.count("\n") > 5
    checked = manage(role_url, "ledger_check")
    assert checked.returncode == 0, checked.stdout


def test_the_role_keeps_the_traces_partitions_but_drops_no_young_one(role_url: str) -> None:
    kept = manage(role_url, "shell", "-c", PARTITIONS)
    assert kept.returncode == 0, kept.stderr
    assert "too young to be dropped" in kept.stdout


DIGESTS = """
from datetime import timedelta
from audit import verifying
from audit.models import TraceSeal
from audit.operations import digesting
from koogallery import clock
print("sealed:", TraceSeal.objects.exists())
print("made:", digesting.digest_due(clock.now() + timedelta(hours=1)))
print("sealed:", TraceSeal.objects.exists(), verifying.verify().findings)
"""


def test_the_roles_digests_take_the_seals_which_it_cannot_delete(role_url: str) -> None:
    made = manage(role_url, "create_account", "sealed", "--balance", "1", "--password", "a long enough password")
    assert made.returncode == 0, made.stderr
    with psycopg.connect(role_url) as line, pytest.raises(psycopg.errors.RestrictViolation):
        line.execute("SET audit.taking_seals = 'on'")
        line.execute("DELETE FROM audit_traceseal")
    digested = manage(role_url, "shell", "-c", DIGESTS)
    assert digested.returncode == 0, digested.stderr
    assert "sealed: True" in digested.stdout
    assert "sealed: False []" in digested.stdout


def test_the_database_of_the_script_has_the_right_locale(role_url: str) -> None:
    result = manage(role_url, "check", "--database", "default", "--tag", "database")
    assert result.returncode == 0, result.stderr
    assert "no issues" in result.stdout
