"""The operators' dashboard: the list of QueueAtWork is all queues at work, and its change page is one of them."""

from pathlib import Path
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from assignments import dashboard
from assignments.admin import figures
from assignments.models import QueueAtWork, Reviewer
from assignments.views import sockets
from queues.admin.access import SeenOnly, operates
from queues.admin.tools import TOOLS
from queues.administration import update_queue
from queues.exceptions import QueueArchived
from queues.models import Membership, Queue, Task

UPLOT = Path(__file__).resolve().parent.parent / "static" / "assignments" / "vendor" / "uplot.js"

SENTENCES = {
    "live": gettext_lazy("Live"),
    "polling": gettext_lazy("Not live: looking every 15 s"),
    "off": gettext_lazy("Refreshing is paused."),
    "away": gettext_lazy("The site cannot be reached. This page keeps trying."),
    "signed_out": gettext_lazy("You are signed out, so the numbers stand still."),
    "forbidden": gettext_lazy("You may not see this any more."),
    "gone": gettext_lazy("This queue was deleted. Its numbers stand still."),
    "some_gone": gettext_lazy("A queue of this list was deleted. Load the page again for the present list."),
    "pause": gettext_lazy("Pause refreshing"),
    "resume": gettext_lazy("Refresh again"),
}
"""What dashboard.js says."""

HEADS = {
    "ended": [gettext_lazy("Answered"), gettext_lazy("Lapsed"), gettext_lazy("Skipped")],
    "traffic": [gettext_lazy("Came"), gettext_lazy("Closed")],
    "open": [gettext_lazy("Open tasks")],
}
"""The columns of the plots' tables, which are also the names of their lines."""


@admin.register(QueueAtWork)
class QueueAtWorkAdmin(SeenOnly, admin.ModelAdmin):
    """Read only. Watched by staff who may view queues or operate them; who may change queues may pause them."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return dashboard.may_watch(request.user)

    def may_pause(self, request: HttpRequest) -> bool:
        return operates(request) or request.user.has_perm("crowd_queues.change_queue")

    def get_urls(self) -> list[URLPattern]:
        named = f"{self.opts.app_label}_{self.opts.model_name}"
        views: list[tuple[str, Any, str]] = [
            ("", require_GET(self.changelist_view), "changelist"),
            ("now/", require_GET(self.list_now), "now"),
            ("<int:object_id>/change/", require_GET(self.change_view), "change"),
            ("<int:object_id>/now/", require_GET(self.board_now), "board_now"),
            ("<int:object_id>/pause/", require_POST(self.pause), "pause"),
        ]
        return [path(at, self.admin_site.admin_view(view), name=f"{named}_{name}") for at, view, name in views]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """All living queues, in pages."""
        self._admit(request)
        search = request.GET.get("q", "").replace("\x00", "").strip()
        paginator = Paginator(dashboard.in_order(search=search), dashboard.QUEUES_MAX)
        page = paginator.get_page(request.GET.get("p"))
        whole = dashboard.overview(list(page.object_list))
        now = figures.overview(whole)
        rows = []
        for each in whole.queues:
            texts, shown = figures.places(each, whole)
            links, tasks = self._links(request, each.queue), self._tasks_link(request, each.queue)
            rows.append({"queue": each.queue, "texts": texts, "shown": shown, "links": links, "tasks": tasks})
        ids = ",".join(str(pk) for pk in page.object_list)
        context = self._context(request, now, title=_("Queues at work"), address=self._url("now") + f"?ids={ids}")
        context |= {"rows": rows, "page": page, "search": search, **(extra_context or {})}
        return TemplateResponse(request, "admin/crowd_assignments/queueatwork/change_list.html", context)

    def list_now(self, request: HttpRequest) -> HttpResponse:
        """The refresh of the queues with these `ids`, as many as a page has."""
        self._admit(request)
        ids = [int(part) for part in request.GET.get("ids", "").split(",") if _is_id(part)]
        return _fresh(figures.overview(dashboard.overview(ids[: dashboard.QUEUES_MAX])))

    def change_view(
        self, request: HttpRequest, object_id: Any, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One queue."""
        self._admit(request)
        try:
            whole = dashboard.board(object_id)
        except QueueAtWork.DoesNotExist:
            return self._gone(request)
        now = self._board(request, whole)
        context = self._context(request, now, title=str(whole.now.queue), address=self._url("board_now", object_id))
        context |= {
            "queue": whole.now.queue,
            "links": self._links(request, whole.now.queue),
            "tasks": self._tasks_link(request, whole.now.queue),
            "heads": HEADS,
            "uplot": UPLOT.exists(),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/crowd_assignments/queueatwork/change_form.html", context)

    def board_now(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """The refresh of one queue's page."""
        self._admit(request)
        try:
            return _fresh(self._board(request, dashboard.board(object_id)))
        except QueueAtWork.DoesNotExist:
            return JsonResponse({"detail": str(SENTENCES["gone"])}, status=404)

    def pause(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Pause the queue (`paused` is 1) or let it go on (0), and go `back` to where it was asked for."""
        if not self.may_pause(request):
            raise PermissionDenied
        try:
            paused = request.POST.get("paused") == "1"
            queue = update_queue(queue_id=object_id, changes={"is_paused": paused}, actor=request.user)
        except (Queue.DoesNotExist, QueueArchived):
            return self._gone(request)
        said = _("{queue} is paused: nothing is handed out.") if paused else _("{queue} hands out tasks again.")
        messages.success(request, said.format(queue=queue))
        back = request.POST.get("back", "")
        safe = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
        return HttpResponseRedirect(back if safe else self._url("changelist"))

    def _admit(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _gone(self, request: HttpRequest) -> HttpResponse:
        messages.warning(request, _("There is no such queue, or it was deleted."))
        return HttpResponseRedirect(self._url("changelist"))

    def _url(self, name: str, *args: Any) -> str:
        return self._reverse(f"{self.opts.app_label}_{self.opts.model_name}_{name}", *args)

    def _reverse(self, name: str, *args: Any) -> str:
        return reverse(f"admin:{name}", args=args, current_app=self.admin_site.name)

    def _context(self, request: HttpRequest, now: dict[str, Any], *, title: str, address: str) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            # The table needs the whole width; the way back is in the line above it.
            "is_nav_sidebar_enabled": False,
            "opts": self.opts,
            "title": title,
            "now": now,
            "address": address,
            "socket": sockets.of_operator(request),
            "sentences": SENTENCES,
            "may_pause": self.may_pause(request),
            "back": request.get_full_path(),
        }

    def _board(self, request: HttpRequest, whole: dashboard.Board) -> dict[str, Any]:
        pages = {model: self._may_view(request, model) for model in (Task, Reviewer)}

        def link(model: Any, pk: int) -> str | None:
            return self._reverse(f"{_named(model)}_change", pk) if pages[model] else None

        return figures.board(
            whole,
            task_link=lambda pk: link(Task, pk),
            reviewer_link=lambda reviewer: link(Reviewer, reviewer.pk),
        )

    def _may_view(self, request: HttpRequest, model: Any) -> bool:
        try:
            return self.admin_site.get_model_admin(model).has_view_permission(request)
        except NotRegistered:
            return False

    def _tasks_link(self, request: HttpRequest, queue: QueueAtWork) -> str | None:
        """The list of the queue's tasks; a state can be added to it."""
        if not self._may_view(request, Task):
            return None
        return self._reverse(f"{_named(Task)}_changelist") + f"?queue={queue.pk}"

    def _links(self, request: HttpRequest, queue: QueueAtWork) -> list[tuple[Any, str]]:
        """Where one goes from a queue: (label, address) of its lists, its settings and its tools."""
        found: list[tuple[Any, str]] = []
        if tasks := self._tasks_link(request, queue):
            found.append((_("Tasks"), tasks))
        for tool in TOOLS:
            if tool.shown and tool.allowed(request, queue):
                found.append((tool.label, reverse(tool.url_name, args=[queue.pk], current_app=self.admin_site.name)))
        if self._may_view(request, Membership):
            found.append((_("Members"), self._reverse(f"{_named(Membership)}_changelist") + f"?queue={queue.pk}"))
        if self._may_view(request, Queue):
            found.append((_("Settings"), self._reverse(f"{_named(Queue)}_change", queue.pk)))
        return found


def _named(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _fresh(data: dict[str, Any]) -> JsonResponse:
    return JsonResponse(data, headers={"Cache-Control": "no-store"})
