"""Queues: making, changing, pausing and deleting them."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminURLFieldWidget
from django.core.exceptions import PermissionDenied
from django.db.models import JSONField, URLField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from queues import administration
from queues.admin.fields import JSONText
from queues.admin.tools import TOOLS, tool_urls
from queues.admin.writing import WriterForm, WrittenAdmin
from queues.exceptions import CrowdError
from queues.models import Queue

NO_LIMIT = _("a task can be held for ever")


class QueueForm(WriterForm):
    """A queue; its name is given once."""

    default_assignment_strategy = JSONText(
        label=_("Default strategy"),
        empty={},
        initial=dict,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField crowd-code"}),
        help_text=_(
            'What a reviewer is handed who asks for nothing else, such as {"order": "lifo", "multitask_index": 2}. '
            "Fields: seconds_to_expire, order, priority_order, topic, multitask_index."
        ),
    )

    reviewer_frontend_url = forms.URLField(
        label=_("Reviewer frontend"), required=False, max_length=500, assume_scheme="https", widget=AdminURLFieldWidget
    )

    class Meta:
        model = Queue
        fields = ["name", *sorted(administration.CHANGEABLE - {"reviewer_frontend_url"})]

    def write(self) -> Queue:
        if self.instance.pk is None:
            fields = {key: self.cleaned_data[key] for key in administration.CHANGEABLE & self.cleaned_data.keys()}
            return administration.create_queue(name=self.cleaned_data["name"], actor=self.actor, fields=fields)
        changes = self.changes(*administration.CHANGEABLE)
        return administration.update_queue(queue_id=self.instance.pk, changes=changes, actor=self.actor)


class IsDeleted(admin.SimpleListFilter):
    """Living queues, unless others are asked for."""

    title = _("deleted")
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Deleted")), ("all", _("All"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": _("Living")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "all":
            return queryset
        return queryset.filter(archived_at__isnull=self.value() != "yes")


@admin.register(Queue)
class QueueAdmin(WrittenAdmin):
    """Deleting a queue archives it. Other modules add pages through queues.admin.tools."""

    form = QueueForm
    list_display = ["name", "alias", "state", "lease", "judgments_per_task", "tasks"]
    list_filter = ["is_paused", IsDeleted]
    search_fields = ["name", "alias"]
    ordering = ["name"]
    actions = ["pause", "resume"]
    change_form_template = "admin/crowd_queues/queue/change_form.html"
    remove_verb = _("Delete the queue")
    formfield_overrides = {
        URLField: {"assume_scheme": "https"},
        JSONField: {
            "form_class": JSONText,
            "widget": forms.Textarea(attrs={"rows": 12, "class": "vLargeTextField crowd-code", "spellcheck": "false"}),
        },
    }
    fieldsets = [
        (None, {"fields": ["name", "alias", "description", "is_paused"]}),
        (_("For reviewers"), {"fields": ["instructions", "reviewer_frontend_url"]}),
        (
            _("Tasks and answers"),
            {
                "fields": ["input_schema", "output_schema", "judgments_per_task"],
                "description": _("JSON Schema 2020-12; empty: anything is taken."),
            },
        ),
        (
            _("Leases"),
            {"fields": ["max_lease_seconds", "max_multitask", "default_assignment_strategy", "requester_may_review"]},
        ),
    ]

    @admin.display(description=_("state"), ordering="is_paused")
    def state(self, queue: Queue) -> str:
        if queue.archived_at is not None:
            return format_html('<span class="crowd-badge">{}</span>', _("deleted"))
        if queue.is_paused:
            return format_html('<span class="crowd-badge crowd-warning">{}</span>', _("paused"))
        return format_html('<span class="crowd-badge crowd-good">{}</span>', _("running"))

    @admin.display(description=_("longest lease"), ordering="max_lease_seconds")
    def lease(self, queue: Queue) -> str:
        if queue.max_lease_seconds is None:
            return format_html('<span class="crowd-badge crowd-warning">{}</span>', NO_LIMIT)
        return _("%(seconds)s s") % {"seconds": queue.max_lease_seconds}

    @admin.display(description=_("tasks"))
    def tasks(self, queue: Queue) -> str:
        url = reverse("admin:crowd_queues_task_changelist", current_app=self.admin_site.name)
        label = _("Tasks of %(queue)s") % {"queue": queue.name}
        return format_html('<a href="{}?queue={}" aria-label="{}">{}</a>', url, queue.pk, label, _("Tasks"))

    def get_urls(self) -> list[Any]:
        pausing = [
            path(
                f"<int:queue_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"crowd_queues_queue_{name}",
            )
            for name, view in (("pause", self.pause_view), ("resume", self.resume_view))
        ]
        return [*pausing, *tool_urls(self), *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return self.fieldsets
        times = ["created_at", "updated_at", *(["archived_at"] if obj.archived_at else [])]
        return [*self.fieldsets, (_("Times"), {"fields": times})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        times = ["created_at", "updated_at", "archived_at"]
        if obj.archived_at is not None and request.method != "POST":
            return ["name", *sorted(administration.CHANGEABLE), *times]
        return ["name", *times]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return (obj is None or obj.archived_at is None) and super().has_delete_permission(request, obj)

    def consequences(self, obj: Queue) -> list[Any]:
        return [
            _("Nothing is handed out from it any more, and no task can be added."),
            _("Its open tasks are canceled, and what reviewers hold of it ends."),
            _("Its tasks, answers and history stay, and so does its name: no other queue can have it."),
            _("It cannot be brought back."),
        ]

    def remove(self, request: HttpRequest, obj: Queue) -> None:
        administration.archive_queue(queue_id=obj.pk, actor=request.user)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        queue = kwargs.get("obj")
        if queue is not None:
            alive = queue.archived_at is None
            context |= {
                "tools": [tool for tool in TOOLS if tool.shown and tool.allowed(request, queue)],
                "no_lease_limit": alive and queue.max_lease_seconds is None,
                "may_pause": alive and self.has_change_permission(request, queue),
            }
            if not alive:
                context |= {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, **kwargs)

    @admin.action(description=_("Pause the selected queues"), permissions=["change"])
    def pause(self, request: HttpRequest, queryset: Any) -> None:
        self._pause(request, queryset, is_paused=True)

    @admin.action(description=_("Resume the selected queues"), permissions=["change"])
    def resume(self, request: HttpRequest, queryset: Any) -> None:
        self._pause(request, queryset, is_paused=False)

    def pause_view(self, request: HttpRequest, queue_id: int) -> HttpResponse:
        return self._pause_one(request, queue_id, is_paused=True)

    def resume_view(self, request: HttpRequest, queue_id: int) -> HttpResponse:
        return self._pause_one(request, queue_id, is_paused=False)

    def _pause_one(self, request: HttpRequest, queue_id: int, *, is_paused: bool) -> HttpResponse:
        queue = self.get_object(request, str(queue_id))
        if not self.has_change_permission(request, queue):
            raise PermissionDenied
        if request.method == "POST":
            self._pause(request, Queue.objects.filter(pk=queue_id), is_paused=is_paused)
        url = reverse("admin:crowd_queues_queue_change", args=[queue_id], current_app=self.admin_site.name)
        return HttpResponseRedirect(url)

    def _pause(self, request: HttpRequest, queues: Any, *, is_paused: bool) -> None:
        done = _("%(queue)s is paused.") if is_paused else _("%(queue)s hands out tasks again.")
        for queue in queues:
            try:
                changed = administration.update_queue(
                    queue_id=queue.pk, changes={"is_paused": is_paused}, actor=request.user
                )
            except CrowdError as refused:
                self.message_user(request, refused.detail, messages.ERROR)
            else:
                self.log_change(request, changed, [{"changed": {"fields": [str(_("paused"))]}}])
                self.message_user(request, done % {"queue": queue}, messages.SUCCESS)
