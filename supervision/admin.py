"""Operations managers' pages of service supervision: the queue of appeals, flows to look at, the holiday calendar."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Case, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.defaultfilters import linebreaksbr
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.enums import ActionVariant

from audit.queries import for_resource
from billing.queries import order_money, payments_of
from koogallery import clock
from koogallery.kernel import display, files, holidays, operations, pages
from koogallery.kernel.admin import GuardedModelAdmin, OperationButton, dressed, perform, shown_moment
from koogallery.kernel.calls import Call
from koogallery.kernel.models import Holiday
from koogallery.kernel.money import Money
from koogallery.kernel.reasons import Refused
from orders.queries.returns import returned_of
from supervision.forms import FewFiles
from supervision.models import Appeal, Flow
from supervision.operations import deciding, evidence, reading, reminding
from supervision.queries import appeals
from supervision.queries.history import history_of
from supervision.rules import deciding as rules
from supervision.rules.texts import MAX_CHARACTERS
from supervision.states import UNDECIDED, AppealState, Decision, Step
from supervision.views.evidence import response as evidence_response


class TextForm(files.FilesForm):
    """A message to both sides."""

    text = forms.CharField(label=gettext_lazy("Message"), max_length=MAX_CHARACTERS, widget=forms.Textarea)
    files = FewFiles(label=gettext_lazy("Attachment"))  # type: ignore[assignment]


class NoteForm(forms.Form):
    """Why a colleague's decision is not signed."""

    note = forms.CharField(label=gettext_lazy("Reason"), max_length=MAX_CHARACTERS, widget=forms.Textarea)


class DecisionForm(forms.Form):
    """A decision on one appeal; only steps from which its flow may be restarted can be chosen."""

    decision = forms.ChoiceField(label=gettext_lazy("Decision"), choices=Decision)
    refund = forms.DecimalField(
        label=gettext_lazy("Refund to the customer"), required=False, max_digits=18, decimal_places=6
    )
    restart = forms.ChoiceField(label=gettext_lazy("Restart from"), required=False)
    note = forms.CharField(
        label=gettext_lazy("Explanation to both sides"), max_length=MAX_CHARACTERS, widget=forms.Textarea
    )
    previewed = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, appeal: Appeal, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.appeal = appeal
        held = order_money(appeal.flow.order_number, currency=appeal.currency).held
        steps = deciding.steps_to_restart(appeal.flow) if appeal.state == AppealState.OPEN else list(Step)
        restart, refund = self.fields["restart"], self.fields["refund"]
        restart.choices = [("", display.NOTHING), *((step.value, step.label) for step in steps)]  # type: ignore[attr-defined]
        restart.help_text = _("Only where the flow starts again: a step that was reached.")
        refund.help_text = _("Only where a part is refunded: less than %(held)s, which is held.") % {"held": held}

    @property
    def decided(self) -> dict[str, Any]:
        """What is decided, for the operation and for its preview."""
        amount: Decimal | None = self.cleaned_data["refund"]
        decision = Decision(self.cleaned_data["decision"])
        return {
            "decision": decision,
            "refund": Money(amount, self.appeal.currency) if amount is not None and decision.refunds_part else None,
            "restart": self.cleaned_data["restart"] if decision is Decision.RESTART else "",
        }


EFFECTS_ON_BILLS = {
    "taken_back": gettext_lazy("of it from what the seller earned"),
    "withdrawn": gettext_lazy("bills withdrawn"),
    "due": gettext_lazy("bills that stay due, the seller’s once repaid"),
    "lapsed": gettext_lazy("not billed any more"),
}
"""What a decision does to the bills of a milestone order, as its pages say it."""


def _previewed(appeal: Appeal, form: DecisionForm) -> rules.Effects:
    if appeal.state != AppealState.OPEN:
        raise Refused("appeal_not_open", state=appeal.state_enum.label)
    return deciding.preview(appeal, **form.decided)


class FlowCase:
    """What the pages of a flow and of its appeals share: the case below the columns, and a link to the evidence."""

    change_form_after_template = "admin/supervision_case.html"
    flow_of: Callable[[Any], Flow]
    call_of: Callable[[HttpRequest], Call]

    def case_of(self, call: Call, row: Any) -> dict[str, Any]:
        """Records, messages, appeals and money of a flow, and links to what the caller may read of it."""
        flow = type(self).flow_of(row)
        return {
            "flow": flow,
            "actions_detail": _flow_links(call, flow),
            "may_download": operations.may(call, "downloadAppealFile", flow) is None,
            "told": history_of(flow),
            "money": order_money(flow.order_number, currency=flow.order.currency),
        }


def _message_button(flow_of: Callable[[Any], Flow]) -> OperationButton:
    return OperationButton(
        "sendSupervisionMessage",
        gettext_lazy("Send message"),
        run=lambda call, row, data: reminding.send_message(
            call, flow=flow_of(row).number, text=data["text"], uploads=data["files"]
        ),
        form=TextForm,
        says=gettext_lazy("The message stands in the flow for both sides, and both are told."),
        icon="mail",
    )


class QueueFilter(admin.SimpleListFilter):
    """What waits for a decision, unless all appeals, or those of one status, are asked for."""

    title = gettext_lazy("queue")
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("all", _("All appeals"))]

    def choices(self, changelist: Any) -> Iterator[Any]:
        """Both, the first without a parameter."""
        first, everything = super().choices(changelist)
        yield {**first, "display": _("Waiting for a decision")}
        yield everything

    def queryset(self, request: HttpRequest, queryset: QuerySet[Appeal]) -> QuerySet[Appeal]:
        return queryset.filter(state__in=UNDECIDED) if shows_queue(request) else queryset


BEYOND_THE_QUEUE = {QueueFilter.parameter_name, "state__exact", "decision__exact", "q"}


def shows_queue(request: HttpRequest) -> bool:
    """Whether a list of appeals holds undecided ones only, so that the index of the queue serves its order."""
    return not any(request.GET.get(name) for name in BEYOND_THE_QUEUE)


class OverdueFilter(admin.SimpleListFilter):
    """Appeals that should have been decided by now."""

    title = gettext_lazy("deadline")
    parameter_name = "overdue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Overdue")), ("no", _("Not overdue"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Appeal]) -> QuerySet[Appeal]:
        late = appeals.overdue(clock.now())
        match self.value():
            case "yes":
                return queryset.filter(late)
            case "no":
                return queryset.exclude(late)
        return queryset


@admin.register(Appeal)
class AppealAdmin(FlowCase, GuardedModelAdmin):
    """The queue of appeals: what waits for a decision first, by deadline."""

    flow_of = staticmethod(lambda row: row.flow)
    list_display = (
        "number",
        "order",
        "product",
        "filed_by",
        shown_moment("filed_at", gettext_lazy("Filed")),
        "deadline",
        "state",
        "decision",
    )
    list_filter = (
        QueueFilter, "state", OverdueFilter, "filed_by", "decision", ("decision_due_at", admin.DateFieldListFilter)
    )  # fmt: skip
    search_fields = ("=number", "=flow__order_number", "=flow__account__name", "=flow__seller__name")
    search_help_text = gettext_lazy("Appeal No., order No., account or seller name, exactly")
    list_select_related = ("flow__order", "flow__account", "flow__seller", "account", "user")
    fieldsets = (
        (None, {"fields": ("number", "state", "order", "customer", "seller", "service_status")}),
        (
            gettext_lazy("Appeal"),
            {"fields": ("filed_by", "user", "filed_at", "decision_due_at", "written_reason")},
        ),
        (
            gettext_lazy("Decision"),
            {
                "fields": (
                    "decision",
                    "restart_step",
                    "note",
                    "shown_effects",
                    "proposed_by",
                    "proposed_at",
                    "countersigned_by",
                    "ended_at",
                )
            },
        ),
    )
    operation_buttons = (
        OperationButton(
            "decideAppeal",
            gettext_lazy("Decide"),
            run=lambda call, row, data: deciding.decide(call, appeal=row.number, **data),
            shown=lambda row: row.state == AppealState.OPEN,
            icon="gavel",
        ),
        OperationButton(
            "countersignAppeal",
            gettext_lazy("Countersign"),
            run=lambda call, row, data: deciding.countersign(call, appeal=row.number),
            says=gettext_lazy("The decision on this appeal is carried out at once, with the effects its page shows."),
            shown=lambda row: row.state == AppealState.PROPOSED,
            icon="verified",
        ),
        OperationButton(
            "declineCountersignature",
            gettext_lazy("Decline"),
            run=lambda call, row, data: deciding.decline(call, appeal=row.number, **data),
            form=NoteForm,
            says=gettext_lazy("The decision is not carried out; the appeal waits for a decision again."),
            shown=lambda row: row.state == AppealState.PROPOSED,
            danger=True,
        ),
        _message_button(lambda row: row.flow),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Appeal]:
        return super().get_queryset(request).select_related(*self.list_select_related)

    def get_ordering(self, request: HttpRequest) -> list[Any]:
        queue = [] if shows_queue(request) else [Case(When(state__in=UNDECIDED, then=Value(0)), default=Value(1))]
        return [*queue, "decision_due_at", "pk"]

    @admin.display(description=gettext_lazy("Order No."), ordering="flow__order_number")
    def order(self, row: Appeal) -> SafeString:
        """The flow's order."""
        address = reverse("admin:orders_order_change", args=[row.flow.order_id])
        return format_html('<a href="{}">{}</a>', address, row.flow.order_number)

    @admin.display(description=gettext_lazy("Product"))
    def product(self, row: Appeal) -> str:
        """The flow's product."""
        return row.flow.product_name

    @admin.display(description=gettext_lazy("Customer"))
    def customer(self, row: Appeal) -> str:
        """The buyer's account."""
        return str(row.flow.account)

    @admin.display(description=gettext_lazy("Seller"))
    def seller(self, row: Appeal) -> str:
        """The seller."""
        return str(row.flow.seller)

    @admin.display(description=gettext_lazy("Service Status"))
    def service_status(self, row: Appeal) -> str:
        """Where the flow stands."""
        frozen = _("frozen") if row.flow.is_frozen else ""
        return " · ".join(filter(None, [str(row.flow.shown_step(clock.now()).label), frozen]))

    @admin.display(description=gettext_lazy("Reason"))
    def written_reason(self, row: Appeal) -> SafeString:
        """Why it was filed."""
        return linebreaksbr(row.shown_reason, autoescape=True)

    @admin.display(description=gettext_lazy("Decision due"), ordering="decision_due_at")
    def deadline(self, row: Appeal) -> SafeString:
        """Until when it is to be decided, marked when that is over."""
        moment = display.moment_text(row.decision_due_at)
        if row.is_undecided and row.decision_due_at < clock.now():
            return format_html(
                '<span class="font-semibold text-red-700 dark:text-red-400 whitespace-nowrap">{} · {}</span>',
                moment,
                _("Overdue"),
            )
        return format_html('<span class="whitespace-nowrap">{}</span>', moment)

    @admin.display(description=gettext_lazy("Effects"))
    def shown_effects(self, row: Appeal) -> str:
        """What the decision moves."""
        if not row.effects:
            return display.NOTHING
        amounts = {
            name: Money(Decimal(amount), row.currency) for name, amount in row.effects.items() if name != "currency"
        }
        shown = [_("To the customer %(refunded)s, to the seller %(earned)s, still held %(held)s") % amounts]
        shown += [f"{label} {amounts[name]}" for name, label in EFFECTS_ON_BILLS.items() if name in amounts]
        return "; ".join(shown)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= self.case_of(self.call_of(request), obj) | {
                "signatures": for_resource(obj.flow.account_id, "Appeal", obj.number)
            }
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def operation_view(self, request: HttpRequest, object_id: str, button: str) -> HttpResponse:
        if button != "decideAppeal":
            return super().operation_view(request, object_id, button)
        appeal = self.get_object(request, object_id)
        if appeal is None or (request.method != "POST" and appeal.state != AppealState.OPEN):
            raise Http404
        if not self.has_view_permission(request, appeal):
            raise PermissionDenied
        if operations.may(self.call_of(request), button, appeal) is not None:
            raise PermissionDenied
        return self._decide_page(request, appeal)

    def _decide_page(self, request: HttpRequest, appeal: Appeal) -> HttpResponse:
        """Form, then preview of the effects, then signature: three answers of one address."""
        back = reverse("admin:supervision_appeal_change", args=[appeal.pk])
        posted = request.method == "POST"
        form = DecisionForm(request.POST if posted else None, appeal=appeal)
        effects: rules.Effects | None = None
        if posted and form.is_valid() and "again" not in request.POST:
            if "sign" in request.POST:
                if self._sign(request, appeal, form):
                    return HttpResponseRedirect(back)
            else:
                _shown, effects = perform(form, lambda: _previewed(appeal, form))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Decide"),
            "subtitle": str(appeal),
            "opts": self.opts,
            "row": appeal,
            "form": dressed(form) if effects is None else form,
            "back": back,
            "key_field": pages.KEY_FIELD,
            "key": pages.sent_key(request) or pages.new_key(),
        }
        if effects is not None:
            context |= self._preview(appeal, form, effects)
            return TemplateResponse(request, "admin/appeal_preview.html", context)
        return TemplateResponse(request, "admin/appeal_decide.html", context)

    def _sign(self, request: HttpRequest, appeal: Appeal, form: DecisionForm) -> bool:
        """Sign what was previewed; whether it was done. A refusal becomes the form's error."""
        try:
            previewed = json.loads(form.cleaned_data["previewed"])
        except ValueError:
            previewed = {}
        done, answer = perform(
            form,
            lambda: deciding.decide(
                self.call_of(request),
                appeal=appeal.number,
                note=form.cleaned_data["note"],
                previewed=previewed if isinstance(previewed, dict) else {},
                **form.decided,
            ),
        )
        if done:
            waits = answer.state == AppealState.PROPOSED
            messages.success(
                request,
                _("Signed. Another operations manager has to countersign.") if waits else _("The appeal is decided."),
            )
        return done

    def _preview(self, appeal: Appeal, form: DecisionForm, effects: rules.Effects) -> dict[str, Any]:
        """What the page of the effects shows."""
        flow, chosen = appeal.flow, form.decided
        restart = Step(chosen["restart"]) if chosen["restart"] else None
        step = rules.step_after(chosen["decision"], flow.step_enum, restart=restart)
        asked = next((each for each in returned_of(flow.order_number) if each.is_open), None)
        return {
            "effects": effects,
            "of_bills": [
                (label, effects.of_bills[name]) for name, label in EFFECTS_ON_BILLS.items() if name in effects.of_bills
            ],
            "previewed": json.dumps(effects.to_json()),
            "decision": chosen["decision"],
            "note": form.cleaned_data["note"],
            "paid_by": {
                payment.get_method_display() for payment in payments_of(flow.order_number) if payment.refundable
            },
            "step_before": flow.step_enum,
            "step_after": step,
            "order_before": flow.order.state_enum,
            "order_after": rules.order_after(step),
            "open_request": asked,
            "request_waits_on": asked is not None
            and rules.request_waits_on(asked.amount, step=step, standing=deciding.standing_of(flow), moved=effects),
            "second_signature": deciding.needs_second_signature(appeal, effects),
            "limit": Money(Decimal(flow.policies["appeal.countersign_above"]), appeal.currency),
            "fields": [(name, form[name].value() or "") for name in ("decision", "refund", "restart", "note")],
        }


@admin.register(Flow)
class FlowAdmin(FlowCase, GuardedModelAdmin):
    """Every service flow, to look at."""

    flow_of = staticmethod(lambda row: row)
    list_display = (
        "order_number",
        "product_name",
        "account",
        "seller",
        "delivery_method",
        "step",
        shown_moment("step_since", gettext_lazy("Status since")),
        shown_moment("frozen_at", gettext_lazy("Frozen")),
        shown_moment("created_at", gettext_lazy("Created")),
    )
    list_filter = ("step", "template", ("frozen_at", admin.EmptyFieldListFilter))
    search_fields = ("=order_number", "=number", "=account__name", "=seller__name")
    search_help_text = gettext_lazy("Order No., line No., account or seller name, exactly")
    list_select_related = ("account", "seller", "order")
    exclude = ("line", "takes_enabling_time", "turn_since")
    ordering = ("-pk",)
    operation_buttons = (_message_button(lambda row: row),)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/files/<str:file>/", wrap(self.file_view), name="supervision_flow_file"),
            path("<path:object_id>/evidence/", wrap(self.evidence_view), name="supervision_flow_evidence"),
            *super().get_urls(),
        ]

    def file_view(self, request: HttpRequest, object_id: str, file: str) -> HttpResponseBase:
        """A file of the flow; license files are the parties' own."""
        call = self.call_of(request)
        return self.shown_file(
            request,
            object_id,
            lambda flow: files.response(reading.download_appeal_file(call, flow=flow.number, file=file).file),
        )

    def evidence_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The evidence bundle with the traces of both parties."""
        call = self.call_of(request)
        return self.shown_file(
            request, object_id, lambda flow: evidence_response(evidence.export_for_appeal(call, flow=flow.number))
        )

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context |= self.case_of(self.call_of(request), obj)
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)


def _flow_links(call: Call, flow: Flow) -> list[dict[str, Any]]:
    """The buttons of an appeal's and a flow's page that lead to what belongs to the flow."""
    if operations.may(call, "exportAppealEvidence", flow) is not None:
        return []
    return [
        {
            "title": _("Evidence bundle"),
            "icon": "folder_zip",
            "variant": ActionVariant.DEFAULT,
            "attrs": {},
            "dialog": None,
            "path": reverse("admin:supervision_flow_evidence", args=[flow.pk]),
        }
    ]


class HolidayForm(forms.Form):
    """A day on which operations do not work."""

    day = forms.DateField(label=gettext_lazy("Day"), widget=forms.DateInput)
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)


@admin.register(Holiday)
class HolidayAdmin(GuardedModelAdmin):
    """The holiday calendar, by which limits in working days are counted."""

    app_for_visibility = "supervision"
    list_display = ("day", "name")
    date_hierarchy = "day"
    search_fields = ("name",)
    ordering = ("-day",)
    list_buttons = (
        OperationButton(
            "addHoliday",
            gettext_lazy("Add holiday"),
            run=lambda call, row, data: holidays.add(call, **data),
            form=HolidayForm,
            says=gettext_lazy("Limits in working days that are set from now on leave this day out."),
            icon="event",
        ),
    )
    operation_buttons = (
        OperationButton(
            "removeHoliday",
            gettext_lazy("Remove"),
            run=lambda call, row, data: _remove(call, row.pk),
            says=gettext_lazy("The day counts as a working day in limits that are set from now on."),
            danger=True,
        ),
    )

    def operation_view(self, request: HttpRequest, object_id: str, button: str) -> HttpResponse:
        """The page of one button; what was removed by the same form before is removed."""
        if request.method != "POST" or button != "removeHoliday" or not object_id.isdecimal():
            return super().operation_view(request, object_id, button)
        if self.get_object(request, object_id) is not None:
            return super().operation_view(request, object_id, button)
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = forms.Form(request.POST)
        done, answer = perform(form, lambda: _remove(self.call_of(request), int(object_id)))
        if done:
            messages.success(request, _("Done: %(label)s") % {"label": _("Remove")})
            return answer
        messages.warning(request, " ".join(str(error) for error in form.non_field_errors()))
        return HttpResponseRedirect(reverse("admin:kernel_holiday_changelist"))


def _remove(call: Call, holiday: int) -> HttpResponse:
    holidays.remove(call, holiday=holiday)
    return HttpResponseRedirect(reverse("admin:kernel_holiday_changelist"))
