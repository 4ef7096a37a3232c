"""What happens to a resource after its delivery: information, eye, tags, disabling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from koogallery.kernel import events, policies
from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.prepared import Question
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import notify, notify_many
from orders.events import ResourceClosed
from orders.models import AutoRenewal, Order, Resource
from orders.operations import follow_ups, interface_calls, provisioning
from orders.operations.taking_effect import seller_asked
from orders.queries import eligibility, returns
from orders.queries.follow_ups import own_resource_and_follow_ups_locked
from orders.queries.renewing import status_now, usage_plan
from orders.queries.resources import asked_for, own_resource, own_resource_locked, resource_locked
from orders.saas.answers import ApplicationInfo
from orders.states import CloseReason, ExpirationPolicy, ResourceStatus

BUYERS = {Role.BUYER}
DELETED_AT_RELEASE = ("frontend_url", "admin_url", "user_name", "password", "license_key", "memo")
"""What was kept to reach a resource."""


@operation(
    "keepApplicationInformation",
    resource_type="Resource",
    roles={Role.SYSTEM},
    targets={"resource": resource_locked},
    sensitive={"application"},
)
def keep_information(call: Call, *, resource: Resource, application: ApplicationInfo) -> Resource:
    """Store how the buyer reaches the application, the password encrypted, and tell the buyer.

    A resource that was closed meanwhile is left as it is.
    """
    if resource.status == ResourceStatus.CLOSED:
        return resource
    resource.frontend_url = application.front_end_url
    resource.admin_url = application.admin_url
    resource.user_name = application.user_name
    resource.password = application.password
    resource.memo = application.memo
    first = resource.info_at is None
    resource.info_at = call.at
    resource.save(update_fields=["frontend_url", "admin_url", "user_name", "password", "memo", "info_at"])
    if first:
        notify(
            account_id=resource.account_id,
            kind="application_ready",
            params={"product": resource.product_name, "order": resource.order_number},
            link=resource.get_absolute_url(),
            key=f"application-ready:{resource.number}",
            at=call.at,
            mail=False,
        )
    return resource


@operation(
    "keepDelivered",
    resource_type="Resource",
    roles={Role.SELLER, Role.SYSTEM},
    targets={"resource": resource_locked},
    sensitive={"application", "license_key"},
)
def keep_delivered(
    call: Call, *, resource: Resource, application: ApplicationInfo | None, license_key: str = ""
) -> Resource:
    """Store what a supervised delivery brings: how the application is reached, and the license key, encrypted.

    What a later delivery leaves out stays as it was. Raises `Refused("state_move")` unless it is in delivery.
    """
    if resource.status != ResourceStatus.IN_DELIVERY:
        raise Refused("state_move", source=resource.status_enum.label, target=ResourceStatus.IN_DELIVERY.label)
    if application is not None:
        resource.frontend_url, resource.admin_url = application.front_end_url, application.admin_url
        resource.user_name, resource.password = application.user_name, application.password
        resource.memo, resource.info_at = application.memo, call.at
    resource.license_key = license_key or resource.license_key
    resource.save(
        update_fields=["frontend_url", "admin_url", "user_name", "password", "memo", "info_at", "license_key"]
    )
    return resource


@operation(
    "queryResourceList",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles=BUYERS,
    read=True,
    default_allowed=True,
)
def query_resource_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> Question[Resource]:
    """List what the account has bought and received, or is about to."""
    return asked_for(call.account_id, at=call.at, in_force=policies.in_force(call.at))


@operation(
    "queryResourceDetail",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles=BUYERS,
    targets={"resource": own_resource},
    read=True,
    default_allowed=True,
)
def read_details(call: Call, *, resource: Resource) -> Resource:
    """Resource Details, without secrets."""
    return resource


@operation(
    "querySaasResourceInstance",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles=BUYERS,
    targets={"resource": own_resource},
    read=True,
    default_allowed=True,
)
def reveal_password(call: Call, *, resource: Resource) -> str:
    """The initial password in clear, behind the eye. Raises `Refused("secret_missing")` when there is none."""
    if not resource.password or _status(call, resource) == ResourceStatus.CLOSED:
        raise Refused("secret_missing")
    return resource.password


@operation(
    "revealLicenseKey",
    resource_type="Resource",
    action="marketplace:saasResourceInstance:view",
    roles=BUYERS,
    targets={"resource": own_resource},
    read=True,
    default_allowed=True,
)
def reveal_license_key(call: Call, *, resource: Resource) -> str:
    """The license key in clear, behind the eye. Raises `Refused("license_key_missing")` when there is none."""
    if not resource.license_key or _status(call, resource) == ResourceStatus.CLOSED:
        raise Refused("license_key_missing")
    return resource.license_key


@operation(
    "closeResource",
    resource_type="Resource",
    roles=BUYERS,
    targets={"resource": own_resource_and_follow_ups_locked},
    once=True,
)
def close_resource(call: Call, *, resource: Resource) -> Resource:
    """Disable a resource for good: closed at once, its instance released, nothing refunded.

    Raises `Refused("resource_not_in_use")` unless it is in use, `Refused("resource_unsub_open")` while a request to
    give it back is open.
    """
    if not (status := _status(call, resource)).is_in_use:
        raise Refused("resource_not_in_use", state=status.label)
    if (refused := returns.why_asked_back(resource)) is not None:
        raise refused
    _close(call, resource, reason=CloseReason.DISABLED)
    return resource


@operation(
    "closeUndeliveredResource",
    resource_type="Resource",
    roles={Role.SYSTEM},
    targets={"resource": resource_locked},
)
def close_undelivered(call: Call, *, resource: Resource) -> Resource:
    """Close a pay-per-use resource or package whose instance could not be created."""
    if resource.status != ResourceStatus.CLOSED:
        _close(call, resource, reason=CloseReason.CANCELED)
    return resource


def go_pay_per_use(call: Call, resource: Resource) -> bool:
    """Let a locked resource whose term is over go on by use, where its product sells that; whether it did."""
    plan = usage_plan(resource)
    if plan is None:
        return False
    configuration = resource.configured
    resource.configuration = replace(
        configuration,
        billing_mode=plan.billing_mode,
        plan=plan.values[configuration.currency],
        plan_id=plan.pk,
        term_unit="",
        term_count=0,
        usage_unit=plan.usage_unit,
        usage_unit_zh=plan.usage_unit_zh,
    ).to_json()
    resource.billing_mode = plan.billing_mode
    resource.expires_at = resource.life_due_at = resource.notice_due_at = None
    resource.expiration_policy = ExpirationPolicy.MANUAL
    resource.save(
        update_fields=[
            "configuration", "billing_mode", "expires_at", "life_due_at", "notice_due_at", "expiration_policy",
        ]
    )  # fmt: skip
    notify(
        account_id=resource.account_id,
        kind="resource_pay_per_use",
        params={"product": resource.product_name, "resource": resource.number},
        link=resource.get_absolute_url(),
        key=f"resource-pay-per-use:{resource.number}:{call.at:%Y%m%d}",
        at=call.at,
    )
    return True


def _status(call: Call, resource: Resource) -> ResourceStatus:
    """Where a resource stands at the moment of a call, whether or not the sweep has run (R19)."""
    return status_now(resource, at=call.at, in_force=policies.in_force(call.at))


def close_given_back(call: Call, resource: Resource, *, by: Order, delivered: bool) -> None:
    """Close a locked resource that the UNSUBSCRIBE order `by` gives back; its release names that order."""
    if resource.status != ResourceStatus.CLOSED:
        _close(call, resource, reason=CloseReason.UNSUBSCRIBED, order=by, delivered=delivered)


def _close(
    call: Call, resource: Resource, *, reason: CloseReason, order: Order | None = None, delivered: bool = False
) -> None:
    """Close a locked resource; what was kept to reach it is deleted with it.

    `order` is the one that ends it, unless that is its own; one that was never enabled may have been `delivered`.
    """
    follow_ups.end_all(call, resource)
    provisioning.move(
        resource,
        ResourceStatus.CLOSED,
        closed_at=call.at,
        close_reason=reason,
        life_due_at=None,
        notice_due_at=None,
        **dict.fromkeys(DELETED_AT_RELEASE, ""),
    )
    AutoRenewal.objects.filter(resource=resource, enabled=True).update(
        enabled=False, next_attempt_at=None, preflight_due_at=None
    )
    if resource.instance_id:
        interface_calls.supersede([resource.pk], at=call.at)
    if resource.instance_id and resource.product.interface_version:
        provisioning.release_instance(
            call,
            order=order or resource.line.order,
            line=order.line if order is not None else resource.line,
            instance_id=resource.instance_id,
            resource=resource,
        )
    elif reason != CloseReason.CANCELED and (resource.enabled_at is not None or delivered):
        notify_many([seller_asked(resource, kind="resource_to_release", at=call.at)])
    events.publish(ResourceClosed(resource=resource, reason=reason, at=call.at))
    notify(
        account_id=resource.account_id,
        kind="resource_closed",
        params={"product": resource.product_name, "resource": resource.number, "reason": reason.label},
        link=resource.get_absolute_url(),
        key=f"resource-closed:{resource.number}",
        at=call.at,
    )
    describe(reason=reason.value)


@operation(
    "setResourceTags",
    resource_type="Resource",
    roles=BUYERS,
    targets={"resource": own_resource_locked},
    once=True,
)
def set_tags(call: Call, *, resource: Resource, tags: Mapping[str, str]) -> Resource:
    """Replace the tags of a resource. Raises `Refused` for a key, a value or a resource that cannot have them.

    A closed resource keeps its tags as they are: `Refused("resource_closed")`.
    """
    if _status(call, resource) == ResourceStatus.CLOSED:
        raise Refused("resource_closed")
    resource.tags = eligibility.checked_resource_tags(tags, resource=resource, at=call.at)
    resource.save(update_fields=["tags"])
    describe(tags=resource.tags)
    return resource
