"""Pages: a view parses, calls one operation or query, answers. Page and fragment come from one template.

    @page(audience="buyer", operations=["queryOrderList"])
    def order_list(request):
        bound = ORDERS.bind(request, queries.orders_of(request.call))
        return render(request, "orders/order_list.html", {...}, fragment="list")

Every URL declares its audience and its operations; a system check stops the start when one does not.
"""

from __future__ import annotations

import functools
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render as django_render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from koogallery import clock
from koogallery.kernel.calls import Call, Role, TraceType
from koogallery.kernel.reasons import Missing, Refused

T = TypeVar("T")
View = Callable[..., HttpResponseBase]
KEY_FIELD = "idempotency_key"

AUDIENCES: dict[str, Role] = {
    "public": Role.BUYER,
    "signed_in": Role.BUYER,
    "buyer": Role.BUYER,
    "seller": Role.SELLER,
    "operator": Role.OPERATOR,
    "api": Role.SELLER,
}

gate: Callable[[HttpRequest, str], HttpResponse | None] | None = None


def use_gate(check: Callable[[HttpRequest, str], HttpResponse | None]) -> None:
    """identity fills this port: let a request of this audience pass (None) or answer for it (sign-in, 404)."""
    global gate
    gate = check


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a URL declares about itself."""

    audience: str
    operations: tuple[str, ...]


def page(*, audience: str, operations: Iterable[str] = ()) -> Callable[[View], View]:
    """Declare a view's audience and operations, give it `request.call`, and turn refusals into answers."""
    if audience not in AUDIENCES:
        raise ValueError(f"No audience {audience!r}.")

    def declare(view: View) -> View:
        @functools.wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if gate is not None and (answer := gate(request, audience)) is not None:
                return answer
            request.call = make_call(request, audience)  # type: ignore[attr-defined]
            try:
                return view(request, *args, **kwargs)
            except Missing as missing:
                raise Http404(str(missing)) from missing
            except Refused as refused:
                return refusal(request, refused, audience=audience)

        guarded.declaration = Declaration(audience, tuple(operations))  # type: ignore[attr-defined]
        return guarded

    return declare


def make_call(request: HttpRequest, audience: str) -> Call:
    """The `Call` of a request; its moment is read here, once."""
    user = getattr(request, "user", None)
    known = user is not None and user.is_authenticated
    role = AUDIENCES[audience] if known else Role.ANONYMOUS
    return Call(
        role=role,
        at=clock.now(),
        account=user.account if user is not None and known and audience != "operator" else None,
        user=user if known else None,
        address=client_address(request),
        request_id=getattr(request, "request_id", ""),
        trace_type=TraceType.API if audience == "api" else TraceType.CONSOLE,
        idempotency_key=sent_key(request),
        from_form=request.method == "POST" and audience != "api",
    )


def client_address(request: HttpRequest) -> str:
    """The visitor's address, as the first middleware found it behind the trusted proxies."""
    return str(request.META.get("REMOTE_ADDR", ""))[:45]


def sent_key(request: HttpRequest) -> str:
    """The idempotency key that a form brought; nothing when it brought none that is one."""
    key = request.POST.get(KEY_FIELD, "") if request.method == "POST" else ""
    return key if re.fullmatch(r"[\w-]{8,64}", key) else ""


def new_key() -> str:
    """An idempotency key, minted with a form (R18)."""
    return secrets.token_urlsafe(24)


def render(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    fragment: str = "",
    status: int = 200,
) -> HttpResponse:
    """The whole page, or its named partial when HTMX asks for the element with that id.

    A history restore always gets the page.
    """
    htmx = getattr(request, "htmx", None)
    partial = bool(fragment and htmx and not htmx.history_restore_request and not htmx.boosted)
    response = django_render(
        request, f"{template}#{fragment}" if partial else template, dict(context or {}), status=status
    )
    patch_vary_headers(response, ["HX-Request", "HX-History-Restore-Request"])
    return response


def attempt(form: forms.Form, do: Callable[[], T]) -> T | None:
    """Call an operation for a form; a refusal becomes the form's error with its code, and None is returned."""
    try:
        return do()
    except Refused as refused:
        field = refused.field if refused.field in form.fields else None
        form.add_error(field, ValidationError(refused.sentence, code=refused.code))
        return None


def refusal(request: HttpRequest, refused: Refused, *, audience: str) -> HttpResponse:
    """The answer to a refusal no form caught: JSON for the API, else a page that says why and who can help."""
    if audience == "api":
        return JsonResponse({"code": refused.code, "message": refused.sentence}, status=refused.reason.status)
    context = {
        "refused": refused,
        "page": {"title": _("This is not possible"), "console": "plain", "breadcrumbs": []},
        "back": request.headers.get("Referer", ""),
        "again": kept_values(request) if refused.code == "form_key_missing" else None,
    }
    response = django_render(request, "errors/refused.html", context, status=refused.reason.status)
    if getattr(request, "htmx", None):
        response["HX-Retarget"] = "body"
        response["HX-Reswap"] = "innerHTML"
    return response


def kept_values(request: HttpRequest) -> list[tuple[str, str]] | None:
    """What a form held, to be sent again with a new key; None when it held a secret or a file."""
    if request.FILES or getattr(request, "sensitive_post_parameters", None):
        return None
    left_out = {KEY_FIELD, "csrfmiddlewaretoken"}
    return [(name, value) for name, values in request.POST.lists() if name not in left_out for value in values]
