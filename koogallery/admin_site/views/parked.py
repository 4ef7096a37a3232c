"""Parked work: what outbox, sweeps, calls to sellers' servers and refunds gave up, with “try again”."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from koogallery import clock
from koogallery.admin_site import dashboard, sidebar
from koogallery.admin_site.context import page_context
from koogallery.kernel import pages, parked
from koogallery.kernel.calls import Call
from koogallery.kernel.models import OutboxMessage, SweepFailure
from koogallery.kernel.reasons import Missing, Refused
from unsubscriptions.operations import paying_out
from unsubscriptions.queries import lists as unsubscriptions

SHOWN = 100

RETRY: dict[str, tuple[Any, Callable[[Call, str], Any]]] = {
    "message": (gettext_lazy("The message is sent again."), lambda call, key: parked.retry_message(call, message=key)),
    "row": (
        gettext_lazy("The sweep tries the row again."),
        lambda call, key: parked.retry_sweep_row(call, failure=key),
    ),
    "call": (
        gettext_lazy("The seller's server is called again."),
        lambda call, key: replay_call(call, key),
    ),
    "payout": (gettext_lazy("The gateway is asked again."), lambda call, key: paying_out.retry(call, payout=key)),
}


def replay_call(call: Call, number: str) -> Any:
    """Replay a parked call to a seller's server."""
    from orders.operations import interface_calls  # an installation may be without it

    return interface_calls.replay(call, interface_call=number)


def overview(request: HttpRequest) -> HttpResponse:
    """Everything that was given up, newest first."""
    if not sidebar.may(request, "retryMessage"):
        raise PermissionDenied
    calls = dashboard.failed_interface_calls()
    context = page_context(
        request,
        _("Parked work"),
        parked_messages=OutboxMessage.objects.filter(parked_at__isnull=False).order_by("-parked_at")[:SHOWN],
        parked_rows=SweepFailure.objects.order_by("-pk")[:SHOWN],
        failed_calls=[] if calls is None else calls[:SHOWN],
        payouts=unsubscriptions.needing_attention(clock.now())[:SHOWN],
        key_field=pages.KEY_FIELD,
        key=pages.new_key(),
    )
    return TemplateResponse(request, "admin/parked.html", context)


@require_POST
def retry(request: HttpRequest) -> HttpResponse:
    """Try one again: `kind` is `message`, `row`, `call` or `payout`."""
    said, again = RETRY.get(request.POST.get("kind", ""), (None, None))
    if again is not None:
        try:
            again(pages.make_call(request, "operator"), request.POST.get("row", ""))
        except Refused as refused:
            messages.error(request, refused.sentence)
        except (Missing, ValueError):
            messages.warning(request, _("It is no longer parked."))
        else:
            messages.success(request, str(said))
    return HttpResponseRedirect(reverse("admin:parked"))
