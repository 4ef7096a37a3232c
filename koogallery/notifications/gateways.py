"""SMS gateways: the console for development, an HTTP service for production (settings SMS_URL, SMS_TOKEN)."""

from __future__ import annotations

import json
import logging
from typing import Protocol

import urllib3
from django.conf import settings

logger = logging.getLogger(__name__)

TIMEOUT = urllib3.Timeout(connect=5, read=10)


class SmsFailed(RuntimeError):
    """The gateway did not take the message."""


class SmsGateway(Protocol):
    """What sends an SMS."""

    def send(self, *, to: str, text: str, key: str) -> None:
        """Hand a message to the network; `key` names it, so that a gateway can recognise a repetition.

        Raises `SmsFailed`.
        """


class ConsoleGateway:
    """Writes the message to the log."""

    def send(self, *, to: str, text: str, key: str) -> None:
        logger.info("sms", extra={"to": f"…{to[-3:]}", "text": text, "key": key})


class HttpGateway:
    """POSTs `{"to", "text"}` as JSON with a bearer token and the header `Idempotency-Key`; any 2xx is success."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._pool = urllib3.PoolManager(retries=False, timeout=TIMEOUT)

    def send(self, *, to: str, text: str, key: str) -> None:
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            answer = self._pool.request(
                "POST", self._url, body=json.dumps({"to": to, "text": text}).encode(), headers=headers, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise SmsFailed(type(error).__name__) from error
        if not 200 <= answer.status < 300:
            raise SmsFailed(f"The gateway answered {answer.status}.")


def gateway() -> SmsGateway:
    """The gateway that the settings name: HTTP with `SMS_URL`, else the console."""
    url = getattr(settings, "SMS_URL", "")
    return HttpGateway(url, getattr(settings, "SMS_TOKEN", "")) if url else ConsoleGateway()
