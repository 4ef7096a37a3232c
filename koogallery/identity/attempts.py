"""Limits on guessing: attempts are counted in the database, in real time, by name and by address."""

from __future__ import annotations

import hashlib
from datetime import timedelta

from koogallery import clock
from koogallery.identity.models import Attempt
from koogallery.identity.states import AttemptKind
from koogallery.kernel.reasons import Refused

WINDOW = timedelta(minutes=15)
LIMITS: dict[tuple[AttemptKind, str], int] = {
    (AttemptKind.SIGN_IN, "name"): 5,
    (AttemptKind.SIGN_IN, "address"): 100,
    (AttemptKind.SIGN_UP, "address"): 60,
    (AttemptKind.RESET, "name"): 3,
    (AttemptKind.RESET, "address"): 30,
}
"""How many attempts of a kind are let through in `WINDOW`: failed ones for sign-in, all for the others."""


def take(kind: AttemptKind, *, name: str = "", address: str = "") -> list[int]:
    """Count one attempt before it is made, so that parallel ones count each other; its rows, for `give_back`.

    Raises `Refused("too_many_attempts")` when the name or the address has used up its attempts.
    """
    at = clock.real_now()
    subjects = _subjects(kind, name=name, address=address)
    _refuse_above(kind, subjects, room=1)
    Attempt.objects.filter(kind=kind, at__lte=at - 4 * WINDOW).delete()
    taken = Attempt.objects.bulk_create([Attempt(kind=kind, subject=subject, at=at) for subject, _ in subjects])
    _refuse_above(kind, subjects, room=0)
    return [attempt.pk for attempt in taken]


def give_back(taken: list[int]) -> None:
    """Let an attempt that succeeded not count."""
    Attempt.objects.filter(pk__in=taken).delete()


def forget(kind: AttemptKind, *, name: str) -> None:
    """Forget the attempts of a name, which has shown who it is."""
    Attempt.objects.filter(kind=kind, subject__in=[subject for subject, _ in _subjects(kind, name=name)]).delete()


def _refuse_above(kind: AttemptKind, subjects: list[tuple[str, int]], *, room: int) -> None:
    since = clock.real_now() - WINDOW
    for subject, limit in subjects:
        if Attempt.objects.filter(kind=kind, subject=subject, at__gt=since).count() + room > limit:
            raise Refused("too_many_attempts", minutes=int(WINDOW.total_seconds() // 60))


def _subjects(kind: AttemptKind, *, name: str = "", address: str = "") -> list[tuple[str, int]]:
    return [
        (hashlib.sha256(f"{by}:{value.lower()}".encode()).hexdigest(), LIMITS[kind, by])
        for by, value in (("name", name), ("address", address))
        if value and (kind, by) in LIMITS
    ]
