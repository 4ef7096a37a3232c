"""Who asks for what, when, from where: made once at the edge, frozen, passed down."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from koogallery import clock


class Role(StrEnum):
    """In which capacity a call is made."""

    ANONYMOUS = "anonymous"
    BUYER = "buyer"
    SELLER = "seller"
    OPERATOR = "operator"
    SYSTEM = "system"


class TraceType(StrEnum):
    """Where a call came from, as traces name it."""

    CONSOLE = "ConsoleAction"
    API = "ApiCall"
    SYSTEM = "SystemAction"


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operation.

    `account` and `user` are identity's rows (or None); `at` is the moment that every rule of this call uses;
    `idempotency_key` was minted with the form, and `from_form` says that a form must have brought one (R18);
    `on_behalf_of` names the user who caused a job.
    """

    role: Role
    at: datetime
    account: Any = None
    user: Any = None
    address: str = ""
    request_id: str = ""
    project: str = ""
    access_key: str = ""
    trace_type: TraceType = TraceType.CONSOLE
    idempotency_key: str = ""
    from_form: bool = False
    on_behalf_of: str = ""
    form: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)

    @property
    def account_id(self) -> int | None:
        """The account that acts, if any."""
        return self.account.pk if self.account is not None else None

    @property
    def user_id(self) -> int | None:
        """The user that acts, if any."""
        return self.user.pk if self.user is not None else None

    def with_key(self, key: str) -> Call:
        """The same call under an idempotency key."""
        return replace(self, idempotency_key=key)


def system_call(
    *, at: datetime | None = None, account: Any = None, on_behalf_of: str = "", request_id: str = ""
) -> Call:
    """A call of the platform itself: a task, a sweep, a command."""
    return Call(
        role=Role.SYSTEM,
        at=at or clock.now(),
        account=account,
        trace_type=TraceType.SYSTEM,
        on_behalf_of=on_behalf_of,
        request_id=request_id,
    )
