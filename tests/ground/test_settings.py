"""Settings: production starts only with every secret and never as a rehearsal."""

from __future__ import annotations

import importlib
import runpy
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from django.core.exceptions import ImproperlyConfigured

from koogallery.engine import state
from koogallery.engine.checks import PRODUCTION_EXAMPLE
from koogallery.settings import environment


def load_production(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> ModuleType:
    """Load production settings anew under an environment of their own."""
    for name in environment.KNOWN:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**PRODUCTION_EXAMPLE, **variables}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    for name in ("koogallery.settings.base", "koogallery.settings.production"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("koogallery.settings.production")


def test_production_starts_with_every_required_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_production(monkeypatch)
    assert settings.DEBUG is False
    assert settings.DATABASES["default"]["HOST"] == "postgres"
    assert settings.SESSION_COOKIE_SECURE
    assert settings.CSRF_COOKIE_SECURE


@pytest.mark.parametrize("name", sorted(set(PRODUCTION_EXAMPLE) - {"DJANGO_SETTINGS_MODULE"}))
@pytest.mark.parametrize("value", [None, "", "  "])
def test_production_refuses_to_start_without(name: str, value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=name):
        load_production(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    "variables",
    [{"KOOGALLERY_REHEARSAL": "1"}, {"KOOGALLERY_REHEARSAL_START": "2023-01-01T00:00:00+08:00"}],
)
def test_production_refuses_a_rehearsal(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="rehearsal"):
        load_production(monkeypatch, **variables)


def test_production_never_accepts_loopback_sellers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_production(monkeypatch).ALLOW_LOOPBACK_SELLERS is False


def test_a_database_of_another_kind_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="no second dialect"):
        environment.database("sqlite:///marketplace.db")


def test_a_database_address_is_taken_apart() -> None:
    found = environment.database("postgresql://koo:p%40ss@db.example.com:5433/market?sslmode=verify-full")
    assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == ("koo", "p@ss", "db.example.com", "5433")
    assert found["NAME"] == "market"
    assert found["OPTIONS"] == {"sslmode": "verify-full", "prepare_threshold": environment.USES_BEFORE_PLANNED}


def test_a_pooler_may_have_no_plans_kept() -> None:
    found = environment.database("postgresql://koo:secret@db.example.com/market?prepare_threshold=0")
    assert found["OPTIONS"] == {"prepare_threshold": None}


@pytest.mark.parametrize(("text", "meant"), [("1", True), ("yes", True), ("0", False), ("off", False), ("", False)])
def test_a_flag_says_yes_or_no(text: str, meant: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_FLAG_OF_THIS_TEST", text)
    assert environment.flag("A_FLAG_OF_THIS_TEST") is meant
    environment.KNOWN.discard("A_FLAG_OF_THIS_TEST")


def test_a_flag_that_says_neither_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_FLAG_OF_THIS_TEST", "maybe")
    with pytest.raises(ImproperlyConfigured):
        environment.flag("A_FLAG_OF_THIS_TEST")
    environment.KNOWN.discard("A_FLAG_OF_THIS_TEST")


@pytest.mark.parametrize(
    ("url", "port", "starttls", "implicit"),
    [
        ("smtp://mail.example.com", 25, False, False),
        ("smtp+tls://u:p@mail.example.com", 587, True, False),
        ("smtps://u:p@mail.example.com", 465, False, True),
        ("smtp+tls://u:p@mail.example.com:2525", 2525, True, False),
    ],
)
def test_a_mail_address_tells_how_mail_is_sent(url: str, port: int, starttls: bool, implicit: bool) -> None:
    found = environment.mail(url)
    assert (found["EMAIL_PORT"], found["EMAIL_USE_TLS"], found["EMAIL_USE_SSL"]) == (port, starttls, implicit)


@pytest.mark.parametrize("is_rehearsal", [True, False])
def test_a_command_beside_a_running_rehearsal_stands_at_its_time(
    is_rehearsal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KOOGALLERY_REHEARSAL", raising=False)
    running = {**state.NOT_RUNNING, "rehearsal": is_rehearsal}
    monkeypatch.setattr(state, "addresses", lambda data: running)
    assert runpy.run_module("koogallery.settings.local")["REHEARSAL"] is is_rehearsal


@pytest.mark.parametrize(("given", "port"), [({}, 8140), ({"PORT": "8200"}, 8200)])
def test_a_command_beside_a_running_site_links_to_its_port(
    given: dict[str, str], port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PORT", "SITE_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(state, "addresses", lambda data: {**state.NOT_RUNNING, "site_port": 8140})
    assert runpy.run_module("koogallery.settings.local")["SITE_ADDRESS"] == f"http://127.0.0.1:{port}"


def test_processes_that_start_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    for number in range(40):
        data = tmp_path / str(number)
        barrier = threading.Barrier(8)

        def keys(_place: int, data: Path = data, barrier: threading.Barrier = barrier) -> dict[str, str]:
            barrier.wait()
            return state.local_keys(data)

        with ThreadPoolExecutor(8) as pool:
            first, *others = pool.map(keys, range(8))
        assert all(other == first for other in others)
        assert [each.name for each in data.iterdir()] == ["keys.json"]
        assert stat.S_IMODE((data / "keys.json").stat().st_mode) == 0o600
