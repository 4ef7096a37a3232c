"""A local server that speaks the part of Stripe's protocol that is used, with its idempotency.

As Stripe does, it replays its first answer to a key whatever has happened since, a failure too, and forgets keys later.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

CARDS = {"pm_good": "succeeded", "pm_present": "requires_action", "pm_slow": "processing"}
OOPS = {"error": {"type": "api_error", "message": "oops"}}


class StripeStandIn(ThreadingHTTPServer):
    """Keeps what it was asked; `misbehave` makes it lose or spoil its answer after having done its work.

    `intents` and `all_refunds` are its books, newest last: a test moves their `status` on as a bank would.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[tuple[str, dict[str, str], str]] = []
        self.answers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.intents: list[dict[str, Any]] = []
        self.all_refunds: list[dict[str, Any]] = []
        self.refund_status = "succeeded"
        self.misbehave = ""
        self.account = ""
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def charged(self) -> int:
        return sum(intent["amount"] for intent in self.intents if intent["status"] == "succeeded")

    @property
    def refunded(self) -> int:
        return sum(refund["amount"] for refund in self.all_refunds if refund["status"] == "succeeded")

    def forget_keys(self) -> None:
        """A day has passed."""
        self.answers.clear()


class _Handler(BaseHTTPRequestHandler):
    server: StripeStandIn

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts, asked = urlsplit(self.path), parse_qs(urlsplit(self.path).query)
        self.server.requests.append((parts.path, {name: values[0] for name, values in asked.items()}, ""))
        if self.server.misbehave:
            return self._answer(int(self.server.misbehave), OOPS)
        books = {"payment_intents": self.server.intents, "refunds": self.server.all_refunds}
        _, _, kind, *rest = parts.path.split("/")
        if kind not in books:
            return self._session()
        rows = books[kind][::-1]
        if rest == ["search"]:
            number = asked["query"][0].split("'")[3]
            return self._list(parts.path, [row for row in rows if row["metadata"].get("payment") == number])
        if rest:
            return self._answer(200, next(row for row in rows if row["id"] == rest[0]))
        wanted = [(name, asked[name][0]) for name in ("customer", "payment_intent") if name in asked]
        return self._list(parts.path, [row for row in rows if all(row[name] == value for name, value in wanted)])

    def _list(self, url: str, rows: list[dict[str, Any]]) -> None:
        self._answer(200, {"object": "list", "url": url, "has_more": False, "data": rows})

    def _session(self) -> None:
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
            if self.server.misbehave.isdigit():
                self.server.answers[key] = (
                    int(self.server.misbehave),
                    {"error": {"type": "api_error", "message": "oops"}},
                )
        if self.server.misbehave == "drop":
            self.close_connection = True
            self.connection.close()
            return
        self._answer(*self.server.answers[key])

    def _work(self, path: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/v1/checkout/sessions":
            return 200, {"id": "cs_1", "object": "checkout.session", "url": f"{self.server.address}/pay"}
        if path == "/v1/refunds":
            if form["payment_intent"] == "pi_gone":
                return 400, {"error": {"type": "invalid_request_error", "code": "charge_already_refunded"}}
            return 200, self._write(
                self.server.all_refunds,
                "re",
                "refund",
                form,
                payment_intent=form["payment_intent"],
                status=self.server.refund_status,
                metadata={"refund": form["metadata[refund]"]},
            )
        status = CARDS.get(form["payment_method"], "requires_payment_method")
        intent = self._write(
            self.server.intents,
            "pi",
            "payment_intent",
            form,
            customer=form.get("customer"),
            status=status,
            metadata={"payment": form["metadata[payment]"]},
        )
        if form["payment_method"] not in CARDS:
            return 402, {"error": {"type": "card_error", "code": "card_declined", "message": "no"}}
        return 200, intent

    def _write(
        self, book: list[dict[str, Any]], prefix: str, kind: str, form: dict[str, str], **fields: Any
    ) -> dict[str, Any]:
        row = {"id": f"{prefix}_{len(book) + 1}", "object": kind, "amount": int(form["amount"]), **fields}
        book.append(row)
        return dict(row)

    def _answer(self, status: int, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
