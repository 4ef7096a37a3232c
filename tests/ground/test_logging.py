"""The application's log: what must never stand in a line of it."""

from __future__ import annotations

import io
import logging
import logging.config
from typing import Literal

import pytest
from django.test import RequestFactory

from koogallery.observability.logging import logging_settings

TOKEN = "dGhlLXRva2VuLW9mLWFuLW9mZmVyLXdoaWNoLWlzLXNlY3JldA"


def line_of(record: logging.LogRecord, style: Literal["json", "console"]) -> str:
    """A record as the application writes it."""
    settings = logging_settings(style=style, level="INFO")["formatters"]["line"]
    factory = settings.pop("()")
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(factory(**settings))
    handler.handle(record)
    return output.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "address",
    [
        f"/offers/{TOKEN}/",
        f"/offers/{TOKEN}",
        f"/sign-in/?next=/offers/{TOKEN}/",
        f"/sign-in/?next=%2Foffers%2F{TOKEN}%2F",
    ],
)
def test_no_line_tells_the_token_of_an_offer_s_link(address: str, style: Literal["json", "console"]) -> None:
    request = RequestFactory().get(address)
    for message, values in (("Not Found: %s", (request.path,)), ('"GET %s HTTP/1.1" 429 0', (address,))):
        record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, message, values, None)
        record.status_code, record.request = 404, request
        line = line_of(record, style)
        assert TOKEN not in line and line.count("\n") <= 1


def test_a_traceback_tells_no_token_either() -> None:
    try:
        raise RuntimeError(f"/offers/{TOKEN}/ failed")
    except RuntimeError as fault:
        about = (type(fault), fault, fault.__traceback__)
    for style in ("json", "console"):
        record = logging.LogRecord("django.request", logging.ERROR, __file__, 1, "failed", (), about)
        line = line_of(record, style)  # type: ignore[arg-type]
        assert "RuntimeError" in line and TOKEN not in line


@pytest.mark.parametrize("address", ["/console/offers/PO2603101000ABCDEF/", "/seller/offers/PO2603101000ABCDEF/"])
def test_the_numbers_of_offers_stay_readable(address: str) -> None:
    record = logging.LogRecord("django.request", logging.WARNING, __file__, 1, "Not Found: %s", (address,), None)
    assert address in line_of(record, "json")
