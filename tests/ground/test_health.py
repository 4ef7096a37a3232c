"""Health, metrics and request ids."""

from __future__ import annotations

import ipaddress
import json
import logging

import pytest
import structlog
from django.db import connection
from django.test import Client
from pytest_django import Settings as SettingsWrapper

from koogallery.observability.logging import logging_settings
from koogallery.observability.middleware import visitor_address


def test_a_live_process_says_so_without_a_database(client: Client) -> None:
    answer = client.get("/health/live")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_a_ready_process_reaches_database_and_redis(client: Client) -> None:
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "redis": "ok"}


@pytest.mark.django_db
def test_without_redis_the_site_is_degraded_but_ready(client: Client, settings: SettingsWrapper) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    answer = client.get("/health/ready")
    assert answer.status_code == 200
    assert answer.json() == {"status": "degraded", "database": "ok", "redis": "unavailable"}


@pytest.mark.django_db(transaction=True)
def test_without_database_the_process_is_not_ready(client: Client) -> None:
    right = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        answer = client.get("/health/ready")
    finally:
        connection.settings_dict["PORT"] = right
    assert answer.status_code == 503
    assert answer.json()["database"] == "unavailable"


def test_a_sane_request_id_is_kept(client: Client) -> None:
    assert client.get("/health/live", headers={"X-Request-ID": "0af7651916cd43dd"})["X-Request-ID"] == (
        "0af7651916cd43dd"
    )


@pytest.mark.parametrize("brought", ["", "short", "x" * 65, "with space 123", "line\nbreak123", "<script>1</script>"])
def test_any_other_request_id_is_replaced(brought: str, client: Client) -> None:
    given = client.get("/health/live", headers={"X-Request-ID": brought})["X-Request-ID"]
    assert given != brought
    assert len(given) == 32


def test_metrics_count_requests_by_the_name_of_the_address(client: Client) -> None:
    client.get("/health/live")
    text = client.get("/metrics").content.decode()
    assert 'koogallery_request_seconds_count{method="GET",route="health-live",status="2xx"}' in text


def test_metrics_of_a_machine_are_not_shown_to_another(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7").status_code == 404
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.7"}).status_code == 404


def test_with_a_token_metrics_ask_for_it_from_everywhere(client: Client, settings: SettingsWrapper) -> None:
    settings.METRICS_TOKEN = "a token of this test"
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer a token of this test"}).status_code == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "visitor"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "1.1.1.1, 198.51.100.1, 10.0.0.3", "198.51.100.1"),
        ("10.0.0.2", "not an address", "10.0.0.2"),
        ("10.0.0.2", "", "10.0.0.2"),
    ],
)
def test_only_our_own_proxies_are_believed_about_the_visitor(peer: str, forwarded: str, visitor: str) -> None:
    proxies = [ipaddress.ip_network("10.0.0.0/8")]
    assert visitor_address(peer=peer, forwarded=forwarded, proxies=proxies) == visitor


def test_a_production_log_line_is_json_with_the_request_id_and_without_local_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured = logging_settings(style="json", level="INFO")
    logging.config.dictConfig({**configured, "root": {"handlers": [], "level": "INFO"}})  # type: ignore[attr-defined]
    formatter = logging.config.DictConfigurator(configured).configure_formatter(  # type: ignore[attr-defined]
        configured["formatters"]["line"]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logger = logging.getLogger("tests.ground")
    logger.addHandler(handler)
    structlog.contextvars.bind_contextvars(request_id="0af7651916cd43dd")
    try:
        password = "do not log me"
        raise ValueError("something broke")
    except ValueError:
        logger.exception("order.failed", extra={"order": "CS2701"})
    finally:
        logger.removeHandler(handler)
        structlog.contextvars.clear_contextvars()
    written = capsys.readouterr().err
    line = json.loads(written)
    assert (line["request_id"], line["order"], line["level"]) == ("0af7651916cd43dd", "CS2701", "error")
    assert line["exception"][0]["exc_value"] == "something broke"
    assert password not in written
