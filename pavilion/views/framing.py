"""What the pages of workers have in common: no cookies, no traces, and in frames of their marketplace alone."""

from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt

from pavilion.marketplaces import Marketplace


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
    view = csp_replace({"frame-ancestors": ancestors or [NONE], "form-action": [SELF, *forms]})(shown)
    response = (xframe_options_exempt(view) if ancestors else view)(request)
    # The address is the key to a seat.
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
