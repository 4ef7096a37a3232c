"""The optional virus scan: files are streamed to ClamAV's daemon (`CLAMAV`, empty is off)."""

from __future__ import annotations

import logging
from typing import Any

from clamav_client.clamd import ClamdError, ClamdNetworkSocket
from django.conf import settings

from koogallery.kernel.reasons import Refused

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 30
STANDARD_PORT = 3310


def scan(content: Any, *, name: str) -> None:
    """Let ClamAV read a file and leave it at its beginning; nothing without `CLAMAV`.

    Raises `Refused("file_infected")`, and `Refused("file_scan_unavailable")` when there is no verdict.
    """
    if not settings.CLAMAV:
        return
    host, _colon, port = settings.CLAMAV.rpartition(":")
    daemon = ClamdNetworkSocket(
        host=host or settings.CLAMAV, port=int(port) if host else STANDARD_PORT, timeout=TIMEOUT_SECONDS
    )
    content.seek(0)
    try:
        verdict, found = daemon.instream(content).get("stream", ("ERROR", "no answer"))
    except (ClamdError, OSError) as fault:
        verdict, found = "ERROR", str(fault)
    if verdict == "FOUND":
        logger.warning("file_infected", extra={"found": found})
        raise Refused("file_infected", name=name, found=found or "")
    if verdict != "OK":
        logger.error("file_scan_unavailable", extra={"fault": found})
        raise Refused("file_scan_unavailable")
    content.seek(0)
