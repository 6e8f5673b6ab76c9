"""What the pages of workers have in common: no cookies, no traces, and in frames of their marketplace alone."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt

from pavilion.marketplaces import Marketplace

NONE, SELF = "'none'", "'self'"


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, marketplace: Marketplace | None, status: int = 200
) -> HttpResponseBase:
    """A page that pages of the marketplace may have in a frame, and from which a form may be posted there."""

    def shown(asked: HttpRequest) -> HttpResponse:
        return render(asked, template, context, status=status)

    ancestors = marketplace.frame_ancestors if marketplace else []
    forms = sorted(
        {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, marketplace.submit_urls if marketplace else [])}
    )
    view = _under({"frame-ancestors": ancestors or [NONE], "form-action": [SELF, *forms]}, shown)
    response = (xframe_options_exempt(view) if ancestors else view)(request)
    # The address is the key to a seat.
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response


def _under(
    policy: dict[str, list[str]], view: Callable[[HttpRequest], HttpResponse]
) -> Callable[[HttpRequest], HttpResponseBase]:
    """The view under these rules of the Content-Security-Policy, and under the host's others where they are known.

    They are where the settings have them, for django-csp or, from 6.0 on, for Django itself. Otherwise these are all
    that is sent, unless a middleware of the host's says something else.
    """
    if hasattr(settings, "CONTENT_SECURITY_POLICY"):
        from csp.decorators import csp_replace

        return csp_replace(policy)(view)
    if of_the_host := getattr(settings, "SECURE_CSP", None):
        from django.views.decorators.csp import csp_override

        return csp_override({**of_the_host, **policy})(view)

    def with_header(request: HttpRequest) -> HttpResponse:
        response = view(request)
        rules = (f"{name} {' '.join(sources)}" for name, sources in policy.items())
        response["Content-Security-Policy"] = "; ".join(rules)
        return response

    return with_header
