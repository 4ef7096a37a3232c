"""What an account may buy and what a confirmation asks of it; the page and the operation call the same functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Q, QuerySet

from catalog.queries import Configuration
from catalog.states import BillingMode, ContactData, DeliveryMethod
from koogallery.identity import queries as identity
from koogallery.identity.rules.tags import check_tags
from koogallery.kernel import policies
from koogallery.kernel.policies import PolicySet
from koogallery.kernel.reasons import Refused
from orders.models import OrderLine, Resource
from orders.states import OrderState, OrderType

if TYPE_CHECKING:
    from koogallery.identity.models import Account

CONTACT_KINDS = {
    ContactData.MOBILE: "mobile",
    ContactData.EMAIL: "email",
    ContactData.IAM_USER_NAME: "user_name",
}
NOT_YET_SOLD = frozenset({DeliveryMethod.IMAGE})
_provider_is_left_out: ContextVar[bool] = ContextVar("provider_is_left_out", default=False)


def check_deliverable(configuration: Configuration) -> None:
    """Raise `Refused("delivery_not_available")` for what the platform cannot deliver yet."""
    if configuration.delivery_method in NOT_YET_SOLD and not _provider_is_left_out.get():
        raise Refused("delivery_not_available")


@contextmanager
def without_provider() -> Iterator[None]:
    """Let images be bought of which nothing is provisioned, as the demo and tests do."""
    token = _provider_is_left_out.set(True)
    try:
        yield
    finally:
        _provider_is_left_out.reset(token)


def may_have_project(account: Account, configuration: Configuration) -> bool:
    """Whether the order belongs to an enterprise project: the function is on, and it is no pay-per-use package."""
    return account.projects_enabled and configuration.billing_mode != BillingMode.ON_DEMAND_PKG


def checked_project(account: Account, code: str, *, configuration: Configuration) -> str:
    """The project of the order, `default` when none was named; empty where there are none.

    Raises `Refused("project_not_for_package")` or `Refused("project_unknown")`.
    """
    if not account.projects_enabled:
        return ""
    if not may_have_project(account, configuration):
        if code:
            raise Refused("project_not_for_package", field="project")
        return ""
    project = identity.project_for(account, code)
    if project is None:
        raise Refused("project_unknown", field="project")
    return str(project.code)


def may_have_tags(configuration: Configuration, in_force: PolicySet) -> bool:
    """Whether tags are offered: for pay-per-use, or for all by policy `tags.scope`."""
    return in_force["tags.scope"] == "all" or configuration.billing_mode == BillingMode.ON_DEMAND


def checked_tags(tags: Mapping[str, str], *, configuration: Configuration, in_force: PolicySet) -> dict[str, str]:
    """The tags of the order. Raises `Refused` for one that breaks identity.md's rules, or where none is offered."""
    if tags and not may_have_tags(configuration, in_force):
        raise Refused("tags_not_offered", field="tags")
    return _well_formed(tags)


def may_tag_resource(resource: Resource, in_force: PolicySet) -> bool:
    """Whether a purchased resource has tags: pay-per-use, or all by policy `tags.scope`."""
    return in_force["tags.scope"] == "all" or resource.billing_mode == BillingMode.ON_DEMAND


def checked_resource_tags(tags: Mapping[str, str], *, resource: Resource, at: datetime) -> dict[str, str]:
    """The tags of a purchased resource. Raises `Refused` as `checked_tags` does."""
    if tags and not may_tag_resource(resource, policies.in_force(at)):
        raise Refused("tags_not_offered", field="tags")
    return _well_formed(tags)


def _well_formed(tags: Mapping[str, str]) -> dict[str, str]:
    try:
        return check_tags(tags)
    except Refused as refused:
        raise Refused(refused.code, field="tags", **refused.params) from refused


def contact_kind(contact_data: str) -> str:
    """What identity calls the contact data that a product asks for; empty for none."""
    return CONTACT_KINDS.get(ContactData(contact_data), "")


def texts_to_sign(account: Account, subjects: Sequence[str]) -> list[Any]:
    """The agreements to be ticked: the terms always, others when their text changed since the account signed it."""
    return list(identity.needs_signature(account, identity.current_agreements(subjects)))


def live_lines(account_id: int, product_id: int, *, at: datetime) -> QuerySet[OrderLine]:
    """Lines of a product that count against limits: not Canceled, nor past their payment deadline (R19)."""
    return OrderLine.objects.filter(
        order__account_id=account_id, product_id=product_id, order__type__in=[OrderType.NEW, OrderType.TRIAL]
    ).exclude(
        Q(order__state=OrderState.CANCELED) | Q(order__state=OrderState.PENDING_PAYMENT, order__payment_due_at__lte=at)
    )


def holds(account_id: int, product_id: int, *, at: datetime) -> bool:
    """Whether the account has the product, or an order on its way to it ("one at a time")."""
    on_the_way = Q(order__state__in=[OrderState.PENDING_PAYMENT, OrderState.PROCESSING])
    in_use = Q(resources__id__isnull=False, resources__closed_at__isnull=True) & (
        Q(resources__expires_at__isnull=True) | Q(resources__expires_at__gte=at)
    )
    return live_lines(account_id, product_id, at=at).filter(on_the_way | in_use).exists()
