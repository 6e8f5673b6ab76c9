"""Runs: the list of them, the page of one with its way as a picture, and what operators do to it."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from queues.admin import backwards
from queues.admin.access import OperatedAdmin, SeenOnly
from queues.admin.asking import ask, do
from queues.admin.filters import FilterForm
from queues.admin.lists import as_id
from queues.admin.tools import TASK_LINKS, TaskLink
from queues.models import Task
from queues.people import shown
from routing import definitions, registry, runs, standing
from routing.admin import figures
from routing.admin.workflow import WorkflowPages, page_of_class
from routing.models import Run
from routing.states import OPEN, RunStatus, StepStatus

ID_MAX = 10**17
STEPS_SHOWN = 25
FAILED_SHOWN = 25
REASON_MAX = 200

LOOKUPS = {"run": "pk", "status": "status", "workflow": "name", "task": "steps__task"}


class RunFilter(FilterForm):
    """What the list is narrowed to."""

    run = forms.IntegerField(label=_("Id"), required=False, min_value=1, max_value=ID_MAX)
    status = forms.ChoiceField(label=_("Status"), required=False)
    workflow = forms.ChoiceField(label=_("Workflow"), required=False)
    task = forms.IntegerField(label=_("Task"), required=False, min_value=1, max_value=ID_MAX)
    since = forms.DateTimeField(
        label=_("Started since"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        self.offer("status", RunStatus.choices)
        names = {*registry.workflows(), data.get("workflow", "")} - {""}
        self.offer("workflow", [(name, name) for name in sorted(names)])

    def look(self, until: int | None) -> backwards.Page:
        """A page of the runs that fit. An index leads to those of everything but a time."""
        given = {name: value for name, value in self.cleaned_data.items() if value}
        since = given.pop("since", None)
        if given.keys() == {"workflow"}:
            return _of_workflow(given["workflow"], until=until, since=since)
        walked = Run.objects.filter(**{LOOKUPS[name]: value for name, value in given.items()})
        asked = Q(created_at__gte=since) if since else None
        page = backwards.look(_listed(walked), key="id", until=until, asked=asked)
        return backwards.end_at(page, walked, time="created_at", since=since)


def _listed(runs: QuerySet[Run]) -> QuerySet[Run]:
    return runs.select_related("started_by").defer("input", "data")


def _of_workflow(name: str, *, until: int | None, since: datetime | None) -> backwards.Page:
    """Of a workflow, whatever their status: no index has these by their age, but one has those of each status."""
    ids = standing.newest(name, until=until, number=backwards.PAGE + 1)
    rows = list(_listed(Run.objects.filter(pk__in=ids[: backwards.PAGE]).order_by("-id")))
    kept = [row for row in rows if since is None or row.created_at >= since]
    further = ids[backwards.PAGE] if len(ids) > backwards.PAGE and len(kept) == len(rows) else None
    return backwards.Page(kept, further)


class ReasonForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        label=_("Reason"), max_length=REASON_MAX, required=False, help_text=_("Kept, and shown with the run.")
    )


class StepForm(forms.Form):
    """Which step; empty for all."""

    step = forms.IntegerField(min_value=1, max_value=ID_MAX, required=False)


@admin.register(Run)
class RunAdmin(SeenOnly, WorkflowPages, OperatedAdmin):
    """A run is made by code or by the API, and never deleted. Changing one takes the permission to change runs."""

    def may_act(self, request: HttpRequest) -> bool:
        """Whether the user may cancel runs, try them again and resume them."""
        return OperatedAdmin.has_change_permission(self, request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.may_act(request)

    def get_urls(self) -> list[Any]:
        views: list[tuple[str, Callable[..., HttpResponse]]] = [
            ("cancel", self.cancel_view),
            ("retry", require_POST(self.retry_view)),
            ("resume", require_POST(self.resume_view)),
        ]
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"crowd_routing_run_{name}")
            for name, view in views
        ]
        return [*own, *self.workflow_urls(), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The newest that fit, page by page."""
        self.admit(request)
        form = RunFilter(request.GET)
        page = backwards.Page([], None)
        if form.is_valid():
            page = form.look(backwards.asked_from(request))
        stands = standing.where([run.pk for run in page.rows])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Runs"),
            "form": form,
            "rows": [
                (run, figures.run_badge(run), shown(run.started_by), figures.where(stands.get(run.pk, [])))
                for run in page.rows
            ],
            **backwards.context(request, page),
            "may_view_statistics": self.may_view_statistics(request),
        }
        return TemplateResponse(request, "admin/crowd_routing/run/list.html", context)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> Any:
        """One run."""
        self.admit(request)
        run = Run.objects.select_related("started_by").filter(pk=as_id(object_id) or 0).first()
        if run is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        steps = standing.steps_of(run)
        failed = list(steps.filter(status=StepStatus.FAILED_RETRYABLE)[: FAILED_SHOWN + 1])
        page = Paginator(steps, STEPS_SHOWN).get_page(request.GET.get("p"))
        stands = standing.where([run.pk])
        workflow, gone = _definition(run)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _now("Run %(id)s") % {"id": run.pk},
            "original": run,
            "is_its_page": True,
            "badge": figures.run_badge(run),
            "starter": shown(run.started_by),
            "where": figures.where(stands.get(run.pk, [])),
            "workflow_page": page_of_class(run.name, workflow) if workflow else "",
            "gone": gone,
            "newer": workflow is not None and str(workflow.version)[: runs.VERSION_MAX] != run.version,
            "way": figures.path(run, standing.path(run)),
            "failed": [figures.row(step) for step in failed[:FAILED_SHOWN]],
            "failed_more": len(failed) > FAILED_SHOWN,
            "page": page,
            "rows": [figures.row(step) for step in page.object_list],
            "input": figures.document(run.input),
            "data": figures.document(run.data) if run.data is not None else "",
            "may_view_tasks": self.may_view(request, Task),
            "is_open": run.status in OPEN,
            **self._acts(request, run, bool(failed)),
        }
        response = TemplateResponse(request, "admin/crowd_routing/run/detail.html", context)
        add_never_cache_headers(response)
        return response

    def _acts(self, request: HttpRequest, run: Run, has_failed: bool) -> dict[str, bool]:
        """Which buttons there are."""
        may = self.may_act(request)
        return {
            "may_cancel": may and run.status in (*OPEN, RunStatus.FAILED),
            "may_retry": may and run.status in OPEN and has_failed,
            "may_resume": may and run.status == RunStatus.FAILED,
        }

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End a run, once it is said why."""
        run = self._acted_on(request, pk)

        def cancel(reason: str) -> str:
            runs.cancel(run_id=pk, reason=reason, actor=request.user)
            self.log_change(request, run, _now("Canceled."))
            return _now("The run is canceled.")

        return ask(
            self,
            request,
            run,
            title=_now("Cancel run %(id)s") % {"id": pk},
            verb=_("Cancel the run"),
            sentences=[
                _("Its tasks that are open are canceled, also those that somebody has in hand."),
                _("What was answered stays, and can be read on its page."),
                _("It does not begin again. Start another one for that."),
            ],
            form=ReasonForm,
            act=cancel,
            then=self.page_of(pk),
        )

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Try one `step` again, or all that failed."""
        run = self._acted_on(request, pk)
        form = StepForm(request.POST)
        step_id = form.cleaned_data["step"] if form.is_valid() else 0

        def retry() -> str:
            after = runs.retry(run_id=pk, step_id=step_id, actor=request.user)
            self.log_change(request, run, _now("Tried again."))
            if after.status == RunStatus.STUCK:
                return _now("It was tried again. The run is still stuck: see why below.")
            return _now("It was tried again. The run is %(status)s.") % {"status": RunStatus(after.status).label}

        return do(self, request, retry, then=self.page_of(pk))

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let a run go on that failed."""
        run = self._acted_on(request, pk)

        def resume() -> str:
            after = runs.resume(run_id=pk, actor=request.user)
            self.log_change(request, run, _now("Resumed."))
            return _now("It was resumed. The run is %(status)s.") % {"status": RunStatus(after.status).label}

        return do(self, request, resume, then=self.page_of(pk))

    def page_of(self, pk: int) -> str:
        """The address of a run's page."""
        return reverse("admin:crowd_routing_run_change", args=[pk], current_app=self.admin_site.name)

    def _acted_on(self, request: HttpRequest, pk: int) -> Run:
        if not self.may_act(request):
            raise PermissionDenied
        return get_object_or_404(Run, pk=pk)


def _definition(run: Run) -> tuple[Any, str]:
    """The run's class as it is now, or why there is none."""
    try:
        return definitions.find(run.workflow), ""
    except definitions.Vanished as vanished:
        return None, vanished.detail


def _of_task(task: Task) -> str:
    return f"{reverse('admin:crowd_routing_run_changelist')}?task={task.pk}"


def _may_view(request: HttpRequest) -> bool:
    return admin.site.get_model_admin(Run).has_view_permission(request)


TASK_LINKS.append(TaskLink(label=_("Run"), address=_of_task, allowed=_may_view))
