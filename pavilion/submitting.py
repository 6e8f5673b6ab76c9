"""Ending a HIT where it was accepted: the worker's browser posts a form to the marketplace's own address."""

from typing import Any
from urllib.parse import urlsplit

from pavilion import marketplaces
from pavilion.marketplaces import Marketplace
from pavilion.models import Seat


def is_allowed(marketplace: Marketplace, url: str) -> bool:
    """Whether a form may be posted there: at an origin of the marketplace's list, below the path that stands there."""
    return any(_is_below(url, prefix) for prefix in marketplace.submit_urls)


def _is_below(url: str, prefix: str) -> bool:
    try:
        there, allowed = urlsplit(url), urlsplit(prefix)
    except ValueError:
        return False
    same = (there.scheme, there.netloc) == (allowed.scheme, allowed.netloc)
    return same and there.path.startswith(allowed.path)


def form(seat: Seat) -> dict[str, Any] | None:
    """The address and the fields of the form that ends the seat's HIT; None: there is nothing to be posted."""
    if not seat.submit_url:
        return None
    marketplace = marketplaces.of(seat.session.pool.marketplace)
    if not is_allowed(marketplace, seat.submit_url):
        return None
    return {"url": seat.submit_url, "fields": {"assignmentId": seat.external_id, "seat": str(seat.pk)}}
