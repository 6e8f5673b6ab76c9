"""Reading answers out, for exports: one row a task or one row a judgment, as JSON objects or as the rows of a table.

A row is an object; the table is its flattening, so that both name things alike. A task's row holds the members with
which it could be posted again (`input_data`, `output_data`, `topic`, `priority`, `global_keys`), and what cannot be set
under `task`.

Rows are read by their ids, a window at a time, each in a statement of its own: memory stays constant, no transaction
is open while the reader dawdles, and no statement grows with the queue.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from assignments.models import Assignment
from assignments.states import AssignmentStatus
from queues.csvjson import Columns, compact, guarded
from queues.models import Queue, Task
from queues.moments import show
from queues.people import email_of
from queues.states import CLOSED, TaskStatus

PER = ("task", "judgment")
FORMATS = ("csv", "jsonl")
STATES = {"finished": (TaskStatus.FINISHED,), "closed": CLOSED, "all": tuple(TaskStatus)}
"""Which tasks are asked for: with an answer, ended in any way, or every one."""

WINDOW = 500
"""Rows that one statement looks at."""

_BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is exported: rows of `queue` `per` task or judgment, finished in [`since`, `until`).

    `state` is one of STATES, for tasks only; what is still open counts by its last change.
    """

    queue: Queue
    per: str = "task"
    format: str = "csv"
    state: str = "finished"
    since: datetime | None = None
    until: datetime | None = None

    def file_name(self, now: datetime) -> str:
        """Such as `digits-answers-2027-03-01.csv`."""
        what = "answers" if self.per == "task" else "judgments"
        return f"{self.queue.name}-{what}-{now:%Y-%m-%d}.{self.format}"

    def rows(self, seen: Callable[[int], object] = lambda count: None) -> Iterator[dict[str, Any]]:
        """The rows as JSON objects. `seen(n)` tells that n more rows of the queue were looked at."""
        if self.per == "judgment":
            answers = Assignment.objects.filter(queue=self.queue, status=AssignmentStatus.FINISHED)
            yield from self._read(answers, "ended_at", ["reviewer__user"], judgment_row, seen)
            return
        for status in STATES[self.state]:
            judgments = Assignment.objects.filter(task=OuterRef("pk"), status=AssignmentStatus.FINISHED)
            count = judgments.order_by().values("task").annotate(n=Count("pk")).values("n")
            tasks = Task.objects.filter(queue=self.queue, status=status).annotate(
                judgments=Coalesce(Subquery(count), 0)
            )
            yield from self._read(tasks, "updated_at", ["requester", "reviewer"], task_row, seen)

    def _read(
        self,
        rows: QuerySet[Any],
        ended: str,
        related: list[str],
        row: Callable[[Any], dict[str, Any]],
        seen: Callable[[int], object],
    ) -> Iterator[dict[str, Any]]:
        within = {f"{ended}__gte": self.since, f"{ended}__lt": self.until}
        wanted = rows.filter(**{name: moment for name, moment in within.items() if moment is not None})
        last = 0
        # The window is bounded by ids alone: one without any row in the time asked for ends as soon as the others.
        while ids := list(rows.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:WINDOW]):
            window = wanted.filter(pk__gt=last, pk__lte=ids[-1]).order_by("pk").select_related(*related)
            yield from map(row, window)
            last = ids[-1]
            seen(len(ids))

    def lines(self, seen: Callable[[int], object] = lambda count: None) -> Iterator[str]:
        """The export as text, a line at a time (a row of a table may hold line ends)."""
        if self.format == "jsonl":
            for row in self.rows(seen):
                yield compact(row) + "\n"
            return
        layout = _layout(self)
        table = csv.writer(_Passing(), quoting=csv.QUOTE_ALL)
        # The mark tells spreadsheets that this is UTF-8.
        yield _BOM + table.writerow([name for column in layout for name in column.header])
        for row in self.rows(seen):
            yield table.writerow([cell for column in layout for cell in column.cells(row)])


def task_row(task: Any) -> dict[str, Any]:
    """One task, annotated with the number of its `judgments`."""
    closed = task.status in CLOSED
    return {
        "task": {
            "id": task.pk,
            "status": task.status,
            "created_at": show(task.created_at),
            "finished_at": show(task.updated_at) if closed else None,
            "requester": email_of(task.requester),
            "reviewer": email_of(task.reviewer) if task.reviewer else None,
            "judgments": task.judgments,
        },
        "topic": task.topic,
        "priority": task.priority,
        "global_keys": task.global_keys,
        "input_data": task.input_data,
        "output_data": task.output_data,
    }


def judgment_row(assignment: Assignment) -> dict[str, Any]:
    """One answer of one reviewer."""
    return {
        "assignment": {
            "id": assignment.pk,
            "reviewer": email_of(assignment.reviewer.user),
            "handed_out_at": show(assignment.created_at),
            "finished_at": show(assignment.ended_at),
        },
        "task": {"id": assignment.task_id},
        "data": assignment.data,
    }


class _Passing:
    """A file for csv.writer whose write gives the text back."""

    def write(self, text: str) -> str:
        return text


@dataclass(frozen=True)
class _Plain:
    """Columns of the members of a row that are single values."""

    outer: str
    names: tuple[str, ...]

    @property
    def header(self) -> list[str]:
        return [f"{self.outer}.{name}" if self.outer else name for name in self.names]

    def cells(self, row: dict[str, Any]) -> list[str]:
        values = row[self.outer] if self.outer else row
        return [_plain(values[name]) for name in self.names]


@dataclass(frozen=True)
class _Member:
    """The columns of a member of a row that is any JSON value."""

    columns: Columns

    @property
    def header(self) -> list[str]:
        return self.columns.header

    def cells(self, row: dict[str, Any]) -> list[str]:
        return self.columns.cells(row[self.columns.name])


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return guarded(_several(value))
    return guarded(value) if isinstance(value, str) else str(value)


def _several(values: list[str]) -> str:
    """Texts in one cell: separated by semicolons, or as a JSON list where that would tear one apart."""
    joined = ";".join(values)
    is_plain = all(value and ";" not in value and not any(map(str.isspace, value)) for value in values)
    return joined if is_plain and not joined.startswith("[") else compact(values)


def _layout(export: Export) -> list[_Plain | _Member]:
    queue = export.queue
    if export.per == "judgment":
        return [
            _Plain("assignment", ("id", "reviewer", "handed_out_at", "finished_at")),
            _Plain("task", ("id",)),
            _Member(Columns("data", queue.output_schema)),
        ]
    return [
        _Plain("task", ("id", "status", "created_at", "finished_at", "requester", "reviewer", "judgments")),
        _Plain("", ("topic", "priority", "global_keys")),
        _Member(Columns("input_data", queue.input_schema)),
        _Member(Columns("output_data", queue.output_schema)),
    ]
