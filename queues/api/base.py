"""What every view of the API has in common, whatever the host's REST framework settings are."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.http import HttpResponse
from rest_framework import exceptions
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ViewSetMixin

from queues import idempotency, strictjson, throttles
from queues.api import problems
from queues.api.authentication import BearerAuthentication, SessionAuthentication
from queues.api.filters import StrictFilterBackend
from queues.api.openapi import ApiSchema
from queues.api.pagination import Pages
from queues.api.parsers import StrictJSONParser, require_length
from queues.exceptions import IdempotencyLost, InvalidInput
from queues.transactions import writer

KEY_HEADER = "Idempotency-Key"
KEY_LENGTH = 255
STORED_PROBLEMS = (409, 422)


class ApiView(GenericAPIView[Any]):
    """Under every view: our authentication, strict JSON, pages, filters, problems, and the Idempotency-Key.

    A view whose answers hold secrets sets `keeps_answers = False`: then the key is ignored. Where only some do, the
    response has in `kept` what may be kept of it.
    """

    authentication_classes = [BearerAuthentication, SessionAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [StrictJSONParser]
    renderer_classes = [JSONRenderer]
    pagination_class: type[Pages] | None = Pages
    filter_backends = [StrictFilterBackend]
    schema = ApiSchema()
    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    keeps_answers = True
    throttled_as: ClassVar[throttles.Kind | None] = None
    """As what each POST counts for the user who sends it."""

    def get_exception_handler(self) -> Callable[..., Any]:
        return problems.exception_handler

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.count(request)
        require_length(request._request)
        method = (request.method or "").lower()
        key = request.headers.get(KEY_HEADER)
        if key is None or not self.keeps_answers or method not in ("post", "patch", "delete"):
            self.prepare(request, *args, **kwargs)
        else:
            if not 1 <= len(key) <= KEY_LENGTH or not (key.isascii() and key.isprintable()):
                raise InvalidInput.at("", f"An {KEY_HEADER} has 1 to {KEY_LENGTH} printable ASCII characters.")
            handler = getattr(self, method, self.http_method_not_allowed)
            # REST framework looks the handler up after this method: what it finds is the handler with its memory.
            setattr(self, method, partial(self._once, key, handler))

    def count(self, request: Request) -> None:
        """Raises Throttled."""
        if self.throttled_as is not None and request.method == "POST":
            throttles.require(self.throttled_as, request.user.pk)

    def prepare(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """What a handler needs to ask of the network, which it must not do itself: with a key it is in a transaction.

        Raises what the handler would.
        """

    def _once(self, key: str, handler: Callable[..., Any], request: Request, *args: Any, **kwargs: Any) -> Any:
        """Answer the request, or give the answer that the same request had before."""
        fingerprint = hashlib.sha256(strictjson.canonical(request.data)).hexdigest()
        turn = idempotency.begin(
            user=request.user,
            method=request.method or "",
            path=request.path[:500],
            key=key,
            fingerprint=fingerprint,
        )
        if turn.answer is not None:
            return _replayed(*turn.answer)

        @writer
        def carry_out() -> Any:
            response = handler(request, *args, **kwargs)
            kept = plain(getattr(response, "kept", response.data))
            idempotency.complete(turn=turn, status=response.status_code, body=kept)
            return response

        try:
            self.prepare(request, *args, **kwargs)
            return carry_out()
        except IdempotencyLost:
            raise
        except Exception as error:
            problem = problems.describe(error)
            if problem is not None and problem.status in STORED_PROBLEMS:
                idempotency.complete(turn=turn, status=problem.status, body=plain(problem.body()))
            else:
                idempotency.abandon(turn=turn)
            raise


class ApiViewSet(ViewSetMixin, ApiView):
    """The same for viewsets."""


def plain(data: Any) -> Any:
    """An answer as the JSON that the client gets, or None for an answer without a body."""
    return None if data is None else json.loads(JSONRenderer().render(data))


def _replayed(status: int, body: Any) -> HttpResponse | Response:
    response = problems.stored_response(status, body) if status >= 400 else Response(body, status=status)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def forbid(unless: bool, detail: str) -> None:
    """Raise PermissionDenied unless it may be: for what the user sees and may not do."""
    if not unless:
        raise exceptions.PermissionDenied(detail)


def validated(serializer: BaseSerializer[Any]) -> Any:
    """The data of a serializer. Raises ValidationError."""
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data
