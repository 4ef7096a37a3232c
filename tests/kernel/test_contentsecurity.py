"""The policy's header: worded once, and still anew where a page or the settings have a policy of their own."""

from __future__ import annotations

from typing import Any

import pytest
from csp.constants import HEADER, HEADER_REPORT_ONLY, NONCE, SELF
from csp.decorators import csp_exempt, csp_update
from csp.exceptions import CSPNonceError
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings

from koogallery.kernel.contentsecurity import ContentSecurityMiddleware


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("x")


def answered(page: Any, request: HttpRequest | None = None) -> Any:
    return ContentSecurityMiddleware(page)(request or RequestFactory().get("/"))


def policy(answer: Any) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in answer[HEADER].split(";"))


def test_every_answer_has_the_policy_of_the_settings() -> None:
    middleware = ContentSecurityMiddleware(plain)
    first, again = (middleware(RequestFactory().get("/")) for _ in range(2))
    assert first[HEADER] == again[HEADER]
    assert policy(first)["script-src"] == "'self'"
    assert policy(first)["frame-ancestors"] == "'none'"


def test_changed_settings_change_the_policy() -> None:
    middleware = ContentSecurityMiddleware(plain)
    middleware(RequestFactory().get("/"))
    with override_settings(CONTENT_SECURITY_POLICY={"DIRECTIVES": {"default-src": ["'none'"]}}):
        assert policy(middleware(RequestFactory().get("/"))) == {"default-src": "'none'"}


def test_a_page_keeps_its_own_header_exemption_or_addition() -> None:
    def own(request: HttpRequest) -> HttpResponse:
        return HttpResponse("x", headers={HEADER: "sandbox"})

    assert answered(own)[HEADER] == "sandbox"
    assert HEADER not in answered(csp_exempt()(plain)).headers
    assert "https://example.com" in policy(answered(csp_update({"img-src": ["https://example.com"]})(plain)))["img-src"]


def test_a_nonce_and_a_report_only_policy_are_worded_for_their_answer() -> None:
    def with_nonce(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(request.csp_nonce))  # type: ignore[attr-defined]

    directives = {"DIRECTIVES": {"script-src": [SELF, NONCE]}}
    with override_settings(CONTENT_SECURITY_POLICY=directives, CONTENT_SECURITY_POLICY_REPORT_ONLY=directives):
        answer = answered(with_nonce)
    assert f"'nonce-{answer.content.decode()}'" in answer[HEADER]
    assert HEADER_REPORT_ONLY in answer.headers


def test_a_nonce_asked_for_too_late_is_an_error() -> None:
    request = RequestFactory().get("/")
    answered(plain, request)
    with pytest.raises(CSPNonceError):
        str(request.csp_nonce)  # type: ignore[attr-defined]
