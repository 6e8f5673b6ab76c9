"""An id for each request, by which its log lines are found: the caller's `X-Request-Id`, or one that is made.

It stands in the answer's header of the same name, goes along with the jobs that a request sends, and is the id of a
socket from its opening to its end.
"""

import logging
import re
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from asgiref.sync import iscoroutinefunction
from celery.signals import before_task_publish, task_postrun, task_prerun
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.functional import LazyObject, empty

from crowdsite.logs import about

HEADER = "X-Request-Id"
IN_META = "HTTP_X_REQUEST_ID"
TAKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
"""Ids of callers that are taken over; others get one of ours."""

PATH_SHOWN = 300

access = logging.getLogger("crowdsite.access")


def of(given: str) -> str:
    """The id of a request whose caller gave this one, or ""."""
    return given if TAKEN.fullmatch(given) else uuid4().hex


@sync_and_async_middleware
def middleware(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """The outermost: whatever answers, and complains, does so under the request's id."""
    if iscoroutinefunction(get_response):

        async def answer_later(request: HttpRequest) -> HttpResponseBase:
            began, token = perf_counter(), about.set(of(request.META.get(IN_META, "")))
            try:
                return _ended(request, await get_response(request), began)
            finally:
                about.reset(token)

        return answer_later

    def answer(request: HttpRequest) -> HttpResponseBase:
        began, token = perf_counter(), about.set(of(request.META.get(IN_META, "")))
        try:
            return _ended(request, get_response(request), began)
        finally:
            about.reset(token)

    return answer


def _ended(request: HttpRequest, response: HttpResponseBase, began: float) -> HttpResponseBase:
    response.headers[HEADER] = about.get()
    if settings.CROWDSITE_ACCESS_LOG:
        # Without what stands behind a question mark, which is nobody's business.
        path = quote(request.path, safe="/:@!$&'()*+,;=")[:PATH_SHOWN]
        milliseconds, user = round((perf_counter() - began) * 1000, 1), _user_id(request)
        access.info(
            "%s %s %s in %s ms by %s",
            *(request.method, path, response.status_code, milliseconds, "nobody" if user is None else f"user {user}"),
            extra={
                "method": request.method,
                "path": path,
                "status": response.status_code,
                "duration_ms": milliseconds,
                "user_id": user,
            },
        )
    return response


def _user_id(request: HttpRequest) -> Any:
    """Who it turned out to be. Nobody is looked up for the log's sake."""
    user = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user.__dict__.get("_wrapped", empty) is empty:
        return None
    return getattr(user, "pk", None)


Application = Callable[[Any, Any, Any], Awaitable[None]]


def sockets(application: Application) -> Application:
    """An ASGI application each of whose connections has an id."""

    async def identified(scope: Any, receive: Any, send: Any) -> None:
        name = HEADER.lower().encode()
        given = next((value for header, value in scope["headers"] if header == name), b"")
        about.set(of(given.decode("latin-1")))
        await application(scope, receive, send)

    return identified


@before_task_publish.connect
def send_along(headers: dict[str, Any], **kwargs: Any) -> None:
    """A job has the id of the request that sends it."""
    if about.get():
        headers["crowdsite_request_id"] = about.get()


@task_prerun.connect
def begin(task_id: str, task: Any, **kwargs: Any) -> None:
    """Else it has that of its message."""
    about.set(getattr(task.request, "crowdsite_request_id", None) or task_id)


@task_postrun.connect
def end(**kwargs: Any) -> None:
    """What the thread says between two jobs is about neither."""
    about.set("")
