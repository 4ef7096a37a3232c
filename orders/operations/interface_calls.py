"""Calls to sellers' servers: written with what caused them, made outside of any transaction, recorded one by one.

A claim gives a call to one worker for the length of a lease; a worker that dies leaves it to the next after that.
Sellers recognise a repeated creation by order and line, so asking again makes nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import translation

from koogallery import clock
from koogallery.kernel import guard, ids
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import after_commit, describe, operation
from koogallery.kernel.reasons import Missing, Refused
from koogallery.notifications.operations import notify
from orders.models import InterfaceAttempt, InterfaceCall, Order, OrderLine, Resource
from orders.operations import cancelling
from orders.queries.interface import call_locked, sellers_call_locked
from orders.rules.trying import LATER, schedule_of
from orders.saas import codes
from orders.saas.activities import (
    Activity,
    InterfaceVersion,
    InvalidCall,
    SellerRequest,
    build_request,
    supports,
)
from orders.saas.answers import CallResult, failed
from orders.saas.codes import CallError, CallStatus
from orders.saas.transport import call_seller
from orders.states import CALL_MOVES, CallState, OrderState

if TYPE_CHECKING:
    from catalog.models import Product

LEASE = timedelta(seconds=60)
BATCH = 16
MASKED_PARAMETERS = ("mobilePhone", "email")


def enqueue(
    call: Call,
    *,
    activity: Activity,
    product: Product,
    key: str,
    parameters: Mapping[str, Any],
    order: Order | None = None,
    line: OrderLine | None = None,
    resource: Resource | None = None,
    test: bool = False,
) -> InterfaceCall:
    """Write a call with the running transaction and hint a worker; a call with the same key is written once."""
    schedule = schedule_of(activity, test=test)
    written, created = InterfaceCall.objects.get_or_create(
        key=key,
        defaults={
            "number": ids.public_id(),
            "activity": activity.value,
            "version": product.interface_version,
            "seller": product.seller,
            "product": product,
            "order": order,
            "line": line,
            "resource": resource,
            "parameters": {name: value for name, value in parameters.items() if value != ""},
            "test": test,
            "created_at": call.at,
            "first_try_at": call.at,
            "next_try_at": call.at,
            "deadline_at": call.at + schedule.window,
        },
    )
    if created:
        nudge()
    return written


def nudge() -> None:
    """Ask a worker, after commit, to make the calls that are due; losing this hint loses nothing."""
    from orders.tasks import make_calls  # tasks import this module

    after_commit(lambda: make_calls.delay())


def next_due() -> datetime | None:
    """When the next call is due."""
    waiting = InterfaceCall.objects.filter(next_try_at__isnull=False).order_by("next_try_at")
    return waiting.values_list("next_try_at", flat=True).first()


def run_due(upto: datetime) -> int:
    """Make every call due at or before `upto`, end those whose time is over; return how many were handled."""
    handled = 0
    while claimed := _claim(upto):
        over = [call for call in claimed if call.deadline_at <= upto]
        for call in over:
            give_up(system_call(at=call.deadline_at), interface_call=call.number)
        asked = [call for call in claimed if call.deadline_at > upto]
        for call, sent in zip(asked, _ask(asked), strict=True):
            record_answer(system_call(at=upto), interface_call=call.number, sent=sent)
        handled += len(claimed)
    return handled


def _claim(upto: datetime) -> list[InterfaceCall]:
    """Take due calls for the length of a lease; no other worker asks meanwhile."""
    with transaction.atomic(), guard.opened("claimInterfaceCalls"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_interfacecall SET claimed_until = %s, next_try_at = %s WHERE id IN ("
            "SELECT id FROM orders_interfacecall WHERE next_try_at <= %s ORDER BY next_try_at, id LIMIT %s "
            "FOR UPDATE SKIP LOCKED) RETURNING id",
            [upto + LEASE, upto + LEASE, upto, BATCH],
        )
        taken = [row[0] for row in cursor.fetchall()]
    calls = InterfaceCall.objects.filter(pk__in=taken).select_related("product")
    return sorted(calls, key=lambda call: call.pk)


@dataclass(frozen=True, slots=True)
class Sent:
    """One try as it went over the wire, with secrets masked, and its outcome."""

    url: str
    body: str
    result: CallResult


def _ask(calls: Sequence[InterfaceCall]) -> list[Sent]:
    """Make the calls at once, each in a thread that never touches the database."""
    if not calls:
        return []
    prepared = [(_prepare(call), call.product.interface_key) for call in calls]
    if len(prepared) == 1:
        return [_exchange(*prepared[0])]
    with ThreadPoolExecutor(max_workers=len(prepared)) as pool:
        return list(pool.map(lambda pair: _exchange(*pair), prepared))


def _prepare(call: InterfaceCall) -> SellerRequest | str:
    """The signed request, or why none can be made."""
    parameters = dict(call.parameters)
    if call.activity == Activity.NEW_INSTANCE:
        parameters["businessId"] = ids.public_id()
    try:
        return build_request(
            version=InterfaceVersion(int(call.version)),
            url=call.product.interface_url,
            key=call.product.interface_key,
            activity=Activity(call.activity),
            params=parameters,
            at=clock.real_now(),
            test=call.test,
        )
    except (InvalidCall, ValueError) as error:
        return str(error)


def _exchange(request: SellerRequest | str, key: str) -> Sent:
    if isinstance(request, str):
        return Sent(url="", body="", result=failed(error=CallError.ADDRESS_REFUSED, detail=request))
    result = call_seller(request=request, key=key, allow_loopback=settings.ALLOW_LOOPBACK_SELLERS)
    return Sent(url=request.url, body=request.body.decode(), result=result)


@operation(
    "recordInterfaceAnswer",
    resource_type="InterfaceCall",
    roles={Role.SYSTEM},
    targets={"interface_call": call_locked},
    sensitive={"sent"},
)
def record_answer(call: Call, *, interface_call: InterfaceCall, sent: Sent) -> InterfaceCall:
    """Keep one try with its answer and do what follows from it. A call that ended meanwhile only keeps the try."""
    result = sent.result
    interface_call.tries += 1
    InterfaceAttempt.objects.create(
        call=interface_call,
        number=interface_call.tries,
        at=call.at,
        request_url=sent.url,
        request_body=sent.body,
        http_status=result.http_status,
        response_body=json.dumps(result.masked_body, ensure_ascii=False) if result.body else result.detail,
        status=result.status.value,
        code=result.code or (result.error.value if result.error else ""),
        message=(result.message or result.detail)[:500],
        signature_ok=result.signature_ok,
        elapsed_ms=result.elapsed_ms,
    )
    interface_call.last_code = result.code or (result.error.value if result.error else "")
    interface_call.last_message = (result.message or result.detail)[:500]
    interface_call.claimed_until = None
    describe(attempt=interface_call.tries, code=interface_call.last_code, status=result.status.value)
    if interface_call.state != CallState.WAITING:
        interface_call.save(update_fields=["tries", "last_code", "last_message", "claimed_until"])
    elif result.status is CallStatus.DONE and _is_answered(interface_call, result):
        _end(interface_call, CallState.DONE, at=call.at)
        _succeeded(call, interface_call, result)
    elif result.status is CallStatus.REFUSED and interface_call.activity != Activity.QUERY_INSTANCE:
        _end(interface_call, CallState.REFUSED, at=call.at)
        _refused(call, interface_call)
    else:
        _try_again(interface_call, at=call.at)
    return interface_call


def _is_answered(interface_call: InterfaceCall, result: CallResult) -> bool:
    """Whether a success brought what was asked for: a query is asked again until it brings the information."""
    if interface_call.test:
        return True
    if interface_call.activity == Activity.NEW_INSTANCE:
        return bool(result.instance_id)
    if interface_call.activity == Activity.QUERY_INSTANCE:
        return any(info.application is not None for info in result.instances)
    return True


def _end(interface_call: InterfaceCall, state: CallState, *, at: datetime) -> None:
    CALL_MOVES.check(interface_call.state_enum, state)
    interface_call.state, interface_call.next_try_at, interface_call.finished_at = state, None, at
    interface_call.save()


def _try_again(interface_call: InterfaceCall, *, at: datetime) -> None:
    schedule = schedule_of(interface_call.activity, test=interface_call.test)
    following = schedule.next_try(first=interface_call.first_try_at, after=at)
    interface_call.next_try_at = (
        max(following, at) if following < interface_call.deadline_at else interface_call.deadline_at
    )
    interface_call.save()


def _succeeded(call: Call, interface_call: InterfaceCall, result: CallResult) -> None:
    from orders.operations import provisioning, resources  # both write calls themselves

    if interface_call.test:
        return
    order, line = interface_call.order, interface_call.line
    if interface_call.activity == Activity.NEW_INSTANCE and order is not None and line is not None:
        if order.state == OrderState.CANCELED or _is_closed(interface_call):
            provisioning.release_instance(call, order=order, line=line, instance_id=result.instance_id)
        else:
            provisioning.instance_created(call, order=order, line=line, instance_id=result.instance_id)
    elif interface_call.activity == Activity.QUERY_INSTANCE and interface_call.resource is not None:
        for info in result.instances:
            if info.application is not None:
                resources.keep_information(call, resource=interface_call.resource, application=info.application)
                break


def _is_closed(interface_call: InterfaceCall) -> bool:
    return interface_call.resource is not None and interface_call.resource.closed_at is not None


def _refused(call: Call, interface_call: InterfaceCall) -> None:
    """A business refusal: of a creation it ends the order, of anything else it waits for the seller."""
    if interface_call.test:
        return
    if interface_call.activity == Activity.NEW_INSTANCE:
        _creation_failed(call, interface_call)
    _tell_seller(interface_call, at=call.at)


def _creation_failed(call: Call, interface_call: InterfaceCall) -> None:
    from orders.operations import resources  # it writes calls itself

    order = interface_call.order
    if order is None:
        return
    if order.state == OrderState.PROCESSING:
        cancelling.cancel_undeliverable(call, order=order, reason=_reason(interface_call))
    elif interface_call.resource is not None and interface_call.resource.closed_at is None:
        resources.close_undelivered(call, resource=interface_call.resource)


def _reason(interface_call: InterfaceCall) -> str:
    """Why creation failed, in English, as it is kept with the order; pages show it by its code."""
    with translation.override("en"):
        code = interface_call.last_code
        return codes.error_sentence(code) if code in set(CallError) else codes.code_sentence(code)


@operation(
    "giveUpInterfaceCall",
    resource_type="InterfaceCall",
    roles={Role.SYSTEM},
    targets={"interface_call": call_locked},
)
def give_up(call: Call, *, interface_call: InterfaceCall) -> InterfaceCall:
    """End a call whose time is over: a creation cancels its order, anything else is parked for the seller.

    When the seller was still working on a creation, it is asked for another hour, to release what comes out of it.
    """
    if interface_call.state != CallState.WAITING:
        return interface_call
    was_working = interface_call.last_code == codes.PROCESSING and not interface_call.for_release
    creation = interface_call.activity == Activity.NEW_INSTANCE and not interface_call.test
    if creation and was_working:
        interface_call.for_release = True
        interface_call.first_try_at = call.at
        interface_call.deadline_at = call.at + LATER.window
        interface_call.next_try_at = call.at + LATER.spacing
        interface_call.claimed_until = None
        interface_call.save()
    else:
        given_up = creation or interface_call.test
        _end(interface_call, CallState.GIVEN_UP if given_up else CallState.PARKED, at=call.at)
    describe(state=interface_call.state, tries=interface_call.tries)
    if creation and not interface_call.replays:
        _creation_failed(call, interface_call)
    if not interface_call.test:
        _tell_seller(interface_call, at=call.at)
    return interface_call


def _tell_seller(interface_call: InterfaceCall, *, at: datetime) -> None:
    notify(
        account_id=interface_call.seller.account_id,
        kind="interface_call_failed",
        params={
            "activity": interface_call.activity,
            "product": interface_call.product.name,
            "order": interface_call.order.number if interface_call.order else "-",
            "code": interface_call.last_code or "-",
            "tries": str(interface_call.tries),
        },
        link=interface_call.get_absolute_url(),
        key=f"interface-call-failed:{interface_call.number}:{interface_call.replays}:{interface_call.for_release}",
        at=at,
    )


@operation(
    "replayInterfaceCall",
    resource_type="InterfaceCall",
    roles={Role.SELLER, Role.OPERATOR},
    targets={"interface_call": sellers_call_locked},
    once=True,
)
def replay(call: Call, *, interface_call: InterfaceCall) -> InterfaceCall:
    """Make an ended call again, with its own schedule from now on. Raises `Refused("call_not_replayable")`."""
    if not CALL_MOVES.allowed(interface_call.state_enum, CallState.WAITING):
        raise Refused("call_not_replayable", state=interface_call.state_enum.label)
    interface_call.state = CallState.WAITING
    interface_call.replays += 1
    interface_call.first_try_at = interface_call.next_try_at = call.at
    interface_call.deadline_at = call.at + LATER.window
    interface_call.finished_at = None
    interface_call.for_release = interface_call.order is not None and interface_call.order.state == OrderState.CANCELED
    interface_call.save()
    nudge()
    return interface_call


def _debugged_product(call: Call, code: Any) -> Product:
    from catalog import queries as catalog  # the seller's own product, whatever its state

    product = catalog.product_by_code(str(code)[:64])
    if product.seller.account_id != call.account_id:
        raise Missing(f"product {code}")
    return product


@operation(
    "debugInterface",
    resource_type="InterfaceCall",
    roles={Role.SELLER},
    targets={"product": _debugged_product},
    once=True,
)
def debug(call: Call, *, product: Product, activity: str, parameters: Mapping[str, str]) -> InterfaceCall:
    """Ask the seller's server once with `testFlag` 1. Raises `Refused` for an activity its version has not."""
    if not product.interface_version:
        raise Refused("interface_missing")
    wanted = Activity(activity) if activity in set(Activity) else None
    if wanted is None or not supports(version=InterfaceVersion(int(product.interface_version)), activity=wanted):
        raise Refused("activity_unknown", field="activity")
    number = ids.public_id()
    return enqueue(
        call,
        activity=wanted,
        product=product,
        key=f"debug:{number}",
        parameters=dict(parameters),
        test=True,
    )
