"""The buyer's request and the seller's answer to it."""

from __future__ import annotations

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import operation
from koogallery.kernel.reasons import Refused
from supervision.models import Flow
from supervision.operations import moving, telling
from supervision.operations.moving import Uploads
from supervision.queries.flows import own_flow_locked, sold_flow_locked
from supervision.rules import texts
from supervision.states import Actor, FilePurpose, MoveName


@operation(
    "submitRequirement",
    resource_type="Supervision",
    roles={Role.BUYER},
    targets={"flow": own_flow_locked},
    once=True,
    default_allowed=True,
)
def submit_request(call: Call, *, flow: Flow, description: str, uploads: Uploads = ()) -> Flow:
    """Tell the seller what is wanted; again, changed, after the seller rejected it.

    Raises `Refused("flow_step")`, `Refused("text_required")`, `Refused("text_too_long")`,
    `Refused("attachment_required")` when the product asks for its filled template, `Refused("too_many_files")`.
    """
    moving.check_move(call, flow, MoveName.SUBMIT_REQUEST)
    comment = texts.written(description, field="description")
    if needs_attachment(flow) and not uploads:
        raise Refused("attachment_required", field="files")
    told = moving.make(call, flow, MoveName.SUBMIT_REQUEST, comment=comment, uploads={FilePurpose.ATTACHMENT: uploads})
    telling.tell(flow, Actor.SELLER, "request_submitted", key=str(told.pk), at=call.at)
    return flow


def needs_attachment(flow: Flow) -> bool:
    """Whether the product asks for its filled template with the request."""
    product = flow.order.product
    return bool(product.request_template) and product.request_attachment_required


@operation(
    "acceptRequirement",
    resource_type="Supervision",
    roles={Role.SELLER},
    targets={"flow": sold_flow_locked},
    once=True,
)
def accept_request(call: Call, *, flow: Flow, comment: str = "") -> Flow:
    """Take the request on: the delivery is due from now on. Raises `Refused`."""
    told = moving.make(call, flow, MoveName.ACCEPT_REQUEST, comment=texts.optional(comment, field="comment"))
    telling.tell(flow, Actor.BUYER, "request_accepted", key=str(told.pk), at=call.at)
    return flow


@operation(
    "rejectRequirement",
    resource_type="Supervision",
    roles={Role.SELLER},
    targets={"flow": sold_flow_locked},
    once=True,
)
def reject_request(call: Call, *, flow: Flow, reason: str) -> Flow:
    """Give the request back to the buyer, who may change it; counted. Raises `Refused`."""
    moving.check_move(call, flow, MoveName.REJECT_REQUEST)
    comment = texts.written(reason, field="reason")
    told = moving.make(call, flow, MoveName.REJECT_REQUEST, comment=comment)
    telling.tell(
        flow, Actor.BUYER, "request_rejected", key=str(told.pk), at=call.at, params={"reason": comment}, sms=True
    )
    return flow
