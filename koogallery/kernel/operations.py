"""The one door: every change, and every traced read, is a named operation.

    @operation("cancelOrder", resource_type="Order", action="marketplace:order:create",
               roles={Role.BUYER}, targets={"order": queries.own_order_locked}, once=True)
    def cancel_order(call: Call, *, order: Order, reason: str = "") -> Order: ...

    cancel_order(call, order="CS2611220930ABCDE", reason="double")

The wrapper, in this order: who (role) → what (each target is fetched from its key within what the caller can know,
else `Missing`) → may they (identity's authoriser) → once (idempotency key) → do → say (the trace, in the same
transaction; a refusal, a missing object or a failure rolls back and is traced after, for who asked). An operation
called inside another joins its transaction and is traced with it as parent; permission was decided at the outermost,
which also writes all traces with one statement. A refusal inside ends the whole: an operation does not catch what
another refuses. When PostgreSQL ends a deadlock at its cost, the outermost operation is done once more; nothing of the
first try is left.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import hmac
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.conf import settings
from django.db import IntegrityError, OperationalError, models, transaction

from koogallery import clock
from koogallery.kernel import guard, prepared
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Missing, Refused

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
Resolver = Callable[[Call, Any], Any]

DEADLOCK = "40P01"
MASK = "********"
SECRET_WORDS = ("password", "secret", "token", "card_number", "cvc", "authorization", "access_key", "private")


class Rating(StrEnum):
    """How an operation ended (audit.md)."""

    NORMAL = "normal"
    WARNING = "warning"
    INCIDENT = "incident"


@dataclass(frozen=True)
class Operation:
    """One entry of the registry. `action` is what identity policies name, `service:type:operation`."""

    name: str
    resource_type: str
    action: str
    roles: frozenset[Role]
    read: bool
    once: bool
    default_allowed: bool
    function: Callable[..., Any]

    @property
    def summary(self) -> str:
        """The first line of the docstring."""
        return (self.function.__doc__ or self.name).strip().splitlines()[0]


@dataclass
class TraceEntry:
    """What `say` hands to audit."""

    operation: Operation
    call: Call
    trace_id: uuid.UUID
    rating: Rating
    code: str
    message: str
    request: dict[str, Any]
    response: dict[str, Any]
    resource_id: str = ""
    resource_name: str = ""
    account_id: int | None = None
    project: str = ""
    parent: uuid.UUID | None = None


registry: dict[str, Operation] = {}


class EmptyPort(RuntimeError):
    """identity or audit did not fill its port at start-up."""


@dataclass
class Ports:
    """What upper floors fill at start-up: `authorise` raises `Refused`; `record` writes traces with one statement."""

    authorise: Callable[[Call, Operation, Any], None] | None = None
    record: Callable[[Sequence[TraceEntry]], None] | None = None

    def check(self) -> None:
        """Raise `EmptyPort` unless both are filled."""
        if self.authorise is None or self.record is None:
            raise EmptyPort("identity must fill `authorise` and audit `record`.")


ports = Ports()


@dataclass
class _Running:
    operation: Operation
    call: Call
    trace_id: uuid.UUID
    parent: uuid.UUID | None
    resource: Any = None
    resource_id: str = ""
    resource_name: str = ""
    account_id: int | None = None
    project: str = ""
    response: dict[str, Any] = field(default_factory=dict)
    silent: bool = False
    root: _Running | None = None
    entries: list[TraceEntry] = field(default_factory=list)


_running: ContextVar[_Running | None] = ContextVar("running_operation", default=None)


def operation(
    name: str,
    *,
    resource_type: str,
    action: str = "",
    roles: Iterable[Role],
    targets: Mapping[str, Resolver] | None = None,
    read: bool = False,
    once: bool = False,
    default_allowed: bool = False,
    sensitive: Iterable[str] = (),
) -> Callable[[Callable[Concatenate[Call, P], R]], Callable[..., R]]:
    """Declare an operation and put it behind the door.

    `once` honours the call's idempotency key, without which a form is refused: the answer must then be a model instance
    or None. `default_allowed` says that IAM users have the action without an Allow. `sensitive` names further arguments
    to mask in traces.
    Raises `ValueError` when the name is taken.
    """

    def declare(function: Callable[Concatenate[Call, P], R]) -> Callable[..., R]:
        if name in registry:
            raise ValueError(f"Operation {name!r} is declared twice.")
        spec = Operation(
            name=name,
            resource_type=resource_type,
            action=action or f"marketplace:{resource_type[:1].lower()}{resource_type[1:]}:{name}",
            roles=frozenset(roles),
            read=read,
            once=once,
            default_allowed=default_allowed,
            function=function,
        )
        registry[name] = spec
        secret = frozenset(sensitive)

        @functools.wraps(function)
        def call_operation(call: Call, /, **arguments: Any) -> R:
            return cast(R, _run(spec, function, call, arguments, targets or {}, secret))

        call_operation.operation = spec  # type: ignore[attr-defined]
        return call_operation

    return declare


def describe(
    *,
    resource: Any = None,
    resource_id: str = "",
    resource_name: str = "",
    account_id: int | None = None,
    project: str = "",
    **response: Any,
) -> None:
    """Say more about the running operation for its trace: the object, whose list shows it, what it answered."""
    running = _running.get()
    if running is None:
        return
    if resource is not None:
        running.resource = resource
    running.resource_id = resource_id or running.resource_id
    running.resource_name = resource_name or running.resource_name
    running.account_id = account_id or running.account_id
    running.project = project or running.project
    running.response.update(present(response))


def untraced() -> None:
    """Let the running operation leave no trace because it changed nothing (an idle job)."""
    if (running := _running.get()) is not None:
        running.silent = True


def current_trace_id() -> uuid.UUID | None:
    """The trace of the running operation; the parent of what it causes."""
    running = _running.get()
    return running.trace_id if running else None


def may(call: Call, name: str, target: Any = None) -> Refused | None:
    """Why the caller may not do `name` now (for a disabled control), or None when permitted."""
    spec = registry[name]
    try:
        _who(spec, call)
        _authorise(spec, call, target)
    except Refused as refused:
        return refused
    return None


def refuse(call: Call, name: str, refused: Refused, *, target: Any = None) -> None:
    """Trace that `name` was refused at the edge, before the operation was called; for what must not be received."""
    running = _Running(
        operation=registry[name], call=call, trace_id=uuid.uuid4(), parent=None, resource=target, project=call.project
    )
    _say_failure(running, {}, code=refused.code, message=str(refused), rating=Rating.WARNING)


def is_replay(call: Call, name: str) -> bool:
    """Whether `name` was done with this call's idempotency key before, so that it only gives its answer again."""
    from koogallery.kernel.models import IdempotencyKey  # the registry loads before the app registry is ready

    key = call.idempotency_key[:64] if call.idempotency_key else ""
    return bool(key) and IdempotencyKey.objects.filter(scope=_scope(call), operation=name, key=key).exists()


def after_commit(function: Callable[[], Any]) -> None:
    """Run `function` once the transaction has committed; a fault is logged and changes nothing.

    For hints to workers only: the due column or the outbox row is the truth.
    """

    def outside_of_the_operation() -> None:
        token = _running.set(None)
        try:
            function()
        finally:
            _running.reset(token)

    transaction.on_commit(outside_of_the_operation, robust=True)


def present(value: Any) -> Any:
    """A JSON form of an argument or answer for traces: short, stable, without secrets."""
    return _shortened(_presented(value))


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= 2000 else value[:2000] + "…"
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    return value


def _presented(value: Any, *, masked: bool = True) -> Any:
    """The same in full, as idempotency compares it."""
    if value is None or (isinstance(value, bool | int | str) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, Money):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, models.Model):
        return _reference(value)[0]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _presented({f.name: getattr(value, f.name) for f in dataclasses.fields(value)}, masked=masked)
    if isinstance(value, Mapping):
        return {
            str(key): MASK if masked and _is_secret(str(key)) else _presented(item, masked=masked)
            for key, item in value.items()
        }
    if isinstance(value, set | frozenset):
        return sorted((_presented(item, masked=masked) for item in value), key=str)
    if isinstance(value, list | tuple):
        return [_presented(item, masked=masked) for item in value]
    return f"<{type(value).__name__}>"


@functools.lru_cache(maxsize=2048)
def _is_secret(name: str) -> bool:
    lowered = name.lower()
    return any(word in lowered for word in SECRET_WORDS)


def _reference(row: Any) -> tuple[str, str]:
    """Resource id and name of a row: its `trace_ref()` if it has one, else its primary key and text."""
    if hasattr(row, "trace_ref"):
        return cast(tuple[str, str], row.trace_ref())
    return str(row.pk), str(row)


def _who(spec: Operation, call: Call) -> None:
    if call.role not in spec.roles:
        raise Refused("sign_in_required" if call.role is Role.ANONYMOUS else "role_not_allowed")


def _authorise(spec: Operation, call: Call, target: Any) -> None:
    if call.role is Role.SYSTEM:
        return
    if ports.authorise is None:
        raise EmptyPort("identity did not fill `authorise`.")
    ports.authorise(call, spec, target)


def _run(
    spec: Operation,
    function: Callable[..., Any],
    call: Call,
    arguments: dict[str, Any],
    targets: Mapping[str, Resolver],
    secret: frozenset[str],
) -> Any:
    outer = _running.get()
    running = _Running(
        operation=spec,
        call=call,
        trace_id=uuid.uuid4(),
        parent=outer.trace_id if outer else None,
        project=call.project,
    )
    running.root = (outer.root if outer else None) or (None if spec.read else running)
    request = present({key: MASK if key in secret else value for key, value in arguments.items()})
    said_before = len(running.root.entries) if running.root is not None else 0
    token = _running.set(running)
    try:
        if outer is None:
            _who(spec, call)
        if spec.read:
            return _perform(spec, function, call, arguments, targets, running, request, outer)
        try:
            with transaction.atomic(savepoint=outer is None), guard.opened(spec.name):
                return _perform(spec, function, call, arguments, targets, running, request, outer)
        except OperationalError as fault:
            if outer is not None or not _may_repeat(fault, arguments):
                raise
        logger.warning("operation_repeated_after_deadlock", extra={"operation": spec.name})
        _unsay(running, said_before)
        running.resource, running.response, running.silent = None, {}, False
        with transaction.atomic(), guard.opened(spec.name):
            return _perform(spec, function, call, arguments, targets, running, request, outer)
    except Missing:
        _unsay(running, said_before)
        if outer is None and call.account_id is not None:
            _say_failure(running, request, code="not_found", message="There is no such object.", rating=Rating.WARNING)
        raise
    except Refused as refused:
        _unsay(running, said_before)
        if outer is None:
            _say_failure(running, request, code=refused.code, message=str(refused), rating=Rating.WARNING)
        raise
    except Exception as fault:
        _unsay(running, said_before)
        if outer is None:
            logger.exception("operation_failed", extra={"operation": spec.name})
            _say_failure(running, request, code="fault", message=type(fault).__name__, rating=Rating.WARNING)
        raise
    finally:
        _running.reset(token)


def _may_repeat(fault: OperationalError, arguments: Mapping[str, Any]) -> bool:
    """Whether a deadlock was ended at the operation's cost and it fetches its rows itself, so that none is stale."""
    is_deadlock = getattr(fault.__cause__, "sqlstate", "") == DEADLOCK
    return is_deadlock and not any(isinstance(argument, models.Model) for argument in arguments.values())


def _unsay(running: _Running, said_before: int) -> None:
    """Forget what the failed operation and those inside it would have told; it did not happen."""
    if running.root is not None:
        del running.root.entries[said_before:]


def _perform(
    spec: Operation,
    function: Callable[..., Any],
    call: Call,
    arguments: dict[str, Any],
    targets: Mapping[str, Resolver],
    running: _Running,
    request: dict[str, Any],
    outer: _Running | None,
) -> Any:
    first = None
    resolved = dict(arguments)
    for name, resolve in targets.items():
        key = arguments.get(name)
        if key is None:
            continue
        if isinstance(key, models.Model):
            if outer is None and call.role is not Role.SYSTEM:
                raise TypeError(
                    f"{spec.name} takes the key of `{name}`, not the row: it fetches what the caller may know."
                )
            row = key
        else:
            row = resolve(call, key)
        resolved[name] = row
        first = first if first is not None else row
    running.resource = first
    if outer is None:
        _authorise(spec, call, first)
    claimed = None
    if spec.once and call.from_form and not call.idempotency_key:
        raise Refused("form_key_missing")
    if spec.once and call.idempotency_key and outer is None:
        claimed, replayed, answer = _claim_key(spec, call, arguments)
        if replayed:
            running.silent = True
            return answer
    result = function(call, **resolved)
    if claimed is not None:
        _bind_key(claimed, result)
    if running.resource is None and isinstance(result, models.Model):
        running.resource = result
    _say(running, request, rating=Rating.NORMAL, code="200", message="")
    return result


def _say(running: _Running, request: dict[str, Any], *, rating: Rating, code: str, message: str) -> None:
    if ports.record is None:
        raise EmptyPort("audit did not fill `record`.")
    if running.silent:
        if running.entries:
            ports.record(running.entries)
        return
    resource_id, resource_name = running.resource_id, running.resource_name
    if running.resource is not None and not resource_id:
        resource_id, resource_name = _reference(running.resource)
    account_id = running.account_id or running.call.account_id
    if running.call.role in (Role.OPERATOR, Role.SYSTEM) and running.resource is not None and not running.account_id:
        account_id = getattr(running.resource, "account_id", None) or account_id
    entry = TraceEntry(
        operation=running.operation,
        call=running.call,
        trace_id=running.trace_id,
        rating=rating,
        code=code,
        message=message,
        request=request,
        response=running.response,
        resource_id=resource_id[:128],
        resource_name=resource_name[:255],
        account_id=account_id,
        project=running.project or getattr(running.resource, "project_code", ""),
        parent=running.parent,
    )
    entries = [entry, *_for_other_parties(entry, running.resource)]
    if rating is Rating.NORMAL and running.root not in (None, running):
        running.root.entries.extend(entries)  # type: ignore[union-attr]
    else:
        ports.record([*entries, *running.entries])
        running.entries = []


def _for_other_parties(entry: TraceEntry, resource: Any) -> list[TraceEntry]:
    """What operations did to something of several accounts stands in the list of each: `traced_for()` names them."""
    if entry.call.role is not Role.OPERATOR or not hasattr(resource, "traced_for"):
        return []
    others = [each for each in resource.traced_for() if each != entry.account_id]
    return [dataclasses.replace(entry, trace_id=uuid.uuid4(), account_id=each) for each in others]


def _say_failure(running: _Running, request: dict[str, Any], *, code: str, message: str, rating: Rating) -> None:
    running.silent = False
    running.response = {}
    running.entries = []
    try:
        with transaction.atomic():
            _say(running, request, rating=rating, code=code, message=message)
    except Exception:
        logger.exception("trace_of_refusal_lost", extra={"operation": running.operation.name, "code": code})


def _body_hash(arguments: dict[str, Any]) -> str:
    """The arguments whole, secrets included, under the installation's key, so that nothing can be read back."""
    body = json.dumps(_presented(arguments, masked=False), sort_keys=True, default=str)
    return hmac.new(settings.SECRET_KEY.encode(), body.encode(), hashlib.sha256).hexdigest()


def _scope(call: Call) -> str:
    """Within whom an idempotency key is one."""
    return f"account:{call.account_id}" if call.account_id else f"user:{call.user_id or call.address}"


def _claim_key(spec: Operation, call: Call, arguments: dict[str, Any]) -> tuple[Any, bool, Any]:
    """Take the idempotency key for this transaction, or find the committed answer of an earlier one (R18).

    A parallel claimer of the same key waits here until the first commits or rolls back.
    """
    from koogallery.kernel.models import IdempotencyKey  # the registry loads before the app registry is ready

    scope = _scope(call)
    body = _body_hash(arguments)
    with prepared.cursor() as cursor:
        cursor.execute(
            "INSERT INTO kernel_idempotencykey (scope, operation, key, body_hash, answer, at) "
            "VALUES (%s, %s, %s, %s, '{}', %s) ON CONFLICT (scope, operation, key) DO NOTHING RETURNING id",
            [scope, spec.name, call.idempotency_key[:64], body, call.at],
        )
        row = cursor.fetchone()
    if row:
        return row[0], False, None
    stored = IdempotencyKey.objects.get(scope=scope, operation=spec.name, key=call.idempotency_key[:64])
    if stored.body_hash != body:
        raise Refused("replayed_with_other_content")
    return None, True, stored.fetch_answer()


def _bind_key(claimed: int, result: Any) -> None:
    answer: dict[str, Any] = {}
    if isinstance(result, models.Model):
        answer = {"model": result._meta.label_lower, "pk": result.pk}
    elif result is not None:
        raise TypeError("An operation with `once` answers a row or None.")
    with prepared.cursor() as cursor:
        cursor.execute("UPDATE kernel_idempotencykey SET answer = %s WHERE id = %s", [json.dumps(answer), claimed])


__all__ = [
    "Call", "EmptyPort", "IntegrityError", "Missing", "Operation", "Rating", "Refused", "Role", "TraceEntry",
    "after_commit", "clock", "current_trace_id", "describe", "is_replay", "may", "operation", "ports", "present",
    "refuse", "registry", "untraced",
]  # fmt: skip
