"""Addresses of the trace service."""

from django.urls import path

from audit.views import traces

app_name = "audit"

urlpatterns = [
    path("console/traces/", traces.trace_list, name="traces"),
    path("console/traces/export/", traces.export, name="export"),
    path("console/traces/tracker/", traces.switch_tracker, name="tracker"),
    path("console/traces/digests/", traces.digests, name="digests"),
    path("console/traces/key/", traces.public_key, name="key"),
    path("console/traces/<uuid:trace_id>/", traces.trace_details, name="trace"),
]
