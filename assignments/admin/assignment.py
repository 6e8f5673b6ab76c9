"""Assignments: who holds or answered what; releasing what is held."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from assignments import bulk
from assignments.models import Assignment
from assignments.states import AssignmentStatus
from queues import history
from queues.admin.batch import describe
from queues.admin.bulk import ReleaseForm, ask_and_plan
from queues.admin.lists import BigListAdmin
from queues.admin.task import as_text
from queues.admin.tools import TASK_LINKS, TaskLink
from queues.models import Task
from queues.people import shown

describe(
    bulk.RELEASE,
    label=_("release assignments"),
    item=_("assignment"),
    url_name="admin:crowd_assignments_assignment_change",
)


@admin.register(Assignment)
class AssignmentAdmin(BigListAdmin):
    """Read only: people make assignments by working. What is live can be released."""

    states = AssignmentStatus
    list_defer = ("data",)
    looked_up = frozenset({"task__id__exact", "reviewer__id__exact", "queue__id__exact"})
    list_display = ["id", "task_link", "queue", "person", "status", "created_at", "expire_at", "ended_at", "reason"]
    list_select_related = ["queue", "reviewer__user"]
    search_fields = ["id"]
    search_help_text = _("An id.")
    actions = ["release"]
    fields = [
        *("task_link", "queue", "reviewer_link", "status", "created_at", "expire_at", "ended_at", "reason"),
        "answer",
    ]

    @admin.display(description=_("task"))
    def task_link(self, assignment: Assignment) -> str:
        url = reverse("admin:crowd_queues_task_change", args=[assignment.task_id], current_app=self.admin_site.name)
        return format_html('<a href="{}">{}</a>', url, assignment.task_id)

    @admin.display(description=_("reviewer"))
    def person(self, assignment: Assignment) -> str:
        return shown(assignment.reviewer.user)

    @admin.display(description=_("reviewer"))
    def reviewer_link(self, assignment: Assignment) -> str:
        url = reverse(
            "admin:crowd_assignments_reviewer_change", args=[assignment.reviewer_id], current_app=self.admin_site.name
        )
        return format_html('<a href="{}">{}</a>', url, self.person(assignment))

    @admin.display(description=_("answer"))
    def answer(self, assignment: Assignment) -> str:
        return "–" if assignment.data is None else as_text(assignment.data)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        context |= {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, **kwargs)

    @admin.action(description=_("Release the selected assignments…"), permissions=["change"])
    def release(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return ask_and_plan(
            self,
            request,
            queryset,
            kind=bulk.RELEASE,
            action="release",
            form=ReleaseForm,
            title=_("Release assignments"),
            warning=_("Those that are live are taken from their reviewers, and their tasks are open again."),
        )


def _of_task(task: Task) -> str:
    return f"{reverse('admin:crowd_assignments_assignment_changelist')}?task__id__exact={task.pk}"


def _may_view(request: HttpRequest) -> bool:
    return admin.site.get_model_admin(Assignment).has_view_permission(request)


TASK_LINKS.append(TaskLink(label=_("Assignments"), address=_of_task, allowed=_may_view))

history.SENTENCES.update(
    {
        "ASSIGNMENT_CREATED": _("Handed out"),
        "ASSIGNMENT_EXTENDED": _("Lease changed"),
        "ASSIGNMENT_FINISHED": _("Answered"),
        "ASSIGNMENT_EXPIRED": _("Lease lapsed"),
        "ASSIGNMENT_SKIPPED": _("Skipped"),
        "ASSIGNMENT_CANCELED": _("Taken back"),
    }
)
