"""What the marketplace asks of a seller's server, and how each version writes it.

An `Activity` is what happened; version 2.0 posts it as JSON, version 1.0 as a signed GET. Callers give the parameters
of both, each version takes those it knows.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from koogallery import clock
from orders.saas import signing_v1, signing_v2
from orders.saas.credentials import EncryptType, seal

EXPIRE_TIME_FORMAT = "%Y%m%d%H%M%S"
MAX_QUERIED_INSTANCES = 100


class InterfaceVersion(IntEnum):
    """Version of the interface that a product's server speaks."""

    V1 = 1
    V2 = 2


class Activity(StrEnum):
    """An occasion for a call. `EXPIRE_INSTANCE` is a freeze because the term has run out."""

    NEW_INSTANCE = "newInstance"
    QUERY_INSTANCE = "queryInstance"
    REFRESH_INSTANCE = "refreshInstance"
    UPDATE_INSTANCE_STATUS = "updateInstanceStatus"
    EXPIRE_INSTANCE = "expireInstance"
    RELEASE_INSTANCE = "releaseInstance"
    UPGRADE_INSTANCE = "upgradeInstance"
    CHANGE_INSTANCE_CHECK = "changeInstanceCheck"


class Scene(StrEnum):
    """Why an instance is refreshed."""

    TRIAL_TO_FORMAL = "TRIAL_TO_FORMAL"
    RENEWAL = "RENEWAL"
    UNSUBSCRIBE_RENEWAL_PERIOD = "UNSUBSCRIBE_RENEWAL_PERIOD"
    RENEWAL_CHANGE = "RENEWAL_CHANGE"


class InstanceStatus(StrEnum):
    """What an instance is to become."""

    FREEZE = "FREEZE"
    UNFREEZE = "UNFREEZE"


class InvalidCall(ValueError):
    """A parameter is missing, too long, unknown, or the version has no such activity."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter's name, greatest length in characters, and whether it must be given."""

    name: str
    length: int = 64
    needed: bool = True
    choices: tuple[str, ...] = ()


def _optional(name: str, length: int = 64) -> Parameter:
    return Parameter(name, length, needed=False)


_INSTANCE = Parameter("instanceId")
_ORDER = Parameter("orderId")
_LINE = Parameter("orderLineId")
_PRODUCT = Parameter("productId")
_EXPIRES = Parameter("expireTime", 20)
_STATUSES = tuple(InstanceStatus)

_V2: Mapping[Activity, tuple[Parameter, ...]] = {
    Activity.NEW_INSTANCE: (_ORDER, _LINE, Parameter("businessId")),
    Activity.QUERY_INSTANCE: (Parameter("instanceId", 65 * MAX_QUERIED_INSTANCES),),
    Activity.REFRESH_INSTANCE: (
        Parameter("scene", choices=tuple(Scene)),
        _ORDER,
        _LINE,
        _INSTANCE,
        _optional("productId"),
        Parameter("expireTime", 20),
    ),
    Activity.UPDATE_INSTANCE_STATUS: (_INSTANCE, Parameter("status", choices=_STATUSES)),
    Activity.EXPIRE_INSTANCE: (_INSTANCE,),
    Activity.RELEASE_INSTANCE: (_INSTANCE, _optional("orderId"), _optional("orderLineId")),
    Activity.UPGRADE_INSTANCE: (_INSTANCE, _ORDER, _LINE),
    Activity.CHANGE_INSTANCE_CHECK: (_INSTANCE, _optional("productInfo")),
}
_V1: Mapping[Activity, tuple[Parameter, ...]] = {
    Activity.NEW_INSTANCE: (
        Parameter("customerId", 100),
        _optional("customerName"),
        _optional("userId"),
        _optional("userName"),
        _optional("mobilePhone", 256),
        _optional("email", 256),
        Parameter("businessId"),
        _ORDER,
        _optional("skuCode"),
        _PRODUCT,
        _optional("trialFlag", 2),
        _optional("expireTime", 20),
        _optional("chargingMode", 20),
        _optional("periodType", 10),
        _optional("periodNumber", 10),
        _optional("provisionType", 10),
        _optional("saasExtendParams", 2048),
        _optional("amount", 20),
    ),
    Activity.QUERY_INSTANCE: (Parameter("instanceId", 65 * MAX_QUERIED_INSTANCES),),
    Activity.REFRESH_INSTANCE: (_INSTANCE, _ORDER, _optional("productId"), _EXPIRES),
    Activity.UPDATE_INSTANCE_STATUS: (_INSTANCE, Parameter("status", choices=_STATUSES)),
    Activity.EXPIRE_INSTANCE: (_INSTANCE, _optional("orderId"), _optional("productId")),
    Activity.RELEASE_INSTANCE: (_INSTANCE, _optional("orderId"), _optional("productId")),
    Activity.UPGRADE_INSTANCE: (
        _INSTANCE,
        _ORDER,
        _optional("skuCode"),
        _optional("productId"),
        _optional("saasExtendParams", 2048),
        _optional("amount", 20),
    ),
}
PARAMETERS = {InterfaceVersion.V1: _V1, InterfaceVersion.V2: _V2}
_KNOWN = {
    activity: {parameter.name for table in PARAMETERS.values() for parameter in table.get(activity, ())}
    for activity in Activity
}

_V1_NAMES = {Activity.UPDATE_INSTANCE_STATUS: "instanceStatus", Activity.UPGRADE_INSTANCE: "upgrade"}
_V1_STATUS = {InstanceStatus.FREEZE: "FREEZE", InstanceStatus.UNFREEZE: "NORMAL"}
_V1_CHARGING_MODES = {"ON_DEMAND": "0", "PERIOD": "1", "ONE_TIME": "3"}
_V1_ENCRYPTED = ("mobilePhone", "email")


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerRequest:
    """A signed request, ready to be sent once; the signature is good for 60 seconds."""

    version: InterfaceVersion
    activity: Activity
    method: str
    url: str
    body: bytes
    headers: tuple[tuple[str, str], ...]

    @property
    def wire_activity(self) -> str:
        """The activity's name as this version writes it."""
        return wire_name(version=self.version, activity=self.activity)


def supports(*, version: InterfaceVersion, activity: Activity) -> bool:
    """Whether the version has the activity; only 2.0 can check a change beforehand."""
    return activity in PARAMETERS[version]


def wire_name(*, version: InterfaceVersion, activity: Activity) -> str:
    """The activity's name as a version writes it."""
    if version is InterfaceVersion.V1:
        return _V1_NAMES.get(activity, activity.value)
    return Activity.UPDATE_INSTANCE_STATUS.value if activity is Activity.EXPIRE_INSTANCE else activity.value


def expire_time(moment: datetime) -> str:
    """An expiry as both versions write it: `yyyyMMddHHmmss` in the platform zone."""
    return moment.astimezone(clock.platform_zone()).strftime(EXPIRE_TIME_FORMAT)


def build_request(
    *,
    version: InterfaceVersion,
    url: str,
    key: str,
    activity: Activity,
    params: Mapping[str, Any],
    at: datetime,
    nonce: str | None = None,
    test: bool = False,
    encrypt_type: EncryptType = EncryptType.AES_256,
) -> SellerRequest:
    """The signed request of one attempt. `at` is the real moment of sending; `test` marks a debug call.

    Parameters are named as version 2.0 (or, where only it has them, 1.0) names them; null and empty ones are dropped.
    Raises `InvalidCall`.
    """
    if not supports(version=version, activity=activity):
        raise InvalidCall(f"Version {version} has no {activity}.")
    chosen = _choose(version=version, activity=activity, params=params)
    if version is InterfaceVersion.V1:
        return _request_v1(url=url, key=key, activity=activity, params=chosen, at=at, test=test, kind=encrypt_type)
    return _request_v2(url=url, key=key, activity=activity, params=chosen, at=at, test=test, nonce=nonce)


def _choose(*, version: InterfaceVersion, activity: Activity, params: Mapping[str, Any]) -> dict[str, Any]:
    unknown = set(params) - _KNOWN[activity]
    if unknown:
        raise InvalidCall(f"{activity} has no {', '.join(sorted(unknown))}.")
    chosen: dict[str, Any] = {}
    for parameter in PARAMETERS[version][activity]:
        value = params.get(parameter.name)
        if value is None or value == "":
            if parameter.needed:
                raise InvalidCall(f"{activity} needs {parameter.name}.")
            continue
        if isinstance(value, str) and len(value) > parameter.length:
            raise InvalidCall(f"{parameter.name} is longer than {parameter.length}.")
        if parameter.choices and value not in parameter.choices:
            raise InvalidCall(f"{parameter.name} is not one of {', '.join(parameter.choices)}.")
        chosen[parameter.name] = value
    if activity is Activity.QUERY_INSTANCE and chosen["instanceId"].count(",") >= MAX_QUERIED_INSTANCES:
        raise InvalidCall(f"At most {MAX_QUERIED_INSTANCES} instances are queried at once.")
    return chosen


def _request_v2(
    *, url: str, key: str, activity: Activity, params: dict[str, Any], at: datetime, test: bool, nonce: str | None
) -> SellerRequest:
    content = {
        **params,
        "activity": wire_name(version=InterfaceVersion.V2, activity=activity),
        "testFlag": "1" if test else "0",
    }
    if activity is Activity.EXPIRE_INSTANCE:
        content["status"] = InstanceStatus.FREEZE.value
    body = signing_v2.compact(content)
    query = signing_v2.sign_query(key=key, nonce=nonce or signing_v2.new_nonce(), at=at, body=body)
    return SellerRequest(
        version=InterfaceVersion.V2,
        activity=activity,
        method="POST",
        url=_with_query(url, query),
        body=body,
        headers=(("Accept", "application/json"), ("Content-Type", "application/json;charset=utf-8")),
    )


def _request_v1(
    *, url: str, key: str, activity: Activity, params: dict[str, Any], at: datetime, test: bool, kind: EncryptType
) -> SellerRequest:
    query = {name: _text_v1(name, value) for name, value in params.items()}
    for name in _V1_ENCRYPTED:
        if name in query:
            query[name] = seal(text=query[name], access_key=key, encrypt_type=kind)
    if "status" in query:
        query["instanceStatus"] = _V1_STATUS[InstanceStatus(query.pop("status"))]
    query["activity"] = wire_name(version=InterfaceVersion.V1, activity=activity)
    query["testFlag"] = "1" if test else "0"
    query["timeStamp"] = signing_v1.time_stamp(at)
    query["authToken"] = signing_v1.auth_token(key=key, params=query)
    return SellerRequest(
        version=InterfaceVersion.V1,
        activity=activity,
        method="GET",
        url=_with_query(url, dict(sorted(query.items()))),
        body=b"",
        headers=(("Accept", "application/json"),),
    )


def _text_v1(name: str, value: Any) -> str:
    if name == "saasExtendParams" and not isinstance(value, str):
        return base64.b64encode(json.dumps(value, ensure_ascii=False).encode()).decode()
    if name == "chargingMode":
        return _V1_CHARGING_MODES.get(str(value), str(value))
    return str(value)


def _with_query(url: str, query: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    added = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.items())
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added, fragment=""))
