"""The life of resources after their term: notices, grace, retention, release (subscriptions.md, R8), set-wise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from audit.recording import system_traces
from catalog.queries.products import products_by_id
from koogallery import clock
from koogallery.kernel import events, policies, prepared
from koogallery.kernel.addresses import Address
from koogallery.kernel.arrays import array
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import operation, untraced
from koogallery.notifications.operations import Notice, notify_many
from orders.events import ResourceClosed
from orders.models import AutoRenewal, InterfaceCall, OrderLine, Resource
from orders.operations import follow_ups, interface_calls, provisioning, resources
from orders.operations.taking_effect import work_item
from orders.queries.resources import resource_locked
from orders.rules import life as rules
from orders.saas.activities import Activity, InstanceStatus
from orders.states import CloseReason, ExpirationPolicy, ResourceStatus

if TYPE_CHECKING:
    from catalog.models import Product

_COLUMNS = (
    "id, number, account_id, seller_id, product_id, line_id, order_number, product_name, spec_text, status, "
    "billing_mode = 'PERIOD' AND NOT trial, expires_at, expiration_policy, instance_id"
)
_DUE = (
    f"SELECT {_COLUMNS}, life_due_at FROM orders_resource "  # noqa: S608 - constants
    "WHERE id = ANY(%s::bigint[]) AND life_due_at <= %s ORDER BY life_due_at, id"
)
_TO_TELL = (
    f"SELECT {_COLUMNS}, notice_due_at FROM orders_resource "  # noqa: S608 - constants
    "WHERE id = ANY(%s::bigint[]) AND notice_due_at <= %s ORDER BY notice_due_at, id"
)
_GO_ON = """
UPDATE orders_resource r SET status = g.status, life_due_at = g.until, notice_due_at = NULL
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[]) AS g(id, status, until) WHERE r.id = g.id
"""
_CLOSE = f"""
UPDATE orders_resource r SET status = 'closed', closed_at = g.at, close_reason = g.reason, life_due_at = NULL,
    notice_due_at = NULL, {", ".join(f"{name} = ''" for name in resources.DELETED_AT_RELEASE)}
FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[]) AS g(id, at, reason) WHERE r.id = g.id
"""  # noqa: S608 - constants
_REST = """
UPDATE orders_autorenewal SET enabled = FALSE, next_attempt_at = NULL, preflight_due_at = NULL
WHERE resource_id = ANY(%s::bigint[]) AND enabled
"""
_TOLD = """
UPDATE orders_resource r SET notice_due_at = g.following
FROM unnest(%s::bigint[], %s::timestamptz[]) AS g(id, following) WHERE r.id = g.id
"""
_PAGE = Address("orders:resource")


class _Due(NamedTuple):
    """A resource with a due time that has come."""

    pk: int
    number: str
    account_id: int
    seller_id: int
    product_id: int
    line_id: int
    order_number: str
    product_name: str
    spec_text: str
    status: str
    has_term: bool
    expires_at: datetime
    expiration_policy: str
    instance_id: str
    at: datetime

    @property
    def told(self) -> dict[str, Any]:
        """What messages about it name."""
        return {
            "product": self.product_name,
            "specification": self.spec_text,
            "resource": self.number,
            "expires": self.expires_at,
        }

    @property
    def page(self) -> str:
        """Resource Details."""
        return _PAGE(self.number)


class _Step(NamedTuple):
    """What becomes of a resource at its due time."""

    due: _Due
    stage: rules.Stage

    @property
    def is_end(self) -> bool:
        """Whether it is released."""
        return self.stage.status is ResourceStatus.CLOSED

    @property
    def reason(self) -> CloseReason:
        """Why it is closed."""
        return CloseReason.RELEASED if self.due.has_term else CloseReason.EXPIRED


# Grace, retention, release


@operation("advanceResource", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def advance(call: Call, *, resource: Resource) -> Resource:
    """Bring a resource to the step that its time gives it: grace, retention, release, or pay-per-use.

    The sweep does so set-wise, under this name.
    """
    untraced()
    advance_due([resource.pk], call.at)
    resource.refresh_from_db()
    return resource


def advance_due(resource_ids: Sequence[int], upto: datetime) -> Collection[int]:
    """Bring claimed resources one step further, each dated at its own due time, with a few statements for all.

    After an outage a resource takes one step a round; a stage that is over by `upto` is not told any more. Answers
    those that are left for the next tick: somebody holds an order of theirs, perhaps to pay it.
    """
    dues = _read(_DUE, resource_ids, upto)
    concerned, busy = follow_ups.lock_at_once(due.pk for due in dues)
    steps = _steps([due for due in dues if due.pk not in busy])
    turned = {step.due.pk for step in steps if _wants_pay_per_use(step.due) and _go_pay_per_use(step.due)}
    for step in steps:
        if step.due.pk in concerned:
            # What goes on by use has no term either that an order could renew or change.
            all_of_them = step.is_end or step.due.pk in turned
            follow_ups.end_follow_ups(system_call(at=step.due.at), step.due.number, all_of_them=all_of_them)
    on = [step for step in steps if step.due.pk not in turned and not step.is_end]
    ended = [step for step in steps if step.due.pk not in turned and step.is_end]
    _go_on(on)
    _close(ended)
    silent = _call_sellers(on, ended, upto=upto)
    notices = [_notice(step) for step in [*on, *ended] if step.is_end or (step.stage.until or upto) > upto]
    notify_many([*notices, *silent])
    _trace(steps, turned)
    _publish(ended)
    return busy


def _read(statement: str, resource_ids: Sequence[int], upto: datetime) -> list[_Due]:
    with prepared.cursor() as cursor:
        cursor.execute(statement, [array(resource_ids), upto])
        return [_Due(*row) for row in cursor.fetchall()]


def _steps(dues: Sequence[_Due]) -> list[_Step]:
    in_force = {at: policies.in_force(at) for at in {due.at for due in dues}}
    return [
        _Step(
            due,
            rules.stage(
                expiry=clock.platform_date(due.expires_at),
                at=due.at,
                grace_days=in_force[due.at]["grace_days"],
                retention_days=in_force[due.at]["retention_days"],
                reached=ResourceStatus(due.status),
            )
            if due.has_term
            else rules.Stage(ResourceStatus.CLOSED, None),
        )
        for due in dues
    ]


def _wants_pay_per_use(due: _Due) -> bool:
    """Whether it was chosen that a resource whose term has just ended goes on by use."""
    is_over = due.has_term and due.status == ResourceStatus.ENABLED
    return is_over and due.expiration_policy == ExpirationPolicy.PAY_PER_USE


def _go_pay_per_use(due: _Due) -> bool:
    call = system_call(at=due.at)
    return resources.go_pay_per_use(call, resource_locked(call, due.number))


def _go_on(steps: Sequence[_Step]) -> None:
    if steps:
        with prepared.cursor() as cursor:
            cursor.execute(
                _GO_ON,
                [
                    array(step.due.pk for step in steps),
                    array(step.stage.status.value for step in steps),
                    array(step.stage.until for step in steps),
                ],
            )


def _close(steps: Sequence[_Step]) -> None:
    """Close resources; what was kept to reach them is deleted, their auto-renewals rest."""
    if not steps:
        return
    ids = array(step.due.pk for step in steps)
    with prepared.cursor() as cursor:
        cursor.execute(_CLOSE, [ids, array(step.due.at for step in steps), array(step.reason.value for step in steps)])
        cursor.execute(_REST, [ids])


def _call_sellers(on: Sequence[_Step], ended: Sequence[_Step], *, upto: datetime) -> list[Notice]:
    """Have sellers' servers freeze and release instances, from now on for an hour; the work items of the others."""
    frozen = [step.due for step in on if step.stage.status is ResourceStatus.RETENTION]
    released = [step.due for step in ended]
    interface_calls.supersede([due.pk for due in [*frozen, *released] if due.instance_id], at=upto)
    products = products_by_id(due.product_id for due in [*frozen, *released])
    calls = [_freeze(due, products[due.product_id], at=upto) for due in frozen if _is_called(due, products)]
    gone = [due for due in released if due.instance_id and products[due.product_id].interface_version]
    lines = OrderLine.objects.select_related("order").in_bulk({due.line_id for due in gone})
    calls += [_release(due, products[due.product_id], lines[due.line_id], at=upto) for due in gone]
    interface_calls.enqueue_many(calls)
    called = {due.pk for due in gone}
    asked = [("resource_to_freeze", due) for due in frozen if not _is_called(due, products)]
    asked += [("resource_to_release", due) for due in released if due.pk not in called]
    return [
        work_item(
            seller_account_id=products[due.product_id].seller.account_id,
            kind=kind,
            params=due.told,
            resource=due.number,
            order=due.order_number,
            at=due.at,
        )
        for kind, due in asked
    ]


def _is_called(due: _Due, products: Mapping[int, Product]) -> bool:
    return bool(due.instance_id) and products[due.product_id].has_interface


def _freeze(due: _Due, product: Product, *, at: datetime) -> InterfaceCall:
    return interface_calls.new_call(
        activity=Activity.UPDATE_INSTANCE_STATUS,
        parameters={"instanceId": due.instance_id, "status": InstanceStatus.FREEZE.value},
        key=f"{InstanceStatus.FREEZE}:{due.number}:{due.at.isoformat()}",
        version=product.interface_version,
        seller_id=product.seller_id,
        product_id=product.pk,
        line_id=due.line_id,
        resource_id=due.pk,
        at=at,
    )


def _release(due: _Due, product: Product, line: OrderLine, *, at: datetime) -> InterfaceCall:
    return interface_calls.new_call(
        activity=Activity.RELEASE_INSTANCE,
        parameters=provisioning.release_parameters(line.order.number, line, due.instance_id),
        key=provisioning.release_key(line, due.instance_id),
        version=product.interface_version,
        seller_id=product.seller_id,
        product_id=product.pk,
        order_id=line.order_id,
        line_id=line.pk,
        resource_id=due.pk,
        at=at,
    )


_KINDS = {ResourceStatus.GRACE: "resource_in_grace", ResourceStatus.RETENTION: "resource_in_retention"}


def _notice(step: _Step) -> Notice:
    due, stage = step
    if step.is_end:
        params = {"product": due.product_name, "resource": due.number, "reason": step.reason.label}
        kind, key = "resource_closed", f"resource-closed:{due.number}"
    else:
        params = due.told | {"until": stage.until}
        kind = _KINDS[stage.status]
        key = f"{kind}:{due.number}:{due.expires_at:%Y%m%d}"
    return Notice(account_id=due.account_id, kind=kind, params=params, link=due.page, key=key, at=due.at)


def _trace(steps: Sequence[_Step], turned: Collection[int]) -> None:
    system_traces(
        "advanceResource",
        rows=[
            (
                due.account_id,
                due.number,
                due.product_name,
                due.at,
                {"resource": due.number},
                {"status": "pay_per_use" if due.pk in turned else stage.status.value},
            )
            for due, stage in steps
        ],
    )


def _publish(ended: Sequence[_Step]) -> None:
    """Tell the rooms above, if any of them listens: only then are the rows fetched."""
    if not ended or not events.is_heard(ResourceClosed):
        return
    found = Resource.objects.in_bulk([step.due.pk for step in ended])
    for step in ended:
        events.publish(ResourceClosed(resource=found[step.due.pk], reason=step.reason, at=step.due.at))


# Notices before the expiry


@operation("tellExpiry", resource_type="Resource", roles={Role.SYSTEM}, targets={"resource": resource_locked})
def tell_expiry(call: Call, *, resource: Resource) -> Resource:
    """Tell an account that a resource expires; the sweep does so set-wise, under this name."""
    untraced()
    notify_due([resource.pk], call.at)
    return resource


def notify_due(resource_ids: Sequence[int], upto: datetime) -> None:
    """Tell of the expiry of claimed resources, dated at the due time, and set the next notice.

    After an outage an account is told once, now, and only of what is still to come.
    """
    dues = _read(_TO_TELL, resource_ids, upto)
    following = {
        day: rules.next_notice(expiry=day, after=upto) for day in {clock.platform_date(due.expires_at) for due in dues}
    }
    days = [clock.platform_date(due.expires_at) for due in dues]
    with prepared.cursor() as cursor:
        cursor.execute(_TOLD, [array(due.pk for due in dues), array(following[day] for day in days)])
    today = clock.platform_date(upto)
    tries = _attempts([due.pk for due in dues if due.expiration_policy == ExpirationPolicy.AUTO])
    notices, rows = [], []
    for due, expiry in zip(dues, days, strict=True):
        if due.status != ResourceStatus.ENABLED or upto > due.expires_at:
            continue
        at = due.at if clock.platform_date(due.at) == today else upto
        left = (expiry - today).days
        kind, params = "resource_expiring", due.told | {"days": left}
        if not due.has_term:
            kind = "resource_ending"
        elif due.expiration_policy == ExpirationPolicy.PAY_PER_USE:
            kind = "resource_turning"
        elif due.pk in tries:
            kind, params["on"] = "resource_renewing", tries[due.pk]
        notices.append(
            Notice(
                account_id=due.account_id,
                kind=kind,
                params=params,
                link=due.page,
                key=f"resource-expiring:{due.number}:{expiry}:{left}",
                at=at,
            )
        )
        rows.append((due.account_id, due.number, due.product_name, at, {"resource": due.number}, {"days": str(left)}))
    notify_many(notices)
    system_traces("tellExpiry", rows=rows)


def _attempts(resource_ids: Sequence[int]) -> dict[int, datetime]:
    """When the auto-renewals of these resources are tried; those that failed or would are left to their owners."""
    if not resource_ids:
        return {}
    trusted = AutoRenewal.objects.filter(
        resource__in=resource_ids, next_attempt_at__isnull=False, failed_at=None, foreseen=""
    )
    found = trusted.values_list("resource_id", "next_attempt_at")
    return {resource_id: at for resource_id, at in found if at is not None}
