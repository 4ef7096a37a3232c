"""The filters of the trace list (audit.md): exact, case-sensitive, joined by AND."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.models import Trace
from audit.rules import canonical
from koogallery.kernel import display
from koogallery.kernel.operations import Rating, registry

RANGES: dict[str, timedelta | None] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "custom": None,
}

EXACT = {
    "trace_name": "trace_name",
    "resource_name": "resource_name",
    "resource_id": "resource_id",
    "resource_type": "resource_type",
    "enterprise_project_id": "enterprise_project_id",
    "access_key": "access_key",
    "trace_status": "trace_rating",
}
SIZES = (10, 20, 50, 100)


class TraceFilterForm(forms.Form):
    """What is asked of the list; a value that cannot match finds nothing."""

    trace_name = forms.CharField(label=gettext_lazy("Trace Name"), required=False, max_length=64)
    trace_source = forms.CharField(label=gettext_lazy("Trace Source"), required=False, max_length=64)
    resource_name = forms.CharField(label=gettext_lazy("Resource Name"), required=False, max_length=255)
    resource_id = forms.CharField(label=gettext_lazy("Resource ID"), required=False, max_length=128)
    trace_id = forms.CharField(label=gettext_lazy("Trace ID"), required=False, max_length=64)
    resource_type = forms.CharField(label=gettext_lazy("Resource Type"), required=False, max_length=64)
    operator = forms.MultipleChoiceField(label=gettext_lazy("Operator"), required=False)
    trace_status = forms.ChoiceField(
        label=gettext_lazy("Trace Status"),
        required=False,
        choices=[("", gettext_lazy("All")), *[(rating.value, rating.value) for rating in Rating]],
    )
    enterprise_project_id = forms.CharField(label=gettext_lazy("Enterprise Project ID"), required=False, max_length=64)
    access_key = forms.CharField(label=gettext_lazy("Access Key"), required=False, max_length=64)
    range = forms.ChoiceField(
        label=gettext_lazy("Time range"),
        required=False,
        choices=[
            ("week", gettext_lazy("Last week")),
            ("day", gettext_lazy("Last day")),
            ("hour", gettext_lazy("Last hour")),
            ("custom", gettext_lazy("Custom")),
        ],
    )
    start = forms.DateTimeField(
        label=gettext_lazy("From"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )
    end = forms.DateTimeField(
        label=gettext_lazy("To"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )

    def __init__(self, *args: Any, operators: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.data.getlist("operator") if hasattr(self.data, "getlist") else []
        names = [*operators, *[name for name in chosen if name not in operators]]
        self.fields["operator"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        self.fields["operator"].widget.attrs["size"] = "4"
        self.fields["trace_name"].widget.attrs["list"] = "trace-names"
        self.fields["resource_type"].widget.attrs["list"] = "resource-types"
        zone = display.zone_text(timezone.localtime())
        self.fields["start"].help_text = zone
        self.fields["end"].help_text = zone
        for field in ("trace_name", "trace_source", "resource_name", "resource_id", "trace_id", "resource_type"):
            self.fields[field].strip = False  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start and end and start > end:
            self.add_error("end", forms.ValidationError(_("The end lies before the start."), code="order"))
        return self.cleaned_data

    def narrow(self, traces: QuerySet[Trace], *, at: datetime) -> QuerySet[Trace]:
        """The traces that match; call it after `is_valid`."""
        asked = self.cleaned_data
        for name, column in EXACT.items():
            if asked.get(name):
                traces = traces.filter(**{column: asked[name]})
        if asked.get("trace_source") and asked["trace_source"] != canonical.SERVICE_TYPE:
            return traces.none()
        if asked.get("trace_id"):
            traces = _with_id(traces, asked["trace_id"])
        if asked.get("operator"):
            traces = traces.filter(user_name__in=asked["operator"])
        span = RANGES.get(asked.get("range") or "week")
        if span is not None:
            return traces.filter(time__gte=at - span)
        if asked.get("start"):
            traces = traces.filter(time__gte=asked["start"])
        if asked.get("end"):
            traces = traces.filter(time__lt=asked["end"] + timedelta(seconds=1))
        return traces

    def chips(self) -> list[tuple[str, str, str]]:
        """Name, label and text of each filter in force."""
        found = []
        for name, value in self.cleaned_data.items():
            if not value or (name == "range" and value == "week"):
                continue
            if name in ("start", "end") and self.cleaned_data.get("range") != "custom":
                continue
            text = ", ".join(value) if isinstance(value, list) else display.value_text(value)
            if name == "range":
                text = str(dict(self.fields["range"].choices)[value])  # type: ignore[attr-defined]
            found.append((name, str(self.fields[name].label), text))
        return found


def _with_id(traces: QuerySet[Trace], text: str) -> QuerySet[Trace]:
    from uuid import UUID

    try:
        wanted = UUID(text)
    except ValueError:
        return traces.none()
    return traces.filter(trace_id=wanted) if str(wanted) == text else traces.none()


def known_trace_names() -> list[str]:
    """Every operation's name, for the field's suggestions."""
    return sorted(registry)


def known_resource_types() -> list[str]:
    """Every resource type, for the field's suggestions."""
    return sorted({operation.resource_type for operation in registry.values()})
