"""Lists, page by page, newest first."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from queues.exceptions import CrowdError

ADVICE = "Take the cursor from `next` or `previous` of an answer, unchanged."


def _number(text: str) -> int:
    """A number that both databases can compare with an id, or -1."""
    # int() alone takes signs, spaces, underscores and any script's digits.
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else -1


class InvalidCursor(CrowdError):
    """The cursor was not made by one of our answers."""

    slug = "invalid-cursor"


class Pages(CursorPagination):
    """`{"results", "next", "previous"}`: cursors by descending id, so what is added meanwhile shifts nothing.

    `page_size` is 50, or 1 to 200 as asked for. Raises ValidationError for another size, InvalidCursor.
    """

    ordering = "-id"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"

    def get_page_size(self, request: Request) -> int:
        """The size asked for, or the usual one."""
        asked = request.query_params.get(self.page_size_query_param)
        if asked is None:
            return self.page_size
        if not 1 <= (size := _number(asked)) <= self.max_page_size:
            raise ValidationError({"page_size": [f"Must be a whole number from 1 to {self.max_page_size}."]})
        return size

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The cursor asked for, or None. Raises InvalidCursor unless it is one that a query can use."""
        try:
            cursor = super().decode_cursor(request)
        except (NotFound, OverflowError):
            raise InvalidCursor(ADVICE) from None
        # Ids are unique, so every cursor of ours has a position.
        if cursor is not None and (cursor.position is None or _number(str(cursor.position)) < 0):
            raise InvalidCursor(ADVICE)
        return cursor

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        """Always by descending id."""
        return (self.ordering,)

    def get_paginated_response(self, data: Any) -> Response:
        """The page as a response."""
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The page in the API's schema."""
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The query parameters in the API's schema, with their bounds."""
        cursor, size = super().get_schema_operation_parameters(view)
        size["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": Pages.page_size}
        return [cursor, size]
