"""Home, the product list with its filters, suggestions, the demand form, help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join, html_safe
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from catalog.forms import DemandForm, ListState
from catalog.operations import demands
from catalog.queries import currency_of, search, storefront
from catalog.queries.matching import Kept
from catalog.rules import words
from catalog.rules.facets import Counts
from catalog.states import BillingMode, DeliveryMethod
from koogallery.kernel import rates
from koogallery.kernel.markup import CURRENT_PAGE, hidden_inputs
from koogallery.kernel.pages import attempt, client_address, page, render

SORTS = (
    ("relevance", lambda: _("Relevance")),
    ("newest", lambda: _("Newest")),
    ("popularity", lambda: _("Popularity")),
    ("price", lambda: _("Price: low to high")),
    ("price-down", lambda: _("Price: high to low")),
)
SELLERS_SHOWN = 10
SUGGESTIONS_A_MINUTE = 120
CURRENT = ' aria-current="true"'
SELECTED = SafeString(" selected")
SUB = ' class="sub"'
HELP_TOPICS = ("buying", "paying", "delivery", "sellers", "api")


def currency(request: HttpRequest) -> str:
    """In which currency this visitor sees prices."""
    return currency_of(request.call.account)


@page(audience="public")
def home(request: HttpRequest) -> HttpResponse:
    """Search, categories, Popular Applications, new releases, what buyers get."""
    own = currency(request)
    context = {
        "page": {
            "title": _("Software and services for your cloud, delivered under your eyes"),
            "console": "storefront",
            "breadcrumbs": [],
        },
        "shelves": storefront.shelves,
        "popular": SafeString("".join(storefront.popular(currency=own))),
        "newest": SafeString("".join(storefront.newest(currency=own))),
    }
    return render(request, "catalog/home.html", context)


# The product list


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of a facet."""

    label: str
    url: str
    count: int
    selected: bool
    level: int = 0


@html_safe
@dataclass(frozen=True, slots=True)
class Facet:
    """A heading with its choices."""

    label: str
    choices: list[Choice]

    def __str__(self) -> str:
        """The facet as markup; made here because a list page shows thirty choices."""
        label = escape(self.label)
        lines = "".join(
            f'<a href="{escape(each.url)}" rel="nofollow"{CURRENT if each.selected else ""}{SUB if each.level else ""}>'
            f'<span>{escape(each.label)}</span><span class="tab-count">{each.count}</span></a>'
            for each in self.choices
        )
        return f'<nav class="facet" aria-label="{label}"><strong>{label}</strong>{lines}</nav>'


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force and the address without it."""

    label: str
    url: str


@page(audience="public")
def product_list(request: HttpRequest) -> HttpResponse:
    """The category page: filters with counts, chips, order, 20 cards."""
    state = ListState.read(request.GET)
    path = storefront.list_path()
    found, cards = storefront.listed(
        query=state.query,
        selection=state.selection(),
        sort=state.sort,
        page=state.page,
        currency=currency(request),
    )
    category = storefront.category_by_code(state.category)
    chips = _chips(state, path, found.counts)
    context = {
        "page": {
            "title": _title(state, category),
            "console": "storefront",
            "breadcrumbs": _crumbs(category),
            "intro": "",
        },
        "state": state,
        "found": found,
        "cards": SafeString("".join(cards)),
        "facets": _facets_html(state, found.counts, path),
        "chips": chips,
        "filters_in_force": f" ({len(chips)})" if chips else "",
        "clear_url": f"{path}?q={state.query}" if state.query else path,
        "total_text": ngettext("%(count)s product", "%(count)s products", found.total) % {"count": found.total},
        "sorts": _sorts(get_language(), found.sort, with_relevance=bool(state.query)),
        "hidden": hidden_inputs(state.without("sort")),
        "price_hidden": hidden_inputs(state.without("price_from", "price_to")),
        "capped": found.total > search.RANKED_AT_MOST and bool(state.query),
        "ranked": search.RANKED_AT_MOST,
        "pages": _pages(state, found, path),
    }
    return render(request, "catalog/product_list.html", context, fragment="results")


@lru_cache(maxsize=64)
def _sorts(language: str | None, chosen: str, *, with_relevance: bool) -> SafeString:
    """The orders to choose from as options, in the language in force."""
    return format_html_join(
        "",
        '<option value="{}"{}>{}</option>',
        (
            (key, SELECTED if key == chosen else "", label())
            for key, label in SORTS
            if with_relevance or key != "relevance"
        ),
    )


def _title(state: ListState, category: Any) -> str:
    if state.query:
        return _("Results for “%(query)s”") % {"query": state.query}
    return str(category.label) if category else _("All products")


def _crumbs(category: Any) -> list[tuple[str, str]]:
    if category is None:
        return []
    crumbs = [(_("Products"), storefront.list_path())]
    above = storefront.category_by_id(category.parent_id)
    if above is not None:
        crumbs.append((above.label, storefront.address(above)))
    return crumbs


def _shown_sellers(counts: Counts) -> list[int]:
    ranked = sorted(counts.sellers.items(), key=lambda each: (-each[1], each[0]))
    return [seller for seller, _count in ranked[:SELLERS_SHOWN]]


_kept_facets = Kept(512)


def _facets_html(state: ListState, counts: Counts, path: str) -> SafeString:
    """All facets as markup; without words kept until something shown changes, for they are the same on each page."""

    def made() -> SafeString:
        return SafeString("".join(str(facet) for facet in _facets(state, counts, path)))

    if state.query:
        return made()
    found: SafeString = _kept_facets.get((get_language(), replace(state, page=1)), made)
    return found


def _facets(state: ListState, counts: Counts, path: str) -> list[Facet]:
    names = storefront.seller_names(_shown_sellers(counts))
    found = [
        Facet(_("Category"), _category_choices(state, counts, path)),
        Facet(
            _("Delivery method"),
            [
                Choice(
                    str(method.label),
                    state.url(path, **state.toggled("method", state.methods, method.value)),
                    counts.methods.get(method.value, 0),
                    method.value in state.methods,
                )
                for method in DeliveryMethod
                if method.value in counts.methods or method.value in state.methods
            ],
        ),
        Facet(
            _("Billing mode"),
            [
                Choice(
                    str(mode.label),
                    state.url(path, **state.toggled("mode", state.modes, mode.value)),
                    counts.modes.get(mode.value, 0),
                    mode.value in state.modes,
                )
                for mode in BillingMode
                if mode.value in counts.modes or mode.value in state.modes
            ],
        ),
        Facet(_("Delivery and trial"), _flag_choices(state, counts, path)),
        Facet(
            _("Seller"),
            [
                Choice(
                    name,
                    state.url(path, seller="" if slug == state.seller else slug),
                    counts.sellers.get(seller, 0),
                    slug == state.seller,
                )
                for seller, (slug, name) in sorted(
                    names.items(), key=lambda each: (-counts.sellers.get(each[0], 0), each[1][1])
                )
            ],
        ),
    ]
    return [
        Facet(facet.label, kept)
        for facet in found
        if (kept := [choice for choice in facet.choices if choice.count or choice.selected])
    ]


def _flag_choices(state: ListState, counts: Counts, path: str) -> list[Choice]:
    flags = [
        Choice(
            label,
            state.url(path, supervised="" if state.supervised == value else value),
            counts.supervised.get(value == "yes", 0),
            state.supervised == value,
        )
        for value, label in (("yes", _("Supervised delivery")), ("no", _("Without supervision")))
    ]
    return [
        *flags,
        Choice(_("Free trial"), state.url(path, trial="" if state.trial else "yes"), counts.trial, state.trial),
    ]


def _category_choices(state: ListState, counts: Counts, path: str) -> list[Choice]:
    selected = storefront.category_by_code(state.category)
    opened = {selected.pk, selected.parent_id} if selected else set()
    choices = []
    for shelf in storefront.shelves(counts.categories):
        choices.append(_category_choice(state, shelf, path))
        if shelf.category.pk in opened:
            choices += [_category_choice(state, child, path, level=1) for child in shelf.children]
    return choices


def _category_choice(state: ListState, shelf: Any, path: str, *, level: int = 0) -> Choice:
    code = shelf.category.code
    on = code == state.category
    return Choice(shelf.label, state.url(path, category="" if on else code), shelf.count, on, level)


def _chips(state: ListState, path: str, counts: Counts) -> list[Chip]:
    chips = []
    if category := storefront.category_by_code(state.category):
        chips.append(Chip(category.label, state.url(path, category="")))
    for method in state.methods:
        label = str(DeliveryMethod(method).label)
        chips.append(Chip(label, state.url(path, **state.toggled("method", state.methods, method))))
    for mode in state.modes:
        chips.append(Chip(str(BillingMode(mode).label), state.url(path, **state.toggled("mode", state.modes, mode))))
    if state.supervised:
        label = _("Supervised delivery") if state.supervised == "yes" else _("Without supervision")
        chips.append(Chip(label, state.url(path, supervised="")))
    if state.trial:
        chips.append(Chip(_("Free trial"), state.url(path, trial="")))
    if state.seller:
        named = dict(storefront.seller_names(_shown_sellers(counts)).values())
        chips.append(Chip(named.get(state.seller, state.seller), state.url(path, seller="")))
    if state.price_from or state.price_to:
        label = _("Price %(low)s to %(high)s") % {"low": state.price_from or "0", "high": state.price_to or "∞"}
        chips.append(Chip(label, state.url(path, price_from="", price_to="")))
    return chips


def _pages(state: ListState, found: search.Found, path: str) -> dict[str, Any]:
    """Addresses of the pages around this one."""
    first = max(1, min(found.page - 2, found.pages - 4))
    return {
        "last": found.pages,
        "around": SafeString(
            "".join(
                f'<a class="button button-sm" href="{escape(state.page_url(path, number))}" '
                f'rel="nofollow"{CURRENT_PAGE if number == found.page else ""}>{number}</a>'
                for number in range(first, min(found.pages, first + 4) + 1)
            )
        ),
        "before": state.page_url(path, found.page - 1) if found.page > 1 else "",
        "after": state.page_url(path, found.page + 1) if found.page < found.pages else "",
    }


@page(audience="public")
def suggest(request: HttpRequest) -> HttpResponse:
    """Suggestions while typing: options of the search box's list."""
    if not rates.is_within(what="suggest", who=client_address(request), per_minute=SUGGESTIONS_A_MINUTE):
        return HttpResponse(status=429, headers={"Retry-After": "60"})
    query = request.GET.get("q", "")[:100].replace("\x00", " ")
    found = storefront.cards(search.suggestions(query), currency=currency(request))
    options = format_html_join(
        "\n",
        '<a role="option" id="suggestion-{}" href="{}" tabindex="-1"><span>{}</span>'
        '<small class="muted">{}</small></a>',
        ((index, card.url, _marked(card.name, query), card.seller) for index, card in enumerate(found)),
    )
    return HttpResponse(options)


def _marked(text: str, query: str) -> SafeString:
    return format_html_join(
        "", "{}", ((format_html("<mark>{}</mark>", part) if hit else part,) for part, hit in words.marked(text, query))
    )


# Demands and help


@page(audience="public", operations=["submitDemand"])
def demand(request: HttpRequest) -> HttpResponse:
    """The demand form: "not found what you need?"."""
    user, account = request.call.user, request.call.account
    initial = {
        "company": account.name if account is not None else "",
        "phone": user.mobile if user is not None else "",
        "email": user.email if user is not None else "",
        "searched_for": request.GET.get("q", "")[:120],
        "subject": request.GET.get("q", "")[:120],
    }
    form = DemandForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        made = attempt(form, lambda: demands.submit(request.call, **form.cleaned_data))
        if made is not None and made.account_id is not None:
            messages.success(request, _("Ticket %(number)s is opened.") % {"number": made.number})
            return redirect(made)
        if made is not None:
            return redirect(f"{reverse('catalog:demand')}?sent=yes")
    context = {
        "page": {"title": _("Tell us what you need"), "console": "storefront", "breadcrumbs": []},
        "form": form,
        "sent": request.GET.get("sent") == "yes",
    }
    return render(request, "catalog/demand.html", context)


@page(audience="public")
def help_pages(request: HttpRequest, topic: str = "") -> HttpResponse:
    """Help: an overview, and one page per topic."""
    if topic and topic not in HELP_TOPICS:
        raise Http404
    titles = {
        "buying": _("Find, configure and buy"),
        "paying": _("Pay"),
        "delivery": _("Delivery, supervision and appeals"),
        "sellers": _("Sell on KooGallery"),
        "api": _("Interfaces for sellers"),
    }
    topics = [(key, titles[key], reverse("catalog:help_topic", args=[key])) for key in HELP_TOPICS]
    context = {
        "page": {
            "title": titles.get(topic, _("Help")),
            "console": "storefront",
            "breadcrumbs": [(_("Help"), reverse("catalog:help"))] if topic else [],
        },
        "topic": topic,
        "topics": topics,
        "article": f"catalog/help/{topic}.html" if topic else "",
    }
    return render(request, "catalog/help.html", context)
