"""What routers have counted: how often each task was shown and answered, and counting from zero again."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from queues.admin.access import OperatedAdmin, SeenOnly
from queues.admin.asking import ask
from routing import registry
from routing.admin.figures import number
from routing.models import Tally
from routing.models.session import METHODS
from routing.router import AbstractCrowdRouter


@admin.register(Tally)
class TallyAdmin(SeenOnly, OperatedAdmin):
    """Read only, but for clearing, which takes the permission to change tallies."""

    def may_clear(self, request: HttpRequest) -> bool:
        """Whether the user may have a router count from zero."""
        return OperatedAdmin.has_change_permission(self, request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_view_permission(request, obj) or self.may_clear(request)

    def get_urls(self) -> list[Any]:
        views: list[tuple[str, Any, str]] = [
            ("", require_GET(self.changelist_view), "changelist"),
            ("<str:router>/", require_GET(self.router_view), "router"),
            ("<str:router>/clear/", self.clear_view, "clear"),
        ]
        return [
            path(at, self.admin_site.admin_view(view), name=f"crowd_routing_tally_{name}") for at, view, name in views
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """All routers."""
        self._admit(request)
        rows = [
            (router, [number(total) for total in _totals(router.report_crowd_statistics()["task_counts"])])
            for router in registry.routers().values()
        ]
        context = {**self._context(request, _("What routers have counted")), "rows": rows}
        return TemplateResponse(request, "admin/crowd_routing/tally/list.html", context)

    def router_view(self, request: HttpRequest, router: str) -> HttpResponse:
        """One router: its workflows and their tasks."""
        self._admit(request)
        of = _found(router)
        counts = of.report_crowd_statistics()["task_counts"]
        tables = [
            (
                workflow,
                [(task, [number(of_task[method]) for method in METHODS]) for task, of_task in tasks.items()],
                [number(total) for total in _totals({workflow: tasks})],
            )
            for workflow, tasks in counts.items()
        ]
        context = {
            **self._context(request, _now("What %(router)s has counted") % {"router": router}),
            "router": of,
            "tables": tables,
            "limit": of.num_allowable_requests,
            "may_clear": self.may_clear(request),
        }
        return TemplateResponse(request, "admin/crowd_routing/tally/router.html", context)

    def clear_view(self, request: HttpRequest, router: str) -> HttpResponse:
        """Count from zero, once that is confirmed."""
        if not self.may_clear(request):
            raise PermissionDenied
        of = _found(router)

        def clear() -> str:
            of.clear_crowd_statistics()
            return _now("%(router)s counts from zero again.") % {"router": router}

        return ask(
            self,
            request,
            None,
            title=_now("Clear what %(router)s has counted") % {"router": router},
            verb=_("Clear"),
            sentences=[
                _("All its numbers are zero afterwards. The old ones are kept nowhere."),
                _("Where it lets in a limited number of requests, as many as at the beginning are let in again."),
            ],
            act=clear,
            then=self._url("router", router),
        )

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _context(self, request: HttpRequest, title: Any) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "opts": self.opts, "title": title}

    def _url(self, name: str, *args: Any) -> str:
        return reverse(f"admin:crowd_routing_tally_{name}", args=args, current_app=self.admin_site.name)


def _found(name: str) -> AbstractCrowdRouter:
    """Raises Http404."""
    router = registry.routers().get(name)
    if router is None:
        raise Http404
    return router


def _totals(counts: dict[str, dict[str, dict[str, int]]]) -> list[int]:
    """How many requests there were by each method."""
    of_tasks = [of_task for tasks in counts.values() for of_task in tasks.values()]
    return [sum(of_task[method] for of_task in of_tasks) for method in METHODS]
