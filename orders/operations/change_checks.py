"""`changeInstanceCheck`: the seller's server is asked once, while the buyer waits, whether a change may be ordered.

It is asked before the order is placed and again before it is paid, at most five seconds each time and outside of any
transaction. A refusal, and no answer as well, changes nothing and charges nothing. Each question is an interface call
of its own, claimed by who asks, so that no worker makes it; when the asking process dies, the sweep of calls gives it
up.
"""

from __future__ import annotations

from typing import Any

from catalog.queries import Configuration
from koogallery.kernel import ids, operations
from koogallery.kernel.calls import Call, Role, system_call
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused
from orders.models import InterfaceCall, Order, Resource
from orders.operations import interface_calls
from orders.operations.moving import actor_of
from orders.queries import renewing as queries
from orders.queries.orders import NOBODY, own_order
from orders.queries.resources import own_resource, resource_locked
from orders.rules.quote import Quote, SignedQuote, open_quote
from orders.saas import codes
from orders.saas.activities import Activity, InterfaceVersion, supports
from orders.saas.codes import CallError
from orders.states import CallState, OrderType


def before_placing(call: Call, name: str, *, resource: str, quote: SignedQuote) -> None:
    """Ask the seller's server whether a quoted change may be ordered, if operation `name` could place it.

    Raises nothing: the operation looks at the answer with `check_agreed`, and says what else stands against it.
    """
    if operations.is_replay(call, name) or (call.from_form and not call.idempotency_key):
        return
    try:
        row = own_resource(call, resource)
        quoted = open_quote(quote, account_id=call.account_id)
        if not changes(quoted.type, quoted.form) or not is_needed(row) or operations.may(call, name, row):
            return
        if Order.objects.filter(quote_id=quoted.quote_id).exists():
            return
        queries.still_true(quoted, row, at=call.at)
    except (Refused, Missing):
        return
    _ask(call, row, quote_id=quoted.quote_id, configuration=Configuration.from_json(quoted.configuration))


def before_payment(call: Call, *, order: str) -> None:
    """Ask once more before an order that changes a resource is paid. Raises `Refused` with the seller's words."""
    follow_ups = Order.objects.filter(
        account_id=call.account_id or NOBODY, type__in=[OrderType.CHANGE, OrderType.RENEW]
    )
    if not follow_ups.filter(number=order).exists():
        return
    placed = own_order(call, order)
    resource = placed.line.resource
    if resource is None or not changes(placed.type_enum, placed.form) or not is_needed(resource):
        return
    if not placed.is_payable(call.at) or operations.may(call, "payOrder", placed):
        return
    check = _ask(call, resource, quote_id=placed.quote_id or "", configuration=placed.line.configured)
    if (refused := why_refused(check)) is not None:
        operations.refuse(call, "payOrder", refused, target=placed)
        raise refused


def check_agreed(resource: Resource, quoted: Quote) -> None:
    """Raise `Refused` unless the seller's server agreed to a quoted change; for who has no such server, nothing."""
    if not changes(quoted.type, quoted.form) or not is_needed(resource):
        return
    asked = InterfaceCall.objects.filter(resource=resource, key__startswith=_key(quoted.quote_id)).order_by("-pk")
    refused = why_refused(asked.first())
    if refused is not None:
        raise refused


def changes(order_type: OrderType, form: Any) -> bool:
    """Whether an order changes the specification: within the term, or upon renewal."""
    return order_type is OrderType.CHANGE or bool(form.get("changes"))


def is_needed(resource: Resource) -> bool:
    """Whether the seller has a server that knows the instance and whose version can be asked."""
    product = resource.product
    if not resource.instance_id or not product.has_interface:
        return False
    version = InterfaceVersion(int(product.interface_version))
    return supports(version=version, activity=Activity.CHANGE_INSTANCE_CHECK)


def why_refused(check: InterfaceCall | None) -> Refused | None:
    """What a check that has ended says against the change, in the seller's words; None when the seller agrees."""
    if check is None or check.state == CallState.WAITING:
        return Refused("change_check_unanswered", answer=codes.error_sentence(CallError.TIMEOUT))
    if check.state == CallState.DONE:
        return None
    told = f" “{check.last_message}”" if check.last_code.isdecimal() and check.last_message else ""
    refused = "change_check_refused" if check.state == CallState.REFUSED else "change_check_unanswered"
    return Refused(refused, answer=f"{check.last_sentence}{told}")


def _key(quote_id: str) -> str:
    return f"{Activity.CHANGE_INSTANCE_CHECK}:{quote_id}:"


def _ask(call: Call, resource: Resource, *, quote_id: str, configuration: Configuration) -> InterfaceCall:
    """Write the call down, make it, keep the answer: each a transaction of its own, the middle one none."""
    asking = system_call(at=call.at, account=call.account, on_behalf_of=actor_of(call), request_id=call.request_id)
    check = start(asking, resource=resource.number, quote_id=quote_id, configuration=configuration)
    sent = interface_calls.ask_once(check)
    return interface_calls.record_answer(asking, interface_call=check.number, sent=sent)


@operation(
    "startChangeCheck", resource_type="InterfaceCall", roles={Role.SYSTEM}, targets={"resource": resource_locked}
)
def start(call: Call, *, resource: Resource, quote_id: str, configuration: Configuration) -> InterfaceCall:
    """Write down that the seller's server is about to be asked; whoever wrote it has it for the length of a lease."""
    until = call.at + interface_calls.LEASE
    product = resource.product
    check = InterfaceCall.objects.create(
        number=ids.public_id(),
        key=f"{_key(quote_id)}{ids.public_id()}",
        activity=Activity.CHANGE_INSTANCE_CHECK.value,
        version=product.interface_version,
        seller=product.seller,
        product=product,
        resource=resource,
        parameters={
            "instanceId": resource.instance_id,
            "productInfo": [
                {
                    "productId": product.code,
                    "skuCode": configuration.sku_code,
                    "linearValue": f"{configuration.quantity.normalize():f}",
                    "productName": product.name,
                }
            ],
        },
        created_at=call.at,
        first_try_at=call.at,
        next_try_at=until,
        deadline_at=until,
        claimed_until=until,
    )
    describe(resource=check, of=resource.number)
    return check
