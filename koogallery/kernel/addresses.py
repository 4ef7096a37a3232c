"""Addresses of pages named by one value: the URL configuration is asked once per process, not for every row."""

from __future__ import annotations

from urllib.parse import quote

from django.urls import reverse

PLACE = "XplaceX"
UNQUOTED = "/~:@!$&'()*+,;="


class Address:
    """`Address("orders:detail")(order.number)`; the value must be one that the page takes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._around: tuple[str, str] | None = None

    def __call__(self, value: object) -> str:
        """The address of the page of a value."""
        if self._around is None:
            before, _, after = reverse(self._name, args=[PLACE]).partition(PLACE)
            self._around = before, after
        before, after = self._around
        text = str(value)
        plain = text if text.isascii() and text.isalnum() else quote(text, safe=UNQUOTED)
        return f"{before}{plain}{after}"
