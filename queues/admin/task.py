"""Tasks: adding and changing one, its history, and changes of many."""

import json
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from queues import bulk, history, intake, lifecycle
from queues.admin.bulk import PriorityForm, ReasonForm, RetargetForm, ask_and_plan
from queues.admin.fields import JSONText, LinesField, MomentField, PriorityField, QueueField, TargetField
from queues.admin.lists import BigListAdmin
from queues.admin.member import raw_id
from queues.admin.tools import TASK_LINKS
from queues.admin.writing import WriterForm
from queues.drafts import TOPIC_LENGTH, TaskDraft
from queues.models import GlobalKey, Task
from queues.people import ANYONE, email_of, shown
from queues.states import CLOSED, JUDGMENTS_MAX, PRIORITY_DEFAULT, PRIORITY_MAX, PRIORITY_MIN, SECONDS_MAX, TaskStatus

SHARING_A_KEY_MAX = 1000
"""Tasks found by one global key."""

CHANGEABLE = ("priority", "topic", "target_reviewer", "schedule_to", "expire_at")


class NewTaskForm(WriterForm):
    """A new task of one's own."""

    queue = QueueField(label=_("Queue"), help_text=_("Its name or its id."))
    input_data = JSONText(
        label=_("Input"),
        widget=forms.Textarea(attrs={"rows": 10, "class": "vLargeTextField crowd-code", "spellcheck": "false"}),
        help_text=_("JSON: what the reviewer is shown. A text stands in quotation marks."),
    )
    priority = forms.IntegerField(
        label=_("Priority"),
        initial=PRIORITY_DEFAULT,
        min_value=PRIORITY_MIN,
        max_value=PRIORITY_MAX,
        help_text=_("5 is the most important, 995 the least."),
    )
    topic = forms.CharField(label=_("Topic"), required=False, max_length=TOPIC_LENGTH)
    target_reviewer = TargetField(
        label=_("Target"), required=False, help_text=_("A reviewer’s e-mail or id; empty: anyone.")
    )
    judgments_required = forms.IntegerField(
        label=_("Judgments required"),
        required=False,
        min_value=1,
        max_value=JUDGMENTS_MAX,
        help_text=_("Empty: the queue’s number."),
    )
    schedule_to = MomentField(label=_("Scheduled for"))
    expire_at = MomentField(label=_("Expires"))
    seconds_to_expire = forms.IntegerField(
        label=_("Seconds to expire"),
        required=False,
        min_value=1,
        max_value=SECONDS_MAX,
        help_text=_("Counted from when the task is available; instead of a time."),
    )
    global_keys = LinesField(
        label=_("Global keys"), required=False, widget=forms.Textarea(attrs={"rows": 3}), help_text=_("One a line.")
    )
    exclude_reviewers = LinesField(
        label=_("Not for"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("E-mails, one a line."),
    )

    class Meta:
        model = Task
        fields = ["queue"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.fields.keys() & {"queue", "target_reviewer"}:
            self.fields[name].widget = raw_id(Task, name)

    def write(self) -> Task:
        fields = dict(self.cleaned_data)
        queue, target = fields.pop("queue"), fields.pop("target_reviewer")
        draft = TaskDraft(**fields, target_reviewer=email_of(target) if target else None)
        return intake.create_task(queue=queue, requester=self.actor, draft=draft)


class TaskForm(WriterForm):
    """What of an open task may change."""

    priority = PriorityField(label=_("Priority"))
    topic = NewTaskForm.base_fields["topic"]
    target_reviewer = TargetField(
        label=_("Target"), required=False, help_text=_("A reviewer’s e-mail or id; empty or ~ANYONE: anyone.")
    )
    schedule_to = NewTaskForm.base_fields["schedule_to"]
    expire_at = NewTaskForm.base_fields["expire_at"]

    class Meta:
        model = Task
        fields = list(CHANGEABLE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "target_reviewer" in self.fields:
            self.fields["target_reviewer"].widget = raw_id(Task, "target_reviewer")

    def write(self) -> Task:
        changes = self.changes(*CHANGEABLE)
        return lifecycle.update_task(task_id=self.instance.pk, changes=changes, actor=self.actor)


@admin.register(Task)
class TaskAdmin(BigListAdmin):
    """Tasks are never deleted. Links to what the floors above know about a task come from queues.admin.tools."""

    states = TaskStatus
    list_defer = ("input_data", "output_data", "global_keys")
    looked_up = frozenset({"queue__id__exact"})
    list_display = ["id", "queue", "status", "priority", "topic", "target", "judgments", "created_at", "expire_at"]
    list_select_related = ["queue", "target_reviewer"]
    search_fields = ["id"]
    search_help_text = _("An id, or a whole global key.")
    actions = ["cancel", "prioritise", "retarget"]
    change_form_template = "admin/crowd_queues/task/change_form.html"

    @admin.display(description=_("target"))
    def target(self, task: Task) -> str:
        return email_of(task.target_reviewer) if task.target_reviewer else ANYONE

    @admin.display(description=_("judgments"))
    def judgments(self, task: Task) -> str:
        if task.status in CLOSED:
            return str(task.judgments_required)
        return _now("%(open)s of %(all)s open") % {"open": task.open_slots, "all": task.judgments_required}

    @admin.display(description=_("requester"))
    def posted_by(self, task: Task) -> str:
        return shown(task.requester)

    @admin.display(description=_("judged by"))
    def judged_by(self, task: Task) -> str:
        return email_of(task.reviewer) if task.reviewer else "–"

    @admin.display(description=_("input"))
    def input_shown(self, task: Task) -> str:
        return as_text(task.input_data)

    @admin.display(description=_("output"))
    def output_shown(self, task: Task) -> str:
        return "–" if task.output_data is None else as_text(task.output_data)

    @admin.display(description=_("global keys"))
    def keys_shown(self, task: Task) -> str:
        return ", ".join(task.global_keys) or "–"

    def found(self, term: str) -> list[int]:
        with_key = GlobalKey.objects.filter(key=term).order_by("-task_id").values_list("task_id", flat=True)
        return [*super().found(term), *with_key[:SHARING_A_KEY_MAX]]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = TaskForm if change else NewTaskForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return [(None, {"fields": list(NewTaskForm.base_fields)})]
        times = ["created_at", "updated_at", *(["seconds_to_expire"] if obj.seconds_to_expire else [])]
        judged = ["judgments", "judged_by", "output_shown"]
        return [
            (None, {"fields": ["queue", "status", *CHANGEABLE]}),
            (_("Content"), {"fields": ["input_shown", "keys_shown", "posted_by"]}),
            (_("Judgments"), {"fields": judged}),
            (_("Times"), {"fields": times}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return []
        fixed = [
            *("queue", "status", "input_shown", "keys_shown", "posted_by", "judgments", "judged_by", "output_shown"),
            *("created_at", "updated_at", "seconds_to_expire"),
        ]
        return [*fixed, *CHANGEABLE] if obj.status in CLOSED and request.method != "POST" else fixed

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        task = kwargs.get("obj")
        if task is not None:
            context["links"] = [(link.label, link.address(task)) for link in TASK_LINKS if link.allowed(request)]
            if task.status in CLOSED:
                context |= {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """What happened to the task, from its events and those of its assignments; the newest last."""
        task = self.get_object(request, unquote(object_id))
        if task is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_view_or_change_permission(request, task):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": task,
            "title": _now("History of task %(id)s") % {"id": task.pk},
            "timeline": history.of_task(task.pk),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/crowd_queues/task/history.html", context)

    @admin.action(description=_("Cancel the selected tasks…"), permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return ask_and_plan(
            self,
            request,
            queryset,
            kind=bulk.CANCEL,
            action="cancel",
            form=ReasonForm,
            title=_("Cancel tasks"),
            warning=_("Nobody need answer a canceled task any more, and it cannot be opened again."),
        )

    @admin.action(description=_("Change the priority of the selected tasks…"), permissions=["change"])
    def prioritise(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return ask_and_plan(
            self,
            request,
            queryset,
            kind=bulk.PRIORITISE,
            action="prioritise",
            form=PriorityForm,
            title=_("Change priorities"),
            warning=_("Closed tasks among them are left as they are."),
        )

    @admin.action(description=_("Retarget the selected tasks…"), permissions=["change"])
    def retarget(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return ask_and_plan(
            self,
            request,
            queryset,
            kind=bulk.RETARGET,
            action="retarget",
            form=RetargetForm,
            title=_("Retarget tasks"),
            warning=_("What others hold of them is taken back. Closed tasks among them are left as they are."),
        )


def as_text(value: Any) -> str:
    """JSON as one reads it, in a box of its own."""
    shown = json.dumps(value, ensure_ascii=False, indent=2)
    if len(shown) > SHOWN_MAX:
        shown = shown[:SHOWN_MAX] + "\n" + _now("… (%(count)s characters in all)") % {"count": len(shown)}
    return format_html('<pre class="crowd-json" tabindex="0">{}</pre>', shown)


SHOWN_MAX = 20_000
"""Characters of an input or an answer that a page shows."""
