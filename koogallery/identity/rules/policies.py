"""Identity policies: what a document may say, and what a set of them decides (identity.md, IAM)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext as _

MAX_CHARACTERS = 6144
VERSIONS = ("5.0", "1.1")
PRODUCT_KEY = "marketplace:ProductId"

DEFAULT_ACTIONS = frozenset(
    {"marketplace:order:create", "marketplace:order:view", "marketplace:saasResourceInstance:view"}
)
"""What IAM users may do unless a policy denies it."""

_PART = r"[A-Za-z0-9_*-]+"
_ACTION = re.compile(rf"\*|[a-z0-9*-]+:{_PART}:{_PART}")
_SID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Effect(StrEnum):
    """What a statement does to the actions it matches."""

    ALLOW = "Allow"
    DENY = "Deny"


class PolicyFault(ValueError):
    """A document is not a policy; `path` says where, `fault` why."""

    def __init__(self, path: str, fault: str) -> None:
        self.path = path
        self.fault = fault
        super().__init__(f"{path}: {fault}")


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key, with the values of which one must fit (none, for the negated operators)."""

    operator: str
    key: str
    values: tuple[str, ...]

    def holds(self, context: Mapping[str, str]) -> bool:
        """Whether it holds; a key the call does not have fits only `…IfExists`."""
        name = self.operator.removesuffix("IfExists")
        found = context.get(self.key)
        if found is None:
            return name != self.operator
        fits, negated = OPERATORS[name]
        return any(fits(found, value) for value in self.values) is not negated


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy; exactly one of `actions` and `not_actions` is filled."""

    effect: Effect
    label: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def matches(self, action: str, context: Mapping[str, str]) -> bool:
        """Whether the statement speaks of this action in this context."""
        if self.actions:
            named = any(action_matches(pattern, action) for pattern in self.actions)
        else:
            named = not any(action_matches(pattern, action) for pattern in self.not_actions)
        return named and all(condition.holds(context) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Document:
    """A valid policy under the name it is known by."""

    name: str
    statements: tuple[Statement, ...]


class Ground(StrEnum):
    """Why a decision came out as it did."""

    DENIED = "denied"
    ALLOWED = "allowed"
    DEFAULT = "default"
    NOT_ALLOWED = "not_allowed"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether an action is allowed, and which policy and statement decided, if one did."""

    allowed: bool
    ground: Ground
    policy: str = ""
    statement: str = ""


def decide(
    documents: Iterable[Document], action: str, *, context: Mapping[str, str] | None = None, default: bool = False
) -> Decision:
    """Any matching Deny denies; else any matching Allow allows; else `default`, the action's own rule."""
    known = context or {}
    allowed: Decision | None = None
    for document in documents:
        for statement in document.statements:
            if not statement.matches(action, known):
                continue
            if statement.effect is Effect.DENY:
                return Decision(False, Ground.DENIED, document.name, statement.label)
            allowed = allowed or Decision(True, Ground.ALLOWED, document.name, statement.label)
    if allowed is not None:
        return allowed
    return Decision(True, Ground.DEFAULT) if default else Decision(False, Ground.NOT_ALLOWED)


def action_matches(pattern: str, action: str) -> bool:
    """Whether `service:type:operation` with `*` names the action; letters count alike in either case."""
    if pattern == "*":
        return True
    parts, named = pattern.lower().split(":"), action.lower().split(":")
    return len(parts) == len(named) and all(_wild(part, name) for part, name in zip(parts, named, strict=True))


def _wild(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.S) is not None


def _wild_any(text: str, pattern: str) -> bool:
    ones = "".join("." if letter == "?" else ".*" if letter == "*" else re.escape(letter) for letter in pattern)
    return re.fullmatch(ones, text, re.S) is not None


OPERATORS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda found, value: found == value, False),
    "StringNotEquals": (lambda found, value: found == value, True),
    "StringEqualsIgnoreCase": (lambda found, value: found.lower() == value.lower(), False),
    "StringNotEqualsIgnoreCase": (lambda found, value: found.lower() == value.lower(), True),
    "StringMatch": (_wild_any, False),
    "StringNotMatch": (_wild_any, True),
    "StringStartWith": (str.startswith, False),
    "StringNotStartWith": (str.startswith, True),
    "StringEndWith": (str.endswith, False),
    "StringNotEndWith": (str.endswith, True),
}
"""String operators: how a value of the call fits one of the policy, and whether the operator negates."""

OPERATOR_NAMES = frozenset({*OPERATORS, *(f"{name}IfExists" for name in OPERATORS)})


def read_text(text: str, *, name: str = "") -> tuple[dict[str, Any], Document]:
    """The JSON of a policy's text and the policy it is; a line's end counts once. Raises `PolicyFault`."""
    text = text.replace("\r\n", "\n")
    if len(text) > MAX_CHARACTERS:
        raise PolicyFault("$", _("More than %(limit)s characters.") % {"limit": f"{MAX_CHARACTERS:,}"})
    try:
        found = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise PolicyFault(where, _("This is not JSON.")) from None
    except RecursionError:
        raise PolicyFault("$", _("This is not JSON.")) from None
    document = parse(found, name=name)
    return found, document


def parse(found: Any, *, name: str = "") -> Document:
    """The policy that a JSON value is. Raises `PolicyFault` with the path of the first fault."""
    top = _object(found, "$", required=("Version", "Statement"), optional=())
    if top["Version"] not in VERSIONS:
        raise PolicyFault("$.Version", _("The version must be “5.0” or “1.1”."))
    listed = top["Statement"]
    if not isinstance(listed, list) or not listed:
        raise PolicyFault("$.Statement", _("A list with at least one statement is needed."))
    statements = tuple(_statement(item, f"$.Statement[{index}]", index) for index, item in enumerate(listed))
    seen: set[str] = set()
    for index, item in enumerate(listed):
        if (sid := item.get("Sid")) is not None and sid in seen:
            raise PolicyFault(f"$.Statement[{index}].Sid", _("Another statement has the same Sid."))
        seen.add(sid)
    return Document(name=name, statements=statements)


def written(found: Mapping[str, Any]) -> str:
    """A stored policy as text for people: its keys in the order in which policies are written."""
    statements = [
        {key: item[key] for key in ("Sid", "Effect", "Action", "NotAction", "Resource", "Condition") if key in item}
        for item in found["Statement"]
    ]
    return json.dumps({"Version": found["Version"], "Statement": statements}, indent=2, ensure_ascii=False)


def _without_repeats(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise PolicyFault(f"$…{key}", _("The key stands twice."))
        found[key] = value
    return found


def _object(found: Any, path: str, *, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise PolicyFault(path, _("An object is needed."))
    for key in found:
        if key not in required and key not in optional:
            raise PolicyFault(f"{path}.{key}", _("This key is not known here."))
    for key in required:
        if key not in found:
            raise PolicyFault(f"{path}.{key}", _("This key is missing."))
    return found


def _statement(found: Any, path: str, index: int) -> Statement:
    item = _object(found, path, required=("Effect", "Resource"), optional=("Sid", "Action", "NotAction", "Condition"))
    sid = item.get("Sid")
    if sid is not None and (not isinstance(sid, str) or not _SID.fullmatch(sid)):
        raise PolicyFault(f"{path}.Sid", _("1 to 64 letters, digits, hyphens or underscores are needed."))
    if item["Effect"] not in tuple(Effect):
        raise PolicyFault(f"{path}.Effect", _("The effect must be “Allow” or “Deny”."))
    if ("Action" in item) == ("NotAction" in item):
        raise PolicyFault(path, _("Exactly one of Action and NotAction is needed."))
    chosen = "Action" if "Action" in item else "NotAction"
    actions = _texts(item[chosen], f"{path}.{chosen}")
    for position, action in enumerate(actions):
        if not _ACTION.fullmatch(action):
            raise PolicyFault(
                f"{path}.{chosen}[{position}]",
                _("Write an action as service:type:operation; * stands for any."),
            )
    for position, resource in enumerate(_texts(item["Resource"], f"{path}.Resource")):
        if resource != "*":
            raise PolicyFault(f"{path}.Resource[{position}]", _("Only the resource “*” is possible."))
    return Statement(
        effect=Effect(item["Effect"]),
        label=sid or f"Statement[{index}]",
        actions=actions if chosen == "Action" else (),
        not_actions=actions if chosen == "NotAction" else (),
        conditions=_conditions(item["Condition"], f"{path}.Condition") if "Condition" in item else (),
    )


def _conditions(found: Any, path: str) -> tuple[Condition, ...]:
    if not isinstance(found, dict) or not found:
        raise PolicyFault(path, _("An object with at least one operator is needed."))
    conditions: list[Condition] = []
    for operator, keys in found.items():
        if operator not in OPERATOR_NAMES:
            raise PolicyFault(f"{path}.{operator}", _("This operator is not known."))
        if not isinstance(keys, dict) or not keys:
            raise PolicyFault(f"{path}.{operator}", _("An object with at least one condition key is needed."))
        for key, values in keys.items():
            if key != PRODUCT_KEY:
                raise PolicyFault(f"{path}.{operator}.{key}", _("This condition key is not known."))
            conditions.append(Condition(operator, key, _texts(values, f"{path}.{operator}.{key}")))
    return tuple(conditions)


def _texts(found: Any, path: str) -> tuple[str, ...]:
    listed = [found] if isinstance(found, str) else found
    if not isinstance(listed, list) or not listed:
        raise PolicyFault(path, _("A list with at least one text is needed."))
    for index, item in enumerate(listed):
        if not isinstance(item, str) or not item:
            raise PolicyFault(f"{path}[{index}]", _("A text is needed."))
    return tuple(listed)
