"""Reading a seller's answer: validated, classified, cleaned for storing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from orders.saas import codes, signing_v1
from orders.saas.activities import Activity, InterfaceVersion
from orders.saas.codes import CallError, CallStatus
from orders.saas.credentials import EncryptType, NotDecrypted, unseal

MASK = "******"
MAX_DEPTH = 20
CODE_LENGTH = 6
MESSAGE_LENGTH = 255
INSTANCE_LENGTH = 64
URL_LENGTH = 512
CREDENTIAL_LENGTH = 128
MEMO_LENGTH = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationInfo:
    """How the buyer reaches the application. Addresses that are not http or https are left out."""

    front_end_url: str = ""
    admin_url: str = ""
    user_name: str = ""
    password: str = field(default="", repr=False)
    memo: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceInfo:
    """What `queryInstance` tells about one instance."""

    instance_id: str
    application: ApplicationInfo | None = None
    usage_value: str = ""
    usage_time: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """The outcome of one attempt.

    `signature_ok` is None where the version signs no answers. `body` is the answer as parsed, with passwords: only
    `masked_body` may be stored or shown.
    """

    status: CallStatus
    code: str = ""
    message: str = ""
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)
    signature_ok: bool | None = None
    elapsed_ms: int = 0
    error: CallError | None = None
    detail: str = ""
    http_status: int | None = None
    instances: tuple[InstanceInfo, ...] = ()

    @property
    def instance_id(self) -> str:
        """The instance that `newInstance` made; empty when none was told."""
        found = self.body.get("instanceId")
        return found if isinstance(found, str) and len(found) <= INSTANCE_LENGTH else ""

    @property
    def is_refused(self) -> bool:
        """Whether the seller refuses for good."""
        return self.status is CallStatus.REFUSED

    @property
    def sentence(self) -> str:
        """What happened, in the language in force."""
        return codes.error_sentence(self.error) if self.error else codes.code_sentence(self.code)

    @property
    def masked_body(self) -> Any:
        """The answer without passwords, as calls are stored and shown."""
        return _masked(self.body)


def failed(*, error: CallError, detail: str = "", elapsed_ms: int = 0, http_status: int | None = None) -> CallResult:
    """An attempt without a valid answer: to be tried again."""
    return CallResult(
        status=CallStatus.RETRY, error=error, detail=detail[:200], elapsed_ms=elapsed_ms, http_status=http_status
    )


class _Invalid(Exception):
    """The answer breaks the interface."""


def read_answer(
    *,
    version: InterfaceVersion,
    activity: Activity,
    key: str,
    http_status: int,
    body: bytes,
    body_sign: str | None = None,
    elapsed_ms: int = 0,
) -> CallResult:
    """Classify an HTTP answer. Version 1.0 must sign it; an answer that breaks the interface is tried again."""
    common: dict[str, Any] = {"elapsed_ms": elapsed_ms, "http_status": http_status}
    if 300 <= http_status < 400:
        return failed(error=CallError.REDIRECT, **common)
    if http_status != 200:
        return failed(error=CallError.HTTP_STATUS, detail=f"HTTP {http_status}", **common)
    signed: bool | None = None
    if version is InterfaceVersion.V1:
        signed = signing_v1.check_body_sign(key=key, body=body, header=body_sign)
    try:
        content = _parse(body)
    except (ValueError, RecursionError):
        return CallResult(status=CallStatus.RETRY, error=CallError.NOT_JSON, signature_ok=signed, **common)
    common |= {"body": content, "signature_ok": signed}
    code = content.get("resultCode")
    if not isinstance(code, str) or len(code) != CODE_LENGTH:
        return CallResult(
            status=CallStatus.RETRY, error=CallError.INVALID_ANSWER, detail="resultCode is missing", **common
        )
    common |= {"code": code, "message": str(content.get("resultMsg") or "")[:MESSAGE_LENGTH]}
    if signed is False:
        return CallResult(status=CallStatus.RETRY, error=CallError.SIGNATURE_WRONG, **common)
    status = codes.status_of(code)
    if status is not CallStatus.DONE:
        return CallResult(status=status, **common)
    try:
        instances = _instances(content, version=version, key=key)
        _check_content(activity, content)
    except _Invalid as error:
        return CallResult(status=CallStatus.RETRY, error=CallError.INVALID_ANSWER, detail=str(error), **common)
    if activity is Activity.QUERY_INSTANCE and not instances:
        status = CallStatus.PROCESSING
    return CallResult(status=status, instances=instances, **common)


def _parse(body: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON.")

    content = json.loads(body.decode("utf-8-sig"), parse_constant=refuse)
    if not isinstance(content, dict):
        raise ValueError("The answer is not an object.")
    cleaned = _storable(content, depth=0)
    assert isinstance(cleaned, dict)
    return cleaned


def _storable(value: Any, *, depth: int) -> Any:
    """Text that PostgreSQL and UTF-8 can hold: no zero characters, no lone surrogates; no endless nesting."""
    if depth > MAX_DEPTH:
        raise ValueError("The answer is nested too deeply.")
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(name, depth=depth): _storable(member, depth=depth + 1) for name, member in value.items()}
    if isinstance(value, list):
        return [_storable(member, depth=depth + 1) for member in value]
    return value


def _check_content(activity: Activity, content: Mapping[str, Any]) -> None:
    if activity is Activity.NEW_INSTANCE:
        _instance_id(content)


def _instance_id(content: Mapping[str, Any]) -> str:
    found = content.get("instanceId")
    if not isinstance(found, str) or not 0 < len(found) <= INSTANCE_LENGTH:
        raise _Invalid("instanceId is missing")
    return found


def _instances(content: Mapping[str, Any], *, version: InterfaceVersion, key: str) -> tuple[InstanceInfo, ...]:
    """The `info` list; version 1.0 may give one instance's `appInfo` beside its `instanceId`."""
    listed = content.get("info")
    if listed is None:
        listed = [content] if isinstance(content.get("appInfo"), dict) and content.get("instanceId") else []
    if not isinstance(listed, list):
        raise _Invalid("info is not a list")
    encrypt_type = _encrypt_type(content) if version is InterfaceVersion.V1 else None
    return tuple(_instance(entry, key=key, encrypt_type=encrypt_type) for entry in listed)


def _encrypt_type(content: Mapping[str, Any]) -> EncryptType:
    try:
        return EncryptType(int(content.get("encryptType") or EncryptType.AES_256))
    except (TypeError, ValueError):
        raise _Invalid("encryptType is neither 1 nor 2") from None


def _instance(entry: Any, *, key: str, encrypt_type: EncryptType | None) -> InstanceInfo:
    if not isinstance(entry, dict):
        raise _Invalid("info holds something else than objects")
    application, usage = entry.get("appInfo"), entry.get("usageInfo")
    usage = usage if isinstance(usage, dict) else {}
    return InstanceInfo(
        instance_id=_instance_id(entry),
        application=_application(application, key=key, kind=encrypt_type) if isinstance(application, dict) else None,
        usage_value=str(usage.get("usageValue") or "")[:32],
        usage_time=str(usage.get("statisticalTime") or "")[:32],
    )


def _application(info: Mapping[str, Any], *, key: str, kind: EncryptType | None) -> ApplicationInfo:
    user_name, password = _text(info, "userName"), _text(info, "password")
    if kind is not None:
        user_name = _unsealed_or_plain(user_name, key=key, kind=kind)
        try:
            password = unseal(sealed=password, access_key=key, encrypt_type=kind) if password else ""
        except NotDecrypted:
            raise _Invalid("password cannot be decrypted") from None
    if max(len(user_name), len(password)) > CREDENTIAL_LENGTH:
        raise _Invalid("userName or password is too long")
    return ApplicationInfo(
        front_end_url=_web_address(info, "frontEndUrl"),
        admin_url=_web_address(info, "adminUrl"),
        user_name=user_name,
        password=password,
        memo=_text(info, "memo")[:MEMO_LENGTH],
    )


def _unsealed_or_plain(text: str, *, key: str, kind: EncryptType) -> str:
    """Servers of version 1.0 differ in whether they encrypt the user name."""
    try:
        return unseal(sealed=text, access_key=key, encrypt_type=kind)
    except NotDecrypted:
        return text


def _text(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    return value if isinstance(value, str) else ""


def _web_address(info: Mapping[str, Any], name: str) -> str:
    text = _text(info, name).strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in ("http", "https") and parts.netloc and len(text) <= URL_LENGTH else ""


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: MASK if str(name).lower() == "password" else _masked(member) for name, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(member) for member in value]
    return value
