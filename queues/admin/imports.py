"""Importing tasks into a queue: choose a file, look at what the check found, start or give up."""

import csv
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from queues import batches, csvjson, imports
from queues.admin.access import operates
from queues.admin.batch import describe
from queues.admin.tools import Tool, add_tool, tool_context
from queues.exceptions import CrowdError
from queues.models import Batch, Queue
from queues.states import BatchStatus
from queues.taskfiles import FORMATS, FileRefused

FILE_MAX = 50 * 1024 * 1024
LINES_MAX = 50_000
"""What is checked within one request; the command import_tasks knows no limit."""

FIRST = 10
SHOWN = 300
"""Characters of a task's input in the preview."""


class ImportForm(forms.Form):
    """A file, and how to read it."""

    file = forms.FileField(
        label=_("File"),
        allow_empty_file=True,
        help_text=_("JSON Lines, or a table as CSV, in UTF-8: up to %(size)s MiB and %(lines)s lines.")
        % {"size": FILE_MAX // 2**20, "lines": f"{LINES_MAX:,}"},
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.ndjson,.json,.csv,.tsv,.txt"}),
    )
    format = forms.ChoiceField(
        label=_("Format"),
        required=False,
        choices=[("", _("Found from the file")), ("jsonl", _("JSON Lines")), ("csv", _("Table (CSV)"))],
    )

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > FILE_MAX:
            sentence = _now("The file has %(size)s MiB; here it may have %(most)s. Use the command import_tasks.")
            raise forms.ValidationError(sentence % {"size": f"{file.size / 2**20:.1f}", "most": FILE_MAX // 2**20})
        return file


def may_import(request: HttpRequest, queue: Queue) -> bool:
    """Operators, and staff who may add tasks; never into a deleted queue."""
    permitted = operates(request) or request.user.has_perm("crowd_queues.add_task")
    return permitted and queue.archived_at is None


def import_page(model_admin: Any, request: HttpRequest, queue: Queue) -> HttpResponseBase:
    """Take a file and check it; nothing is created."""
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if form.is_bound and form.is_valid() and (batch := _check(form, request, queue)) is not None:
        return HttpResponseRedirect(f"{_url(model_admin, 'queue_import-check', queue.pk)}?batch={batch.pk}")
    context = tool_context(model_admin, request, queue, title=_("Import tasks"))
    members = list(csvjson.Columns("input_data", queue.input_schema).members)
    context |= {"form": form, "members": members, "example": next(iter(members), "image_url")}
    return TemplateResponse(request, "admin/crowd_queues/queue/import.html", context)


def _check(form: ImportForm, request: HttpRequest, queue: Queue) -> Batch | None:
    file = form.cleaned_data["file"]
    format = form.cleaned_data["format"] if form.cleaned_data["format"] in FORMATS else None
    try:
        with imports.check(queue=queue, file=file.file, format=format, lines_max=LINES_MAX) as checked:
            return imports.plan(queue=queue, checked=checked, actor=request.user, file_name=file.name)
    except FileRefused as refused:
        form.add_error("file", refused.detail)
        return None


def check_page(model_admin: Any, request: HttpRequest, queue: Queue) -> HttpResponseBase:
    """What the check found, and the choice: all or nothing, good lines only, or give up."""
    batch = _draft(request, queue)
    batch_page = _url(model_admin, "batch_change", batch.pk)
    if request.method == "POST":
        try:
            if "give-up" in request.POST:
                batches.cancel(batch_id=batch.pk)
                model_admin.message_user(request, _("The import was given up; nothing was created."), messages.SUCCESS)
                return HttpResponseRedirect(_url(model_admin, "queue_change", queue.pk))
            if batch.items and _chosen(request, batch):
                batches.start(batch_id=batch.pk, whole=request.POST["how"] == "whole")
                return HttpResponseRedirect(batch_page)
            model_admin.message_user(request, _("Choose what is to be imported."), messages.ERROR)
        except CrowdError as refused:
            model_admin.message_user(request, refused.detail, messages.ERROR)
            return HttpResponseRedirect(batch_page)
    elif batch.status != BatchStatus.DRAFT:
        return HttpResponseRedirect(batch_page)
    context = tool_context(model_admin, request, queue, title=_("Check of %(file)s") % batch.parameters)
    context |= {
        "batch": batch,
        "found": batch.parameters,
        "notes": _notes(batch),
        "first": [_shown(item) for item in imports.first_items(batch, FIRST)],
        "faults_address": f"{_url(model_admin, 'queue_import-faults', queue.pk)}?batch={batch.pk}",
        "import_address": _url(model_admin, "queue_import", queue.pk),
    }
    return TemplateResponse(request, "admin/crowd_queues/queue/import_check.html", context)


def faults_file(model_admin: Any, request: HttpRequest, queue: Queue) -> HttpResponseBase:
    """The bad lines as a table."""
    batch = _draft(request, queue)
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{queue.name}-bad-lines-{batch.pk}.csv"'
    table = csv.writer(response, quoting=csv.QUOTE_ALL)
    table.writerow(["line", "fault"])
    table.writerows([fault["item"], csvjson.guarded(fault["detail"])] for fault in batch.faults)
    return response


def _draft(request: HttpRequest, queue: Queue) -> Batch:
    """The import that the address names, of this queue and planned by this user (or any, for operators)."""
    number = request.GET.get("batch", "")
    found = Batch.objects.filter(kind=imports.KIND, queue=queue)
    if not operates(request):
        found = found.filter(created_by=request.user)  # type: ignore[misc]
    batch = found.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
    if batch is None:
        raise Http404
    return batch


def _chosen(request: HttpRequest, batch: Batch) -> bool:
    how = request.POST.get("how")
    return how == "good" or (how == "whole" and not batch.faults_total)


def _url(model_admin: Any, name: str, pk: int) -> str:
    return reverse(f"admin:crowd_queues_{name}", args=[pk], current_app=model_admin.admin_site.name)


def _notes(batch: Batch) -> list[str]:
    """Sentences about columns, keys and answers that the person who imports should read."""
    found, notes = batch.parameters, []
    columns = found.get("columns") or []
    members = ", ".join(note["column"] for note in columns if note["kind"] == "member")
    ignored = ", ".join(note["column"] for note in columns if note["kind"] == "ignored")
    if members:
        notes.append(_now("Columns taken as members of the input: %(names)s.") % {"names": members})
    if ignored:
        notes.append(_now("Columns passed over, as they come from an export: %(names)s.") % {"names": ignored})
    for note in columns:
        if note["kind"] == "hint":
            sentence = _now(
                "The column “%(column)s” became a member of the input. Did you mean the field “%(meaning)s”?"
            )
            notes.append(sentence % note)
    for name, sentence in (
        ("finished", _now("%(count)s tasks bring their answer along: they are finished at once, and nobody is asked.")),
        ("doubled_keys", _now("%(count)s global keys stand on more than one line. That is allowed.")),
        ("known_keys", _now("%(count)s of the global keys are those of tasks that exist already. That is allowed.")),
    ):
        if found.get(name):
            notes.append(sentence % {"count": f"{found[name]:,}"})
    return notes


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    """A planned task for the preview: its line, its input and its other fields, in short."""
    task = dict(item["task"])
    text = csvjson.compact(task.pop("input_data"))
    return {
        "line": item["line"],
        "input": text if len(text) <= SHOWN else text[:SHOWN] + "…",
        "fields": [
            (name, value if isinstance(value, str | int) else csvjson.compact(value)[:SHOWN])
            for name, value in task.items()
        ],
    }


describe(imports.KIND, label=_("import tasks"), item=_("line"))
add_tool(Tool(label=_("Import tasks"), name="import", view=import_page, allowed=may_import))
add_tool(Tool(label=_("Check"), name="import-check", view=check_page, allowed=may_import, shown=False))
add_tool(Tool(label=_("Bad lines"), name="import-faults", view=faults_file, allowed=may_import, shown=False))
