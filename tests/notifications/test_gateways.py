"""The HTTP gateway speaks to a real server; the console gateway writes no whole number into the log."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from django.test import override_settings

from koogallery.notifications import gateways
from koogallery.notifications.gateways import ConsoleGateway, HttpGateway, SmsFailed, gateway


class Service(HTTPServer):
    """An SMS service that answers with `status` and keeps what it heard."""

    status = 202

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard: list[tuple[dict[str, str], dict[str, str]]] = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_http_gateway_posts_the_text_with_its_key_and_token(service: Service) -> None:
    with override_settings(SMS_URL=f"http://127.0.0.1:{service.server_port}/sms", SMS_TOKEN="t0"):
        gateway().send(to="+6591234567", text="您好", key="sms:1:order-paid:CS1")
    ((headers, body),) = service.heard
    assert body == {"to": "+6591234567", "text": "您好"}
    assert headers["Authorization"] == "Bearer t0"
    assert headers["Idempotency-Key"] == "sms:1:order-paid:CS1"


@pytest.mark.parametrize("status", [302, 400, 500])
def test_any_other_answer_is_a_failure_and_no_redirect_is_followed(service: Service, status: int) -> None:
    service.status = status
    with pytest.raises(SmsFailed, match=str(status)):
        HttpGateway(f"http://127.0.0.1:{service.server_port}/", "").send(to="+1", text="x", key="k")
    assert len(service.heard) == 1


def test_a_service_that_is_down_is_a_failure() -> None:
    with pytest.raises(SmsFailed):
        HttpGateway("http://127.0.0.1:1/", "").send(to="+1", text="x", key="k")


def test_without_an_address_the_console_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[dict[str, str]] = []
    monkeypatch.setattr(gateways.logger, "info", lambda event, extra: said.append(extra))
    assert isinstance(gateway(), ConsoleGateway)
    gateway().send(to="+6591234567", text="x", key="k")
    assert said == [{"to": "…567", "text": "x", "key": "k"}]
