"""The site itself: who signs in, which pages it has beside the rows, and what its browser may load."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _
from unfold.sites import UnfoldAdminSite

CONTENT_SECURITY = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}
"""What Unfold needs beyond the platform's policy: Alpine evaluates attributes, colours stand in a style element."""


class OperationsSite(UnfoldAdminSite):
    """Operations managers' console."""

    site_title = _("KooGallery operations")
    site_header = _("KooGallery operations")
    index_title = _("Overview")
    index_template = "admin/overview.html"
    login_template = "admin/sign_in.html"
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        from koogallery.admin_site.signing_in import SignInForm
        from koogallery.identity import authorising
        from koogallery.identity.rules import rights
        from koogallery.kernel.admin import use_visibility

        self.login_form = SignInForm
        super().__init__(name)
        use_visibility(lambda user, app: rights.operator_sees(authorising.operator_roles(user), app))

    def extra_urls(self) -> list[URLPattern]:
        """The pages that are not about one row."""
        from koogallery.admin_site.views import clock, languages, parked, policies

        pages: list[tuple[str, str, Callable[..., HttpResponse]]] = [
            ("parked/", "parked", parked.overview),
            ("parked/retry/", "parked_retry", parked.retry),
            ("policies/", "policies", policies.in_force),
            ("policies/what-if/", "what_if", policies.what_if),
            ("clock/", "clock", clock.clock_page),
        ]
        return [
            *[path(address, self.admin_view(view), name=name) for address, name, view in pages],
            path("language/", languages.choose, name="language"),
        ]

    def has_permission(self, request: HttpRequest) -> bool:
        """Operations managers with at least one role."""
        from koogallery.identity.authorising import operator_roles

        return bool(operator_roles(request.user))

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """Django's guard, with the content security that Unfold needs."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            return with_content_security(guarded(request, *args, **kwargs))

        return page

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return with_content_security(super().login(request, extra_context))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from koogallery.identity.operations import signing_in
        from koogallery.kernel import pages

        if request.method == "POST" and request.user.is_authenticated:
            signing_in.leave(pages.make_call(request, "operator"))
        return with_content_security(super().logout(request, extra_context))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from koogallery.admin_site.views import passwords

        return passwords.change(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from koogallery.admin_site import dashboard

        return super().index(request, {**(extra_context or {}), "cards": dashboard.cards(request)})


def with_content_security(response: HttpResponse) -> HttpResponse:
    """The response with the relaxed policy of this console alone."""
    response._csp_update = CONTENT_SECURITY  # type: ignore[attr-defined]
    return response
