"""The seller's delivery: proof, enabling time, how the application is reached, license key, shipping."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Refused
from orders.operations import provisioning
from orders.operations import resources as orders
from orders.saas.answers import ApplicationInfo
from supervision.models import Flow
from supervision.operations import moving, telling
from supervision.operations.moving import Uploads
from supervision.queries.flows import sold_flow_locked
from supervision.rules import texts
from supervision.rules.terms import runs_from_enabling
from supervision.states import Actor, FilePurpose, MoveName, Step, Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What the seller hands over. `license_files` are sealed uploads; from `enabling_at` on it could be used."""

    proof: Uploads = ()
    enabling_at: datetime | None = None
    application: ApplicationInfo | None = None
    license_key: str = ""
    license_files: Uploads = ()
    carrier: str = ""
    tracking_number: str = ""
    comment: str = ""


@operation(
    "deliverService",
    resource_type="Supervision",
    roles={Role.SELLER},
    targets={"flow": sold_flow_locked},
    once=True,
    sensitive={"delivery"},
)
def deliver(call: Call, *, flow: Flow, delivery: Delivery) -> Flow:
    """Deliver, or ship: the buyer is to accept now.

    Raises `Refused("flow_step")`, `Refused("proof_required")`, `Refused("shipping_required")` for hardware,
    `Refused("enabling_not_taken")`, `Refused("enabling_before_payment")`, `Refused("enabling_in_future")`,
    `Refused("enabling_term_over")`, and what texts and files are refused for.
    """
    moving.check_move(call, flow, MoveName.DELIVER)
    comment = texts.optional(delivery.comment, field="comment")
    if flow.proof_required and not delivery.proof:
        raise Refused("proof_required", field="proof")
    columns: dict[str, object] = {"delivered_at": call.at, "enabling_at": _enabling(call, flow, delivery)}
    data: dict[str, str] = {}
    if flow.step == Step.SHIP:
        columns |= _shipping(delivery)
        data = {"carrier": delivery.carrier.strip(), "tracking_number": delivery.tracking_number.strip()}
    if columns["enabling_at"]:
        data["enabling_at"] = delivery.enabling_at.isoformat() if delivery.enabling_at else ""
    resource = flow.line.resources.first()
    if resource is not None:
        orders.keep_delivered(
            call,
            resource=resource.number,
            application=delivery.application,
            license_key=delivery.license_key.strip() if flow.template == Template.LICENSE else "",
        )
    told = moving.make(
        call,
        flow,
        MoveName.DELIVER,
        comment=comment,
        uploads={
            FilePurpose.PROOF: delivery.proof,
            FilePurpose.LICENSE: delivery.license_files if flow.template == Template.LICENSE else (),
        },
        data=data,
        columns=columns,
    )
    describe(proof=[upload.name for upload in delivery.proof], data=data)
    telling.tell(flow, Actor.BUYER, "service_delivered", key=str(told.pk), at=call.at, sms=True)
    return flow


def _shipping(delivery: Delivery) -> dict[str, object]:
    carrier, tracking_number = delivery.carrier.strip(), delivery.tracking_number.strip()
    if not carrier:
        raise Refused("shipping_required", field="carrier")
    if not tracking_number:
        raise Refused("shipping_required", field="tracking_number")
    return {"carrier": carrier[:100], "tracking_number": tracking_number[:100]}


def _enabling(call: Call, flow: Flow, delivery: Delivery) -> datetime | None:
    """The enabling time: payment ≤ enabling ≤ delivery, and a term that runs from then not over already."""
    enabling = delivery.enabling_at
    if enabling is None:
        return None
    if not flow.takes_enabling_time:
        raise Refused("enabling_not_taken", field="enabling_at")
    if flow.order.paid_at is not None and enabling < flow.order.paid_at:
        raise Refused("enabling_before_payment", field="enabling_at", paid=flow.order.paid_at)
    if enabling > call.at:
        raise Refused("enabling_in_future", field="enabling_at")
    if not runs_from_enabling(flow.policies):
        return enabling
    term = provisioning.first_term(flow.order, flow.line, at=enabling)
    if term is not None and term.expires_at <= call.at:
        raise Refused("enabling_term_over", field="enabling_at", expires=term.expires_at)
    return enabling
