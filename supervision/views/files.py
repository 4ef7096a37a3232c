"""Downloads of what was sent in a flow: to its two parties, as attachments, each leaving a trace."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from koogallery.kernel import files
from koogallery.kernel.pages import page
from supervision.operations import reading


@page(audience="buyer", operations=["downloadSupervisionFile"])
def download(request: HttpRequest, number: str, file: str) -> HttpResponseBase:
    """A file of a flow, for its buyer."""
    return files.response(reading.download_file(request.call, flow=number, file=file).file)


@page(audience="buyer", operations=["downloadLicenseFile"])
def download_license(request: HttpRequest, number: str, file: str) -> HttpResponseBase:
    """A license file of a flow, for its buyer."""
    return files.response(reading.download_license_file(request.call, flow=number, file=file).file)


@page(audience="seller", operations=["downloadSupervisionFile"])
def seller_download(request: HttpRequest, number: str, file: str) -> HttpResponseBase:
    """A file of a flow, for its seller."""
    return files.response(reading.download_file(request.call, flow=number, file=file).file)
