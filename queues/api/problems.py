"""Problem documents (RFC 9457): the one registry of their types, and the handler that makes them of
exceptions.

An app registers the slugs of its own exceptions when its API is loaded; a type is
`urn:crowdsite:problem:<slug>`.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, JsonResponse
from rest_framework import exceptions
from rest_framework.settings import api_settings
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import exception_handler as framework_handler
from rest_framework.views import set_rollback

from queues.exceptions import CrowdError, InvalidInput, Throttled
from queues.strictjson import pointer_to

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
URN = "urn:crowdsite:problem:"
MAX_ERRORS = 100
"""How many errors one document lists; a body of a thousand tasks can have many thousands."""


@dataclass(frozen=True)
class Kind:
    """A registered type of problem. `retry_after` (seconds) becomes the Retry-After header."""

    slug: str
    status: int
    title: str
    retry_after: int | None = None

    @property
    def type(self) -> str:
        return URN + self.slug


_kinds: dict[str, Kind] = {}


def register(slug: str, status: int, title: str, *, retry_after: int | None = None) -> Kind:
    """Make `slug` a type of problem. Registering it again with other values raises ValueError."""
    kind = Kind(slug, status, title, retry_after)
    if _kinds.setdefault(slug, kind) != kind:
        raise ValueError(f"The problem {slug} is registered already, as {_kinds[slug]}.")
    return kind


def registered() -> Mapping[str, Kind]:
    """All types by slug."""
    return dict(_kinds)


@dataclass(frozen=True)
class Problem:
    """One problem: its slug, a sentence for a person, further members for a machine, and HTTP headers."""

    slug: str
    detail: str = ""
    members: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        return _kinds[self.slug]

    @property
    def status(self) -> int:
        return self.kind.status

    def body(self) -> dict[str, Any]:
        """The document. Members never replace its own `type`, `title`, `status` and `detail`."""
        own = {"type": self.kind.type, "title": self.kind.title, "status": self.kind.status}
        if self.detail:
            own["detail"] = self.detail
        return own | {name: value for name, value in self.members.items() if name not in own}

    def response(self) -> JsonResponse:
        # Not the framework's response: it would be rendered as whatever the client asked for, and called
        # that.
        headers = dict(self.headers)
        if self.kind.retry_after is not None:
            headers.setdefault("Retry-After", str(self.kind.retry_after))
        return _document(self.body(), self.status, headers)


def problem_response(
    slug: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: Any
) -> JsonResponse:
    """The response for a problem that no exception tells of. Raises KeyError for an unregistered slug."""
    return Problem(slug, detail, members, headers or {}).response()


def stored_response(status: int, body: Mapping[str, Any]) -> JsonResponse:
    """The response for a problem that was told before, from what `Problem.body` gave then."""
    return _document(body, status)


def _document(body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> JsonResponse:
    compact = {"separators": (",", ":")}
    # The framework's encoder shows times as every other answer does; Django's cuts them to milliseconds.
    return JsonResponse(
        body,
        encoder=JSONEncoder,
        status=status,
        headers=headers,
        content_type=CONTENT_TYPE,
        json_dumps_params=compact,
    )


_FRAMEWORK: dict[type[exceptions.APIException], str] = {
    exceptions.ParseError: "malformed-json",
    exceptions.NotAuthenticated: "not-authenticated",
    exceptions.AuthenticationFailed: "not-authenticated",
    exceptions.PermissionDenied: "permission-denied",
    exceptions.NotFound: "not-found",
    exceptions.MethodNotAllowed: "method-not-allowed",
    exceptions.NotAcceptable: "not-acceptable",
    exceptions.UnsupportedMediaType: "unsupported-media-type",
    exceptions.Throttled: "throttled",
}


def describe(exc: Exception) -> Problem | None:
    """The problem that an exception tells of, or None where it is not one but a fault of ours."""
    if isinstance(exc, exceptions.ValidationError):
        exc = InvalidInput(list(_errors(exc.detail)))
    if isinstance(exc, CrowdError):
        members = dict(exc.extra)
        if len(members.get("errors", ())) > MAX_ERRORS:
            members |= {"errors": members["errors"][:MAX_ERRORS], "errors_in_all": len(members["errors"])}
        headers = {"Retry-After": str(exc.retry_after)} if isinstance(exc, Throttled) else {}
        return Problem(exc.slug, exc.detail, members, headers)
    if isinstance(exc, (OperationalError, InterfaceError)):
        return Problem("database-unavailable", "The database does not answer just now; try again.")
    if isinstance(exc, (Http404, ObjectDoesNotExist)):
        # The address leads nowhere, or what was there a moment ago is not any more when a writer looks for it.
        # Its own text may tell what a query looked for.
        return Problem("not-found", "There is nothing here, or nothing that you may see.")
    if isinstance(exc, PermissionDenied):
        return Problem("permission-denied", str(exc) or "You may not do this.")
    slug = next((slug for kind, slug in _FRAMEWORK.items() if isinstance(exc, kind)), None)
    if slug is None or not isinstance(exc, exceptions.APIException):
        return None
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    elif slug == "not-authenticated":
        # No authentication of this view has a challenge to offer, and without one there is no 401.
        slug = "permission-denied"
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, math.ceil(wait)))
    return Problem(slug, str(exc.detail), headers=headers)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Any:
    """The EXCEPTION_HANDLER of REST framework; None, which is a 500, for what is no problem but a fault."""
    problem = describe(exc)
    if problem is None:
        return framework_handler(exc, context)
    if problem.slug == "database-unavailable":
        logger.error("The database does not answer: %s", exc, exc_info=exc)
    set_rollback()
    return problem.response()


def _errors(detail: Any, *way: str | int) -> Iterator[dict[str, Any]]:
    """The errors in REST framework's nested lists and dicts, each with its place in the body."""
    if isinstance(detail, Mapping):
        for key, below in detail.items():
            yield from _errors(below, *way, *(() if key == api_settings.NON_FIELD_ERRORS_KEY else (key,)))
    elif isinstance(detail, (list, tuple)):
        for index, below in enumerate(detail):
            # A list of sentences is about one place, a list of dicts is one dict for each item.
            yield from _errors(below, *way, *((index,) if isinstance(below, Mapping) else ()))
    else:
        error: dict[str, Any] = {"pointer": pointer_to(*way), "detail": str(detail)}
        if way and isinstance(way[0], int):
            error["index"] = way[0]
        yield error


register("malformed-json", 400, "The body is not the JSON we take")
register("invalid-input", 400, "The input breaks a rule")
register("invalid-cursor", 400, "The cursor is not one of ours")
register("not-authenticated", 401, "Who are you?")
register("permission-denied", 403, "You may not do this")
register("not-found", 404, "Not found")
register("method-not-allowed", 405, "This address does not know the method")
register("not-acceptable", 406, "We cannot answer in what you accept")
register("queue-archived", 409, "The queue was deleted")
register("queue-name-taken", 409, "The queue's name is taken")
register("membership-exists", 409, "The user has this role already")
register("task-closed", 409, "The task is closed")
register("task-in-hands", 409, "The task is in somebody's hands")
register("batch-closed", 409, "The batch cannot do that now")
register("delivery-open", 409, "The delivery is on its way")
register("notification-exists", 409, "The endpoint has a setting there already")
register("notification-limit", 409, "There are as many settings as there may be")
register("endpoint-disabled", 409, "The endpoint is disabled")
register("endpoint-enabled", 409, "The endpoint is not disabled")
register("feed-ahead", 400, "The feed has not come so far")
register("feed-purged", 410, "Events so old are not kept")
register("idempotency-busy", 409, "The first request is still under way", retry_after=1)
register("idempotency-lost", 409, "Another request took this key over")
register("length-required", 411, "The body's length must be given")
register("body-too-large", 413, "The body is too large")
register("unsupported-media-type", 415, "We take application/json")
register("idempotency-mismatch", 422, "The key was used for another request")
register("throttled", 429, "Too many requests")
register("database-unavailable", 503, "The database does not answer", retry_after=1)
