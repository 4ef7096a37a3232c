"""The rehearsal clock: where it stands, what is due next, and advancing it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from koogallery import clock
from koogallery.admin_site import sidebar
from koogallery.admin_site.context import page_context
from koogallery.kernel import display, pages, rehearsal, sweeps
from koogallery.kernel.admin import dressed, perform


class AdvanceForm(forms.Form):
    """How far: a duration, a moment, or the next deadline."""

    duration = forms.CharField(
        label=gettext_lazy("Duration"),
        required=False,
        max_length=60,
        help_text=gettext_lazy("Such as: 3 hours, 1 day 2 hours, 90 minutes."),
    )
    moment = forms.CharField(
        label=gettext_lazy("Until"),
        required=False,
        max_length=40,
        help_text=gettext_lazy("Such as 2026-03-15 10:00, in the platform's zone."),
    )

    def __init__(self, *args: Any, to_next: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._to_next = to_next

    def clean_duration(self) -> datetime | None:
        text = self.cleaned_data["duration"].strip()
        if not text:
            return None
        try:
            return clock.now() + rehearsal.parse_duration(text)
        except (ValueError, OverflowError):
            raise forms.ValidationError(_("This is not a duration such as “3 hours”."), code="duration") from None

    def clean_moment(self) -> datetime | None:
        text = self.cleaned_data["moment"].strip()
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise forms.ValidationError(_("This is not a moment such as 2026-03-15 10:00."), code="moment") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=clock.platform_zone())

    def clean(self) -> dict[str, Any]:
        given = [self.cleaned_data.get("duration"), self.cleaned_data.get("moment")]
        if self._to_next:
            due = rehearsal.next_deadline()
            if due is None:
                raise forms.ValidationError(_("Nothing is due."), code="nothing_due")
            given = [max(due, clock.now())]
        if not self.errors and sum(value is not None for value in given) != 1:
            raise forms.ValidationError(_("Say either how long or until when."), code="one_of_two")
        self.cleaned_data["to"] = next((value for value in given if value is not None), None)
        return self.cleaned_data


def clock_page(request: HttpRequest) -> HttpResponse:
    """Show the clock; a POST advances it and lets every deadline on the way act."""
    if not settings.REHEARSAL:
        raise Http404
    if not sidebar.may(request, "advanceClock"):
        raise PermissionDenied
    form = AdvanceForm(request.POST if request.method == "POST" else None, to_next="next" in request.POST)
    if request.method == "POST" and form.is_valid():
        call = pages.make_call(request, "operator")
        done, acted = perform(form, lambda: rehearsal.advance_to(call, form.cleaned_data["to"]))
        if done:
            told = ngettext("%(count)d row acted on the way.", "%(count)d rows acted on the way.", acted)
            messages.success(
                request,
                _("The clock stands at %(moment)s.") % {"moment": display.moment_text(clock.now())}
                + " "
                + told % {"count": acted},
            )
            return HttpResponseRedirect(reverse("admin:clock"))
    due = [(name, moment) for name, sweep in sweeps.sweeps.items() if (moment := sweep.next_due())]
    context = page_context(
        request,
        _("Rehearsal clock"),
        form=dressed(form),
        stands_at=clock.now(),
        due=sorted(due, key=lambda pair: pair[1]),
    )
    return TemplateResponse(request, "admin/clock.html", context)
