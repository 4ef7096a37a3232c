"""The operator's holiday calendar, by which limits in working days are counted (R9)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Missing, Refused

if TYPE_CHECKING:
    from koogallery.kernel.models import Holiday


def days_from(day: date) -> frozenset[date]:
    """The holidays on `day` and later."""
    from koogallery.kernel.models import Holiday  # this module loads before the app registry is ready

    return frozenset(Holiday.objects.filter(day__gte=day).values_list("day", flat=True))


def _holiday(call: Call, day: Any) -> Holiday:
    from koogallery.kernel.models import Holiday  # this module loads before the app registry is ready

    found = Holiday.objects.select_for_update().filter(day=day).first()
    if found is None:
        raise Missing(f"holiday {day}")
    return found


@operation("addHoliday", resource_type="Holiday", roles={Role.OPERATOR, Role.SYSTEM}, once=True)
def add(call: Call, *, day: date, name: str) -> Holiday:
    """Put a day in the calendar; limits that were set before stay as they are. Raises `Refused("holiday_listed")`."""
    from koogallery.kernel.models import Holiday  # this module loads before the app registry is ready

    holiday, is_new = Holiday.objects.get_or_create(day=day, defaults={"name": name})
    if not is_new:
        raise Refused("holiday_listed", field="day", day=day, name=holiday.name)
    return holiday


@operation("removeHoliday", resource_type="Holiday", roles={Role.OPERATOR, Role.SYSTEM}, targets={"holiday": _holiday})
def remove(call: Call, *, holiday: Holiday) -> None:
    """Take a day out of the calendar; limits that were set before stay as they are."""
    holiday.delete()
