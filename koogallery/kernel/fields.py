"""Columns that mean the same everywhere."""

from __future__ import annotations

import functools
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class AmountField(models.DecimalField):
    """An exact amount, up to four decimals; its currency stands in a `CurrencyField` beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 19)
        kwargs.setdefault("decimal_places", 4)
        super().__init__(*args, **kwargs)


class UnitPriceField(models.DecimalField):
    """A price per unit, up to eight decimals, never rounded before its charge."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 23)
        kwargs.setdefault("decimal_places", 8)
        super().__init__(*args, **kwargs)


class FullPriceField(models.DecimalField):
    """A price of a whole term as a rule computed it: all its digits, sixty significant ones of a fraction."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 90)
        kwargs.setdefault("decimal_places", 60)
        super().__init__(*args, **kwargs)

    def db_type(self, connection: Any) -> str:
        """A numeric without a scale, which rounds nothing."""
        return "numeric"


class CurrencyField(models.CharField):
    """An ISO 4217 code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(*args, **kwargs)


@functools.lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key.encode()) for key in keys])


def keys_in_force() -> MultiFernet:
    """The installation's field keys: the first encrypts, all decrypt."""
    return _fernet(tuple(settings.FIELD_KEYS))


def encrypt(text: str) -> str:
    """Encrypt with the first of `settings.FIELD_KEYS`; empty stays empty."""
    return keys_in_force().encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """Decrypt with any of `settings.FIELD_KEYS`. Raises `cryptography.fernet.InvalidToken` without the key."""
    return keys_in_force().decrypt(token.encode()).decode() if token else ""


class EncryptedTextField(models.TextField):
    """Text that is encrypted at rest with the installation's field keys; never searchable."""

    def get_prep_value(self, value: Any) -> Any:
        return value if value is None else encrypt(str(value))

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        if not value:
            return value
        try:
            return decrypt(value)
        except InvalidToken as error:
            raise InvalidToken(f"No field key opens {self.model._meta.label}.{self.name}.") from error
