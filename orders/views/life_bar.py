"""The bar on a resource's page: where it stands in its life, what still works, what comes when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from catalog.queries import term_text
from catalog.queries.changing import cycles_of
from koogallery.kernel import display
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.models import RenewalChange, Resource, ResourceTerm
from orders.queries import renewals, renewing
from orders.queries.renewals import Life
from orders.states import ExpirationPolicy, ResourceStatus

if TYPE_CHECKING:
    from billing.rules.terms import TermLength
    from koogallery.kernel.policies import PolicySet

ORDER = (ResourceStatus.ENABLED, ResourceStatus.GRACE, ResourceStatus.RETENTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeBar:
    """The steps of a life for `{% stepper %}`, what holds now in a sentence, and the price of renewing today."""

    steps: list[dict[str, Any]]
    works: str
    amount: Money | None
    length: str
    expires_at: datetime | None


def length_text(length: TermLength) -> str:
    """`1 month` in the language in force."""
    return term_text(unit=length.unit, count=length.count)


def life_bar(
    resource: Resource, *, terms: list[ResourceTerm], at: datetime, in_force: PolicySet, not_renewable: Refused | None
) -> LifeBar | None:
    """The bar of a resource with a term; None for what has none or is closed."""
    life = renewals.life_of(resource, at=at, in_force=in_force)
    if life is None or not terms:
        return None
    waiting = renewing.waiting_change(resource)
    today = None if not_renewable else _today(resource, terms)
    return LifeBar(
        steps=_steps(life),
        works=_works(resource, life, waiting),
        amount=today.price.amount if today else None,
        length=length_text(renewing.parse_length(today_length(today))) if today else "",
        expires_at=today.expires_at if today else None,
    )


def today_length(priced: renewing.Renewal) -> str:
    """The length of a priced renewal as forms carry it."""
    configuration = priced.configuration
    return f"{configuration.term_count}-{configuration.term_unit}"


def _today(resource: Resource, terms: list[ResourceTerm]) -> renewing.Renewal | None:
    """A renewal for the usual length, as it costs today."""
    configuration = resource.configured
    cycles = cycles_of(resource.product, configuration.sku_code, currency=configuration.currency)
    length = renewals.usual_length(renewals.lengths_for(resource, terms, cycles), terms)
    if length is None:
        return None
    try:
        return renewing.renewal(resource, length=length, terms=terms)
    except Refused:
        return None


def _steps(life: Life) -> list[dict[str, Any]]:
    cycle, here = life.cycle, ORDER.index(life.status)
    notes = (
        _("until %(at)s") % {"at": display.moment_text(cycle.expires_at)},
        _("until %(at)s") % {"at": display.moment_text(life.grace_ends_at)},
        _("from %(at)s") % {"at": display.moment_text(cycle.retention_from)},
    )
    states = ["done"] * here + ["current"] + ["upcoming"] * (len(ORDER) - here)
    labels = [*(status.label for status in ORDER), pgettext("resource", "Released")]
    told = [*notes, _("at %(at)s") % {"at": display.moment_text(cycle.released_at)}]
    return [
        {"label": label, "note": note, "state": state} for label, note, state in zip(labels, told, states, strict=True)
    ]


def _works(resource: Resource, life: Life, waiting: RenewalChange | None) -> str:
    if waiting is not None:
        return _("Everything works. The resource is renewed and changed at %(at)s.") % {
            "at": display.moment_text(waiting.effective_at)
        }
    if life.status is ResourceStatus.GRACE:
        return _("The term is over. Everything still works until %(at)s; then the resource is frozen.") % {
            "at": display.moment_text(life.grace_ends_at)
        }
    if life.status is ResourceStatus.RETENTION:
        return _(
            "The resource is frozen and cannot be used. Its data is kept until %(at)s; a renewal unfreezes it."
        ) % {"at": display.moment_text(life.cycle.released_at)}
    if resource.expiration_policy == ExpirationPolicy.PAY_PER_USE:
        return _("Everything works. After the expiry the resource goes on by pay-per-use, without grace or retention.")
    auto = renewals.automation_of(resource)
    is_tried = auto is not None and auto.next_attempt_at is not None and not (auto.failed_at or auto.foreseen)
    if resource.expiration_policy == ExpirationPolicy.AUTO and is_tried:
        return _("Everything works. The resource renews itself before it expires.")
    return _("Everything works until the expiry, and in the grace period after it.")
