"""Reading request bodies: strict JSON, of bounded size."""

from collections.abc import Mapping
from typing import IO, Any

from django.http import HttpRequest, UnreadablePostError
from rest_framework.parsers import BaseParser

from queues import strictjson
from queues.exceptions import CrowdError

MAX_BODY = 1024 * 1024
MAX_LIST_BODY = 8 * 1024 * 1024
_WHITE_SPACE = b" \t\r\n"


class MalformedJSON(CrowdError):
    """The body is not JSON, or not the JSON we take. `pointer` tells the place where it is known."""

    slug = "malformed-json"


class BodyTooLarge(CrowdError):
    """The body is longer than we read: 1 MiB, or 8 MiB for a list. `limit` is in bytes."""

    slug = "body-too-large"


class LengthRequired(CrowdError):
    """The body came in chunks without a Content-Length."""

    slug = "length-required"


def require_length(request: HttpRequest) -> None:
    """Raise LengthRequired for a body without Content-Length.

    Django takes such a body for an empty one, and an empty one may be a good request. For a view's `initial`.
    """
    if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequired("Send the body with a Content-Length, not in chunks.")


class StrictJSONParser(BaseParser):
    """Strict JSON (see `queues.strictjson`) of at most 1 MiB, or 8 MiB where the body is a list.

    An empty body is an empty object. Raises MalformedJSON and BodyTooLarge.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value of the body."""
        try:
            raw = _read(stream)
        except UnreadablePostError:
            raise MalformedJSON("The body ended before its end.") from None
        if not raw.strip(_WHITE_SPACE):
            return {}
        try:
            return strictjson.loads(raw)
        except strictjson.StrictJSONError as error:
            raise MalformedJSON(error.detail, pointer=error.pointer) from None


def _read(stream: IO[Any]) -> bytes:
    """The whole body.

    Never reads more than a byte beyond the limit, whatever the length that was announced.
    """
    raw = _read_up_to(stream, MAX_BODY + 1)
    limit = MAX_LIST_BODY if raw.lstrip(_WHITE_SPACE).startswith(b"[") else MAX_BODY
    if MAX_BODY < len(raw) <= limit:
        raw += _read_up_to(stream, limit + 1 - len(raw))
    if len(raw) > limit:
        raise BodyTooLarge(
            f"A body may have {MAX_BODY // 2**20} MiB, and a list {MAX_LIST_BODY // 2**20} MiB.", limit=limit
        )
    return raw


def _read_up_to(stream: IO[Any], size: int) -> bytes:
    parts = []
    while size > 0 and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
