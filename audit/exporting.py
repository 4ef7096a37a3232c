"""Files of traces: CSV for people, JSON Lines for programs and auditors; written row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import Any

from django.utils.translation import gettext as _

from audit.models import Trace
from audit.rules import canonical
from koogallery.kernel import display
from koogallery.kernel.lists import neutral

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


class _Line:
    """A file that hands each written line back."""

    def write(self, text: str) -> str:
        return text


def csv_lines(traces: Iterable[Trace]) -> Iterator[str]:
    """The lines of a CSV file, with a mark that tells spreadsheets its encoding."""
    writer: Any = csv.writer(_Line())
    yield "\ufeff" + writer.writerow(
        [
            _("Trace Name"),
            _("Resource Type"),
            _("Trace Source"),
            _("Resource ID"),
            _("Resource Name"),
            _("Trace ID"),
            _("Operator"),
            _("Source IP"),
            _("Trace Status"),
            _("Trace Type"),
            _("Operated"),
            _("Recorded"),
            _("Code"),
            _("Message"),
            _("Enterprise Project ID"),
            _("Access Key"),
            _("Request ID"),
            _("Read only"),
            _("Request"),
            _("Response"),
        ]
    )
    for trace in traces:
        values = [
            trace.trace_name,
            trace.resource_type,
            canonical.SERVICE_TYPE,
            trace.resource_id,
            trace.resource_name,
            str(trace.trace_id),
            trace.user_name,
            trace.source_ip,
            trace.trace_rating,
            trace.trace_type,
            display.moment_text(trace.time),
            display.moment_text(trace.record_time),
            trace.code,
            trace.message,
            trace.enterprise_project_id,
            trace.access_key,
            trace.request_id,
            trace.read_only,
            canonical.text(trace.request),
            canonical.text(trace.response),
        ]
        yield writer.writerow([neutral(value) for value in values])


def json_lines(traces: Iterable[Trace]) -> Iterator[str]:
    """One canonical JSON object a line: exactly what the digests hash."""
    for trace in traces:
        yield canonical.text(trace.public_fields()) + "\n"
