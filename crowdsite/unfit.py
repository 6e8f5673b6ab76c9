"""What no row can have, and Django lets through to the database all the same: there it would be a 500."""

from django.core.exceptions import BadRequest
from django.db import DataError
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin


class UnfitMiddleware(MiddlewareMixin):
    """A filter of the admin's lists by such a value is a 400; such a cookie, which nobody was given, counts as none."""

    def process_request(self, request: HttpRequest) -> None:
        """Leave out cookies with a NUL character, which PostgreSQL keeps in no text."""
        # A quoted cookie may spell any character by its number.
        if "\\000" in request.META.get("HTTP_COOKIE", ""):
            for name in [name for name, value in request.COOKIES.items() if "\x00" in value]:
                del request.COOKIES[name]

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Raises BadRequest for what the databases say of NUL characters (PostgreSQL) and huge numbers (SQLite)."""
        where = request.resolver_match
        is_list = where is not None and where.namespace == "admin" and str(where.url_name).endswith("_changelist")
        if is_list and request.method == "GET" and isinstance(exception, (DataError, OverflowError)):
            raise BadRequest("There is something in the query that no row can have.") from exception
