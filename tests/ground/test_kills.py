"""`kill -9` at random moments while buyers buy: nothing is lost, nothing happens twice.

Five kills in a test run; `make soak` sets KOOGALLERY_KILLS to 200.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import signal
import threading
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from pytest_django import Settings

from audit.models import Trace
from billing import queries as billing_queries
from koogallery.kernel.models import OutboxMessage
from orders.example_seller import DEMO_KEY, ExampleSeller
from orders.models import Order, Resource
from orders.states import OrderState
from tests.factories import billing, catalog
from tests.ground.running import Run
from tests.personas import Persona

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

KILLS = int(os.environ.get("KOOGALLERY_KILLS", "5"))
BUYERS = 3
THINKING_SECONDS = 0.3
"""Between two purchases, so that what is to be delivered afterwards does not grow with the machine."""
PRICE = 10


class Browser:
    """A signed-in buyer whose browser sends again what got no answer."""

    def __init__(self, persona: Persona, port: int, stop: threading.Event) -> None:
        morsel = persona.client.cookies[django_settings.SESSION_COOKIE_NAME]
        self.cookies = {django_settings.SESSION_COOKIE_NAME: morsel.value}
        self.port = port
        self.stop = stop

    def get(self, path: str) -> str:
        return self._ask("GET", path, {})[1]

    def post(self, path: str, page: str, **fields: str) -> str:
        """Where the answer leads; the same form, key included, is sent until there is an answer."""
        form = {name: hidden(page, name) for name in ("csrfmiddlewaretoken", "idempotency_key")} | fields
        status, body, place = self._ask("POST", path, form)
        assert status == 302, (status, body[:3000])
        return place

    def _ask(self, method: str, path: str, form: dict[str, str]) -> tuple[int, str, str]:
        deadline = time.monotonic() + 90
        while True:
            try:
                answer = self._once(method, path, form)
            except (OSError, http.client.HTTPException):
                answer = (0, "", "")
            if 0 < answer[0] < 500:
                return answer
            assert time.monotonic() < deadline, f"{method} {path} got no answer: {answer}"
            time.sleep(0.1)

    def _once(self, method: str, path: str, form: dict[str, str]) -> tuple[int, str, str]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": cookies}
        if form:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            line.request(method, path, urlencode(form) or None, headers)
            answer = line.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    cookie, _, text = value.partition(";")[0].partition("=")
                    self.cookies[cookie] = text
            return answer.status, answer.read().decode(), answer.getheader("Location") or ""
        finally:
            line.close()


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, f"no field {name} in {page[:3000]}"
    return unescape(found[1])


def buy(browser: Browser, product: str) -> str:
    """Configure, confirm and pay by balance; the order's number."""
    address = "/console/checkout/"
    page = browser.get(f"{address}?{urlencode({'product': product})}")
    place = browser.post(address, page, quote=hidden(page, "quote"), terms="on")
    page = browser.get(place)
    if place.endswith("/pay/") and 'name="method"' in page:
        browser.post(place, page, method="balance")
    return place.split("/")[3]


@pytest.fixture
def seller(settings: Settings) -> Iterator[ExampleSeller]:
    with ExampleSeller(key=DEMO_KEY) as server:
        yield server


@pytest.fixture
def run(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Run]:
    started = Run(tmp_path, environment=process_environment)
    yield started
    started.stop()


def victims(run: Run) -> list[int]:
    """Web master, web workers, Celery worker and beat, as they run now."""
    found = []
    for pid in run.descendants():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except FileNotFoundError:
            continue
        if b"granian" in command or b"celery" in command:
            found.append(pid)
    return found


def test_killed_processes_lose_nothing_and_do_nothing_twice(buyer: Persona, seller: ExampleSeller, run: Run) -> None:
    chance = random.Random(20261122)
    funds = 1_000_000
    billing.fund(buyer.account, funds)
    product = catalog.saas_product(interface_url=seller.url, interface_key=seller.key).code
    stop = threading.Event()
    bought: list[str] = []
    failures: list[BaseException] = []
    run.wait(lambda: "beat      started" in run.text())

    def keep_buying(browser: Browser) -> None:
        try:
            while not stop.is_set():
                bought.append(buy(browser, product))
                stop.wait(THINKING_SECONDS)
        except BaseException as error:
            failures.append(error)
            stop.set()

    browsers = [Browser(buyer, run.port, stop) for _ in range(BUYERS)]
    threads = [threading.Thread(target=keep_buying, args=[browser]) for browser in browsers]
    for thread in threads:
        thread.start()
    killed = 0
    while killed < KILLS and not stop.is_set():
        time.sleep(chance.uniform(0.3, 4.0))
        if alive := victims(run):
            os.kill(chance.choice(alive), signal.SIGKILL)
            killed += 1
    time.sleep(2)
    stop.set()
    for thread in threads:
        thread.join(timeout=120)
    assert not failures, f"{failures}\n{run.text()[-6000:]}"
    assert killed == KILLS
    assert len(bought) > BUYERS

    run.wait(lambda: not Order.objects.exclude(state=OrderState.COMPLETED).exists(), seconds=240)
    run.wait(lambda: not OutboxMessage.objects.filter(next_try_at__isnull=False).exists(), seconds=60)

    numbers = sorted(Order.objects.values_list("number", flat=True))
    assert sorted(bought) == numbers, "every purchase became exactly one order"
    assert Resource.objects.count() == len(numbers)
    assert len(seller.instances) == len(numbers), "the seller made one instance for each order"
    assert {call.verified for call in seller.calls} == {True}
    assert billing_queries.balance(buyer.account.pk).amount == funds - PRICE * len(numbers)
    for name in ("createOrder", "payOrder"):
        assert Trace.objects.filter(trace_name=name, trace_rating="normal").count() == len(numbers)
    assert not OutboxMessage.objects.filter(parked_at__isnull=False).exists()
    call_command("ledger_check")
