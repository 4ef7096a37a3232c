"""Which template an order line gets, and what its date decides (supervision.md, Flows; R6)."""

from __future__ import annotations

from datetime import datetime, timedelta

from billing.rules.calendar import is_from
from catalog.states import DeliveryMethod
from koogallery import clock
from koogallery.kernel.policies import PROOF_REQUIRED_FROM, PolicySet
from supervision.states import Template

_TEMPLATES = {
    DeliveryMethod.LICENSE: Template.LICENSE,
    DeliveryMethod.HARDWARE: Template.HARDWARE,
    DeliveryMethod.SAAS: Template.SERVICE,
    DeliveryMethod.PROFESSIONAL_SERVICE: Template.SERVICE,
}


def template_for(method: DeliveryMethod) -> Template:
    """The template of a delivery method. Raises `KeyError` for one that is never supervised."""
    return _TEMPLATES[method]


def proof_required(policies: PolicySet, *, ordered_at: datetime) -> bool:
    """Whether a delivery needs a proof, by the pack stamped on the order and the time of the order."""
    rule = policies["flow.proof_required"]
    return rule == "always" or (rule == "from_2025_03_26" and is_from(ordered_at, day=PROOF_REQUIRED_FROM))


def takes_enabling_time(template: Template, *, ordered_at: datetime) -> bool:
    """Whether the seller may say from when on the service was enabled."""
    return template is Template.SERVICE and is_from(ordered_at, day=PROOF_REQUIRED_FROM)


def auto_close_due(policies: PolicySet, *, ordered_at: datetime) -> datetime | None:
    """The 00:00:00 after the closing date, order date + N days (R8); None where flows do not close by themselves."""
    days = policies["flow.auto_close_days"]
    return clock.day_start(clock.platform_date(ordered_at) + timedelta(days=days + 1)) if days is not None else None
