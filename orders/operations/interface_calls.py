"""Calls to sellers' servers: written with what caused them, made outside of any transaction, recorded one by one.

A claim gives a call to one worker for the length of a lease; a worker that dies leaves it to the next after that.
While it asks, a worker holds an advisory lock of the call, so that a lease that ended too early (a rehearsal's clock
was advanced) lets nobody ask twice at once. Sellers recognise a repeated creation by order and line, so asking again
makes nothing twice.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import translation

from catalog.operations import suspending
from koogallery import clock
from koogallery.identity import queries as identity
from koogallery.kernel import guard, hints, ids
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import MASK, describe, operation
from koogallery.kernel.reasons import Refused
from koogallery.notifications.operations import notify
from orders.models import InterfaceAttempt, InterfaceCall, Order, OrderLine, Resource
from orders.operations import cancelling
from orders.queries.interface import call_locked, is_superseded, sellers_call_locked
from orders.rules.trying import LATER, schedule_of
from orders.saas import codes
from orders.saas.activities import Activity, InterfaceVersion, InvalidCall, SellerRequest, build_request
from orders.saas.answers import ApplicationInfo, CallResult, failed
from orders.saas.codes import CallError, CallStatus
from orders.saas.transport import call_seller
from orders.states import CALL_MOVES, CallState, OrderState

if TYPE_CHECKING:
    from catalog.models import Product

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=60)
BATCH = 32
BUDGET_SECONDS = 15.0
CONTACT_PARAMETERS = {"mobile": "mobilePhone", "email": "email", "user_name": "userName"}
CONTACT_IN_URL = re.compile(rf"([?&](?:{'|'.join(CONTACT_PARAMETERS.values())})=)[^&]*")
"""Version 1.0 alone sends contact data, in its address."""


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
    not_before: datetime | None = None,
) -> InterfaceCall:
    """Write a call with the running transaction and hint a worker; a call with the same key is written once.

    It is first made `not_before` a moment, at once without one.
    """
    written = new_call(
        activity=activity,
        version=product.interface_version,
        seller_id=product.seller_id,
        product_id=product.pk,
        order_id=order.pk if order is not None else None,
        line_id=line.pk if line is not None else None,
        resource_id=resource.pk if resource is not None else None,
        parameters=parameters,
        key=key,
        at=call.at,
        test=test,
    )
    written.next_try_at = not_before or call.at
    # A conflict changes nothing, but answers the id of the call that is there.
    InterfaceCall.objects.bulk_create([written], update_conflicts=True, unique_fields=["key"], update_fields=["key"])
    nudge()
    return written


def new_call(
    *, activity: Activity, parameters: Mapping[str, Any], at: datetime, test: bool = False, **columns: Any
) -> InterfaceCall:
    """A call that is not written yet, due at once, with the schedule of its activity."""
    return InterfaceCall(
        number=ids.public_id(),
        activity=activity.value,
        parameters={name: value for name, value in parameters.items() if value != ""},
        test=test,
        created_at=at,
        first_try_at=at,
        next_try_at=at,
        deadline_at=at + schedule_of(activity, test=test).window,
        **columns,
    )


def enqueue_many(calls: Sequence[InterfaceCall]) -> None:
    """Write the calls of a sweep's chunk with one statement; those whose key was written before are left out."""
    if calls:
        InterfaceCall.objects.bulk_create(calls, ignore_conflicts=True)
        nudge()


def supersede(resource_ids: Sequence[int], *, at: datetime) -> datetime | None:
    """End the calls that were to freeze or unfreeze the instances of locked resources: another step follows them.

    Answers until when a worker may still be making one of them.
    """
    if not resource_ids:
        return None
    given = InterfaceCall.objects.filter(
        resource__in=resource_ids,
        activity=Activity.UPDATE_INSTANCE_STATUS,
        state__in=[CallState.WAITING, CallState.PARKED],
    )
    ended = list(given.order_by("pk").select_for_update(no_key=True).values_list("pk", "claimed_until"))
    if not ended:
        return None
    InterfaceCall.objects.filter(pk__in=[pk for pk, _until in ended]).update(
        state=CallState.GIVEN_UP, next_try_at=None, finished_at=at
    )
    return max((until for _pk, until in ended if until is not None and until > at), default=None)


def nudge() -> None:
    """Ask a worker, after commit, to make the calls that are due; losing this hint loses nothing."""
    from orders.tasks import make_calls  # tasks import this module

    hints.give(make_calls)


def next_due() -> datetime | None:
    """When the next call is due."""
    waiting = InterfaceCall.objects.filter(next_try_at__isnull=False).order_by("next_try_at")
    return waiting.values_list("next_try_at", flat=True).first()


def run_due(upto: datetime) -> int:
    """Make the calls due at or before `upto`, end those whose time is over; return how many were handled.

    Where no worker came in time, a call is still made once: nothing is given up that was never tried. Stops after some
    seconds of slow servers, so that other sweeps get their turn; the rest stays due.
    """
    handled = 0
    until = clock.monotonic() + BUDGET_SECONDS
    while clock.monotonic() < until and (claimed := _claim(upto)):
        with _alone(claimed):
            _handle(_still_claimed(claimed, upto), upto)
        handled += len(claimed)
    return handled


def _handle(calls: Sequence[InterfaceCall], upto: datetime) -> None:
    over = {call.pk for call in calls if call.deadline_at <= upto and (call.tries or call.is_check)}
    for call in (call for call in calls if call.pk in over):
        _end_one(call)
    asked = [call for call in calls if call.pk not in over]
    for call, sent in zip(asked, _ask(asked), strict=True):
        try:
            record_answer(system_call(at=upto), interface_call=call.number, sent=sent)
        except Exception:
            logger.exception("interface_answer_not_recorded", extra={"call": call.number})


def _end_one(call: InterfaceCall) -> None:
    """Give up a call; when even that fails, park it where people see it."""
    try:
        give_up(system_call(at=call.deadline_at), interface_call=call.number)
    except Exception:
        logger.exception("interface_call_not_given_up", extra={"call": call.number})
        _park_one(call)


def _park_one(call: InterfaceCall) -> None:
    """Park a call; one that cannot even be parked is due again when its lease ends and holds up no other."""
    try:
        park(system_call(at=call.deadline_at), interface_call=call.number)
    except Exception:
        logger.exception("interface_call_not_parked", extra={"call": call.number})


def _claim(upto: datetime) -> list[int]:
    """Take due calls for the length of a lease; no other worker takes them meanwhile."""
    with transaction.atomic(), guard.opened("claimInterfaceCalls"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orders_interfacecall SET claimed_until = %s, next_try_at = %s WHERE id IN ("
            "SELECT id FROM orders_interfacecall WHERE next_try_at <= %s ORDER BY next_try_at, id LIMIT %s "
            "FOR NO KEY UPDATE SKIP LOCKED) RETURNING id",
            [upto + LEASE, upto + LEASE, upto, BATCH],
        )
        return sorted(row[0] for row in cursor.fetchall())


@contextmanager
def _alone(call_ids: Sequence[int]) -> Iterator[None]:
    """Hold the advisory locks of the calls, taken in the order of their ids, until they were asked and recorded."""
    held: list[str] = []
    try:
        with connection.cursor() as cursor:
            for key in (f"interface-call:{call_id}" for call_id in call_ids):
                cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
                held.append(key)
        yield
    finally:
        with connection.cursor() as cursor:
            for key in held:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])


def _still_claimed(call_ids: Sequence[int], upto: datetime) -> list[InterfaceCall]:
    """The calls as they are now, without those that another worker took or ended while this one waited."""
    mine = InterfaceCall.objects.filter(pk__in=call_ids, claimed_until=upto + LEASE, state=CallState.WAITING)
    return list(mine.select_related("product", "order").order_by("pk"))


@dataclass(frozen=True, slots=True)
class Sent:
    """One try as it went over the wire, with secrets masked, and its outcome."""

    url: str
    body: str
    result: CallResult


def ask_once(interface_call: InterfaceCall) -> Sent:
    """Make a call now, while somebody waits, outside of any transaction; at most five seconds."""
    return _ask([interface_call])[0]


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
    try:
        parameters = dict(call.parameters)
        if call.activity == Activity.NEW_INSTANCE:
            parameters |= {"businessId": ids.public_id(), **_contact(call)}
        return build_request(
            version=InterfaceVersion(int(_version(call))),
            url=call.product.interface_url,
            key=call.product.interface_key,
            activity=Activity(call.activity),
            params=parameters,
            at=clock.real_now(),
            test=call.test,
        )
    except (InvalidCall, ValueError) as error:
        return str(error)
    except Exception as fault:
        logger.exception("interface_call_not_prepared", extra={"call": call.number})
        return f"The request could not be made: {type(fault).__name__}."


def _contact(call: InterfaceCall) -> dict[str, str]:
    """The contact data that the order's consent lets its seller have today; masked once the consent was withdrawn."""
    if call.order is None or not call.order.contact_kind:
        return {}
    consent = identity.consent_of_order(call.order.number, call.order.contact_kind)
    if consent is None:
        return {}
    return {"userId": consent.user.number, CONTACT_PARAMETERS[consent.kind]: identity.contact_for_seller(consent)}


def _version(call: InterfaceCall) -> str:
    """The version that the product's server speaks today."""
    return call.product.interface_version or call.version


def _exchange(request: SellerRequest | str, key: str) -> Sent:
    if isinstance(request, str):
        return Sent(url="", body="", result=failed(error=CallError.ADDRESS_REFUSED, detail=request))
    try:
        result = call_seller(request=request, key=key, allow_loopback=settings.ALLOW_LOOPBACK_SELLERS)
    except Exception as fault:
        logger.exception("interface_call_not_made", extra={"activity": request.activity.value})
        result = failed(error=CallError.CONNECTION_FAILED, detail=type(fault).__name__)
    return Sent(url=CONTACT_IN_URL.sub(rf"\1{MASK}", request.url), body=request.body.decode(), result=result)


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
        code=_code(result),
        message=(result.message or result.detail)[:500],
        signature_ok=result.signature_ok,
        elapsed_ms=result.elapsed_ms,
    )
    interface_call.last_code = _code(result)
    interface_call.last_message = (result.message or result.detail)[:500]
    interface_call.claimed_until = None
    interface_call.version = _version(interface_call)
    describe(attempt=interface_call.tries, code=interface_call.last_code, status=result.status.value)
    if interface_call.state != CallState.WAITING:
        interface_call.save(update_fields=["tries", "last_code", "last_message", "claimed_until"])
    elif result.status is CallStatus.DONE and _is_answered(interface_call, result):
        _end(interface_call, CallState.DONE, at=call.at)
        _succeeded(call, interface_call, result)
    elif result.status is CallStatus.REFUSED and interface_call.activity != Activity.QUERY_INSTANCE:
        _end(interface_call, CallState.REFUSED, at=call.at)
        _refused(call, interface_call)
    elif interface_call.test or interface_call.is_check or _is_pointless(interface_call):
        _end(interface_call, CallState.GIVEN_UP, at=call.at)
        if interface_call.is_check:
            _tell_seller(interface_call, at=call.at)
    else:
        _try_again(interface_call, at=call.at)
    return interface_call


def _code(result: CallResult) -> str:
    """What a try ended with: the failure when there was one, even if the answer held a code."""
    return result.error.value if result.error else result.code


def _is_pointless(interface_call: InterfaceCall) -> bool:
    """Whether nobody needs the answer any more: information about a resource that was closed."""
    return interface_call.activity == Activity.QUERY_INSTANCE and _is_closed(interface_call)


def _is_answered(interface_call: InterfaceCall, result: CallResult) -> bool:
    """Whether a success brought what was asked for: a query is asked again until it brings the information."""
    if interface_call.test:
        return True
    if interface_call.activity == Activity.NEW_INSTANCE:
        return bool(result.instance_id)
    if interface_call.activity == Activity.QUERY_INSTANCE:
        return _application(interface_call, result) is not None
    return True


def _application(interface_call: InterfaceCall, result: CallResult) -> ApplicationInfo | None:
    """What a query told about the very instance of the call's resource."""
    wanted = interface_call.resource.instance_id if interface_call.resource is not None else ""
    return next((info.application for info in result.instances if info.instance_id == wanted), None)


def _end(interface_call: InterfaceCall, state: CallState, *, at: datetime) -> None:
    CALL_MOVES.check(interface_call.state_enum, state)
    interface_call.state, interface_call.next_try_at, interface_call.finished_at = state, None, at
    interface_call.save()


def _try_again(interface_call: InterfaceCall, *, at: datetime) -> None:
    schedule = schedule_of(interface_call.activity, test=interface_call.test)
    following = schedule.next_try(first=interface_call.first_try_at, after=at)
    interface_call.deadline_at = max(interface_call.deadline_at, at)
    interface_call.next_try_at = min(following, interface_call.deadline_at)
    interface_call.save()


def _succeeded(call: Call, interface_call: InterfaceCall, result: CallResult) -> None:
    from orders.operations import provisioning, resources  # both write calls themselves

    if interface_call.test:
        suspending.resume(call, product=interface_call.product.code)
        return
    order, line = interface_call.order, interface_call.line
    if interface_call.activity == Activity.NEW_INSTANCE and order is not None and line is not None:
        if order.state == OrderState.CANCELED:
            provisioning.release_instance(call, order=order, line=line, instance_id=result.instance_id)
        else:
            provisioning.instance_created(call, order=order, line=line, instance_id=result.instance_id)
    elif interface_call.activity == Activity.QUERY_INSTANCE and interface_call.resource is not None:
        application = _application(interface_call, result)
        assert application is not None  # `_is_answered` has seen it
        resources.keep_information(call, resource=interface_call.resource.number, application=application)


def _is_closed(interface_call: InterfaceCall) -> bool:
    return interface_call.resource is not None and interface_call.resource.closed_at is not None


def _refused(call: Call, interface_call: InterfaceCall) -> None:
    """A business refusal: of a creation it ends the order, of a change it is the answer; else the seller is told."""
    if interface_call.test or interface_call.is_check:
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
        resources.close_undelivered(call, resource=interface_call.resource.number)


def _reason(interface_call: InterfaceCall) -> str:
    """Why creation failed, in English, as it is kept with the order; pages show it by its code."""
    with translation.override("en"):
        return codes.outcome_sentence(interface_call.last_code) or codes.error_sentence(CallError.TIMEOUT)


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
        given_up = creation or interface_call.test or interface_call.is_check
        _end(interface_call, CallState.GIVEN_UP if given_up else CallState.PARKED, at=call.at)
    describe(state=interface_call.state, tries=interface_call.tries)
    if creation:
        _creation_failed(call, interface_call)
    if not interface_call.test:
        _tell_seller(interface_call, at=call.at)
    return interface_call


@operation(
    "parkInterfaceCall",
    resource_type="InterfaceCall",
    roles={Role.SYSTEM},
    targets={"interface_call": call_locked},
)
def park(call: Call, *, interface_call: InterfaceCall) -> InterfaceCall:
    """Park a call that could not even be given up, where its seller and operations managers see and replay it."""
    if interface_call.state == CallState.WAITING:
        _end(interface_call, CallState.PARKED, at=call.at)
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
    """Make an ended call again, with its own schedule from now on.

    Raises `Refused("call_not_replayable")`, `Refused("call_superseded")` for a freeze that another step followed.
    """
    if not interface_call.is_replayable or interface_call.test:
        raise Refused("call_not_replayable", state=interface_call.state_enum.label)
    if is_superseded(interface_call):
        raise Refused("call_superseded")
    interface_call.state = CallState.WAITING
    interface_call.replays += 1
    interface_call.first_try_at = interface_call.next_try_at = call.at
    interface_call.deadline_at = call.at + LATER.window
    interface_call.finished_at = None
    interface_call.for_release = interface_call.order is not None and interface_call.order.state == OrderState.CANCELED
    interface_call.save()
    nudge()
    return interface_call
