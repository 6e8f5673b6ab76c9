"""Exporting a queue's answers: choose what, and the file is streamed."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django import forms
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from assignments.answers import Export
from queues.admin.access import operates
from queues.admin.tools import Tool, add_tool, tool_context
from queues.models import Queue

CHUNK = 64 * 1024
"""Characters that are sent at once, after the first line, which goes alone."""

TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}


def _day(label: Any, help_text: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, help_text=help_text, widget=widget, required=False)


class ExportForm(forms.Form):
    """Which rows, and in which form. Days are those of UTC."""

    per = forms.ChoiceField(
        label=_("One row for each"), choices=[("task", _("Task")), ("judgment", _("Judgment"))], initial="task"
    )
    format = forms.ChoiceField(
        label=_("Format"), choices=[("csv", _("Table (CSV)")), ("jsonl", _("JSON Lines"))], initial="csv"
    )
    state = forms.ChoiceField(
        label=_("Tasks"),
        choices=[
            ("finished", _("Finished")),
            ("closed", _("Finished, canceled or expired")),
            ("all", _("All, open ones too")),
        ],
        initial="finished",
        help_text=_("Judgments are exported whatever became of their task."),
    )
    since = _day(_("Finished from"), _("The day in UTC; empty: from the beginning."))
    until = _day(_("Finished until"), _("This day included; empty: until now."))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        since, until = cleaned.get("since"), cleaned.get("until")
        if since and until and until < since:
            self.add_error("until", _("This day is before the first one."))
        return cleaned

    def export(self, queue: Queue) -> Export:
        chosen = dict(self.cleaned_data)
        since, until = chosen.pop("since"), chosen.pop("until")
        return Export(
            queue=queue,
            since=since and datetime.combine(since, time.min, UTC),
            until=until and datetime.combine(until, time.min, UTC) + timedelta(days=1),
            **chosen,
        )


def may_export(request: HttpRequest, queue: Queue) -> bool:
    """Operators, and staff who may see every task; from a deleted queue too, whose answers stay."""
    return operates(request) or request.user.has_perm("crowd_queues.view_task")


def export_page(model_admin: Any, request: HttpRequest, queue: Queue) -> HttpResponseBase:
    """The form; and the file, once something is chosen."""
    form = ExportForm(request.GET if "format" in request.GET else None)
    if form.is_bound and form.is_valid():
        export = form.export(queue)
        response = StreamingHttpResponse(streamed(request, export.lines()), content_type=TYPES[export.format])
        response["Content-Disposition"] = f'attachment; filename="{export.file_name(timezone.now())}"'
        # A proxy that gathers the whole answer first would make the reader wait, and would need the room.
        response["X-Accel-Buffering"] = "no"
        response["Cache-Control"] = "no-store"
        return response
    context = tool_context(model_admin, request, queue, title=_("Export answers"))
    context["form"] = form
    return TemplateResponse(request, "admin/crowd_assignments/queue/export.html", context)


def streamed(request: HttpRequest, lines: Iterator[str]) -> Iterator[bytes] | AsyncIterator[bytes]:
    """The bytes of a file of these lines, in the form that the server takes without gathering them."""
    chunks = _chunks(lines)
    return _awaited(chunks) if isinstance(request, ASGIRequest) else chunks


def _chunks(lines: Iterator[str]) -> Iterator[bytes]:
    gathered, size = [], CHUNK
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= CHUNK:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    yield "".join(gathered).encode()


async def _awaited(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    following = sync_to_async(lambda: next(chunks, None))
    while (chunk := await following()) is not None:
        yield chunk


add_tool(Tool(label=_("Export answers"), name="export", view=export_page, allowed=may_export))
