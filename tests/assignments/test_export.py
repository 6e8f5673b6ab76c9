"""Exporting answers: every value comes out, no cell is a formula, and what came out can be imported again."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments import answers, lifecycle
from assignments.answers import Export
from queues import imports
from queues.models import Queue, Task
from queues.taskfiles import TaskFile
from tests import cast
from tests.plans import prefer_indexes

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)

INPUT = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "n": {"type": "number"},
        "tags": {"type": "array"},
        "maybe": {"type": ["string", "null"]},
        "a.b": {"type": "string"},
    },
}

INPUTS = [
    {"text": "plain", "n": 5, "tags": ["x", {"y": None}]},
    {"text": '=HYPERLINK("x")', "n": -1.5},
    {"text": "'=1", "maybe": None, "extra": "@x"},
    {"text": "", "maybe": "", "a.b": "dotted"},
    {"text": "two\r\nlines, \"quoted\"; 'so'", "maybe": "null"},
    {"text": "-5", "n": -5},
    {"text": 5, "n": "five"},
    {},
    ["a", "list"],
    "=text",
    "\tü",
    True,
]


def answered(queue, data, *, by="alice", now=NOW):
    """The answer to the next task that `by` is handed."""
    membership = queue.memberships.filter(user=cast.person(by), role="reviewer").first() or cast.join(queue, by)
    (held,) = cast.grab(membership, now=now).assignments
    return lifecycle.finalize(assignment_id=held.pk, actor=cast.person(by), data=data, now=now)


def table(export):
    """The rows of a CSV export, read as a spreadsheet's dialect, without its mark."""
    text = "".join(export.lines())
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline=""), dialect="excel", strict=True))


def objects(export):
    return [json.loads(line) for line in export.lines()]


def test_a_task_is_a_row_with_its_answer():
    queue = cast.queue(output_schema={"type": "object", "properties": {"label": {"type": "string"}}})
    (task,) = cast.post(queue, topic="fr", priority=7, global_keys=("a", "b"), now=NOW)
    answered(queue, {"label": "=7", "sure": True}, now=NOW + timedelta(seconds=5))
    (row,) = table(Export(queue=queue))
    assert row == {
        "task.id": str(task.pk),
        "task.status": "FINISHED",
        "task.created_at": "2027-03-01T12:00:00Z",
        "task.finished_at": "2027-03-01T12:00:05Z",
        "task.requester": "rick@example.org",
        "task.reviewer": "alice@example.org",
        "task.judgments": "1",
        "topic": "fr",
        "priority": "7",
        "global_keys": "a;b",
        "input_data": '{"n":0}',
        "output_data.label": "'=7",
        "output_data": '{"sure":true}',
    }
    (shown,) = objects(Export(queue=queue, format="jsonl"))
    assert shown["task"]["id"] == task.pk
    assert shown["output_data"] == {"label": "=7", "sure": True}


def test_a_judgment_is_a_row():
    queue = cast.queue(judgments_per_task=2)
    (task,) = cast.post(queue, now=NOW)
    answered(queue, {"a": 1}, by="alice")
    answered(queue, {"a": 2}, by="bob")
    rows = table(Export(queue=queue, per="judgment"))
    assert [(row["assignment.reviewer"], row["data"]) for row in rows] == [
        ("alice@example.org", '{"a":1}'),
        ("bob@example.org", '{"a":2}'),
    ]
    assert {row["task.id"] for row in rows} == {str(task.pk)}
    assert {row["assignment.finished_at"] for row in rows} == {"2027-03-01T12:00:00Z"}


def test_rows_are_chosen_by_state():
    queue = cast.queue()
    cast.post(queue, 2, now=NOW)
    answered(queue, 1)
    assert len(objects(Export(queue=queue, format="jsonl"))) == 1
    assert len(objects(Export(queue=queue, format="jsonl", state="closed"))) == 1
    found = objects(Export(queue=queue, format="jsonl", state="all"))
    assert sorted(row["task"]["status"] for row in found) == ["AVAILABLE", "FINISHED"]


@pytest.mark.parametrize("per", ["task", "judgment"])
def test_rows_are_chosen_by_when_they_were_finished(per):
    queue = cast.queue()
    cast.post(queue, 3, now=NOW)
    for hours in (1, 2, 3):
        answered(queue, hours, now=NOW + timedelta(hours=hours))
    export = Export(
        queue=queue, per=per, format="jsonl", since=NOW + timedelta(hours=2), until=NOW + timedelta(hours=3)
    )
    assert [row.get("output_data", row.get("data")) for row in objects(export)] == [2]


def test_what_is_exported_can_be_imported_again():
    queue = cast.queue(input_schema=None)
    # Also what an older schema let in is there to be exported.
    for value in INPUTS:
        cast.post(queue, input_data=value)
    Queue.objects.filter(pk=queue.pk).update(input_schema=INPUT)
    queue.refresh_from_db()
    for format in answers.FORMATS:
        text = "".join(Export(queue=queue, format=format, state="all").lines()).encode()
        lines = list(TaskFile(io.BytesIO(text), queue))
        assert [line.faults for line in lines] == [()] * len(INPUTS)
        assert [line.members["input_data"] for line in lines] == INPUTS


def test_an_export_that_is_imported_makes_the_same_tasks():
    queue, copy = (cast.queue(name, input_schema=INPUT) for name in ("digits", "copy"))
    cast.post(queue, input_data=INPUTS[0], topic="-fr", global_keys=("a b", "=c"), now=NOW)
    answered(queue, {"label": "@7"})
    text = "".join(Export(queue=queue).lines()).encode()
    with imports.check(queue=copy, file=io.BytesIO(text)) as checked:
        batch = imports.plan(
            queue=copy, checked=checked, actor=cast.person("mia"), file_name="x", draft=False, whole=True
        )
    imports.batches.work(batch_id=batch.pk)
    fields = ("status", "topic", "global_keys", "input_data", "output_data")
    assert (
        Task.objects.filter(queue=copy).values(*fields).get() == Task.objects.filter(queue=queue).values(*fields).get()
    )


def test_no_cell_is_a_formula():
    queue = cast.queue()
    cast.post(queue, topic="=1+1", input_data="=cmd", global_keys=("@key",))
    (row,) = table(Export(queue=queue, state="all"))
    assert (row["topic"], row["global_keys"], row["input_data"]) == ("'=1+1", "'@key", '\'"=cmd"')


def test_rows_come_window_by_window(monkeypatch):
    monkeypatch.setattr(answers, "WINDOW", 2)
    queue = cast.queue()
    cast.post(queue, 5)
    seen = []
    with CaptureQueriesContext(
        connection,
    ) as asked:
        rows = Export(queue=queue, state="all").rows(seen.append)
        next(rows)
        begun = len(asked)
        assert len(list(rows)) == 4
    assert seen == [2, 2, 1]
    assert begun <= 4 < len(asked)


@pytest.mark.only("postgresql")
def test_a_window_is_found_by_an_index():
    queue = cast.queue()
    cast.post(queue, 300, output_data=1)
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as asked:
        list(Export(queue=queue).rows())
        statement = next(query["sql"] for query in asked if "LIMIT" in query["sql"])
        prefer_indexes(Task)
        cursor.execute(f"EXPLAIN {statement}")
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert "Index" in plan
    assert "Sort" not in plan


def test_the_command_writes_a_file_that_is_whole(tmp_path):
    queue = cast.queue()
    cast.post(queue, now=NOW)
    answered(queue, 1)
    target = tmp_path / "answers.jsonl"
    call_command("export_answers", "digits", format="jsonl", output=str(target), since=NOW, verbosity=0)
    assert json.loads(target.read_text())["output_data"] == 1
    assert list(tmp_path.iterdir()) == [target]


def test_the_command_leaves_no_half_of_a_file(tmp_path, monkeypatch):
    queue = cast.queue()
    cast.post(queue, 2)
    target = tmp_path / "answers.csv"
    target.write_text("of yesterday")

    def breaks(task):
        raise OSError("the disk is full")

    monkeypatch.setattr(answers, "task_row", breaks)
    with pytest.raises(OSError, match="full"):
        call_command("export_answers", "digits", state="all", output=str(target), verbosity=0)
    assert target.read_text() == "of yesterday"
    assert list(tmp_path.iterdir()) == [target]


def test_the_command_says_what_it_misses(tmp_path):
    cast.queue()
    with pytest.raises(CommandError, match="no queue 'nothing'"):
        call_command("export_answers", "nothing")
    with pytest.raises(CommandError, match="Must be a time"):
        call_command("export_answers", "digits", "--since", "yesterday")
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_answers", "digits", "--output", str(tmp_path / "no" / "where"))
