"""How often somebody may try to sign in."""

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from crowdsite import errors
from queues import conf, throttles
from queues.exceptions import Throttled
from queues.throttles import Kind, read_rate

MANY = 10
"""So many times as many may come from one address, or for one name, as with one name from one address: several people
may sit behind an address, and whoever fails on purpose must not shut another out so easily.
"""


def limited(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view that signs people in, with its tries counted."""

    @wraps(view)
    def sign_in(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            try:
                _count(request)
            except Throttled as refused:
                return errors.too_many_requests(request, refused)
        return view(request, *args, **kwargs)

    return sign_in


def _count(request: HttpRequest) -> None:
    """Raises Throttled."""
    rate = read_rate(conf.throttles().get(Kind.SIGN_IN, ""))
    if rate is None:
        return
    # Hashed: what is typed as a name may be a password.
    name = sha256(request.POST.get("username", "").strip().casefold().encode("utf-8", "surrogatepass")).hexdigest()[:32]
    address = address_of(request)
    throttles.require(Kind.SIGN_IN, f"{address} {name}", rate=rate)
    throttles.require(Kind.SIGN_IN, f"name {name}", rate=rate.times(MANY))
    if address:
        throttles.require(Kind.SIGN_IN, f"from {address}", rate=rate.times(MANY))


def address_of(request: HttpRequest) -> str:
    """Where a request comes from: behind a proxy that is trusted, what that says last."""
    said = request.META.get("HTTP_X_FORWARDED_FOR", "") if settings.TRUST_PROXY else ""
    return said.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR", "")
