"""A seller's usage report: its shape, and the code of a record that cannot be taken (`001` to `013`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

MOST_RECORDS = 1000
OLDEST = timedelta(days=21)
TIME_FORMAT = "%Y%m%dT%H%M%SZ"
SERIAL_LENGTH = 64


class RecordCode(StrEnum):
    """Why a record is not taken."""

    NO_INSTANCE = "001"
    TIME_FORMAT = "002"
    BAD_USAGE = "003"
    NO_SERIAL = "004"
    DUPLICATE_SERIAL = "005"
    PRODUCT_DELISTED = "006"
    EXPIRED = "007"
    OTHER_SELLER = "009"
    DUPLICATE = "010"
    TIME_RANGE = "011"
    NOT_PAY_PER_USE = "012"
    RESOURCE_STATE = "013"

    @property
    def sentence(self) -> str:
        """What is wrong, in English, as the API answers."""
        return _SENTENCES[self]


_SENTENCES = {
    RecordCode.NO_INSTANCE: "The instance is not known.",
    RecordCode.TIME_FORMAT: "A time is not written as yyyyMMdd'T'HHmmss'Z'.",
    RecordCode.BAD_USAGE: "The usage is not a number with at most 12 digits and 4 decimals.",
    RecordCode.NO_SERIAL: "metering_sn is missing or longer than 64.",
    RecordCode.DUPLICATE_SERIAL: "metering_sn was reported before.",
    RecordCode.PRODUCT_DELISTED: "The product was removed.",
    RecordCode.EXPIRED: "The resource had expired.",
    RecordCode.OTHER_SELLER: "The instance belongs to another seller.",
    RecordCode.DUPLICATE: "This usage of this time was reported before.",
    RecordCode.TIME_RANGE: "The time lies more than 21 days back, in the future, or ends before it begins.",
    RecordCode.NOT_PAY_PER_USE: "The resource is not billed by use.",
    RecordCode.RESOURCE_STATE: "The resource cannot be used.",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """A well-formed record."""

    instance_id: str
    serial: str
    begin_at: datetime
    end_at: datetime
    recorded_at: datetime
    value: Decimal
    package_instance: str = ""


def read_record(record: Mapping[str, Any], *, at: datetime) -> Usage | RecordCode:
    """A record checked for its form and its times; `at` is the moment of the report."""
    instance_id = _text(record, "instance_id")
    if not instance_id or len(instance_id) > SERIAL_LENGTH:
        return RecordCode.NO_INSTANCE
    times = [_time(_text(record, name)) for name in ("begin_time", "end_time", "record_time")]
    begin_at, end_at, recorded_at = times
    if begin_at is None or end_at is None or recorded_at is None:
        return RecordCode.TIME_FORMAT
    value = str(record.get("usage_value", ""))
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,4})?", value):
        return RecordCode.BAD_USAGE
    serial = _text(record, "metering_sn")
    if not serial or len(serial) > SERIAL_LENGTH:
        return RecordCode.NO_SERIAL
    if end_at < begin_at or begin_at < at - OLDEST or end_at > at:
        return RecordCode.TIME_RANGE
    return Usage(
        instance_id=instance_id,
        serial=serial,
        begin_at=begin_at,
        end_at=end_at,
        recorded_at=recorded_at,
        value=Decimal(value),
        package_instance=_text(record, "relate_pkg_instance")[:SERIAL_LENGTH],
    )


def instance_ids(records: list[Any]) -> list[str]:
    """The instances that a report names, each once."""
    named = [_text(record, "instance_id") for record in records if isinstance(record, Mapping)]
    return list(dict.fromkeys(name[:SERIAL_LENGTH] for name in named if name))


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    return value.replace("\x00", "") if isinstance(value, str) else ""


def _time(text: str) -> datetime | None:
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", text):
        return None
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
