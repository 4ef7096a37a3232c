"""Reads of flows that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing, Refused
from orders.states import ResourceStatus
from supervision.models import Flow, FlowFile
from supervision.queries import flows
from supervision.states import FilePurpose

PARTIES = {Role.BUYER, Role.SELLER}


@operation(
    "querySupervisionList",
    resource_type="Supervision",
    action="marketplace:supervision:view",
    roles=PARTIES,
    read=True,
    default_allowed=True,
)
def query_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[Flow]:
    """List the account's service flows, or in the Seller Console those of the seller's orders."""
    if call.role is Role.SELLER:
        return flows.flows_of_seller(call.account_id)
    return flows.flows_of(call.account_id)


@operation(
    "queryDeliveryProcess",
    resource_type="Supervision",
    action="marketplace:supervision:view",
    roles=PARTIES,
    targets={"flow": flows.party_flow},
    read=True,
    default_allowed=True,
)
def query_delivery_process(call: Call, *, flow: Flow) -> Flow:
    """Show how far one delivery is, to its buyer or its seller."""
    describe(step=flow.step)
    return flow


@operation(
    "downloadSupervisionFile",
    resource_type="Supervision",
    action="marketplace:supervision:view",
    roles=PARTIES,
    targets={"flow": flows.party_flow},
    read=True,
    default_allowed=True,
)
def download_file(call: Call, *, flow: Flow, file: str) -> FlowFile:
    """A file of a flow, to both parties; license files are another operation's. Raises `Missing`."""
    return _found(flow.files.exclude(purpose=FilePurpose.LICENSE), file)


@operation(
    "downloadAppealFile",
    resource_type="Supervision",
    action="marketplace:appeal:downloadFile",
    roles={Role.OPERATOR},
    targets={"flow": flows.party_flow},
)
def download_appeal_file(call: Call, *, flow: Flow, file: str) -> FlowFile:
    """The same for whom decides appeals; both parties' lists show it. Raises `Missing`.

    Not a read, which every operations manager may do.
    """
    return _found(flow.files.exclude(purpose=FilePurpose.LICENSE), file)


@operation(
    "downloadLicenseFile",
    resource_type="Supervision",
    action="marketplace:saasResourceInstance:view",
    roles={Role.BUYER},
    targets={"flow": flows.own_flow},
    read=True,
    default_allowed=True,
)
def download_license_file(call: Call, *, flow: Flow, file: str) -> FlowFile:
    """A license file, to the buyer alone, as long as a license key is shown too.

    Raises `Refused("license_key_missing")` once the resource is closed, and `Missing`.
    """
    found = _found(flow.files.filter(purpose=FilePurpose.LICENSE), file)
    if any(resource.status == ResourceStatus.CLOSED for resource in flow.line.resources.all()):
        raise Refused("license_key_missing")
    return found


def _found(sent: QuerySet[FlowFile], number: str) -> FlowFile:
    found = sent.select_related("file").filter(file__number=str(number)[:32]).first()
    if found is None:
        raise Missing(f"file {number}")
    describe(name=found.file.name, purpose=found.purpose, sha256=found.file.sha256)
    return found
