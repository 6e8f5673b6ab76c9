"""What the pages of workers have in common: no cookies, no traces, and in frames of their marketplace alone."""

from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from pavilion.marketplaces import Marketplace


def page(
    request: HttpRequest, template: str, context: dict[str, Any], *, marketplace: Marketplace | None, status: int = 200
) -> HttpResponse:
    """A page that pages of the marketplace may have in a frame, and from which a form may be posted there."""
    response = render(request, template, context, status=status)
    ancestors = marketplace.frame_ancestors if marketplace else []
    forms = sorted(
        {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, marketplace.submit_urls if marketplace else [])}
    )
    directives = {"frame-ancestors": ancestors or [NONE], "form-action": [SELF, *forms]}
    response._csp_replace = directives
    if ancestors:
        response.xframe_options_exempt = True  # type: ignore[attr-defined]
    # The address is the key to a seat.
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-store"
    return response
