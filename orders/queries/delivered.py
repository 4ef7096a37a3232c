"""What a supervised delivery left besides its columns, and when it completes; supervision fills the port."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import OuterRef, Q, QuerySet, Subquery

from koogallery.kernel.prepared import Given

if TYPE_CHECKING:
    from orders.models import Resource


@dataclass(frozen=True, slots=True)
class LicenseFile:
    """A license file and where its owner downloads it; `size` is in bytes."""

    name: str
    url: str
    size: int


_asked: list[Callable[[Resource], Sequence[LicenseFile]]] = []
_completing: list[Callable[[], QuerySet[Any]]] = []


def use_license_files(find: Callable[[Resource], Sequence[LicenseFile]]) -> None:
    """supervision fills this port: the license files of the last delivery of a resource."""
    _asked[:] = [find]


def license_files(resource: Resource) -> Sequence[LicenseFile]:
    """The license files of a supervised resource; nothing for others."""
    return _asked[0](resource) if _asked and resource.supervised else ()


def use_completions(find: Callable[[], QuerySet[Any]]) -> None:
    """supervision fills this port: the deliveries that complete by themselves, with `order`, `line`, the due time."""
    _completing[:] = [find]


def completed(at: datetime | Given, *, by: str) -> Q:
    """Orders (`by` their `order`) or resources (`by` their `line`) whose delivery is completed at a moment.

    Only those that the sweep has not seen yet: hardly any (R19).
    """
    due = _completing[0]().filter(completion_due_at__lte=at)
    return Q(**{"pk__in" if by == "order" else f"{by}__in": due.values(by)})


def with_completion(rows: QuerySet[Any], *, at: datetime | Given, by: str) -> QuerySet[Any]:
    """The same orders or resources with `completes_at`, when the sweep should have completed their delivery."""
    due = _completing[0]().filter(**{by: OuterRef("pk" if by == "order" else by)}, completion_due_at__lte=at)
    return rows.annotate(completes_at=Subquery(due.values("completion_due_at")[:1]))
