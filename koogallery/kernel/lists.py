"""Every list page of the consoles, declared once: columns, tabs, filters, search, sorting, pages, export.

A list is a module-level value; a view binds it to a request and a query set and answers::

    ORDERS = ListPage(
        name="orders",
        caption=_("My Orders"),
        columns=(
            Column("number", _("Order No."), link=lambda order: order.get_absolute_url(), mono=True, hideable=False),
            Column("product", _("Product"), value="product.name", sort="product__name"),
            Column("state", _("Status"), value=lambda order: order.state_enum),       # an enum with a tone is a badge
            Column("created", _("Created"), value="created_at", sort="created_at"),   # a datetime is a moment
            Column("total", _("Amount"), value="total", sort="total_amount", numeric=True),  # Money
            actions(lambda order, request: [Action(_("Details"), order.get_absolute_url())]),
        ),
        tabs=(Tab("all", _("All")), Tab("unpaid", _("Unpaid"), Q(state="unpaid"))),
        filters=(
            ChoiceFilter("method", _("Delivery method"), field="method", choices=Method.choices),
            DateRangeFilter("created", _("Created"), field="created_at"),
        ),
        search=Search(("number", "product__name"), placeholder=_("Order No., product")),
        default_sort="-created",
        empty=Empty(_("No orders yet"), _("What you buy appears here."), _("Browse products"), "/products/"),
    )

    def order_list(request):
        return ORDERS.respond(request, orders_of(request.account), "orders/order_list.html", {"page": page})

The page template extends a frame and says `{% include "components/list.html" %}`; `respond` passes the bound
list as `list`, answers HTMX with the list alone, and `?export=csv` with a CSV file. Two queries serve any list:
one counts all tabs (exact to 1,000), one reads the rows; select what cells show with `select_related`. A busy list
is given a `prepared.Question` instead of a query set; then the places in its rows, and in the `where` of its tabs, are
`Given`, and no `where` is a function.

All state is in the URL (`tab`, `q`, `sort`, `page`, `size` and one or two names per filter); page size and hidden
columns are also kept in the user's preferences. Several lists on one page get a `prefix` each.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, cast
from urllib.parse import urlencode

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connections
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel import display, markup, operations
from koogallery.kernel.exports import BYTE_ORDER_MARK, csv_line, neutral
from koogallery.kernel.list_cells import Action, Column, RowPainter, actions
from koogallery.kernel.list_filters import (
    ChoiceFilter,
    DateRangeFilter,
    Filter,
    Search,
    TextFilter,
)
from koogallery.kernel.prepared import Prepared, PreparedCounts, Question
from koogallery.kernel.reasons import Refused

__all__ = [
    "Action",
    "BoundList",
    "Bulk",
    "ChoiceFilter",
    "Column",
    "DateRangeFilter",
    "Empty",
    "ListPage",
    "Search",
    "Tab",
    "TextFilter",
    "actions",
    "csv_line",
    "neutral",
]

PAGE_SIZES = (10, 20, 50, 100)
EXACT_TO = 1_000
DEEPEST_ROW = 10_000
EXPORT_LIMIT = 10_000
PREFERENCE = "lists"
KEPT = 64
PLANNED_PAGES = 3

keeper: Callable[[HttpRequest, str, dict[str, Any]], None] | None = None


def use_keeper(keep: Callable[[HttpRequest, str, dict[str, Any]], None]) -> None:
    """identity fills this port: keep what a user chose for a list (`size`, `hidden`) in the user's preferences."""
    global keeper
    keeper = keep


# What a list is made of


@dataclass(frozen=True)
class Tab:
    """A status tab: the rows that match `where` (a Q, or a function of the request giving one)."""

    key: str
    label: Any
    where: Q | Callable[[HttpRequest], Q] | None = None
    empty: Empty | None = None

    def narrow(self, queryset: QuerySet, request: HttpRequest) -> QuerySet:
        """The rows of this tab."""
        where = self.where(request) if callable(self.where) else self.where
        return queryset if where is None else queryset.filter(where)


@dataclass(frozen=True)
class Empty:
    """What stands where there is nothing yet: a sentence and the next step, disabled to who may not do `operation`."""

    title: Any
    text: Any = ""
    action: Any = ""
    url: str = ""
    operation: str = ""


@dataclass(frozen=True)
class Bulk:
    """Something to do with all selected rows: a POST to `url` with their values under the name `selected`."""

    label: Any
    url: str
    danger: bool = False


# The list itself


@dataclass(frozen=True)
class ListPage:
    """The declaration of a list; see the module's text. Raises `ValueError` when it contradicts itself.

    `prepare` is given the rows of a page at once, to read for all of them what their cells show; `kept_as` names the
    list in the user's preferences where several share a name.
    """

    name: str
    caption: Any
    columns: Sequence[Column]
    tabs: Sequence[Tab] = ()
    filters: Sequence[Filter] = ()
    search: Search | None = None
    default_sort: str = ""
    default_tab: str = ""
    tie: str = "pk"
    empty: Empty = field(default_factory=lambda: Empty(gettext_lazy("Nothing here yet")))
    page_size: int = 20
    prefix: str = ""
    selectable: Callable[[Any], str] | None = None
    bulk: Sequence[Bulk] = ()
    row_class: Callable[[Any], str] | None = None
    exportable: bool = True
    on_large_export: Callable[[BoundList], HttpResponse] | None = None
    ordering: Sequence[str] = ()
    prepare: Callable[[Sequence[Any], HttpRequest], None] | None = None
    kept_as: str = ""
    kept: dict[tuple[Any, ...], tuple[str, str, str]] = field(default_factory=dict, init=False, compare=False)
    plans: dict[tuple[Any, ...], Any] = field(default_factory=dict, init=False, compare=False)

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if len(keys) != len(set(keys)):
            raise ValueError(f"List {self.name!r} names a column twice.")
        sort = self.default_sort.removeprefix("-")
        if sort and not self.column(sort).sort_fields:
            raise ValueError(f"List {self.name!r} cannot sort by {sort!r}.")
        if self.page_size not in PAGE_SIZES:
            raise ValueError(f"List {self.name!r}: a page has {PAGE_SIZES} rows.")

    def column(self, key: str) -> Column:
        """The column with a key. Raises `ValueError` if there is none."""
        for column in self.columns:
            if column.key == key:
                return column
        raise ValueError(f"List {self.name!r} has no column {key!r}.")

    def bind(self, request: HttpRequest, rows: QuerySet | Question) -> BoundList:
        """The list for what this request asks and this user may know; a `Question` saves compiling it again."""
        return BoundList(self, request, rows)

    def respond(
        self,
        request: HttpRequest,
        queryset: QuerySet | Question,
        template: str,
        context: Mapping[str, Any] | None = None,
        *,
        context_name: str = "list",
    ) -> HttpResponse:
        """The page, or for HTMX the list alone, or the CSV file that `?export=csv` asks for."""
        bound = self.bind(request, queryset)
        if bound.wants_csv:
            return cast(HttpResponse, bound.csv_response())
        response: HttpResponse
        if bound.wants_fragment:
            response = render(request, "components/list.html", {"list": bound})
            response["HX-Push-Url"] = bound.url()
        else:
            response = render(request, template, {**(context or {}), context_name: bound})
        patch_vary_headers(response, ["HX-Request", "HX-Target"])
        return response


@dataclass(frozen=True)
class TabLink:
    """A tab as shown."""

    key: str
    label: Any
    url: str
    count: str
    current: bool


@dataclass(frozen=True)
class Chip:
    """An active filter as shown, with the address that removes it."""

    label: Any
    text: str
    url: str


@dataclass(frozen=True)
class Heading:
    """A column head as shown: where a click leads and how the list is sorted by it now."""

    column: Column
    url: str
    sorted: str

    @property
    def label(self) -> Any:
        return self.column.label

    @property
    def css(self) -> str:
        return self.column.css.replace("mono", "").strip()


@dataclass(frozen=True)
class Row:
    """A row as shown; `cells` is markup."""

    object: Any
    css: str
    cells: SafeString
    select: str
    select_label: str


class _Steady:
    """A bound list with marks where its tabs' counts stand and where the parts of its frame are parted."""

    part_mark = f"part-{secrets.token_hex(8)}"

    def __init__(self, bound: BoundList) -> None:
        self._bound = bound

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bound, name)

    @property
    def tabs(self) -> list[TabLink]:
        """The tabs with marks for counts."""
        return [replace(link, count=self.count_mark(link.key)) for link in self._bound.tabs]

    def count_mark(self, key: str) -> str:
        """What stands for the count of a tab."""
        return f"{self.part_mark}-{key}-"


class BoundList:
    """A list bound to a request: everything that `components/list.html` shows."""

    def __init__(self, declared: ListPage, request: HttpRequest, rows: QuerySet | Question) -> None:
        self.declared = declared
        self.request = request
        self.name = declared.name
        self.caption = declared.caption
        self.search = declared.search
        self.error = False
        self._asked = rows if isinstance(rows, Question) else None
        self._queryset = rows if isinstance(rows, QuerySet) else None
        self._read_url()

    # Reading the URL

    def _param(self, name: str) -> str:
        return f"{self.declared.prefix}{name}"

    def _value(self, name: str) -> str:
        return self.request.GET.get(self._param(name), "")

    def _read_url(self) -> None:
        declared = self.declared
        kept = self._kept()
        keys = [tab.key for tab in declared.tabs]
        wanted = self._value("tab")
        first = declared.default_tab or (keys[0] if keys else "")
        self.tab = wanted if wanted in keys else first
        self._first_tab = first
        self.query = self._value("q").strip()[:200] if declared.search else ""
        self.filters = [
            item.bind(self.request, {name: self._value(name) for name in item.names()}) for item in declared.filters
        ]
        sort = self._value("sort")
        sortable = {column.key for column in declared.columns if column.sort_fields}
        self.sort = sort if sort.removeprefix("-") in sortable else declared.default_sort
        size = self._value("size")
        if size.isdecimal() and int(size) in PAGE_SIZES:
            self.size = int(size)
            if kept.get("size", declared.page_size) != self.size:
                self._keep("size", self.size)
        else:
            self.size = kept.get("size", declared.page_size)
        page = self._value("page")
        self.page = min(int(page), DEEPEST_ROW // self.size) if page.isdecimal() and int(page) > 0 else 1
        hideable = [column.key for column in declared.columns if column.hideable]
        if self._value("columns_set"):
            chosen = set(self.request.GET.getlist(self._param("columns")))
            hidden = [key for key in hideable if key not in chosen]
            self._keep("hidden", hidden)
        else:
            default = [column.key for column in declared.columns if not column.shown]
            hidden = [key for key in kept.get("hidden", default) if key in hideable]
        self.hidden = frozenset(hidden)

    def _kept(self) -> dict[str, Any]:
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return {}
        return user.preferences.get(PREFERENCE, {}).get(self.declared.kept_as or self.name, {})

    def _keep(self, key: str, value: Any) -> None:
        user = getattr(self.request, "user", None)
        if keeper is None or user is None or not user.is_authenticated:
            return
        kept = self._kept()
        if kept.get(key) != value:
            keeper(self.request, self.declared.kept_as or self.name, {**kept, key: value})

    @property
    def wants_csv(self) -> bool:
        """Whether the request asks for the CSV file."""
        return self.declared.exportable and self._value("export") == "csv"

    @property
    def wants_fragment(self) -> bool:
        """Whether HTMX asks for this list alone; a restored history entry gets the whole page."""
        headers = self.request.headers
        return (
            headers.get("HX-Request") == "true"
            and headers.get("HX-Target") == self.id
            and headers.get("HX-History-Restore-Request") != "true"
        )

    @property
    def id(self) -> str:
        """The element that HTMX replaces."""
        return f"list-{self.declared.prefix}{self.name}"

    # Addresses

    def _state(self) -> dict[str, str]:
        state: dict[str, str] = {}
        if self.tab and self.tab != self._first_tab:
            state["tab"] = self.tab
        if self.query:
            state["q"] = self.query
        for bound in self.filters:
            state.update(bound.values)
        if self.sort != self.declared.default_sort:
            state["sort"] = self.sort
        if self._value("size"):
            state["size"] = str(self.size)
        if self.page > 1:
            state["page"] = str(self.page)
        return state

    def url(self, **changes: str | None) -> str:
        """The address of this list with some of its state changed; None takes a name out. Other lists stay."""
        state: dict[str, str | None] = {**self._state(), **changes}
        if "page" not in changes and changes:
            state.pop("page", None)
        own = {self._param(name) for name in self._names()}
        pairs = [
            (name, value)
            for name, values in self.request.GET.lists()
            if name not in own and name != "confirm"
            for value in values
        ]
        pairs += [(self._param(name), value) for name, value in state.items() if value]
        return f"{self.request.path}?{urlencode(pairs)}" if pairs else self.request.path

    def _names(self) -> list[str]:
        names = ["tab", "q", "sort", "size", "page", "columns", "columns_set", "export"]
        return names + [name for item in self.declared.filters for name in item.names()]

    @property
    def csv_url(self) -> str:
        """Where the filtered rows are exported."""
        return self.url(export="csv")

    @property
    def clear_url(self) -> str:
        """This list without search and filters."""
        names: dict[str, str | None] = {"q": None}
        for item in self.declared.filters:
            names.update(dict.fromkeys(item.names()))
        return self.url(**names)

    @property
    def hidden_fields(self) -> list[tuple[str, str]]:
        """What the toolbar's form carries besides its controls."""
        state = self._state()
        controls = {"q", "page", *(name for item in self.declared.filters for name in item.names())}
        own = {self._param(name) for name in self._names()}
        others = [(n, v) for n, vs in self.request.GET.lists() if n not in own and n != "confirm" for v in vs]
        return others + [(self._param(name), value) for name, value in state.items() if name not in controls]

    @property
    def all_fields(self) -> list[tuple[str, str]]:
        """The whole state but the page and its size, for the forms of columns and page size."""
        state = {name: value for name, value in self._state().items() if name not in {"page", "size"}}
        own = {self._param(name) for name in self._names()}
        others = [(n, v) for n, vs in self.request.GET.lists() if n not in own and n != "confirm" for v in vs]
        return others + [(self._param(name), value) for name, value in state.items()]

    # Rows

    @cached_property
    def _filtered(self) -> QuerySet:
        if self._queryset is not None:
            return self._narrowed(self._queryset)
        return self._narrowed(cast(Question, self._asked).build())

    @property
    def _counted(self) -> QuerySet:
        """The filtered rows as they are counted."""
        if self._asked is None or self._asked.counted is None:
            return self._filtered
        return self._narrowed(self._asked.counted())

    def _narrowed(self, queryset: QuerySet) -> QuerySet:
        if self.query and self.declared.search:
            queryset = self.declared.search.narrow(queryset, self.query)
        for bound in self.filters:
            if bound.active:
                queryset = bound.narrow(queryset)
        return queryset

    def _in_tab(self, queryset: QuerySet) -> QuerySet:
        for tab in self.declared.tabs:
            if tab.key == self.tab:
                return tab.narrow(queryset, self.request)
        return queryset

    @property
    def ordering(self) -> list[str]:
        """The fields to order by, the tie-breaker last, so that equal rows never change places."""
        fields: list[str] = []
        if self.sort:
            down = self.sort.startswith("-")
            for name in self.declared.column(self.sort.removeprefix("-")).sort_fields:
                bare = name.removeprefix("-")
                fields.append(bare if down == name.startswith("-") else f"-{bare}")
        fields += [name for name in self.declared.ordering if name not in fields]
        tie = self.declared.tie
        if fields and fields[0].startswith("-"):
            tie = f"-{tie}"
        return [*fields, tie]

    @property
    def queryset(self) -> QuerySet:
        """All rows that match, in order, without pages; of a `Question`, its values are yet to be given."""
        return self._in_tab(self._filtered).order_by(*self.ordering)

    @cached_property
    def _counts(self) -> dict[str, int]:
        try:
            if self._asked is None:
                return count_many(self._by_tab())
            plan = self._plan((), lambda: _plan_of_counts(self._by_tab()))
            counts: dict[str, int] = plan.all(**self._asked.given)
            return counts
        except OperationalError:
            self.error = True
            return dict.fromkeys((tab.key for tab in self.declared.tabs), 0) or {"": 0}

    def _by_tab(self) -> dict[str, QuerySet]:
        rows = self._counted
        return {tab.key: tab.narrow(rows, self.request) for tab in self.declared.tabs} or {"": rows}

    def _plan(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What `make` makes for a question, kept unless what is asked is typed in and so hardly asked again."""
        asked, declared = cast(Question, self._asked), self.declared
        is_typed = any(item.active and item.kind != "choice" for item in self.filters)
        is_computed = any(callable(tab.where) for tab in declared.tabs) or any(
            bound.active and getattr(item, "apply", None)
            for item, bound in zip(declared.filters, self.filters, strict=True)
        )
        if self.query or self.page > PLANNED_PAGES or is_typed or is_computed:
            return make()
        chosen = tuple(value for item in self.filters for value in item.values.items())
        whole = (asked.build, chosen, *key)
        plans = declared.plans
        if whole not in plans:
            if len(plans) >= KEPT:
                plans.clear()
            plans[whole] = make()
        return plans[whole]

    def _read(self, start: int, end: int) -> list[Any]:
        """So many rows in order."""
        rows: list[Any]
        if self._asked is None:
            rows = list(self.queryset[start:end])
        else:
            key = (self.tab, self.sort, start, end)
            plan = self._plan(key, lambda: _plan_of_rows(self.queryset[start:end]))
            rows = plan.all(**self._asked.given)
        if self.declared.prepare is not None and rows:
            self.declared.prepare(rows, self.request)
        return rows

    @cached_property
    def _objects(self) -> list[Any]:
        if self._counts.get(self.tab, 0) == 0:
            return []
        start = (self.page - 1) * self.size
        try:
            return self._read(start, start + self.size + 1)
        except OperationalError:
            self.error = True
            return []

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of this page as shown."""
        declared = self.declared
        label = _("Select")
        painter = RowPainter(self.columns, self.request, id=self.id, bound=self)
        rows = []
        for item in self._objects[: self.size]:
            css = declared.row_class(item) if declared.row_class else ""
            select = declared.selectable(item) if declared.selectable else ""
            cells = painter.cells(item)
            rows.append(Row(item, css, cells, select, f"{label} {select}"))
        return rows

    @property
    def body_html(self) -> SafeString:
        """The rows as table rows."""
        return SafeString("".join([self._row_html(row) for row in self.rows]))

    def _row_html(self, row: Row) -> str:
        start = f'<tr class="{markup.escaped(row.css)}">' if row.css else "<tr>"
        if not self.bulk:
            return f"{start}{row.cells}</tr>"
        box = ""
        if row.select:
            box = (
                f'<input type="checkbox" name="selected" value="{markup.escaped(row.select)}" '
                f'form="{markup.escaped(self.id)}-bulk" aria-label="{markup.escaped(row.select_label)}">'
            )
        return f'{start}<td class="select">{box}</td>{row.cells}</tr>'

    @cached_property
    def steady_html(self) -> dict[str, SafeString]:
        """What stands around the rows: the tools above, the table's head, the page size. Kept for an address."""
        steady, kept, key = _Steady(self), self.declared.kept, self._steady_key()
        parts = kept.get(key) if key else None
        if parts is None:
            text = render_to_string("components/list_steady.html", {"list": steady})
            tools, head, size = text.split(steady.part_mark + "\n")
            parts = tools, head, size
            if key:
                if len(kept) >= KEPT:
                    kept.clear()
                kept[key] = parts
        tools, head, size = parts
        if self.declared.tabs:
            for name, count in self._counts.items():
                tools = tools.replace(steady.count_mark(name), shown_count(count))
        return {"tools": SafeString(tools), "head": SafeString(head), "size": SafeString(size)}

    def _steady_key(self) -> tuple[Any, ...] | None:
        """All that `components/list_steady.html` depends on besides the declaration; nothing where it is not kept."""
        asked = self.request.META.get("QUERY_STRING", "")
        if self.query or len(asked) > 200 or any(item.active and item.kind != "choice" for item in self.filters):
            return None
        offered = [
            (str(value), str(label))
            for item, bound in zip(self.declared.filters, self.filters, strict=True)
            if callable(getattr(item, "choices", None))
            for value, label in bound.choices
        ]
        zone = self.zone if any(bound.kind == "dates" for bound in self.filters) else ""
        has_rows = bool(self.total)
        return get_language(), self.request.path, asked, self.hidden, self.size, zone, has_rows, tuple(offered)

    # What the template shows

    @cached_property
    def columns(self) -> list[Column]:
        """The columns that are not hidden."""
        return [column for column in self.declared.columns if column.key not in self.hidden]

    @property
    def settings(self) -> list[tuple[Column, bool]]:
        """The columns that may be hidden, and whether each is shown."""
        return [(c, c.key not in self.hidden) for c in self.declared.columns if c.hideable]

    @property
    def headings(self) -> list[Heading]:
        """The column heads; a click on the sorted one turns the order round."""
        headings = []
        for column in self.columns:
            if not column.sort_fields:
                headings.append(Heading(column, "", ""))
                continue
            now = {column.key: "ascending", f"-{column.key}": "descending"}.get(self.sort, "none")
            following = f"-{column.key}" if now == "ascending" else column.key
            headings.append(Heading(column, self.url(sort=following), now))
        return headings

    @property
    def tabs(self) -> list[TabLink]:
        """The tabs with their counts."""
        return [
            TabLink(
                tab.key,
                tab.label,
                self.url(tab=None if tab.key == self._first_tab else tab.key),
                shown_count(self._counts[tab.key]),
                tab.key == self.tab,
            )
            for tab in self.declared.tabs
        ]

    @property
    def chips(self) -> list[Chip]:
        """The active search and filters, each with the address that removes it."""
        chips = []
        if self.query:
            chips.append(Chip(_("Search"), self.query, self.url(q=None)))
        for bound in self.filters:
            if bound.active:
                without: dict[str, str | None] = dict.fromkeys(bound.values)
                chips.append(Chip(bound.label, bound.chip, self.url(**without)))
        return chips

    @property
    def is_filtered(self) -> bool:
        """Whether search or filters leave rows out."""
        return bool(self.query) or any(bound.active for bound in self.filters)

    @property
    def total(self) -> int:
        """How many rows match, at most one more than `EXACT_TO`."""
        return self._counts.get(self.tab, 0)

    @property
    def total_text(self) -> str:
        """How many rows match, exact to 1,000, then `1,000+`."""
        return shown_count(self.total)

    @property
    def first_row(self) -> int:
        """The number of the first row of this page, from 1; 0 on an empty page."""
        return (self.page - 1) * self.size + 1 if self.rows else 0

    @property
    def last_row(self) -> int:
        """The number of the last row of this page."""
        return (self.page - 1) * self.size + len(self.rows)

    @property
    def previous_url(self) -> str:
        """The page before, or nothing."""
        if self.page <= 1:
            return ""
        return self.url(page=str(self.page - 1) if self.page > 2 else None)

    @property
    def next_url(self) -> str:
        """The page after, or nothing."""
        if len(self._objects) <= self.size or (self.page + 1) * self.size > DEEPEST_ROW:
            return ""
        return self.url(page=str(self.page + 1))

    @property
    def too_deep(self) -> bool:
        """Whether more rows exist than may be paged through."""
        return len(self._objects) > self.size and not self.next_url

    @property
    def sizes(self) -> tuple[int, ...]:
        """The page sizes to choose from."""
        return PAGE_SIZES

    @property
    def empty(self) -> Empty:
        """What stands where there is nothing yet."""
        for tab in self.declared.tabs:
            if tab.key == self.tab and tab.empty is not None:
                return tab.empty
        return self.declared.empty

    @property
    def empty_refused(self) -> Refused | None:
        """Why the next step is not the viewer's to take."""
        name = self.empty.operation
        return operations.may(self.request.call, name) if name else None  # type: ignore[attr-defined]

    @property
    def path(self) -> str:
        """The address without state."""
        return self.request.path

    @property
    def url_text(self) -> str:
        """The address with the state as it is."""
        return self.url()

    @property
    def first_url(self) -> str:
        """The first page."""
        return self.url(page=None)

    @property
    def search_label(self) -> Any:
        """What a screen reader calls the search field."""
        if self.search is None:
            return ""
        return self.search.label or self.search.placeholder or _("Search")

    @property
    def range_text(self) -> str:
        """`1 – 20 of 57`."""
        return _("%(first)s – %(last)s of %(total)s") % {
            "first": f"{self.first_row:,}",
            "last": f"{self.last_row:,}",
            "total": self.total_text,
        }

    @property
    def zone(self) -> str:
        """The zone whose days the date filters mean."""
        return display.zone_text(timezone.localtime(clock.now()))

    @property
    def bulk(self) -> Sequence[Bulk]:
        """What can be done with the selected rows."""
        return self.declared.bulk

    @property
    def exportable(self) -> bool:
        """Whether the rows can be had as CSV."""
        return self.declared.exportable

    @property
    def hidden_html(self) -> SafeString:
        """`hidden_fields` as inputs."""
        return markup.hidden_inputs(self.hidden_fields)

    @property
    def all_html(self) -> SafeString:
        """`all_fields` as inputs."""
        return markup.hidden_inputs(self.all_fields)

    @property
    def names(self) -> dict[str, str]:
        """The names of the list's own controls in the URL."""
        return {name: self._param(name) for name in ("q", "sort", "size", "page", "columns", "columns_set")}

    @property
    def prefix(self) -> str:
        """What stands before each name in the URL."""
        return self.declared.prefix

    # Export

    def csv_response(self) -> HttpResponseBase:
        """The filtered rows as CSV, streamed; more than `EXPORT_LIMIT` rows go to `on_large_export` if declared."""
        large = self.declared.on_large_export
        if large is not None and self._is_large():
            return large(self)
        response = StreamingHttpResponse(self.csv_lines(), content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{self.name}.csv"'
        response["Cache-Control"] = "no-store"
        return response

    def _is_large(self) -> bool:
        if self._asked is None:
            return self.queryset.order_by()[: EXPORT_LIMIT + 1].count() > EXPORT_LIMIT
        counted = PreparedCounts(lambda: {"": self.queryset}, limit=EXPORT_LIMIT + 1)
        return counted.all(**self._asked.given)[""] > EXPORT_LIMIT

    def csv_lines(self, *, limit: int = EXPORT_LIMIT) -> Iterator[str]:
        """The lines of the export: a byte order mark, the translated heads, the rows."""
        columns = [column for column in self.declared.columns if column.csv is not False]
        yield BYTE_ORDER_MARK
        yield csv_line([column.label for column in columns])
        if limit <= EXPORT_LIMIT or self._asked is not None:
            rows: Iterable[Any] = self._read(0, limit)
        else:
            rows = self.queryset[:limit].iterator(chunk_size=2_000)
        for item in rows:
            yield csv_line([column.exported(item) for column in columns])


# Counting


def _plan_of_rows(rows: QuerySet) -> Prepared:
    return Prepared(lambda: rows)


def _plan_of_counts(querysets: Mapping[str, QuerySet]) -> PreparedCounts:
    return PreparedCounts(lambda: querysets, limit=EXACT_TO + 1)


def count_many(querysets: Mapping[str, QuerySet]) -> dict[str, int]:
    """How many rows each query set has, exact to `EXACT_TO` and one more beyond, in one statement."""
    counts = dict.fromkeys(querysets, 0)
    parts, params, counted = [], [], []
    using = "default"
    for key, queryset in querysets.items():
        using = queryset.db
        limited = queryset.order_by().values("pk")[: EXACT_TO + 1]
        try:
            sql, values = limited.query.get_compiler(using=using).as_sql()
        except EmptyResultSet:
            continue
        parts.append(f"(SELECT COUNT(*) FROM ({sql}) counted)")  # noqa: S608 - compiled by the ORM
        params.extend(values)
        counted.append(key)
    if not parts:
        return counts
    with connections[using].cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(parts)}", params)
        row = cursor.fetchone()
    counts.update(zip(counted, row, strict=True))
    return counts


def shown_count(count: int) -> str:
    """A count as shown: exact to 1,000, then `1,000+`."""
    return f"{EXACT_TO:,}+" if count > EXACT_TO else f"{count:,}"
