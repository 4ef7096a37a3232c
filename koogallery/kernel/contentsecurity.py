"""The content security policy in every answer, worded once instead of for each."""

from __future__ import annotations

from typing import Any

from csp.constants import HEADER
from csp.middleware import CheckableLazyObject, CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

OWN = ("_csp_exempt", "_csp_config", "_csp_update", "_csp_replace")


class ContentSecurityMiddleware(CSPMiddleware):
    """As its parent; quickly for an answer that has no policy, exemption or nonce of its own."""

    _worded: tuple[Any, str] | None = None

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """The answer with the policy's header."""
        policy = settings.CONTENT_SECURITY_POLICY
        is_usual = (
            getattr(request, "_csp_nonce", None) is None
            and not settings.DEBUG
            and not getattr(settings, "CONTENT_SECURITY_POLICY_REPORT_ONLY", None)
            and set(policy) == {"DIRECTIVES"}
            and not any(name in response.__dict__ for name in OWN)
        )
        if not is_usual:
            return super().process_response(request, response)
        if self._worded is None or self._worded[0] is not policy:
            self._worded = (policy, build_policy())
        if HEADER not in response.headers:
            response.headers[HEADER] = self._worded[1]
        request.csp_nonce = CheckableLazyObject(self._csp_nonce_post_response)  # type: ignore[attr-defined]
        return response
