"""The example seller: instances in memory, every request verified and recorded, failures on demand.

Version 2.0 is posted to any path but one; version 1.0 is fetched from that one (`/v1` unless told otherwise).
"""

from __future__ import annotations

import json
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from koogallery import clock
from orders.saas import signing_v1, signing_v2
from orders.saas.answers import MASK
from orders.saas.codes import OK, PROCESSING
from orders.saas.credentials import EncryptType, seal
from orders.saas.signing_v2 import NonceMemory, SignatureCheck

HANG_SECONDS = 8.0
MAX_REQUEST_BYTES = 1024 * 1024
V1_ACTIVITIES = {"upgrade": "upgradeInstance", "instanceStatus": "updateInstanceStatus"}


@dataclass(frozen=True, slots=True)
class Failure:
    """How the server fails: a result code, `drop`, `garbage`, `timeout`, `500` or `unsigned`; so many times, or always.

    `drop`, `timeout` and `unsigned` do what was asked and spoil the answer. `activity` limits it to one activity.
    Raises `ValueError` for another kind.
    """

    kind: str
    times: int | None = None
    activity: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{6}|drop|garbage|timeout|500|unsigned", self.kind):
            raise ValueError(f"{self.kind!r} is no way to fail.")

    @property
    def spoils_only_the_answer(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.kind in ("drop", "timeout", "unsigned")


@dataclass(slots=True)
class Instance:
    """What was created for an order line."""

    instance_id: str
    order_id: str
    line_id: str
    created_at: datetime
    password: str = field(repr=False)
    status: str = "ACTIVE"
    expire_time: str = ""
    upgrades: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCall:
    """A request as it arrived, what its verification found, and what was answered (a code, or how it failed)."""

    at: str
    version: int
    activity: str
    verified: bool
    check: str
    params: dict[str, Any]
    answer: str


class ExampleSeller:
    """The server; use it as a context manager, or `start` and `stop` it. All state is safe across threads."""

    def __init__(
        self,
        *,
        key: str,
        host: str = "127.0.0.1",
        port: int = 0,
        failure: Failure | None = None,
        delay: float = 0.0,
        log: Path | None = None,
        version_1_path: str = "/v1",
        encrypt_type: EncryptType = EncryptType.AES_256,
    ) -> None:
        self.key = key
        self.delay = timedelta(seconds=delay)
        self.version_1_path = version_1_path
        self.encrypt_type = encrypt_type
        self.calls: list[RecordedCall] = []
        self.instances: dict[str, Instance] = {}
        self._by_order: dict[tuple[str, str], Instance] = {}
        self._failure = failure
        self._log = log
        self._nonces = NonceMemory()
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._server = _Server((host, port), self)
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on; chosen by the system when 0 was asked for."""
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        """Production URL of version 2.0."""
        return f"http://{self._server.server_address[0]!s}:{self.port}/saas"

    @property
    def version_1_url(self) -> str:
        """Production URL of version 1.0."""
        return f"http://{self._server.server_address[0]!s}:{self.port}{self.version_1_path}"

    def __enter__(self) -> ExampleSeller:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> ExampleSeller:
        """Serve in a thread of its own."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Serve in this thread until `stop` or an interrupt."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Answer no more; hanging answers are let go."""
        self._stopped.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def fail(self, kind: str, *, times: int | None = None, activity: str = "") -> None:
        """Fail from now on, or the next `times` requests."""
        with self._lock:
            self._failure = Failure(kind, times=times, activity=activity)

    def recover(self) -> None:
        """Fail no more."""
        with self._lock:
            self._failure = None

    def calls_of(self, activity: str) -> list[RecordedCall]:
        """The recorded calls of one activity, by its name on the wire."""
        with self._lock:
            return [call for call in self.calls if call.activity == activity]

    def instance_of(self, order_id: str) -> Instance | None:
        """The instance of an order, if one was made."""
        with self._lock:
            return next((each for each in self.instances.values() if each.order_id == order_id), None)

    def receive(
        self, *, version: int, check: SignatureCheck, params: dict[str, Any]
    ) -> tuple[dict[str, Any] | None, str]:
        """Do what a request asks, record it, and return the answer's content and how to spoil it ("" = not at all)."""
        activity = str(params.get("activity", ""))
        with self._lock:
            failure = self._take_failure(activity)
            if check is not SignatureCheck.OK:
                content, spoil = self._refusal(check), ""
            elif failure is None or failure.spoils_only_the_answer:
                content, spoil = self._act(version, activity, params), failure.kind if failure else ""
            elif failure.kind in ("garbage", "500"):
                content, spoil = None, failure.kind
            else:
                content, spoil = {"resultCode": failure.kind, "resultMsg": "failing on demand"}, ""
            self._record(version=version, check=check, params=params, answer=spoil or (content or {})["resultCode"])
        return content, spoil

    def check_v2(self, *, query: Mapping[str, str], body: bytes) -> SignatureCheck:
        """Verify a request of version 2.0."""
        now = clock.real_now()
        with self._lock:
            return signing_v2.check_request(
                key=self.key,
                query=query,
                body=body,
                now=now,
                remember=lambda nonce: self._nonces.remember(nonce, now=now),
            )

    def check_v1(self, *, query: Mapping[str, str]) -> SignatureCheck:
        """Verify a request of version 1.0."""
        return signing_v1.check_request(key=self.key, params=query, now=clock.real_now())

    def wait_out(self) -> None:
        """Hang longer than the marketplace waits, or until the server stops."""
        self._stopped.wait(HANG_SECONDS)

    def _take_failure(self, activity: str) -> Failure | None:
        failure = self._failure
        if failure is None or (failure.activity and failure.activity != activity):
            return None
        if failure.times is not None:
            if failure.times <= 0:
                return None
            self._failure = Failure(failure.kind, times=failure.times - 1, activity=failure.activity)
        return failure

    def _refusal(self, check: SignatureCheck) -> dict[str, Any]:
        code = "000002" if check is SignatureCheck.MISSING else "000001"
        return {"resultCode": code, "resultMsg": f"signature: {check}"}

    def _record(self, *, version: int, check: SignatureCheck, params: dict[str, Any], answer: str) -> None:
        call = RecordedCall(
            at=clock.real_now().isoformat(),
            version=version,
            activity=str(params.get("activity", "")),
            verified=check is SignatureCheck.OK,
            check=check.value,
            params={name: MASK if "password" in name.lower() else value for name, value in params.items()},
            answer=answer,
        )
        self.calls.append(call)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(asdict(call), ensure_ascii=False) + "\n")

    def _act(self, version: int, activity: str, params: Mapping[str, Any]) -> dict[str, Any]:
        activity = V1_ACTIVITIES.get(activity, activity)
        if activity == "newInstance":
            return self._create(version, params)
        if activity == "queryInstance":
            return self._query(version, str(params.get("instanceId", "")).split(","))
        instance = self.instances.get(str(params.get("instanceId", "")))
        if instance is None:
            return {"resultCode": "000003", "resultMsg": "no such instance"}
        if activity == "refreshInstance":
            instance.expire_time, instance.status = str(params.get("expireTime", "")), "ACTIVE"
        elif activity in ("updateInstanceStatus", "expireInstance"):
            wanted = params.get("status") or params.get("instanceStatus") or "FREEZE"
            instance.status = "FROZEN" if wanted == "FREEZE" else "ACTIVE"
        elif activity == "releaseInstance":
            instance.status = "RELEASED"
        elif activity == "upgradeInstance":
            instance.upgrades.append(str(params.get("orderId", "")))
        elif activity != "changeInstanceCheck":
            return {"resultCode": "000002", "resultMsg": "unknown activity"}
        return {"resultCode": OK, "resultMsg": "success"}

    def _create(self, version: int, params: Mapping[str, Any]) -> dict[str, Any]:
        """The same order and order line (version 1.0: order and product) always give the same instance."""
        order = str(params.get("orderId", ""))
        line = str(params.get("productId" if version == 1 else "orderLineId", ""))
        if not order or not line or not params.get("businessId"):
            return {"resultCode": "000002", "resultMsg": "orderId, order line or businessId is missing"}
        instance = self._by_order.get((order, line))
        if instance is None:
            instance = Instance(
                instance_id=f"ins-{secrets.token_hex(8)}",
                order_id=order,
                line_id=line,
                created_at=clock.real_now(),
                password=secrets.token_urlsafe(12),
                expire_time=str(params.get("expireTime", "")),
            )
            self._by_order[order, line] = self.instances[instance.instance_id] = instance
        return {"resultCode": OK, "resultMsg": "success", "instanceId": instance.instance_id}

    def _query(self, version: int, wanted: list[str]) -> dict[str, Any]:
        found = [self.instances[each] for each in wanted if each in self.instances]
        known = [each for each in found if each.status != "RELEASED"]
        if not known:
            return {"resultCode": "000003", "resultMsg": "no such instance"}
        now = clock.real_now()
        ready = [each for each in known if now - each.created_at >= self.delay]
        if not ready:
            return {"resultCode": PROCESSING, "resultMsg": "being prepared"}
        content = {"resultCode": OK, "resultMsg": "success", "info": [self._info(version, each) for each in ready]}
        return content | ({"encryptType": str(int(self.encrypt_type))} if version == 1 else {})

    def _info(self, version: int, instance: Instance) -> dict[str, Any]:
        user_name, password = "admin", instance.password
        if version == 1:
            user_name, password = (
                seal(text=text, access_key=self.key, encrypt_type=self.encrypt_type) for text in (user_name, password)
            )
        return {
            "instanceId": instance.instance_id,
            "appInfo": {
                "frontEndUrl": f"https://app.example.com/{instance.instance_id}",
                "adminUrl": f"https://app.example.com/{instance.instance_id}/admin",
                "userName": user_name,
                "password": password,
                "memo": "Change the password after the first sign-in.",
            },
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], seller: ExampleSeller) -> None:
        self.seller = seller
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is no error here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        seller = self.server.seller
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(min(length, MAX_REQUEST_BYTES))
        query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        check = seller.check_v2(query=query, body=body)
        try:
            params = json.loads(body)
            assert isinstance(params, dict)
        except (ValueError, AssertionError):
            params, check = {}, SignatureCheck.MISSING
        self._answer(2, *seller.receive(version=2, check=check, params=params))

    def do_GET(self) -> None:
        seller = self.server.seller
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        if parts.path != seller.version_1_path:
            self._send(404, b"not found", {})
            return
        check = seller.check_v1(query=query)
        self._answer(1, *seller.receive(version=1, check=check, params=query))

    def _answer(self, version: int, content: dict[str, Any] | None, spoil: str) -> None:
        seller = self.server.seller
        if spoil == "timeout":
            seller.wait_out()
        if spoil in ("drop", "timeout"):
            self.close_connection = True
            return
        if spoil == "500":
            self._send(500, b"internal error", {})
            return
        if content is None:
            self._send(200, b"<html>Welcome</html>", {})
            return
        body = json.dumps(content).encode()
        signed = version == 1 and spoil != "unsigned"
        self._send(200, body, {"Body-Sign": signing_v1.body_sign(key=seller.key, body=body)} if signed else {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json;charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are recorded, not printed."""
