"""Further pages of one queue, offered as buttons on its change page.

A module of this app or of a floor above adds a page when it is imported, from its own package `admin`:

    from queues.admin.tools import Tool, add_tool, tool_context

    def import_page(model_admin, request, queue):
        context = tool_context(model_admin, request, queue, title=_("Import tasks"))
        return TemplateResponse(request, "admin/crowd_queues/queue/import.html", context)

    add_tool(Tool(label=_("Import"), name="import", view=import_page, allowed=may_import))

The page is then at `…/queue/<id>/import/`, named `admin:crowd_queues_queue_import` with the queue's id as its one
argument. The queue is looked up before, `allowed(request, queue)` is asked before (False: 403, and no button).
Its template extends `admin/crowd_queues/page.html` and fills the block `content`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path

from queues.models import Queue, Task

View = Callable[[Any, HttpRequest, Queue], HttpResponseBase]
"""`view(model_admin, request, queue)`."""


def may_change(request: HttpRequest, queue: Queue) -> bool:
    """Whether the user may change this queue in the admin."""
    return admin.site.get_model_admin(Queue).has_change_permission(request, queue)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A page of one queue. `name` is its part of the address (letters, digits, `-`, `_`) and of its name.

    With `shown` False there is no button: it is a step of another page.
    """

    label: Any
    name: str
    view: View
    allowed: Callable[[HttpRequest, Queue], bool]
    shown: bool = True

    @property
    def url_name(self) -> str:
        return f"admin:crowd_queues_queue_{self.name}"


TOOLS: list[Tool] = []


def add_tool(tool: Tool) -> None:
    """Offer a page on the change page of every queue. Raises ValueError for a second one of the same name."""
    if any(known.name == tool.name for known in TOOLS):
        raise ValueError(f"There is a tool named {tool.name!r} already.")
    TOOLS.append(tool)


def tool_context(model_admin: ModelAdmin, request: HttpRequest, queue: Queue, *, title: Any) -> dict[str, Any]:
    """What `admin/crowd_queues/page.html` needs: the site's context, the queue as `original`, a title."""
    return {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.model._meta,
        "original": queue,
        "queue": queue,
        "title": title,
    }


def tool_urls(model_admin: ModelAdmin) -> list[URLPattern]:
    """The addresses of every tool, below those of the queue's admin."""
    return [
        path(
            f"<int:queue_id>/{tool.name}/",
            model_admin.admin_site.admin_view(partial(_serve, model_admin, tool)),
            name=f"crowd_queues_queue_{tool.name}",
        )
        for tool in TOOLS
    ]


def _serve(model_admin: ModelAdmin, tool: Tool, request: HttpRequest, queue_id: int) -> HttpResponseBase:
    queue = get_object_or_404(Queue, pk=queue_id)
    if not tool.allowed(request, queue):
        raise PermissionDenied
    return tool.view(model_admin, request, queue)


@dataclass(frozen=True, kw_only=True)
class TaskLink:
    """A link on the page of a task to what a floor above knows about it; `address(task)` is an URL."""

    label: Any
    address: Callable[[Task], str]
    allowed: Callable[[HttpRequest], bool]


TASK_LINKS: list[TaskLink] = []
"""Modules of the floors above append to it when they are imported."""
