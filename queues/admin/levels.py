"""Who is told of what happens in a queue, or to a task: the settings of each level, and which of them are silenced."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from queues import merging
from queues.admin.endpoint import state
from queues.admin.tools import TASK_LINKS, TaskLink, Tool, add_tool
from queues.models import Delivery, Notification, Queue, Task
from queues.states import Level

SHOWN = 100
"""Settings of a level; there may be fewer by far."""

Levels = Sequence[tuple[Level, Any]]


def of_task(model_admin: Any, request: HttpRequest, task_id: int) -> HttpResponse:
    """The page of a task."""
    task = get_object_or_404(Task.objects.select_related("queue").defer("input_data", "output_data"), pk=task_id)
    if not may_view(request):
        raise PermissionDenied
    levels = [(Level.TASK, Notification.objects.filter(task=task)), *_above(task.queue)]
    query = f"task={task.pk}"
    return _page(model_admin, request, task, levels, adding=f"level=task&{query}", deliveries=query)


def of_queue(model_admin: Any, request: HttpRequest, queue: Queue) -> HttpResponse:
    """The page of a queue."""
    query = f"queue={queue.pk}"
    adding = f"level=queue&{query}" if queue.archived_at is None else ""
    return _page(model_admin, request, queue, _above(queue), adding=adding, deliveries=query)


def _above(queue: Queue) -> Levels:
    return [
        (Level.QUEUE, Notification.objects.filter(queue=queue)),
        (Level.SITE, Notification.objects.filter(level=Level.SITE, task__isnull=True)),
    ]


def _page(
    model_admin: Any, request: HttpRequest, original: Queue | Task, levels: Levels, *, adding: str, deliveries: str
) -> HttpResponse:
    """`adding` and `deliveries` are the queries of the links to a new setting and to what was sent."""
    found = [(level, list(rows.select_related("endpoint").order_by("-id")[: SHOWN + 1])) for level, rows in levels]
    heard = {row.pk for row in merging.speaking(*(rows for _level, rows in found))}
    site = model_admin.admin_site
    context = {
        **site.each_context(request),
        "opts": original._meta,
        "original": original,
        "title": _("Notifications"),
        "levels": [
            {
                "label": level.label,
                "rows": [(row, state(row.endpoint)) for row in rows[:SHOWN]],
                "more": len(rows) > SHOWN,
                "silenced": bool(rows) and not any(row.pk in heard for row in rows),
            }
            for level, rows in found
        ],
        "adding": adding if site.get_model_admin(Notification).has_add_permission(request) else "",
        "deliveries": deliveries if site.get_model_admin(Delivery).has_view_permission(request) else "",
    }
    return TemplateResponse(request, "admin/crowd_queues/notification/levels.html", context)


def may_view(request: HttpRequest, queue: Queue | None = None) -> bool:
    """Whether the user may look at notifications."""
    return admin.site.get_model_admin(Notification).has_view_permission(request)


def _address(task: Task) -> str:
    return reverse("admin:crowd_queues_notification_of_task", args=[task.pk])


add_tool(Tool(label=_("Notifications"), name="notifications", view=of_queue, allowed=may_view))

TASK_LINKS.append(TaskLink(label=_("Notifications"), address=_address, allowed=may_view))
