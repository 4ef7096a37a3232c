"""The columns of a list, what can be done with a row, and how their cells are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from koogallery.kernel import display, markup
from koogallery.kernel.reasons import Refused

Getter = str | Callable[[Any], Any]


@dataclass(frozen=True)
class Action:
    """One thing to do with a row.

    `refused` (what `operations.may` answers) or a `reason` disables it and says why; `post` sends a form with
    `fields`; `confirm` is the sentence that a dialog asks first, naming the object and what happens.
    """

    label: Any
    url: str = ""
    post: bool = False
    confirm: Any = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    danger: bool = False
    refused: Refused | None = None
    reason: Any = ""

    @property
    def why_not(self) -> str:
        """Why it cannot be done, or nothing."""
        return self.refused.sentence if self.refused is not None else str(self.reason)

    @property
    def who(self) -> str:
        """Who can help when it cannot be done."""
        return display.who_can_help(self.refused)


@dataclass(frozen=True)
class Column:
    """One column.

    `value` is an attribute path or a function of the row (default: the attribute named like the key); what it
    returns is shown by its type (`display.value_html`). `html` is a function of the row returning safe markup and
    is the fastest way to a special cell; `template` names a template or `file.html#partial` given `row`, `value`,
    `request` and `list`. `link` gives the address that the cell leads to, `note` a small second line.
    `wide` keeps room for text of several words. `sort` names the fields to order by. `csv` is what an export holds:
    a getter, or False to leave the column out.
    """

    key: str
    label: Any
    value: Getter | None = None
    html: Callable[[Any], Any] | None = None
    template: str = ""
    link: Callable[[Any], str] | None = None
    note: Callable[[Any], Any] | None = None
    sort: str | tuple[str, ...] = ()
    numeric: bool = False
    mono: bool = False
    strong: bool = False
    wide: bool = False
    hideable: bool = True
    shown: bool = True
    csv: Getter | bool = True
    actions: Callable[[Any, HttpRequest], Iterable[Action]] | None = None

    @property
    def sort_fields(self) -> tuple[str, ...]:
        """The fields to order by, ascending."""
        return (self.sort,) if isinstance(self.sort, str) else self.sort

    @property
    def css(self) -> str:
        """The classes of the column's cells."""
        names = {"num": self.numeric, "mono": self.mono, "wide": self.wide, "ops": self.actions}
        return " ".join(name for name, holds in names.items() if holds)

    def get(self, row: Any) -> Any:
        """The column's value of a row."""
        return get(row, self.value if self.value is not None else self.key)

    @property
    def getter(self) -> Callable[[Any], Any]:
        """A function that gives the column's value of a row."""
        value = self.value if self.value is not None else self.key
        return value if callable(value) else partial(_follow, tuple(value.split(".")))

    def exported(self, row: Any) -> Any:
        """The column's value of a row as an export holds it."""
        if self.csv is True:
            return self.get(row)
        return get(row, self.csv)  # type: ignore[arg-type]


def actions(getter: Callable[[Any, HttpRequest], Iterable[Action]]) -> Column:
    """The Operation column, to be put last: two actions as links; of more, the first and **More**."""
    return Column("operation", gettext_lazy("Operation"), actions=getter, hideable=False, csv=False)


def get(row: Any, getter: Getter) -> Any:
    """Follow `a.b.c` through attributes, keys and calls without arguments, or call `getter` with the row."""
    return getter(row) if callable(getter) else _follow(getter.split("."), row)


def _follow(parts: Sequence[str], row: Any) -> Any:
    value = row
    for part in parts:
        value = value[part] if isinstance(value, dict) else getattr(value, part, None)
        if callable(value):
            value = value()
        if value is None:
            return None
    return value


def _adorned(column: Column, row: Any, inner: str) -> str:
    """A cell's markup with the column's link, weight and note around it."""
    if column.link and inner != display.NOTHING and (url := column.link(row)):
        inner = f'<a href="{markup.escaped(url)}">{inner}</a>'
    if column.strong:
        inner = f"<strong>{inner}</strong>"
    if column.note and (note := column.note(row)):
        inner = f'{inner} <small class="note">{display.cell_html(note)}</small>'
    return inner


class RowPainter:
    """Draws the cells of one list's rows; what every row shares is made once."""

    def __init__(self, columns: Iterable[Column], request: HttpRequest, *, id: str, bound: Any) -> None:
        self._request = request
        self._id = str(escape(id))
        self._bound = bound
        self._keys = 0
        self._token = ""
        self._more = format_html("{}{}", _("More"), markup.icon_html("chevron-down", size="sm"))
        self._open = request.GET.get("confirm", "")
        self._columns = [
            (f'<td data-label="{escape(column.label)}" class="{column.css}">', self._painter(column))
            for column in columns
        ]

    def cells(self, row: Any) -> SafeString:
        """The row's cells."""
        return SafeString("".join([f"{start}{paint(row)}</td>" for start, paint in self._columns]))

    def _painter(self, column: Column) -> Callable[[Any], str]:
        """What draws a column's cells: their markup, escaped."""
        if column.actions is not None:
            of_row, request = column.actions, self._request
            return lambda row: self._actions(list(of_row(row, request)))
        if column.template:
            return lambda row: self._from_template(column, row)
        value = column.html or column.getter
        if column.link is None and not column.strong and column.note is None:
            return lambda row: display.cell_html(value(row))
        return lambda row: _adorned(column, row, display.cell_html(value(row)))

    def _from_template(self, column: Column, row: Any) -> str:
        value = column.get(row) if column.value is not None else None
        context = {"row": row, "value": value, "list": self._bound}
        return render_to_string(column.template, context, request=self._request)

    def _actions(self, found: list[Action]) -> str:
        if not found:
            return display.NOTHING
        inline = 2 if len(found) < 3 else 1
        shown = "".join(self._action(action) for action in found[:inline])
        if found[inline:]:
            key = self._next_key()
            rest = "".join([self._action(action) for action in found[inline:]])
            shown += (
                f'<button type="button" class="link" popovertarget="{key}" aria-haspopup="true">{self._more}</button>'
                f'<div class="menu" id="{key}" popover>{rest}</div>'
            )
        return f'<div class="ops-list">{shown}</div>'

    def _action(self, action: Action) -> str:
        css = "link link-danger" if action.danger else "link"
        if why := action.why_not:
            return markup.disabled_html(label=action.label, css="link", why=why, who=action.who, key=self._next_key())
        if action.confirm:
            key = self._next_key()
            return markup.opener_html(label=action.label, css=css, dialog=key) + markup.confirm_html(
                SafeString(f"<p>{markup.escaped(action.confirm)}</p>"),
                id=key,
                title=action.label,
                action=action.url,
                token=self._csrf(),
                danger=action.danger,
                fields=action.fields,
                is_open=self._open == key,
            )
        if action.post:
            hidden = (
                f"{markup.token_html(self._csrf())}{markup.idempotency_html()}{markup.hidden_inputs(action.fields)}"
            )
            return (
                f'<form method="post" action="{markup.escaped(action.url)}">{hidden}'
                f'<button type="submit" class="{css}">{markup.escaped(action.label)}</button></form>'
            )
        return f'<a class="{css}" href="{markup.escaped(action.url)}">{markup.escaped(action.label)}</a>'

    def _next_key(self) -> str:
        """A name for the next menu or dialog, steady from one request to the next."""
        self._keys += 1
        return f"{self._id}-{self._keys}"

    def _csrf(self) -> str:
        if not self._token:
            self._token = get_token(self._request)
        return self._token
