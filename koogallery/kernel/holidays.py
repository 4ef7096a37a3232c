"""The operator's holiday calendar, by which limits in working days are counted (R9)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused

if TYPE_CHECKING:
    from koogallery.kernel.models import Holiday


def days_from(day: date) -> frozenset[date]:
    """The holidays on `day` and later."""
    from koogallery.kernel.models import Holiday  # this module loads before the app registry is ready

    return frozenset(Holiday.objects.filter(day__gte=day).values_list("day", flat=True))


@operation("addHoliday", resource_type="Holiday", roles={Role.OPERATOR, Role.SYSTEM}, once=True)
def add(call: Call, *, day: date, name: str) -> Holiday:
    """Put a day in the calendar; limits that were set before stay as they are. Raises `Refused("holiday_listed")`."""
    from koogallery.kernel.models import Holiday  # this module loads before the app registry is ready

    holiday, is_new = Holiday.objects.get_or_create(day=day, defaults={"name": name})
    if not is_new:
        raise Refused("holiday_listed", field="day", day=day, name=holiday.name)
    return holiday


@operation("removeHoliday", resource_type="Holiday", roles={Role.OPERATOR, Role.SYSTEM}, once=True)
def remove(call: Call, *, holiday: int) -> None:
    """Take a day, named by its row, out of the calendar; limits that were set before stay as they are.

    Raises `Missing`.
    """
    from koogallery.kernel.models import Holiday  # this module loads before the app registry is ready

    found = Holiday.objects.select_for_update().filter(pk=holiday).first()
    if found is None:
        raise Missing(f"holiday {holiday}")
    number, name = found.trace_ref()
    describe(resource_id=number, resource_name=name)
    found.delete()
