"""NUL characters, which PostgreSQL keeps in no text. Forms and the API refuse them; what else Django lets through, from
cookies and the queries of its admin's lists, would end at the database and be a 500.
"""

from django.core.exceptions import BadRequest
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

from crowdsite import errors


class NulMiddleware(MiddlewareMixin):
    """Pages answer such a query with 400; such a cookie, which no browser was given, counts as none."""

    def process_request(self, request: HttpRequest) -> None:
        """Raises BadRequest."""
        if "%00" in request.META.get("QUERY_STRING", "") and not errors.for_programs(request):
            raise BadRequest("There is a NUL character in the query.")
        # A quoted cookie may spell any character by its number.
        if "\\000" in request.META.get("HTTP_COOKIE", ""):
            for name in [name for name, value in request.COOKIES.items() if "\x00" in value]:
                del request.COOKIES[name]
