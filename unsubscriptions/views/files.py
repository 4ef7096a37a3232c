"""Downloads of a seller's evidence: to both parties, as attachments, each leaving a trace."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from koogallery.kernel import files
from koogallery.kernel.pages import page
from unsubscriptions.operations import reading


@page(audience="buyer", operations=["downloadUnsubscriptionFile"])
def download(request: HttpRequest, number: str, file: str) -> HttpResponseBase:
    """A file of a request, for its buyer."""
    return files.response(reading.read_file(request.call, request=number, file=file).file)


@page(audience="seller", operations=["downloadUnsubscriptionFile"])
def seller_download(request: HttpRequest, number: str, file: str) -> HttpResponseBase:
    """A file of a request, for its seller."""
    return files.response(reading.read_file(request.call, request=number, file=file).file)
