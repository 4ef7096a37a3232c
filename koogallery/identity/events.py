"""What identity tells the floors above, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from koogallery.kernel.events import event


@event
@dataclass(frozen=True, slots=True)
class VerificationAsked:
    """An e-mail address is to be verified: send it the link."""

    to: str
    name: str
    link: str
    language: str
    hours: int
    key: str
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class PasswordResetAsked:
    """Someone asked to set a new password: send the user's address the link."""

    to: str
    name: str
    link: str
    language: str
    hours: int
    key: str
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """A user's password was changed; the user is told in case it was someone else.

    `account_id` is None for an operations manager; `address` is where the change came from.
    """

    account_id: int | None
    user_id: int
    to: str
    name: str
    language: str
    address: str
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class AccountFrozen:
    """An account was frozen."""

    account_id: int
    account: str
    reason: str
    at: datetime


@event
@dataclass(frozen=True, slots=True)
class AccountUnfrozen:
    """An account may order again."""

    account_id: int
    account: str
    at: datetime
