"""Reads of requests that leave a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from koogallery.kernel.calls import Call, Role
from koogallery.kernel.operations import describe, operation
from koogallery.kernel.reasons import Missing
from unsubscriptions.models import Request, RequestFile
from unsubscriptions.queries import requests

PARTIES = {Role.BUYER, Role.SELLER}
VIEW = "marketplace:subscription:view"


@operation(
    "queryUnsubscriptionList",
    resource_type="Subscription",
    action=VIEW,
    roles=PARTIES,
    read=True,
    default_allowed=True,
)
def query_list(call: Call, *, filters: Mapping[str, Any] | None = None) -> QuerySet[Request]:
    """List the account's requests, or in the Seller Console those about what it sold."""
    if call.role is Role.SELLER:
        return requests.requests_of_seller(call.account_id)
    return requests.requests_of(call.account_id)


@operation(
    "queryUnsubscriptionDetail",
    resource_type="Subscription",
    action=VIEW,
    roles={*PARTIES, Role.OPERATOR},
    targets={"request": requests.party_request},
    read=True,
    default_allowed=True,
)
def read_details(call: Call, *, request: Request) -> Request:
    """Show one request to its buyer, its seller or operations."""
    describe(request=request.number, status=request.status.value)
    return request


@operation(
    "downloadUnsubscriptionFile",
    resource_type="Subscription",
    action=VIEW,
    roles={*PARTIES, Role.OPERATOR},
    targets={"request": requests.party_request},
    read=True,
    default_allowed=True,
)
def read_file(call: Call, *, request: Request, file: str) -> RequestFile:
    """Give a file of a request to its buyer, its seller or operations. Raises `Missing`."""
    found = request.files.select_related("file").filter(file__number=file).first()
    if found is None:
        raise Missing(f"file {file}")
    describe(file=found.file.name)
    return found
