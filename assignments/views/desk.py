"""The desk: a reviewer's queues, and what they did."""

import json
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assignments import desk as reading
from assignments import done as doings
from assignments.models import Assignment
from assignments.views.filters import DoneForm
from assignments.views.sentences import WORKBENCH

ANSWER_SHOWN = 80


@never_cache
@login_required
@require_safe
def desk(request: HttpRequest) -> HttpResponse:
    """My queues. The page's script fetches it again now and then and takes over what has changed."""
    return render(request, "assignments/desk.html", {"desk": reading.of_user(request.user)})


@never_cache
@login_required
@require_safe
def done(request: HttpRequest) -> HttpResponse:
    """What I did. A filter that cannot be read answers 400, with what could be read of it."""
    form = DoneForm(request.GET, queues=doings.queues(request.user))
    status = 200 if form.is_valid() else 400
    page = doings.page(request.user, wanted=form.wanted(), before=form.cleaned_data.get("before"))
    context = {
        "form": form,
        "page": page,
        "rows": [(row, short(row.data)) for row in page.rows],
        "filtered": bool(form.wanted()),
        "begun": form.cleaned_data.get("before") is not None,
    }
    return render(request, "assignments/done.html", context, status=status)


@never_cache
@login_required
@require_safe
def done_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """One thing I did, in full; somebody else's is a 404."""
    try:
        detail = doings.detail(request.user, pk)
    except Assignment.DoesNotExist:
        raise Http404 from None
    assignment = detail.assignment
    context = {
        "detail": detail,
        "data": {
            "input": assignment.task.input_data,
            "inputSchema": assignment.queue.input_schema,
            "answer": assignment.data,
            "answerSchema": assignment.queue.output_schema,
        },
        "texts": WORKBENCH,
        "input": pretty(assignment.task.input_data),
        "answer": pretty(assignment.data),
    }
    return render(request, "assignments/done_detail.html", context)


def short(data: Any) -> str:
    """An answer in a line of at most ANSWER_SHOWN characters."""
    parts = [f"{key}: {_word(value)}" for key, value in data.items()] if isinstance(data, dict) else [_word(data)]
    text = ", ".join(parts)
    return text if len(text) <= ANSWER_SHOWN else f"{text[: ANSWER_SHOWN - 1]}…"


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def pretty(data: Any) -> str:
    """JSON to read, for where there are no scripts."""
    return json.dumps(data, ensure_ascii=False, indent=2)
