"""Reads of flows that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing
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
    roles=PARTIES | {Role.OPERATOR},
    targets={"flow": flows.party_flow},
    read=True,
    default_allowed=True,
)
def download_file(call: Call, *, flow: Flow, file: str) -> FlowFile:
    """A file of a flow, to both parties and operations; license files to the parties alone. Raises `Missing`."""
    found = flow.files.select_related("file").filter(file__number=str(file)[:32]).first()
    if found is None or (call.role is Role.OPERATOR and found.purpose == FilePurpose.LICENSE):
        raise Missing(f"file {file}")
    describe(name=found.file.name, purpose=found.purpose, sha256=found.file.sha256)
    return found
