"""Workflows: which there are, and the graph of one with what stands where just now."""

from typing import Any

from django.contrib.admin.exceptions import NotRegistered
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from assignments import dashboard
from assignments.views import sockets
from routing import definitions, registry, standing
from routing.admin import figures
from routing.graph import Graph, draw_up
from routing.models import Tally
from routing.router import AbstractCrowdRouter
from routing.states import OPEN, RunStatus

SENTENCES = {
    "live": _("Live"),
    "polling": _("Not live: looking every 15 s"),
    "off": _("Refreshing is paused."),
    "away": _("The site cannot be reached. This page keeps trying."),
    "signed_out": _("You are signed out, so the numbers stand still."),
    "forbidden": _("You may not see this any more."),
    "gone": _("There is no such workflow any more. Its numbers stand still."),
    "pause": _("Pause refreshing"),
    "resume": _("Refresh again"),
}
"""What board.js says."""


class WorkflowPages:
    """Mixed into the ModelAdmin of runs: workflows are classes, and have no table of their own."""

    admin_site: Any
    opts: Any

    def workflow_urls(self) -> list[Any]:
        """The addresses of these pages, below that of runs."""
        views: list[tuple[str, Any, str]] = [
            ("workflows/", self.workflows_view, "workflows"),
            ("workflows/<str:router>/<str:workflow>/", self.workflow_view, "workflow"),
            ("workflows/<str:router>/<str:workflow>/now/", self.workflow_now, "workflow_now"),
        ]
        return [
            path(at, self.admin_site.admin_view(require_GET(view)), name=f"crowd_routing_run_{name}")
            for at, view, name in views
        ]

    def admit(self, request: HttpRequest) -> None:
        """Raises PermissionDenied."""
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied

    def may_view(self, request: HttpRequest, model: Any) -> bool:
        """Whether the user may look at the rows of this model in the admin."""
        try:
            return bool(self.admin_site.get_model_admin(model).has_view_permission(request))
        except NotRegistered:
            return False

    def may_view_statistics(self, request: HttpRequest) -> bool:
        """Whether the user may look at what routers count."""
        return self.may_view(request, Tally)

    def workflows_view(self, request: HttpRequest) -> HttpResponse:
        """The routers of the site and their workflows."""
        self.admit(request)
        numbers = standing.open_runs()
        routers = [
            (router, [_row(router, kind, numbers) for kind in router.workflows])
            for router in registry.routers().values()
        ]
        others = sorted(numbers.keys() - registry.workflows().keys())
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Workflows"),
            "routers": routers,
            "others": [(name, sum(numbers[name].values())) for name in others],
            "may_view_statistics": self.may_view_statistics(request),
        }
        return TemplateResponse(request, "admin/crowd_routing/workflow/list.html", context)

    def workflow_view(self, request: HttpRequest, router: str, workflow: str) -> HttpResponse:
        """One workflow."""
        self.admit(request)
        of, kind = _found(router, workflow)
        graph = draw_up(definitions.order_of(kind))
        now = _now(kind, graph)
        context = {
            **self.admin_site.each_context(request),
            # The picture needs the width; the way back is in the line above it.
            "is_nav_sidebar_enabled": False,
            "opts": self.opts,
            "title": workflow,
            "router": of,
            "workflow": kind,
            "says": (kind.__doc__ or "").strip().partition("\n\n")[0],
            "now": now,
            "nodes": figures.listed(graph.nodes, now),
            "legend": figures.LEGEND,
            "statuses": [(status, status.label, now["texts"][status.value], status in OPEN) for status in RunStatus],
            "address": self._address("workflow_now", router, workflow),
            "socket": sockets.of_operator(request) if dashboard.may_watch(request.user) else "",
            "sentences": SENTENCES,
            "back": request.get_full_path(),
            "may_view_statistics": self.may_view_statistics(request),
        }
        response = TemplateResponse(request, "admin/crowd_routing/workflow/detail.html", context)
        add_never_cache_headers(response)
        return response

    def workflow_now(self, request: HttpRequest, router: str, workflow: str) -> HttpResponse:
        """The refresh of a workflow's page."""
        self.admit(request)
        try:
            _router, kind = _found(router, workflow)
        except Http404:
            return JsonResponse({"detail": str(SENTENCES["gone"])}, status=404)
        data = _now(kind, draw_up(definitions.order_of(kind)))
        return JsonResponse(data, headers={"Cache-Control": "no-store"})

    def _address(self, name: str, *args: Any) -> str:
        return reverse(f"admin:crowd_routing_run_{name}", args=args, current_app=self.admin_site.name)


def _found(router: str, workflow: str) -> tuple[AbstractCrowdRouter, Any]:
    """Raises Http404."""
    of = registry.routers().get(router)
    kind = next((kind for kind in of.workflows if kind.get_name() == workflow), None) if of else None
    if of is None or kind is None:
        raise Http404
    return of, kind


def _now(kind: Any, graph: Graph) -> dict[str, Any]:
    name = kind.get_name()
    return figures.workflow(name, graph, standing.now(name))


def _row(router: AbstractCrowdRouter, kind: Any, numbers: dict[str, dict[str, int]]) -> dict[str, Any]:
    of_this = numbers.get(kind.get_name(), {})
    return {
        "name": kind.get_name(),
        "says": (kind.__doc__ or "").strip().partition("\n")[0],
        "version": kind.version,
        "address": reverse("admin:crowd_routing_run_workflow", args=[router.get_name(), kind.get_name()]),
        "running": figures.number(of_this.get(RunStatus.RUNNING, 0)),
        "stuck": figures.number(of_this.get(RunStatus.STUCK, 0)),
        "is_stuck": bool(of_this.get(RunStatus.STUCK)),
    }


def page_of_class(name: str, kind: Any) -> str:
    """The address of a workflow's page; "" where no router of the site has it."""
    for router in registry.routers().values():
        if any(each is kind for each in router.workflows):
            return reverse("admin:crowd_routing_run_workflow", args=[router.get_name(), name])
    return ""
