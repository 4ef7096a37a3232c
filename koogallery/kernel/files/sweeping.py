"""What no row refers to is removed: files of forms that were never sent on, and remains of broken uploads."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from koogallery import clock
from koogallery.kernel.files import storing
from koogallery.kernel.files.streaming import incoming

logger = logging.getLogger(__name__)

UNREFERRED_FOR = timedelta(days=2)
BATCH = 500


def remove_unreferred(upto: datetime | None = None) -> int:
    """Remove objects older than two days that no `StoredFile` row names; how many went.

    Their age is by the machines' clock, as storages keep it, also in a rehearsal; a refused form finds its files again
    for one day only.
    """
    before = clock.real_now() - UNREFERRED_FOR
    removed, old = 0, []
    for key, stored_at in storing.listing():
        if stored_at < before:
            old.append(key)
        if len(old) == BATCH:
            removed, old = removed + _remove(old), []
    removed += _remove(old)
    for path in incoming().iterdir():
        if path.is_file() and datetime.fromtimestamp(path.stat().st_mtime, tz=UTC) < before:
            path.unlink(missing_ok=True)
    if removed:
        logger.info("unreferred_files_removed", extra={"count": removed})
    return removed


def _remove(keys: list[str]) -> int:
    from koogallery.kernel.models import StoredFile  # this package loads before the app registry is ready

    referred = set(StoredFile.objects.filter(key__in=keys).values_list("key", flat=True))
    unreferred = [key for key in keys if key not in referred]
    for key in unreferred:
        storing.remove(key)
    return len(unreferred)
