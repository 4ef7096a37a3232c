"""The evidence bundle of a flow, for its buyer and its seller."""

from __future__ import annotations

from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header

from koogallery.kernel.pages import page
from supervision.operations import evidence
from supervision.queries.evidence import Bundle


@page(audience="buyer", operations=["exportEvidence"])
def export(request: HttpRequest, number: str) -> HttpResponseBase:
    """Download what happened in a flow, for its buyer."""
    return response(evidence.export(request.call, flow=number))


@page(audience="seller", operations=["exportEvidence"])
def seller_export(request: HttpRequest, number: str) -> HttpResponseBase:
    """The same, for its seller."""
    return response(evidence.export(request.call, flow=number))


def response(bundle: Bundle) -> StreamingHttpResponse:
    """A bundle as a download, streamed while it is made."""
    name = f"evidence-{bundle.order_number}.zip"
    headers = {
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(evidence.archive(bundle), content_type="application/zip", headers=headers)
