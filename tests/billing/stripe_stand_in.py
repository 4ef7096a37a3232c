"""A local server that speaks the part of Stripe's protocol that is used, with its idempotency."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CARDS = {"pm_good": ("succeeded", None), "pm_present": ("requires_action", None), "pm_slow": ("processing", None)}


class StripeStandIn(ThreadingHTTPServer):
    """Keeps what it was asked; `say_garbage` and `drop` make it misbehave after having done its work."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], str]] = []
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.charged = 0
        self.refunded = 0
        self.misbehave = ""
        self.account = ""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: StripeStandIn

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        status = "succeeded" if "done" in self.path else "requires_payment_method"
        card = {"brand": "visa", "last4": "4242", "exp_month": 4, "exp_year": 2031}
        method = {"id": "pm_new", "object": "payment_method", "card": card}
        intent = {"id": "seti_1", "object": "setup_intent", "status": status, "payment_method": method}
        session = {
            "id": "cs_1",
            "object": "checkout.session",
            "client_reference_id": self.server.account,
            "customer": "cus_1",
            "setup_intent": intent,
        }
        self._answer(200, session)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        key = self.headers.get("Idempotency-Key", "")
        path = urlsplit(self.path).path
        self.server.requests.append((path, form, key))
        if key not in self.server.answers:
            self.server.answers[key] = self._work(path, form)
        if self.server.misbehave == "drop":
            self.close_connection = True
            self.connection.close()
            return
        status, answer = self.server.answers[key]
        if self.server.misbehave:
            status, answer = int(self.server.misbehave), {"error": {"type": "api_error", "message": "oops"}}
        self._answer(status, answer)

    def _work(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/checkout/sessions":
            return 200, {"id": "cs_1", "object": "checkout.session", "url": f"{self.server.address}/pay"}
        if path == "/v1/refunds":
            if form["payment_intent"] == "pi_gone":
                return 400, {"error": {"type": "invalid_request_error", "code": "charge_already_refunded"}}
            self.server.refunded += int(form["amount"])
            return 200, {"id": "re_1", "object": "refund", "status": "succeeded"}
        if form["payment_method"] not in CARDS:
            return 402, {"error": {"type": "card_error", "code": "card_declined", "message": "no"}}
        status, _error = CARDS[form["payment_method"]]
        if status == "succeeded":
            self.server.charged += int(form["amount"])
        return 200, {"id": "pi_1", "object": "payment_intent", "status": status}

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
