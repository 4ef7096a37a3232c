"""The ground of operations managers' pages: rows are looked at, and changed only by buttons that call operations.

    @admin.register(Account)
    class AccountAdmin(GuardedModelAdmin):
        list_display = ["name", "kind", "frozen_at"]
        operation_buttons = (
            OperationButton(
                "freezeAccount",
                _("Freeze"),
                run=lambda call, row, data: freeze(call, account=row.number, **data),
                form=FreezeForm,
                says=_("The account can no longer order."),
                danger=True,
                shown=lambda row: not row.is_frozen,
            ),
        )
        list_buttons = (OperationButton("createAccount", _("Add account"), run=…, form=…),)

A button leads to a page that says what happens and asks for what the operation needs; the operation's refusal becomes
that form's error. Who may look at an app's rows, identity says through `use_visibility`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.options import BaseModelAdmin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import connection, models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.enums import ActionVariant
from unfold.widgets import (
    INPUT_CLASSES,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldAdminURLInputWidget,
    UnfoldBooleanWidget,
)

from koogallery.kernel import display, files, operations, pages
from koogallery.kernel.calls import Call
from koogallery.kernel.fields import AmountField, UnitPriceField
from koogallery.kernel.money import Money, unit_price_text
from koogallery.kernel.reasons import Missing, Refused

Run = Callable[[Call, Any, Mapping[str, Any]], Any]

_sees: Callable[[Any, str], bool] = lambda user, app_label: bool(user.is_superuser)  # noqa: E731


def use_visibility(sees: Callable[[Any, str], bool]) -> None:
    """Fill the port that says whether an operations manager may look at an app's rows."""
    global _sees
    _sees = sees


def sees(user: Any, app_label: str) -> bool:
    """Whether an operations manager may look at the rows of an app."""
    return bool(user.is_active and user.is_staff and _sees(user, app_label))


@dataclass(frozen=True)
class OperationButton:
    """A button that calls the operation `name`; `run(call, row, data)` does it (`row` is None above a list).

    `says` tells what will happen; `form` asks for what is needed, filled by `initial(row)`; `shown(row)` leaves the
    button out; `done` is the message afterwards.
    """

    name: str
    label: Any
    run: Run
    form: type[forms.Form] | None = None
    says: Any = ""
    initial: Callable[[Any], Mapping[str, Any]] | None = None
    shown: Callable[[Any], bool] = lambda row: True
    danger: bool = False
    icon: str = ""
    done: Any = ""


class EstimatedPaginator(Paginator):
    """Counts exactly to `EXACT`; beyond that, an unfiltered table is estimated by PostgreSQL's statistics."""

    EXACT = 10_000

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not isinstance(rows, models.QuerySet):
            return len(rows)
        found = rows.order_by()[: self.EXACT + 1].count()
        if found <= self.EXACT or rows.query.where:
            return found
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(%s)", [rows.model._meta.db_table]
            )
            row = cursor.fetchone()
        return max(found, row[0] if row else 0)


WIDGETS: tuple[tuple[type[forms.Widget], type[forms.Widget]], ...] = (
    (forms.Textarea, UnfoldAdminTextareaWidget),
    (forms.SelectMultiple, UnfoldAdminSelectMultipleWidget),
    (forms.Select, UnfoldAdminSelectWidget),
    (forms.CheckboxInput, UnfoldBooleanWidget),
    (forms.DateInput, UnfoldAdminTextInputWidget),
    (forms.DateTimeInput, UnfoldAdminTextInputWidget),
    (forms.ClearableFileInput, UnfoldAdminFileFieldWidget),
    (forms.NumberInput, UnfoldAdminIntegerFieldWidget),
    (forms.EmailInput, UnfoldAdminEmailInputWidget),
    (forms.URLInput, UnfoldAdminURLInputWidget),
    (forms.PasswordInput, UnfoldAdminPasswordWidget),
    (forms.TextInput, UnfoldAdminTextInputWidget),
)


INPUT_TYPES: dict[type[forms.Widget], str] = {
    forms.NumberInput: "number",
    forms.DateInput: "date",
    forms.DateTimeInput: "datetime-local",
}
"""The browser's own pickers."""


def dressed(form: forms.Form) -> forms.Form:
    """The form with the admin's widgets in place of Django's plain ones."""
    for field in form.fields.values():
        plain = field.widget
        if isinstance(plain, files.FilesInput):
            plain.attrs["class"] = " ".join(INPUT_CLASSES)
        for old, new in WIDGETS:
            if type(plain) is old:
                attrs = {name: value for name, value in plain.attrs.items() if name != "class"}
                field.widget = new(attrs=attrs)
                if isinstance(plain, forms.Select):
                    field.widget.choices = plain.choices
                elif input_type := INPUT_TYPES.get(old):
                    field.widget.input_type = input_type
                field.widget.is_required = plain.is_required
                field.widget.is_localized = plain.is_localized
                break
    return form


class ShownFields(BaseModelAdmin):
    """Shows moments with their zone, amounts with their currency, days and numbers as pages do, each field once."""

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [
            (title, {**options, "fields": list({self._fields(entry): None for entry in options["fields"]})})
            for title, options in super().get_fieldsets(request, obj)
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        columns = [self._column(field.name) for field in self.opts.fields]
        return [*super().get_readonly_fields(request, obj), *[column for column in columns if callable(column)]]

    def _fields(self, entry: Any) -> Any:
        return tuple(self._column(name) for name in entry) if isinstance(entry, list | tuple) else self._column(entry)

    def _column(self, name: Any) -> Any:
        columns: dict[str, Any] = self.__dict__.setdefault("_columns", {})
        if not isinstance(name, str) or hasattr(type(self), name):
            return name
        if name not in columns:
            columns[name] = self._made_column(name)
        return columns[name]

    def _made_column(self, name: str) -> Any:
        fields = {field.name: field for field in self.opts.fields}
        field = fields.get(name)
        if isinstance(field, models.DateTimeField):
            return shown_moment(name, field.verbose_name)
        if isinstance(field, models.DateField):
            return shown_day(name, field.verbose_name)
        if isinstance(field, AmountField) and "currency" in fields:
            return shown_money(name, field.verbose_name)
        if isinstance(field, UnitPriceField) and "currency" in fields:
            return shown_unit_price(name, field.verbose_name)
        if isinstance(field, models.DecimalField):
            return shown_number(name, field.verbose_name)
        return name


class GuardedModelAdmin(ShownFields, ModelAdmin):
    """Shows rows read-only and offers operations. A subclass names `list_display`, filters, search and buttons.

    `list_select_related` and `autocomplete` search work as in Django; `app_for_visibility` replaces the app label.
    """

    operation_buttons: Iterable[OperationButton] = ()
    list_buttons: Iterable[OperationButton] = ()
    app_for_visibility = ""
    show_full_result_count = False
    paginator = EstimatedPaginator
    list_per_page = 50
    list_max_show_all = 200
    list_filter_submit = True
    list_fullwidth = True
    show_facets = False
    compressed_fields = True
    actions = None

    # Who may look

    def _app(self) -> str:
        return self.app_for_visibility or self.opts.app_label

    def has_module_permission(self, request: HttpRequest) -> bool:
        return sees(request.user, self._app())

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees(request.user, self._app())

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    # How values are shown: moments with their zone, amounts with their currency

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return [self._column(name) for name in super().get_list_display(request)]

    # What may be done

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("do/<str:button>/", wrap(self.list_operation_view), name=f"{name}_list_operation"),
            path("<path:object_id>/do/<str:button>/", wrap(self.operation_view), name=f"{name}_operation"),
            *super().get_urls(),
        ]

    def call_of(self, request: HttpRequest) -> Call:
        """The operations manager's call."""
        return pages.make_call(request, "operator")

    def shown_file(
        self, request: HttpRequest, object_id: str, read: Callable[[Any], HttpResponseBase]
    ) -> HttpResponseBase:
        """What `read` answers for a row, such as one of its files; 404 for a missing one, a page for a refusal.

        Raises `PermissionDenied` for who may not see such rows.
        """
        if not self.has_view_permission(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        try:
            return read(row)
        except Missing as missing:
            raise Http404(str(missing)) from missing
        except Refused as refused:
            return pages.refusal(request, refused, audience="operator")

    def offered(self, request: HttpRequest, buttons: Iterable[OperationButton], row: Any) -> list[OperationButton]:
        """The buttons whose operation this operations manager's role includes and that this row has."""
        call = self.call_of(request)
        return [
            button
            for button in buttons
            if (row is None or button.shown(row)) and operations.may(call, button.name, row) is None
        ]

    def _links(self, request: HttpRequest, buttons: Iterable[OperationButton], row: Any) -> list[dict[str, Any]]:
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}"
        return [
            {
                "title": button.label,
                "icon": button.icon or None,
                "variant": ActionVariant.DANGER if button.danger else ActionVariant.DEFAULT,
                "attrs": {},
                "dialog": None,
                "path": reverse(f"{name}_list_operation", args=[button.name])
                if row is None
                else reverse(f"{name}_operation", args=[row.pk, button.name]),
            }
            for button in self.offered(request, buttons, row)
        ]

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            links = self._links(request, self.operation_buttons, obj)
            context["actions_detail"] = [*context.get("actions_detail", []), *links]
        return super().render_change_form(request, context, *args, obj=obj, **kwargs)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        context = getattr(response, "context_data", None)
        if context is not None:
            context["actions_list"] = [*context.get("actions_list", []), *self._links(request, self.list_buttons, None)]
        return response

    def operation_view(self, request: HttpRequest, object_id: str, button: str) -> HttpResponse:
        """The page of one button of one row."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        back = reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])
        return self._operation_page(request, self.operation_buttons, button, row, back)

    def list_operation_view(self, request: HttpRequest, button: str) -> HttpResponse:
        """The page of a button above the list."""
        back = reverse(f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_changelist")
        return self._operation_page(request, self.list_buttons, button, None, back)

    def _operation_page(
        self, request: HttpRequest, buttons: Iterable[OperationButton], name: str, row: Any, back: str
    ) -> HttpResponse:
        if not self.has_view_permission(request, row):
            raise PermissionDenied
        button = next((button for button in buttons if button.name == name), None)
        posted = request.method == "POST"
        if button is None or (not posted and row is not None and not button.shown(row)):
            raise Http404  # a form that was sent is the operation's to answer: again the same, or with its refusal
        initial = dict(button.initial(row)) if button.initial else None
        form_class = button.form or forms.Form
        call = self.call_of(request)
        more: dict[str, Any] = {"call": call} if issubclass(form_class, files.FilesForm) else {}
        sent = request.FILES if operations.may(call, button.name, row) is None else None  # else none is stored
        form = dressed(form_class(request.POST, sent, **more) if posted else form_class(initial=initial, **more))
        if posted and form.is_valid():
            done, answer = perform(form, lambda: button.run(call, row, form.cleaned_data))
            if done:
                messages.success(request, button.done or _("Done: %(label)s") % {"label": button.label})
                return answer if isinstance(answer, HttpResponse) else HttpResponseRedirect(back)
        context = {
            **self.admin_site.each_context(request),
            "title": button.label,
            "subtitle": str(row) if row is not None else None,
            "opts": self.opts,
            "button": button,
            "row": row,
            "form": form,
            "back": back,
            "key_field": pages.KEY_FIELD,
            "key": pages.sent_key(request) or pages.new_key(),
        }
        return TemplateResponse(request, "admin/operation_confirm.html", context)


def perform(form: forms.Form, do: Callable[[], Any]) -> tuple[bool, Any]:
    """Call an operation for a form: whether it was done, and its answer; a refusal becomes the form's error."""
    try:
        return True, do()
    except Refused as refused:
        field = refused.field if refused.field in form.fields else None
        form.add_error(field, forms.ValidationError(refused.sentence, code=refused.code))
    except Missing:
        form.add_error(None, forms.ValidationError(_("It no longer exists."), code="missing"))
    return False, None


class GuardedInline(ShownFields, TabularInline):
    """Rows that belong to a row, shown read-only below it."""

    extra = 0
    can_delete = False
    show_change_link = False
    tab = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees(request.user, self.opts.app_label)


def shown_money(amount_field: str, description: Any, *, currency_field: str = "currency") -> Callable[[Any], Any]:
    """A column of an amount with its currency, kept on one line."""
    return _column(amount_field, description, lambda row, amount: Money(amount, getattr(row, currency_field)))


def shown_unit_price(field: str, description: Any) -> Callable[[Any], Any]:
    """A column of a price per unit, with all its digits and its currency."""
    return _column(field, description, lambda row, price: unit_price_text(price, row.currency))


def shown_number(field: str, description: Any) -> Callable[[Any], Any]:
    """A column of a decimal number, without trailing zeros."""
    return _column(field, description, lambda row, number: f"{number.normalize():,f}")


def shown_moment(field: str, description: Any) -> Callable[[Any], Any]:
    """A column of a moment with its zone."""
    return _column(field, description, lambda row, moment: display.moment_text(moment))


def shown_day(field: str, description: Any) -> Callable[[Any], Any]:
    """A column of a calendar day."""
    return _column(field, description, lambda row, day: display.date_text(day))


def _column(field: str, description: Any, text: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """A column of a row's field in words, on one line; a dash where there is nothing."""

    def column(row: Any) -> Any:
        value = getattr(row, field)
        if value is None:
            return display.NOTHING
        return format_html('<span class="whitespace-nowrap">{}</span>', text(row, value))

    column.short_description = description  # type: ignore[attr-defined]
    column.admin_order_field = field  # type: ignore[attr-defined]
    return column
