"""What views under which people wait do differently: the usual request takes a shorter way to the same answer."""

from collections.abc import Mapping
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from queues import tokens
from queues.api.authentication import BearerAuthentication
from queues.api.base import ApiView
from queues.looks import NOTHING, Look

T = TypeVar("T")

_ANY_JSON = frozenset({"*/*", "application/json", "application/json, */*", "application/json, text/plain, */*"})
"""What clients that take JSON say as a rule."""

_UNUSUAL = ("HTTP_IDEMPOTENCY_KEY", "HTTP_TRANSFER_ENCODING")


class HotView(ApiView):
    """A view whose POST begins with a look: with a token, it is asked for together with who the caller is.

    The usual request, a POST with a token and nothing special, needs no negotiation, and gets the same answer. All
    others, and all that cannot be authenticated, go the way of ApiView.
    """

    _seen: Any = None

    def look(self) -> tuple[Look[Any], Mapping[str, Any]] | None:
        """What the handler will ask for, by `self.kwargs`, and the values that it is asked with.

        None where there cannot be anything.
        """
        raise NotImplementedError

    def seen(self) -> Any:
        """What the look found for the caller, or None."""
        if self._seen is None:
            asked = self.look()
            self._seen = (asked and asked[0].of(self.request.user, **asked[1]),)
        return self._seen[0]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not self._is_usual(request):
            return super().dispatch(request, *args, **kwargs)
        self.args, self.kwargs = args, kwargs
        self.request = whole = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            if not self._identify(whole):
                return super().dispatch(request, *args, **kwargs)
            self.count(whole)
            self.prepare(whole, *args, **kwargs)
            response = self.post(whole, *args, **kwargs)  # type: ignore[attr-defined]
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(whole, response, *args, **kwargs)
        return self.response

    def _is_usual(self, request: HttpRequest) -> bool:
        given = request.META
        return (
            request.method == "POST"
            and hasattr(self, "post")
            and given.get("HTTP_AUTHORIZATION", "").startswith("Bearer ")
            and given.get("HTTP_ACCEPT", "*/*") in _ANY_JSON
            and not given.get("QUERY_STRING")
            and not any(name in given for name in _UNUSUAL)
            # A host's settings may bring these.
            and not self.throttle_classes
            and self.versioning_class is None
            and self.permission_classes == [IsAuthenticated]
        )

    def _identify(self, request: Request) -> bool:
        """Note who asks, and what was seen; whether that could be found out."""
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        request.version, request.versioning_scheme = None, None
        secret = request.META["HTTP_AUTHORIZATION"].partition(" ")[2].strip()
        look, values = self.look() or (NOTHING, {})
        found = tokens.identify(secret=secret, look=look, **values)
        if found is None:
            return False
        token, seen = found
        request.user, request.auth, self._seen = token.user, token, (seen,)
        request._authenticator = BearerAuthentication()  # type: ignore[attr-defined]
        return True
