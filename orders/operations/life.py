"""The life of a resource after its term: notices, grace, retention, release (subscriptions.md, R8)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from audit.recording import system_traces
from koogallery import clock
from koogallery.kernel import policies
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import operation
from koogallery.notifications.operations import Notice, notify_many
from orders.models import Resource
from orders.operations import renewing, resources
from orders.operations.taking_effect import tell_instance, told_of
from orders.queries.resources import resource_locked
from orders.rules import life as rules
from orders.saas.activities import InstanceStatus
from orders.states import CloseReason, ExpirationPolicy, OrderType, ResourceStatus


@operation("advanceResource", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def advance(call: Call, *, resource: Resource) -> Resource:
    """Bring a resource to the step that its time gives it: grace, retention, release, or pay-per-use.

    The sweep does so set-wise for whole chunks, under this name.
    """
    assert resource.life_due_at is not None
    if not resource.has_term:
        _end(call, resource, CloseReason.EXPIRED)
    elif resource.status_enum is ResourceStatus.ENABLED:
        _expire(call, resource)
    elif resource.status_enum is ResourceStatus.GRACE:
        _freeze(call, resource)
    elif resource.status_enum is ResourceStatus.RETENTION:
        _end(call, resource, CloseReason.RELEASED)
    return resource


def advance_due(resource_ids: list[int], upto: datetime) -> None:
    """Advance claimed resources, each at its own due time."""
    rows = Resource.objects.filter(pk__in=resource_ids, life_due_at__isnull=False).values_list("number", "life_due_at")
    for number, at in rows.order_by("life_due_at", "pk"):
        advance(system_call(at=at), resource=number)


def _expire(call: Call, resource: Resource) -> None:
    """The term is over: grace begins, or what was chosen for this moment."""
    renewing.cancel_unpaid(call, resource, only=OrderType.CHANGE)
    if resource.expiration_policy == ExpirationPolicy.PAY_PER_USE and resources.go_pay_per_use(call, resource):
        return
    days = policies.in_force(call.at)["grace_days"]
    if not days:
        _freeze(call, resource)
        return
    _enter(resource, ResourceStatus.GRACE, due_at=_later(resource, days))
    _tell(resource, "resource_in_grace", at=call.at)


def _freeze(call: Call, resource: Resource) -> None:
    """Grace is over: the instance is frozen, its data kept."""
    in_force = policies.in_force(call.at)
    due_at = _later(resource, in_force["grace_days"] + in_force["retention_days"])
    _enter(resource, ResourceStatus.RETENTION, due_at=due_at)
    if tell_instance(call, resource, resource.line.order, status=InstanceStatus.FREEZE) is None:
        _ask_seller(resource, "resource_to_freeze", at=call.at)
    _tell(resource, "resource_in_retention", at=call.at)


def _end(call: Call, resource: Resource, reason: CloseReason) -> None:
    """The resource is released, its data deleted."""
    renewing.cancel_unpaid(call, resource)
    if not resource.instance_id and resource.supervised:
        _ask_seller(resource, "resource_to_release", at=call.at)
    resources.release(call, resource, reason=reason)


def _later(resource: Resource, days: int) -> datetime:
    """The 00:00:00 so many whole days after the day after the expiry (R8)."""
    assert resource.expires_at is not None
    return rules.day_after(clock.platform_date(resource.expires_at) + timedelta(days=days))


def _enter(resource: Resource, status: ResourceStatus, *, due_at: datetime) -> None:
    resource.status, resource.life_due_at, resource.notice_due_at = status, due_at, None
    resource.save(update_fields=["status", "life_due_at", "notice_due_at"])


def _tell(resource: Resource, kind: str, *, at: datetime) -> None:
    notify_many(
        [
            Notice(
                account_id=resource.account_id,
                kind=kind,
                params=told_of(resource) | {"until": resource.life_due_at},
                link=resource.get_absolute_url(),
                key=f"{kind}:{resource.number}:{resource.expires_at:%Y%m%d}",
                at=at,
            )
        ]
    )


def _ask_seller(resource: Resource, kind: str, *, at: datetime) -> None:
    """Without an instance that the platform could call about, the seller is asked to do it by hand."""
    notify_many(
        [
            Notice(
                account_id=resource.seller.account_id,
                kind=kind,
                params=told_of(resource) | {"order": resource.order_number},
                key=f"{kind}:{resource.number}:{resource.expires_at:%Y%m%d}",
                at=at,
            )
        ]
    )


def notify_due(resource_ids: Iterable[int], upto: datetime) -> None:
    """Tell of the expiry of claimed resources, dated at the due time; what renews itself is told by its pre-flight.

    A worker that slept tells once, of what is still to come.
    """
    due = list(
        Resource.objects.filter(pk__in=list(resource_ids), notice_due_at__isnull=False)
        .select_related("product")
        .order_by("pk")
    )
    notices, rows = [], []
    for resource in due:
        assert resource.expires_at is not None and resource.notice_due_at is not None
        at = resource.notice_due_at
        expiry = clock.platform_date(resource.expires_at)
        resource.notice_due_at = rules.next_notice(expiry=expiry, after=max(at, upto))
        if resource.expiration_policy == ExpirationPolicy.AUTO or resource.status != ResourceStatus.ENABLED:
            continue
        left = (expiry - clock.platform_date(max(at, upto))).days
        notices.append(
            Notice(
                account_id=resource.account_id,
                kind="resource_expiring",
                params=told_of(resource) | {"days": left},
                link=resource.get_absolute_url(),
                key=f"resource-expiring:{resource.number}:{expiry}:{left}",
                at=at,
            )
        )
        rows.append(
            (
                resource.account_id,
                resource.number,
                resource.product_name,
                at,
                {"resource": resource.number},
                {"days": left},
            )
        )
    Resource.objects.bulk_update(due, ["notice_due_at"])
    notify_many(notices)
    system_traces("tellExpiry", rows=rows)


@operation("tellExpiry", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def tell_expiry(call: Call, *, resource: Resource) -> Resource:
    """Tell an account that a resource expires; the sweep does so set-wise, under this name."""
    notify_due([resource.pk], call.at)
    return resource
