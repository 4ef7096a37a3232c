"""The trace list of an account, one trace, exports, the tracker's switch, digests and the public key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from audit import exporting, queries, signing
from audit.forms import SIZES, TraceFilterForm, known_resource_types, known_trace_names
from audit.models import Trace
from audit.operations import listing, tracking
from audit.rules import canonical
from koogallery.kernel import operations
from koogallery.kernel.pages import page, render

STATE = ("before", "after", "size", "format")


def _page(title: str, *, parents: list[tuple[str, str]] | None = None) -> dict[str, Any]:
    return {"title": title, "console": "buyer", "breadcrumbs": parents or []}


def _address(request: HttpRequest, **changes: str) -> str:
    query = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        if name not in ("before", "after") and name not in changes and any(values):
            query.setlist(name, [value for value in values if value])
    query.update({name: value for name, value in changes.items() if value})
    return f"{reverse('audit:traces')}?{query.urlencode()}"


@page(audience="buyer", operations=["queryTraceList"])
def trace_list(request: HttpRequest) -> HttpResponse:
    """The traces of the last days that match the filters, newest first, page by page."""
    call = request.call  # type: ignore[attr-defined]
    listing.look(call)
    traces = queries.traces_of(call.account, at=call.at)
    form = TraceFilterForm(request.GET, operators=queries.operators_of(call.account, traces))
    size = int(request.GET["size"]) if request.GET.get("size") in {str(size) for size in SIZES} else 20
    found = queries.Page([], "", "")
    chips = []
    if form.is_valid():
        found = queries.page_of(
            form.narrow(traces, at=call.at),
            size=size,
            before=request.GET.get("before", ""),
            after=request.GET.get("after", ""),
        )
        chips = [
            {"label": label, "text": text, "url": _address(request, **{name: ""})} for name, label, text in form.chips()
        ]
    filters = {name: value for name, value in request.GET.lists() if name not in STATE and any(value)}
    export = QueryDict(mutable=True)
    for name, values in filters.items():
        export.setlist(name, values)
    context = {
        "page": _page(_("Trace List")),
        "form": form,
        "traces": found.rows,
        "chips": chips,
        "size": size,
        "sizes": SIZES,
        "newer": _address(request, after=found.newer) if found.newer else "",
        "older": _address(request, before=found.older) if found.older else "",
        "is_first": not (request.GET.get("before") or request.GET.get("after")),
        "export_query": export.urlencode(),
        "clear_url": reverse("audit:traces"),
        "tracker_enabled": call.account.tracker_enabled,
        "switch_refused": operations.may(call, "disableTracker" if call.account.tracker_enabled else "enableTracker"),
        "export_refused": operations.may(call, "exportTraces"),
        "trace_names": known_trace_names(),
        "resource_types": known_resource_types(),
        "source": canonical.SERVICE_TYPE,
    }
    return render(request, "audit/trace_list.html", context, fragment="traces")


@page(audience="buyer", operations=["queryTraceDetail"])
def trace_details(request: HttpRequest, trace_id: str) -> HttpResponse:
    """One trace, formatted and as JSON."""
    trace: Trace = listing.look_at(request.call, trace=trace_id)  # type: ignore[attr-defined]
    fields = trace.public_fields()
    context = {
        "page": _page(trace.trace_name, parents=[(_("Trace List"), reverse("audit:traces"))]),
        "trace": trace,
        "fields": fields,
        "request_text": _pretty(trace.request),
        "response_text": _pretty(trace.response),
        "json": _pretty(fields),
    }
    return render(request, "audit/trace_details.html", context)


def _pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)


@page(audience="buyer", operations=["exportTraces"])
def export(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The filtered traces as a file; with `archive=1` the time range may reach back over the whole retention."""
    call = request.call  # type: ignore[attr-defined]
    kind = request.GET.get("format", "csv")
    if kind not in exporting.FORMATS:
        raise Http404
    form = TraceFilterForm(request.GET, operators=())
    if not form.is_valid():
        return HttpResponseRedirect(f"{reverse('audit:traces')}?{request.GET.urlencode()}")
    asked = {name: text for name, _label, text in form.chips()}
    if request.GET.get("archive"):
        asked["archive"] = "1"
        traces = Trace.objects.filter(account_id=call.account_id, time__gte=queries.oldest_kept(call.at))
    else:
        traces = queries.traces_of(call.account, at=call.at)  # type: ignore[assignment]
    listing.export(call, format=kind, filters=asked)
    rows = queries.all_of(form.narrow(traces, at=call.at).filter(time__lte=call.at))
    lines: Iterator[str] = exporting.csv_lines(rows) if kind == "csv" else exporting.json_lines(rows)
    response = StreamingHttpResponse(lines, content_type=exporting.FORMATS[kind])
    response["Content-Disposition"] = f'attachment; filename="traces-{call.at:%Y%m%d-%H%M%S}.{kind}"'
    return response


@page(audience="buyer", operations=["enableTracker", "disableTracker"])
def switch_tracker(request: HttpRequest) -> HttpResponse:
    """Switch recording on or off."""
    if request.method == "POST":
        if request.POST.get("enabled") == "1":
            tracking.enable(request.call)  # type: ignore[attr-defined]
            messages.success(request, _("Operations are recorded."))
        else:
            tracking.disable(request.call)  # type: ignore[attr-defined]
            messages.success(request, _("The account's own operations are no longer recorded."))
    return HttpResponseRedirect(reverse("audit:traces"))


@page(audience="buyer", operations=["queryTraceList"])
def digests(request: HttpRequest) -> StreamingHttpResponse:
    """The account's signed digests as JSON Lines."""
    call = request.call  # type: ignore[attr-defined]
    listing.look(call)
    lines = (canonical.text(digest) + "\n" for digest in queries.digests_of(call.account_id))
    response = StreamingHttpResponse(lines, content_type=exporting.FORMATS["jsonl"])
    response["Content-Disposition"] = 'attachment; filename="trace-digests.jsonl"'
    return response


@page(audience="public")
def public_key(request: HttpRequest) -> HttpResponse:
    """The public key that checks digests, as PEM."""
    response = HttpResponse(signing.public_key_pem(), content_type="application/x-pem-file")
    response["Content-Disposition"] = 'attachment; filename="trace-key.pem"'
    return response
