"""What is answered when a request goes wrong outside a view: a problem document under /api/, else a page."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

from crowdsite.logs import about
from queues.api import problems
from queues.exceptions import Throttled

API = "/api/"

problems.register("bad-request", 400, "The request cannot be read")
problems.register("internal-error", 500, "Something went wrong here")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400, for a request that Django itself refuses: an unknown host, too many fields."""
    if for_programs(request):
        return problems.problem_response("bad-request")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    """403."""
    if for_programs(request):
        return problems.exception_handler(exception, {})
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Http404) -> HttpResponse:
    """404, for an address that leads nowhere; under /api/ it is the same as for an object that is missing."""
    if for_programs(request):
        return problems.exception_handler(exception, {})
    return defaults.page_not_found(request, exception)


def too_many_requests(request: HttpRequest, refused: Throttled) -> HttpResponse:
    """429, for a page."""
    page = render(request, "429.html", {"minutes": -(-refused.retry_after // 60)}, status=429)
    page.headers["Retry-After"] = str(refused.retry_after)
    return page


def server_error(request: HttpRequest) -> HttpResponse:
    """500; what happened is in the log only."""
    if for_programs(request):
        said = "The fault is ours, and it has been logged."
        return problems.problem_response("internal-error", said, instance=f"urn:crowdsite:request:{about.get()}")
    return defaults.server_error(request)


def for_programs(request: HttpRequest) -> bool:
    """Whether the address belongs to the API, whose clients read problem documents and no pages."""
    return request.path.startswith(API)
