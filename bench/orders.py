"""Part `orders`: quote → confirm → pay by balance over HTTP, 8 parallel buyers, with ledger, trace and outbox."""

from __future__ import annotations

import http.client
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.ground import Bench
from bench.load import percentile
from bench.parts import part
from bench.table import Row

BUYERS = 8
SECONDS = 10
RATE_TARGET = 40
QUERIES_TARGET = 25
TRACED = 80
WRITE_SHARE_TARGET = 0.05
READ_SHARE_TARGET = 0.03
PRODUCT = "bench-desk"
NOTES = "bench-notes"

CATALOGUE = f"""
format: 1
sellers:
  - {{code: bench-seller, account: bench-seller, name: {{en: Bench Seller}}, email: bench@seller.example}}
products:
  - code: {PRODUCT}
    seller: bench-seller
    categories: [crm]
    delivery: saas
    released: 2026-01-01
    name: {{en: Bench Desk}}
    summary: {{en: A product to order often.}}
    interface: {{version: "2", url: "http://127.0.0.1:9/saas", key: 0123456789abcdef0123456789abcdef}}
    specifications:
      - code: standard
        name: {{en: Standard}}
        attributes:
          - {{code: users, name: {{en: Users}}, quantity: {{from: 1, to: 1000, unit: {{one: user, many: users}}}}}}
        plans:
          - {{mode: PERIOD, model: linear, term: month, lengths: [1], prices: {{USD: "1.00"}}}}
  - code: {NOTES}
    seller: bench-seller
    categories: [crm]
    delivery: content_service
    released: 2026-01-01
    name: {{en: Bench Notes}}
    summary: {{en: A product that is there at once.}}
    handover_text: {{en: We write to you within a day.}}
    specifications:
      - code: standard
        name: {{en: Standard}}
        plans:
          - {{mode: ONE_TIME, model: flat, prices: {{USD: "1.00"}}}}
"""


@part("orders")
def orders(bench: Bench) -> Iterator[Row]:
    """Whole purchases a second, and what one costs in queries."""
    cookies = signed_in()
    queries = _queries(cookies[0])
    yield Row(
        "queries of placing and paying an order",
        f"≤ {QUERIES_TARGET}",
        str(queries),
        queries / QUERIES_TARGET,
        queries <= QUERIES_TARGET,
    )
    with bench.server(threads=2) as port:
        times, errors = _buy(port, cookies)
    rate = len(times) / SECONDS
    ordered = sorted(times)
    yield Row(
        f"quote → confirm → pay, {BUYERS} buyers",
        f"≥ {RATE_TARGET}/s, 0 errors",
        f"{rate:.0f}/s, {errors} errors, p95 {percentile(ordered, 0.95) * 1000:.0f} ms",
        rate / RATE_TARGET,
        rate >= RATE_TARGET and errors == 0,
    )
    yield _books()
    yield from _trace_shares(cookies[0])


def signed_in() -> list[str]:
    """The product and the buyers, each signed in; their cookies."""
    from django.core.management import call_command
    from django.test import Client

    from koogallery.identity.queries import account_by_name, root_user

    if account_by_name("bench-buyer-0") is None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "bench.yaml"
            file.write_text(CATALOGUE)
            call_command("load_catalogue", str(file), verbosity=0)
        for number in range(BUYERS):
            call_command("create_account", f"bench-buyer-{number}", "--balance", "900000", verbosity=0)
    cookies = []
    for number in range(BUYERS):
        account = account_by_name(f"bench-buyer-{number}")
        assert account is not None
        client = Client()
        client.force_login(root_user(account))
        cookies.append(client.cookies["sessionid"].value)
    return cookies


def _queries(session: str) -> int:
    """What **Pay Now** and **Confirm** cost together, savepoints aside, the second time."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    count = 0
    for _ in range(2):
        buy = confirm(session, PRODUCT)
        with CaptureQueriesContext(connection) as caught:
            buy()
        statements = [query["sql"] for query in caught.captured_queries]
        count = len([sql for sql in statements if not sql.startswith(("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT"))])
    return count


def confirm(session: str, product: str) -> Callable[[], str]:
    """The confirmation page in this process; what is answered places and pays the order and answers its number."""
    from django.test import Client

    client = Client(SERVER_NAME="127.0.0.1")
    client.cookies["sessionid"] = session
    page = client.get("/console/checkout/", {"product": product}).content.decode()

    def buy() -> str:
        placed = client.post("/console/checkout/", {**fields_of(page), "terms": "on"})["Location"]
        paid = client.post(placed, {"method": "balance", "idempotency_key": f"queries-{time.monotonic_ns()}"})
        if not paid["Location"].endswith("/result/"):
            raise RuntimeError(f"{product} could not be paid.")
        return placed.split("/")[-3]

    return buy


def fields_of(page: str) -> dict[str, str]:
    """The hidden fields of a page's form."""
    found = dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)"', page))
    return {name: unescape(value) for name, value in found.items()}


def _buy(port: int, cookies: list[str]) -> tuple[list[float], int]:
    """Let every buyer purchase again and again; how long each whole purchase took, and how many failed."""
    times: list[float] = []
    failed: list[str] = []
    ends = time.monotonic() + SECONDS

    def shop(session: str) -> None:
        browser = _Browser(port, session)
        while time.monotonic() < ends:
            began = time.monotonic()
            fault = browser.purchase()
            (failed.append(fault) if fault else times.append(time.monotonic() - began))

    shoppers = [threading.Thread(target=shop, args=(cookie,)) for cookie in cookies]
    for shopper in shoppers:
        shopper.start()
    for shopper in shoppers:
        shopper.join()
    for fault in failed[:3]:
        print(f"failed: {fault}")
    return times, len(failed)


class _Browser:
    """A signed-in buyer on one kept connection."""

    def __init__(self, port: int, session: str) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.session = session
        self.csrf = ""

    def ask(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, address of a redirect, body."""
        headers = {"Cookie": f"sessionid={self.session}; csrftoken={self.csrf}"}
        if fields is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.line.request(method, path, body=urlencode(fields) if fields is not None else None, headers=headers)
        answer = self.line.getresponse()
        body = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            if cookie.startswith("csrftoken="):
                self.csrf = cookie.partition("=")[2].partition(";")[0]
        return answer.status, answer.headers.get("Location", ""), body

    def purchase(self) -> str:
        """Quote, confirm, pay; what went wrong, or nothing."""
        status, _, page = self.ask("GET", f"/console/checkout/?product={PRODUCT}")
        if status != 200:
            return f"quote {status}"
        fields = fields_of(page)
        status, address, body = self.ask("POST", "/console/checkout/", {**fields, "terms": "on"})
        if status != 302 or not address.endswith("/pay/"):
            return f"confirm {status} {address} {body[:200]}"
        key = f"{fields['idempotency_key'][:40]}-pay"
        paying = {"csrfmiddlewaretoken": fields["csrfmiddlewaretoken"], "method": "balance", "idempotency_key": key}
        status, address, body = self.ask("POST", address, paying)
        return "" if status == 302 and address.endswith("/result/") else f"pay {status} {address} {body[:200]}"


def _books() -> Row:
    from billing.operations.checking import check_ledger
    from koogallery.kernel.calls import system_call

    check = check_ledger(system_call())
    return Row("ledger check after it", "clean", f"{len(check.findings)} findings", None, check.clean_run)


def _trace_shares(session: str) -> Iterator[Row]:
    """How much of a request's time its traces take, in this process: of a purchase, and of looking at an order."""
    from django.test import Client

    from koogallery.kernel.operations import ports

    record = ports.record
    assert record is not None
    taken = 0.0

    def timed(entries: Any) -> None:
        nonlocal taken
        began = time.perf_counter()
        record(entries)
        taken += time.perf_counter() - began

    def share(requests: Sequence[Callable[[], Any]]) -> float:
        nonlocal taken
        taken, began = 0.0, time.perf_counter()
        for request in requests:
            request()
        return taken / (time.perf_counter() - began)

    client = Client(SERVER_NAME="127.0.0.1")
    client.cookies["sessionid"] = session
    address = f"/console/orders/{confirm(session, PRODUCT)()}/"
    client.get(address)
    ports.record = timed
    try:
        write = share([confirm(session, PRODUCT) for _ in range(TRACED)])
        read = share([lambda: client.get(address)] * TRACED)
    finally:
        ports.record = record
    for what, found, target in (
        ("placing and paying", write, WRITE_SHARE_TARGET),
        ("an order's page", read, READ_SHARE_TARGET),
    ):
        yield Row(f"traces in the time of {what}", f"≤ {target:.0%}", f"{found:.1%}", found / target, found <= target)
