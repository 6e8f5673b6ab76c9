"""The Content-Security-Policy of the site's answers."""

from typing import Any

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

_OF_A_VIEW = ("_csp_exempt", "_csp_config", "_csp_update", "_csp_replace")


class ContentPolicyMiddleware(CSPMiddleware):
    """The same header, which is made once where neither a view nor a nonce changes it: making it is slow."""

    _made: tuple[Any, str] = (None, "")

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if settings.DEBUG or hasattr(request, "_csp_nonce") or any(hasattr(response, name) for name in _OF_A_VIEW):
            return super().process_response(request, response)
        policy, text = self._made
        if policy is not settings.CONTENT_SECURITY_POLICY:
            policy, text = settings.CONTENT_SECURITY_POLICY, build_policy()
            self._made = policy, text
        response.headers.setdefault(HEADER, text)
        return response
