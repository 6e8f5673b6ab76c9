"""A reviewer's own numbers, as a table and as plots."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from assignments import done
from assignments import metrics as numbers
from assignments.models import Reviewer
from assignments.views.filters import MetricsForm
from assignments.views.vendor import library

NOTHING = "–"
DAY = 24 * 3600


@dataclass(frozen=True)
class Line:
    """A row of the table: its name and its cells, all to read."""

    name: str
    cells: list[str]
    is_idle: bool


@never_cache
@login_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """My numbers. A choice that cannot be read answers 400, with the usual numbers."""
    form = MetricsForm(request.GET, queues=done.queues(request.user))
    status = 200 if form.is_valid() else 400
    period = form.period_wanted()
    reviewer = Reviewer.objects.filter(user=request.user.pk).first() or Reviewer(pk=0)
    found = numbers.of_reviewer(reviewer, period=period, queue=form.cleaned_data.get("queue"))
    context = {
        "form": form,
        "period": period,
        "metrics": found,
        "lines": [_line(row, _name(row, period)) for row in found.rows],
        "total": _line(found.total, ""),
        "plots": _plots(found),
        "library": {"script": library("uplot.js"), "style": library("uplot.css")},
    }
    return render(request, "assignments/metrics.html", context, status=status)


def span(seconds: float | None) -> str:
    """A duration to read, with its two largest units: "0.8 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 1 h"."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return _("%(n)s s") % {"n": f"{seconds:.1f}".removesuffix(".0")}
    whole = round(seconds)
    if whole < 60:
        return _("%(n)s s") % {"n": whole}
    if whole < 3600:
        return _("%(n)s min %(rest)s s") % {"n": whole // 60, "rest": whole % 60}
    if whole < DAY:
        return _("%(n)s h %(rest)s min") % {"n": whole // 3600, "rest": whole % 3600 // 60}
    return _("%(n)s d %(rest)s h") % {"n": whole // DAY, "rest": whole % DAY // 3600}


def _name(row: numbers.Row, period: str) -> str:
    if period == "month":
        return date_format(row.start, "F Y")
    if period == "week":
        last = row.end - timedelta(days=1)
        return f"{date_format(row.start, 'j M')} – {date_format(last, 'j M')}"
    return date_format(row.start, "D j M")


def _line(row: numbers.Row, name: str) -> Line:
    cells = [
        f"{row.completed:,}",
        f"{row.skipped:,}",
        f"{row.expired:,}",
        NOTHING if row.skip_rate is None else f"{row.skip_rate:.0%}",
        span(row.handling_median),
        span(row.handling_p95),
        span(row.response_median),
        span(row.response_p95),
        span(row.active_seconds),
        span(row.slack_seconds),
    ]
    return Line(name, cells, is_idle=not (row.completed or row.skipped or row.expired or row.active_seconds))


def _plots(found: numbers.Metrics) -> dict[str, list[Any]]:
    """The columns of the plots, oldest period first; times in seconds since 1970."""
    rows = found.rows[::-1]
    columns = ("completed", "skipped", "expired", "handling_median", "handling_p95")
    return {"start": [row.start.timestamp() for row in rows]} | {
        name: [getattr(row, name) for row in rows] for name in columns
    }
