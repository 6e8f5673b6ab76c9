"""`/metrics`: the numbers of the site for Prometheus, told to whoever may have them."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from queues import tokens
from queues.api.authentication import REALM
from queues.querysets import is_operator

if TYPE_CHECKING:
    from prometheus_client.core import Metric

KEPT_SECONDS = 5.0
"""However often they are asked for, a process looks the numbers up once in so many seconds."""

OLD_SECONDS = 60.0
"""While somebody else looks, numbers of this age do."""


class Busy(Exception):
    """Somebody else is looking, and there is nothing to show meanwhile."""


@dataclass(frozen=True)
class _Found:
    """What generate_latest takes."""

    metrics: list["Metric"]

    def collect(self) -> Iterable["Metric"]:
        return self.metrics


class Page:
    """The text, looked up by one request at a time: where that hangs, it holds one thread."""

    def __init__(self) -> None:
        self._looking = threading.Lock()
        self._text, self._at = b"", float("-inf")

    def text(self) -> bytes:
        """Numbers that are KEPT_SECONDS old at most, or older where somebody else is looking. Raises Busy."""
        if monotonic() - self._at < KEPT_SECONDS:
            return self._text
        if not self._looking.acquire(blocking=False):
            if monotonic() - self._at < OLD_SECONDS:
                return self._text
            raise Busy
        try:
            self._text, self._at = _look(), monotonic()
            return self._text
        finally:
            self._looking.release()

    def forget(self) -> None:
        """Look again."""
        self._at = float("-inf")


page = Page()
"""That of this process."""


def _look() -> bytes:
    # Imported here: most processes are never asked.
    from prometheus_client import generate_latest

    from crowdsite import gauges

    return generate_latest(_Found(gauges.collect()))


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """All numbers, for CROWDSITE_METRICS_TOKEN and for operators: 401 for the anonymous, 403 for others.

    Also while the database is away: then they say so, to whoever brings that token.
    """
    try:
        user = None if _has_the_token(request) else _who(request)
    except DatabaseError:
        return _said("The database does not answer.", 503)
    if user is not None and not user.is_authenticated:
        return _said("Who are you?", 401, **{"WWW-Authenticate": f'Bearer realm="{REALM}"'})
    if user is not None and not is_operator(user):
        return _said("These numbers are for operators.", 403)
    try:
        return HttpResponse(page.text(), content_type="text/plain; version=0.0.4; charset=utf-8")
    except Busy:
        return _said("The numbers are being looked up.", 503, **{"Retry-After": "5"})


def _said(sentence: str, status: int, **headers: str) -> HttpResponse:
    return HttpResponse(f"{sentence}\n", status=status, headers=headers, content_type="text/plain; charset=utf-8")


def _bearer(request: HttpRequest) -> str:
    scheme, _, secret = request.headers.get("Authorization", "").strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _has_the_token(request: HttpRequest) -> bool:
    wanted = settings.CROWDSITE_METRICS_TOKEN
    return bool(wanted) and constant_time_compare(_bearer(request), wanted)


def _who(request: HttpRequest) -> Any:
    """The holder of an API token, or whoever is signed in."""
    from django.contrib.auth.models import AnonymousUser

    if "Authorization" not in request.headers:
        return request.user
    token = tokens.authenticate(secret=_bearer(request))
    return AnonymousUser() if token is None else token.user
