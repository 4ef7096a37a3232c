"""The style guide's pages."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel.pages import page
from koogallery.kernel.reasons import Refused
from koogallery.styleguide import samples

CRUMBS = [("My KooGallery", "/console/")]


@page(audience="public")
def components(request: HttpRequest) -> HttpResponse:
    """Every component in its states; `?console=seller` for the other band, `?rows=0|1` for short lists."""
    form = samples.SampleForm({"name": "x" * 40, "email": "no address"} if "errors" in request.GET else None)
    if "errors" in request.GET:
        form.is_valid()
    if "toast" in request.GET:
        messages.success(request, _("Saved."))
        messages.error(request, _("This could not be saved."))
    console = "seller" if request.GET.get("console") == "seller" else "buyer"
    context = {
        "page": {"title": "Style guide", "console": console, "breadcrumbs": CRUMBS},
        "form": form,
        "amount": samples.usd("1200"),
        "at": clock.now(),
        "today": clock.platform_date(clock.now()),
        "steps": samples.steps(),
        "entries": samples.entries(),
        "points": samples.points(),
        "cards": samples.CARDS,
        "explanation": samples.SampleExplanation(),
        "refused": Refused("iam_denied", policy="no-money", action="marketplace:order:pay"),
        "tab_items": [
            {"label": "Overview", "url": "#a", "current": False, "count": None},
            {"label": "Pricing", "url": "#b", "current": True, "count": 3},
        ],
    }
    return samples.SAMPLE_LIST.respond(
        request, samples.rows(request.GET.get("rows", "")), "styleguide/components.html", context
    )


@page(audience="public")
def secret(request: HttpRequest) -> HttpResponse:
    """What an eye shows."""
    shown = {"title": _("Password"), "console": "plain", "breadcrumbs": []}
    context = {"value": "s3cret-Value", "url": request.path, "label": _("Password"), "page": shown}
    return render(request, "components/secret_shown.html", context)


@page(audience="public")
def storefront(request: HttpRequest) -> HttpResponse:
    """The storefront's frame with tiles, cards and a price box."""
    context = {
        "page": {
            "title": "Software and services for your cloud, delivered under your eyes",
            "console": "storefront",
            "breadcrumbs": [],
        },
        "cards": samples.CARDS,
        "explanation": samples.SampleExplanation(),
        "amount": samples.usd("1200"),
        "text": samples.long_text(),
    }
    return render(request, "styleguide/storefront.html", context)


@page(audience="public")
def example(request: HttpRequest, page_kind: str) -> HttpResponse:
    """A whole page of one kind: `list`, `detail`, `form`, or an error page."""
    if page_kind in {"400", "403", "404", "429", "500", "503"}:
        return render(request, f"errors/{page_kind}.html", {"page": {"console": "plain"}})
    if page_kind == "list":
        shown = {"title": "Purchased Apps", "console": "buyer", "breadcrumbs": CRUMBS}
        rows = samples.rows(request.GET.get("rows", ""))
        return samples.SAMPLE_LIST.respond(request, rows, "styleguide/list.html", {"page": shown})
    if page_kind == "detail":
        context = {
            "page": {"title": "Harbor ERP", "console": "buyer", "breadcrumbs": [*CRUMBS, ("Service Supervision", "#")]},
            "steps": samples.steps(),
            "entries": samples.entries(),
            "amount": samples.usd("1200"),
            "nothing": samples.usd("0"),
            "at": clock.now(),
        }
        return render(request, "styleguide/detail.html", context)
    if page_kind == "form":
        form = samples.SampleForm(request.POST or None, request.FILES or None)
        context = {"page": {"title": "Sign up", "console": "plain", "breadcrumbs": []}, "form": form}
        return render(request, "styleguide/form.html", context)
    raise Http404
