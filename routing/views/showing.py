"""What a task gave back, as the host's template shows it, as a page of ours, as a redirect, or as JSON."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from routing import pipeline
from routing.requests import POST
from routing.responses import CrowdResponse
from routing.views.asking import Addresses, brought, wants_json

PAGE = "routing/task.html"

NOT_SHOWN = frozenset({"template", "path", "status"})
"""Members of a response that say what to do with it."""

OF_THE_SITE = frozenset({"csrf_token", "messages", "perms", "request", "user"})
"""What templates know from the site. Members of these names are found at `response` alone."""

DEPTH = 2
"""How deep objects are shown as rows; what is deeper is shown as JSON."""


def answer(request: HttpRequest, response: CrowdResponse) -> HttpResponseBase:
    """The answer to a request that was carried out. 303 where a POST has a path to go on to."""
    addresses = Addresses(request)
    flow = response.crowd_request.workflow
    name, session = flow.get_name(), response.crowd_request.get_session()
    path = _path(request, response)
    step = pipeline.present_step(session) if pipeline.present_name(flow, session) else None
    # What only an instance has is no task by name: then it is at hand where the workflow is.
    is_named = response.task.get_name() in flow.known_tasks(flow.tasks)
    action = addresses.task(name, response.task.get_name()) if is_named else addresses.workflow(name)
    if wants_json(request):
        # Sets the cookie whose value the client sends back as X-CSRFToken.
        get_token(request)
        return JsonResponse(
            {
                "workflow": name,
                "task": response.task.get_name(),
                "method": response.method,
                "status": response.status,
                "path": path,
                "response": _told(response),
                "action": action,
                "step": step,
            }
        )
    if path and response.method == POST:
        return HttpResponseRedirect(path, status=303)
    context = {
        "response": response.response,
        "crowd_response": response,
        "workflow": flow,
        "task": response.task,
        "crowd_action": action,
        "crowd_step": step,
    }
    if template := _template(response):
        members = {name: value for name, value in response.response.items() if name not in OF_THE_SITE}
        return render(request, template, {**members, **context})
    ours = {
        "crowd_rows": rows(response.response),
        "crowd_done": response.method == POST,
        "crowd_posted": request.method == POST,
        "crowd_workflow": addresses.workflow(name),
        "crowd_index": addresses.index(),
    }
    return render(request, PAGE, context | ours)


def _told(response: CrowdResponse) -> dict[str, Any] | None:
    """What programs are told. What was meant for a template may be more than its page shows, or no JSON: nothing."""
    is_context = "template" in response.response and not response.task.tells_programs
    return None if is_context else response.response


def _template(response: CrowdResponse) -> list[str]:
    """The names of the template, of which the first that is there is taken. None that the request itself brought."""
    named = response.response.get("template") or []
    names = [named] if isinstance(named, str) else list(named)
    given = brought(response.crowd_request)
    return [name for name in names if name not in given]


def _path(request: HttpRequest, response: CrowdResponse) -> str | None:
    """Where the response leads. What the request itself brought, and the task gave back, leads nowhere outside."""
    if not response.path:
        return None
    path = str(response.path)
    if url_has_allowed_host_and_scheme(path, {request.get_host()}):
        return path
    outside = urlsplit(path).netloc or path
    return None if any(outside in text for text in brought(response.crowd_request)) else path


@dataclass
class Row:
    """A member of a response: a `text`, or `items_of` a list, or `rows` of an object, or `code` to read."""

    name: str
    text: str = ""
    items_of: list[str] | None = None
    rows: list["Row"] | None = None
    code: str = ""


def rows(members: Mapping[Any, Any], depth: int = 1) -> list[Row]:
    """What a page without a template shows of a response."""
    return [
        _row(capfirst(str(name).replace("_", " ")), value, depth)
        for name, value in members.items()
        if depth > 1 or name not in NOT_SHOWN
    ]


def _row(name: str, value: Any, depth: int) -> Row:
    if isinstance(value, Mapping) and value and depth < DEPTH:
        return Row(name, rows=rows(value, depth + 1))
    if isinstance(value, (list, tuple, set)) and value and not any(map(_is_deep, value)):
        return Row(name, items_of=[_word(item) for item in value])
    if _is_deep(value):
        return Row(name, code=json.dumps(value, ensure_ascii=False, indent=2, default=str, skipkeys=True))
    return Row(name, text=_word(value))


def _is_deep(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple, set)) and len(value) > 0


def _word(value: Any) -> str:
    if value is None or value == "" or isinstance(value, (Mapping, list, tuple, set)):
        return _("none")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)
