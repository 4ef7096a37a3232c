"""Policy packs: named sets of values on which operators may differ (spec: Policies).

The pack in force is stamped on an order when it is placed (`stamp`) and rules its flow, appeals, unsubscription and
period start for ever; what is ruled by the moment asks `in_force`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Subquery
from django.db.models.functions import JSONObject

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.prepared import Given, Prepared
from koogallery.kernel.reasons import Reason, Refused, declare

VERSION = "2025-11-21"

declare(
    Reason("policy_unknown", "There is no policy named “{name}”.", "没有名为“{name}”的策略项。"),
    Reason(
        "policy_value",
        "“{value}” is not a value of {name}. Possible: {choices}.",
        "“{value}”不是 {name} 的取值，可选：{choices}。",
    ),
)


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: its values per pack and the closed list of values an administrator may choose."""

    name: str
    values: Mapping[str, Any]
    choices: tuple[Any, ...]
    meaning: str = ""


def _both(value: Any) -> dict[str, Any]:
    return {"2025": value, "2024": value}


PACKS = ("2025", "2024")
PROOF_REQUIRED_FROM = date(2025, 3, 26)

_POLICIES = [
    Policy("appeal.mode", {"2025": "anytime", "2024": "gated"}, ("anytime", "gated")),
    Policy(
        "appeal.customer_rejects",
        {"2025": None, "2024": {"license": 2, "other": 3}},
        (None, {"license": 2, "other": 3}),
    ),
    Policy("appeal.seller_rejects", {"2025": None, "2024": 3}, (None, 1, 2, 3, 5)),
    Policy("appeal.silence_hours", _both(120), (72, 120, 168)),
    Policy("appeal.blackout_days", {"2025": None, "2024": 15}, (None, 7, 15, 30)),
    Policy("appeal.decision_working_days", _both(3), (1, 2, 3, 5, 10)),
    Policy(
        "appeal.countersign_above",
        _both(Decimal("1000.00")),
        (Decimal("0.00"), Decimal("1000.00"), Decimal("10000.00")),
    ),
    Policy("flow.auto_close_days", _both(None), (None, 365)),
    Policy("flow.proof_required", _both("from_2025_03_26"), ("from_2025_03_26", "always", "never")),
    Policy("delivery.reject", _both(True), (True, False)),
    Policy("reminder.cooldown_hours", _both(24), (12, 24, 48)),
    Policy("order.completion_delay_hours", _both(3), (0, 1, 3, 24)),
    Policy("order.payment_window_hours", _both(24), (1, 12, 24, 48, 72)),
    Policy("period.start", _both("enabling_or_acceptance"), ("enabling_or_acceptance", "acceptance")),
    Policy("unsub.matrix", {"2025": "2025", "2024": "2024"}, ("2025", "2024")),
    Policy("unsub.require_invoice_return", _both(True), (True, False)),
    Policy("unsub.free_days", _both(5), (0, 5, 7, 14)),
    Policy("unsub.free_per_year", _both(10), (0, 3, 10)),
    Policy(
        "autorenew.scope",
        {"2025": ["image", "saas", "license", "professional_service"], "2024": ["license", "professional_service"]},
        (["image", "saas", "license", "professional_service"], ["license", "professional_service"]),
    ),
    Policy("autorenew.lead_days", _both(7), (1, 3, 7)),
    Policy("autorenew.hour", _both("03:00"), ("00:00", "03:00", "06:00")),
    Policy("change.floor_zero", _both(True), (True, False)),
    Policy(
        "proration.new_price",
        {"2025": "remaining_duration", "2024": "same_cycle"},
        ("remaining_duration", "same_cycle"),
    ),
    Policy("ppu.rounding", _both("clock_hour"), ("clock_hour", "elapsed")),
    Policy("milestone.due_days", _both(30), (15, 30, 45, 60)),
    Policy("milestone.block_on_overdue", _both(True), (True, False)),
    Policy("milestone.credit_check", _both("order_total"), ("order_total", "first_bill")),
    Policy("refund.sla_hours", _both(3), (1, 3, 24, 72)),
    Policy("tags.scope", _both("pay_per_use"), ("pay_per_use", "all")),
    Policy("trace.console_days", _both(7), (7, 30, 90)),
    Policy("trace.retention_days", _both(365), (180, 365, 730, 1825)),
    Policy("login.third_party", _both(False), (False,)),
    Policy("grace_days", _both(15), (0, 7, 15, 30)),
    Policy("retention_days", _both(15), (0, 7, 15, 30)),
]

POLICIES: dict[str, Policy] = {policy.name: policy for policy in _POLICIES}


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A pack with an administrator's overrides; answers one value per policy."""

    pack: str = "2025"
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The value of a policy. Raises `KeyError` for a name that is not a policy."""
        policy = POLICIES[name]
        return self.overrides[name] if name in self.overrides else policy.values[self.pack]

    def source(self, name: str) -> str:
        """Why this value applies: the pack's own or an override."""
        return "override" if name in self.overrides else f"pack {self.pack}"

    def to_json(self) -> dict[str, Any]:
        """As stamped on an order."""
        return {"pack": self.pack, "version": VERSION, "overrides": dict(self.overrides)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> PolicySet:
        """The inverse of `to_json`; an empty stamp is the default pack."""
        return cls(pack=stored.get("pack", "2025"), overrides=stored.get("overrides", {}))


def _choices() -> Any:
    from koogallery.kernel.models import PolicyChoice  # this module loads before the app registry is ready

    return PolicyChoice.objects.filter(since__lte=Given("at")).order_by("-since", "-pk")[:1]


_CHOICE: Prepared[Any] = Prepared(_choices)


def stored_in_force(at: Any) -> Subquery:
    """An expression for queries that read something else, too; `PolicySet.from_json` takes what it answers or `{}`."""
    from koogallery.kernel.models import PolicyChoice  # this module loads before the app registry is ready

    chosen = PolicyChoice.objects.filter(since__lte=at).order_by("-since", "-pk")
    return Subquery(chosen.values(stored=JSONObject(pack="pack", overrides="overrides"))[:1])


def in_force(at: datetime) -> PolicySet:
    """The pack and overrides in force at a moment; `2025` until an administrator chooses otherwise."""
    choice = _CHOICE.first(at=at)
    return PolicySet(pack=choice.pack, overrides=choice.overrides) if choice else PolicySet()


@operation("choosePolicies", resource_type="Policy", roles={Role.OPERATOR, Role.SYSTEM})
def choose(
    call: Call, *, pack: str | None = None, overrides: Mapping[str, Any] | None = None, keep: bool = True
) -> Any:
    """Put a pack, or single values, in force from now on; without `keep`, values chosen before follow the pack again.

    `overrides` maps a policy to a value of its closed list (or its text form); a value of None removes the override
    when the policy has no None. Raises `Refused("policy_unknown")` or `Refused("policy_value")`.
    """
    from koogallery.kernel.models import PolicyChoice  # this module loads before the app registry is ready

    before = in_force(call.at)
    if pack is not None and pack not in PACKS:
        raise Refused("policy_value", name="pack", value=pack, choices=", ".join(PACKS))
    merged = dict(before.overrides) if keep and pack in (None, before.pack) else {}
    for name, value in (overrides or {}).items():
        if name not in POLICIES:
            raise Refused("policy_unknown", name=name)
        merged[name] = _value_of(POLICIES[name], value)
    choice = PolicyChoice.objects.create(
        since=call.at, pack=pack or before.pack, overrides=merged, chosen_by=str(call.user or "system")
    )
    describe(resource=choice, pack=choice.pack, overrides=merged)
    return choice


def _value_of(policy: Policy, value: Any) -> Any:
    for choice in policy.choices:
        if value == choice or str(value).strip().lower() == text_of(choice).lower():
            return str(choice) if isinstance(choice, Decimal) else choice
    raise Refused(
        "policy_value",
        name=policy.name,
        value=value,
        choices=", ".join(text_of(choice) for choice in policy.choices),
    )


def text_of(value: Any) -> str:
    """A value as an administrator types it: `yes`, `no`, `none`, `72`, `saas,license`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return " ".join(f"{key}={item}" for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)
