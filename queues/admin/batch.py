"""Batches: how far one is, and starting, stopping and giving it up. The page does the work too, so that it ends.

The other modules tell what a kind is called, and where a fault's item is to be seen, with `describe`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from queues import batches, bulk
from queues.admin.writing import WrittenAdmin
from queues.exceptions import CrowdError
from queues.models import Batch
from queues.people import shown
from queues.states import BATCH_TRANSITIONS, BatchStatus

FAULTS_SHOWN = 100


@dataclass(frozen=True)
class Kind:
    """What a kind of batch is called. `item` is what a fault's item is, `url_name` where it is shown, if anywhere."""

    label: Any
    item: Any
    url_name: str = ""


KINDS: dict[str, Kind] = {}


def describe(kind: str, *, label: Any, item: Any, url_name: str = "") -> None:
    """Say what a kind of batch is about, for its page."""
    KINDS[kind] = Kind(label, item, url_name)


for kind, label in (
    (bulk.CANCEL, _("cancel tasks")),
    (bulk.PRIORITISE, _("change priorities")),
    (bulk.RETARGET, _("retarget tasks")),
):
    describe(kind, label=label, item=_("task"), url_name="admin:crowd_queues_task_change")


@admin.register(Batch)
class BatchAdmin(WrittenAdmin):
    """Who planned a batch sees and steers it; so do those with Django's permission to change batches."""

    list_display = ["id", "what", "state", "items", "creator", "created_at", "ended_at"]
    list_select_related = ["created_by", "queue"]
    list_filter = ["status"]
    change_form_template = "admin/crowd_queues/batch/change_form.html"
    fields = ["what", "queue", "parameters_shown", "whole", "creator", "created_at", "ended_at"]

    @admin.display(description=_("what"))
    def what(self, batch: Batch) -> str:
        return str(KINDS[batch.kind].label) if batch.kind in KINDS else batch.kind

    @admin.display(description=_("state"))
    def state(self, batch: Batch) -> str:
        return format_html('<span class="crowd-badge crowd-{}">{}</span>', batch.status.lower(), state_of(batch))

    @admin.display(description=_("planned by"))
    def creator(self, batch: Batch) -> str:
        return shown(batch.created_by)

    @admin.display(description=_("parameters"))
    def parameters_shown(self, batch: Batch) -> str:
        shown = {key: value for key, value in batch.parameters.items() if isinstance(value, str | int) and value != ""}
        return "; ".join(f"{key.replace('_', ' ')}: {value}" for key, value in shown.items()) or "–"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _planned(request, obj) or super().has_view_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _planned(request, obj) or super().has_change_permission(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields

    def get_urls(self) -> list[Any]:
        moves: dict[str, Callable[..., Any]] = {"start": batches.start, "stop": batches.stop, "give-up": batches.cancel}
        own = [
            path(
                f"<int:batch_id>/{name}/",
                self.admin_site.admin_view(self._mover(move)),
                name=f"crowd_queues_batch_{name.replace('-', '_')}",
            )
            for name, move in moves.items()
        ]
        step = path("<int:batch_id>/step/", self.admin_site.admin_view(self.step_view), name="crowd_queues_batch_step")
        return [*own, step, *super().get_urls()]

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], **kwargs: Any) -> Any:  # type: ignore[override]
        batch = kwargs["obj"]
        found = batches.progress(batch)
        known = KINDS.get(batch.kind, Kind(batch.kind, _("item")))
        faults = [*batch.faults, *found.faults]
        allowed = BATCH_TRANSITIONS[BatchStatus(batch.status)] if self.has_change_permission(request, batch) else set()
        context |= {
            "numbers": numbers(batch, found),
            "faults": [(fault, _link(self, known, fault["item"])) for fault in faults[:FAULTS_SHOWN]],
            "faults_more": len(faults) > FAULTS_SHOWN,
            "item": known.item,
            "steps": batch.status == BatchStatus.RUNNING and bool(allowed),
            "may_start": BatchStatus.RUNNING in allowed,
            "may_stop": BatchStatus.STOPPED in allowed,
            "may_give_up": BatchStatus.CANCELED in allowed,
            "show_save": False,
            "show_save_and_continue": False,
            "title": _now("Batch %(id)s: %(what)s") % {"id": batch.pk, "what": self.what(batch)},
            "subtitle": None,
        }
        return super().render_change_form(request, context, **kwargs)

    def step_view(self, request: HttpRequest, batch_id: int) -> HttpResponse:
        """Do a part, and tell how far it is: as JSON where that is asked for, else by the page itself."""
        batch = self._steered(request, batch_id)
        if request.method == "POST":
            batches.work(batch_id=batch.pk)
            batch.refresh_from_db()
        if request.accepts("text/html"):
            return self.back(batch)
        return JsonResponse(numbers(batch, batches.progress(batch)))

    def _mover(self, move: Callable[..., Any]) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, batch_id: int) -> HttpResponse:
            batch = self._steered(request, batch_id)
            if request.method == "POST":
                try:
                    move(batch_id=batch.pk)
                except CrowdError as refused:
                    self.message_user(request, refused.detail, messages.ERROR)
            return self.back(batch)

        return view

    def _steered(self, request: HttpRequest, batch_id: int) -> Batch:
        batch = get_object_or_404(Batch, pk=batch_id)
        if not self.has_change_permission(request, batch):
            raise PermissionDenied
        return batch


def _planned(request: HttpRequest, batch: Any) -> bool:
    return batch is not None and batch.created_by_id == request.user.pk


def _link(model_admin: BatchAdmin, kind: Kind, item: Any) -> str:
    if not kind.url_name or item is None:
        return ""
    return reverse(kind.url_name, args=[item], current_app=model_admin.admin_site.name)


def state_of(batch: Batch) -> str:
    """The batch's state, in a word."""
    return str(BatchStatus(batch.status).label)


def numbers(batch: Batch, found: batches.Progress) -> dict[str, Any]:
    """What the page shows and its script renews: counts of items, texts, and whether anything is left to do."""
    refused = found.done - found.changed
    return {
        "done": found.done,
        "items": batch.items,
        "changed": found.changed,
        "refused": refused,
        "state": state_of(batch),
        "running": batch.status == BatchStatus.RUNNING,
        "text": _now("%(done)s of %(items)s done: %(changed)s changed, %(refused)s refused.")
        % {
            "done": localize(found.done),
            "items": localize(batch.items),
            "changed": localize(found.changed),
            "refused": localize(refused),
        },
    }
