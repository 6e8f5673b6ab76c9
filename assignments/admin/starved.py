"""The starved tasks of a queue: those that nobody who may review will be handed; and what to do about them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from assignments.querysets import starved
from queues.admin.tools import Tool, add_tool, tool_context
from queues.models import Queue, Task
from queues.transactions import database_now

SHOWN = 100


def starved_view(model_admin: Any, request: HttpRequest, queue: Queue) -> HttpResponse:
    found = starved(queue, now=database_now()).defer("input_data", "output_data").select_related("target_reviewer")
    tasks = list(found.order_by("id")[: SHOWN + 1])
    context = {
        **tool_context(model_admin, request, queue, title=_("Starved tasks")),
        "tasks": tasks[:SHOWN],
        "more": len(tasks) > SHOWN,
        "shown": SHOWN,
        "may_change": admin.site.get_model_admin(Task).has_change_permission(request),
    }
    return TemplateResponse(request, "admin/crowd_assignments/starved.html", context)


def may_view_tasks(request: HttpRequest, queue: Queue) -> bool:
    return queue.archived_at is None and admin.site.get_model_admin(Task).has_view_permission(request)


add_tool(Tool(label=_("Starved tasks"), name="starved", view=starved_view, allowed=may_view_tasks))
