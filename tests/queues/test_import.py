"""Importing tasks from files: what is read, what is refused, and that whatever stops it, no line comes twice."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from queues import administration, batches, csvjson, imports, intake, taskfiles
from queues.models import Batch, BatchPart, Task
from queues.states import BatchStatus
from queues.taskfiles import FileRefused, TaskFile
from tests import cast

pytestmark = pytest.mark.django_db

NOW = datetime(2027, 3, 1, tzinfo=UTC)

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "n": {"$ref": "#/$defs/count"},
        "ok": {"type": "boolean"},
        "tags": {"type": "array"},
        "place": {"type": "object", "properties": {"x": {"type": "number"}, "name": {"type": "string"}}},
    },
    "$defs": {"count": {"type": "integer"}},
}


def read(text, queue=None, **fields):
    """The lines of a file, and the file."""
    raw = text if isinstance(text, bytes) else text.encode()
    file = TaskFile(io.BytesIO(raw), queue or cast.queue(**fields))
    return list(file), file


def check(text, queue, **call):
    """What a check finds, its lines closed."""
    raw = text if isinstance(text, bytes) else text.encode()
    with imports.check(queue=queue, file=io.BytesIO(raw), now=NOW, **call) as checked:
        return checked


def planned(text, queue, *, part=None, **call):
    """A batch of the file's good lines."""
    with imports.check(queue=queue, file=io.BytesIO(text.encode()), now=NOW) as checked:
        return imports.plan(queue=queue, checked=checked, actor=cast.person("mia"), file_name="x.csv", now=NOW, **call)


def work(batch, now=NOW):
    """Do a batch to its end."""
    while batches.work(batch_id=batch.pk, now=now):
        continue
    batch.refresh_from_db()


def inputs(queue):
    return [task.input_data for task in Task.objects.filter(queue=queue).order_by("id")]


def rows(count):
    return "n\n" + "".join(f"{n}\n" for n in range(count))


# Reading


def test_a_line_of_json_is_a_task():
    lines, file = read('\ufeff{"input_data": {"n": 1}, "topic": "fr"}\n\n{"input_data": 2}')
    assert [(line.number, line.members) for line in lines] == [
        (1, {"input_data": {"n": 1}, "topic": "fr"}),
        (3, {"input_data": 2}),
    ]
    assert file.format == "jsonl"


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('{"input_data": 1, "input_data": 2}', "same key twice"),
        ('{"input_data": NaN}', "not finite"),
        ('{"input_data": "\\u0000"}', "NUL"),
        ('{"input_data": "\\ud800"}', "surrogate"),
        ('{"input_data": ', "Expecting value at column"),
        (b'{"input_data": "\xe9"}', "not UTF-8 (byte 17)"),
        ('{"input_data": "' + "x" * taskfiles.MAX_LINE + '"}', "longer than 1 MiB"),
    ],
)
def test_a_bad_line_of_json_is_told_with_its_number(line, sentence):
    raw = line if isinstance(line, bytes) else line.encode()
    lines, _ = read(b'{"input_data": 1}\n' + raw + b'\n{"input_data": 3}\n')
    assert [line.number for line in lines] == [1, 2, 3]
    assert sentence in lines[1].faults[0]
    assert lines[2].members == {"input_data": 3}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_separator_is_found_from_the_header(delimiter):
    lines, _ = read(f'\ufeffurl{delimiter}priority\r\n"a,b;c\td"{delimiter}7\r\n')
    assert lines[0].members == {"input_data": {"url": "a,b;c\td"}, "priority": 7}


def test_rows_have_the_line_numbers_of_the_file():
    lines, _ = read('q\n"one\ntwo"\n\n"three"\n')
    assert [(line.number, line.members["input_data"]["q"]) for line in lines] == [(2, "one\ntwo"), (5, "three")]


def test_a_cell_is_text_unless_the_schema_wants_another_type():
    lines, _ = read(
        'text,n,ok,tags,place.x,input_data.place.name,other\n12,3,TRUE,"[1, ""a""]",1.5,Rome,4\n', input_schema=SCHEMA
    )
    assert lines[0].members["input_data"] == {
        "text": "12",
        "n": 3,
        "ok": True,
        "tags": [1, "a"],
        "place": {"x": 1.5, "name": "Rome"},
        "other": "4",
    }


def test_a_cell_of_another_type_is_told():
    lines, _ = read("n\nmany\n", input_schema=SCHEMA)
    assert lines[0].faults == (
        "n: The queue's schema wants integer here. “many” is not JSON: Expecting value at line 1, column 1.",
    )


def test_every_field_of_a_task_has_a_column():
    lines, _ = read(
        "input_data,topic,priority,target_reviewer,global_keys,exclude_reviewers,judgments_required,schedule_to,"
        "seconds_to_expire\n"
        '"{""a"": 1}",fr,10,alice@example.org,k1; k2,"[""bob@example.org""]",1,2027-04-01T00:00:00Z,60\n'
    )
    assert lines[0].members == {
        "input_data": {"a": 1},
        "topic": "fr",
        "priority": 10,
        "target_reviewer": "alice@example.org",
        "global_keys": ["k1", "k2"],
        "exclude_reviewers": ["bob@example.org"],
        "judgments_required": 1,
        "schedule_to": "2027-04-01T00:00:00Z",
        "seconds_to_expire": 60,
    }


def test_an_empty_cell_leaves_its_member_out():
    lines, _ = read("a,b,priority\n1,,\n")
    assert lines[0].members == {"input_data": {"a": "1"}}


def test_a_misspelt_field_is_a_member_of_the_input_and_gets_a_hint():
    _, file = read("url,Priorty\na,5\n")
    assert [(note.kind, note.column, note.meaning) for note in file.notes] == [
        ("member", "url", "input_data.url"),
        ("member", "Priorty", "input_data.Priorty"),
        ("hint", "Priorty", "priority"),
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\n\n", "The file is empty."),
        ("a\n1\n".encode("utf-16"), "UTF-16"),
        ("größe\n1\n".encode("latin-1"), "Line 1 is not UTF-8"),
        (b"https://example.org/1.png,5\n", "looks like data"),
        (b"a,,b\n", "column 2 has no name"),
        (b"a,input_data.a\n", "two columns for input_data.a"),
        (b"a,a.b\n", "lies within the column"),
        (b"priority,topic\n1,x\n", "no column is for the input"),
        (b"a..b\n", "empty part"),
        (b'[{"input_data": 1}]', "begins a list"),
        (b'"a\n1\n', "not closed"),
    ],
)
def test_what_is_no_file_of_tasks_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(FileRefused, match=sentence):
        read(text)


def test_a_header_alone_is_refused():
    with pytest.raises(FileRefused, match="no line with a task"):
        check("a,b\n", cast.queue())


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (b"1,2,3", "has 3 cells where the header has 2"),
        (b"1", "has 1 cells where the header has 2"),
        (b"\xe9,2", "Line 3 is not UTF-8"),
        (b'"a"b,2', "Behind a closing quotation mark"),
        (b"1,five", "priority: Must be a whole number."),
        (b"x" * (taskfiles.MAX_LINE + 1) + b",1", "longer than 1 MiB"),
    ],
)
def test_a_bad_row_is_told_and_the_next_is_read(row, sentence):
    lines, _ = read(b"a,priority\nfirst,1\n" + row + b"\nlast,2\n")
    assert [line.number for line in lines] == [2, 3, 4]
    assert sentence in lines[1].faults[0]
    assert lines[2].members == {"input_data": {"a": "last"}, "priority": 2}


def test_a_quotation_mark_that_is_never_closed_says_how_far_it_reaches():
    lines, _ = read('a,b\n1,2\n"3,4\n5,6\n')
    assert [line.number for line in lines] == [2, 3]
    assert "(line 4)" in lines[1].faults[0]


# Checking


def test_a_check_judges_as_the_intake_does():
    queue = cast.queue(input_schema=SCHEMA)
    cast.join(queue, "alice")
    lines = [
        {"input_data": {"n": 1}, "target_reviewer": "alice@example.org"},
        {"input_data": {"n": "x"}, "priority": 1},
        {"input_data": {}, "expire_at": "2027-02-01T00:00:00Z"},
        {"input_data": {}, "target_reviewer": "bob@example.org"},
        {"input_data": {}, "exclude_reviewers": ["nobody@example.org"]},
        {"topic": "x"},
        {"input_data": {}, "prority": 5, "topic": 1},
        {"input_data": {}, "expire_at": "tomorrow"},
    ]
    found = check("\n".join(map(json.dumps, lines)), queue)
    assert (found.good, found.bad) == (1, 7)
    assert [fault["item"] for fault in found.faults] == [2, 3, 4, 5, 6, 7, 8]
    details = [fault["detail"] for fault in found.faults]
    assert (
        details[0]
        == "input_data/n: Must be of type integer, not string; priority: Must be from 5 (most important) to 995"
    )
    assert details[1] == "expire_at: This time has passed."
    assert "bob@example.org is not exactly one active reviewer" in details[2]
    assert "There is no active user nobody@example.org." in details[3]
    assert details[4] == "input_data: A task needs its input."
    assert details[5] == "prority: Unknown field; did you mean priority?; topic: Must be text"
    assert details[6].startswith("expire_at: Must be a time with its offset")
    assert Task.objects.count() == 0


def test_a_check_mentions_global_keys_that_are_there_already():
    queue = cast.queue()
    cast.post(queue, global_keys=("old",))
    found = check("a,global_keys\n1,old\n2,new\n3,new\n", queue)
    assert (found.good, found.bad, found.known, found.doubled) == (3, 0, 1, 1)


def test_a_check_gives_up_on_a_file_of_bad_lines(monkeypatch):
    monkeypatch.setattr(imports, "BAD_LINES_MAX", 3)
    with pytest.raises(FileRefused, match="The first is line 2: "):
        check("n\n" + "x\n" * 10, cast.queue(input_schema=SCHEMA))


def test_a_check_stops_at_the_most_lines_it_may_read():
    with pytest.raises(FileRefused, match="more than 3 lines"):
        check(rows(4), cast.queue(), lines_max=3)


# Importing


def test_good_lines_become_tasks_of_who_planned_them():
    queue = cast.queue(input_schema=SCHEMA)
    batch = planned("n,priority,global_keys\n1,10,a\nx,1,b\n3,,\n", queue, draft=True)
    assert Task.objects.count() == 0
    batches.start(batch_id=batch.pk, whole=False)
    work(batch)
    assert (batch.status, batch.faults_total, batch.faults[0]["item"]) == (BatchStatus.FINISHED, 1, 3)
    first, second = Task.objects.order_by("id")
    assert (first.input_data, first.priority, first.global_keys) == ({"n": 1}, 10, ["a"])
    assert first.requester == second.requester == cast.person("mia")


def test_the_size_of_a_part_follows_the_size_of_its_lines(monkeypatch):
    monkeypatch.setattr(imports, "PART_BYTES", 500)
    batch = planned("a\n" + ("x" * 60 + "\n") * 20, cast.queue())
    assert batch.items == 20
    assert 3 <= BatchPart.objects.filter(batch=batch).count() <= 5


def test_a_line_that_became_wrong_is_left_out_of_good_lines():
    queue = cast.queue()
    cast.join(queue, "alice")
    batch = planned(
        "a,expire_at,target_reviewer\n1,,\n2,2027-03-02T00:00:00Z,\n3,,alice@example.org\n", queue, draft=False
    )
    cast.Membership.objects.filter(queue=queue, user=cast.person("alice")).delete()
    work(batch, NOW + timedelta(days=2))
    assert inputs(queue) == [{"a": "1"}]
    assert [fault["item"] for fault in batches.progress(batch).faults] == [3, 4]
    assert batch.status == BatchStatus.FINISHED


def test_a_line_that_became_wrong_undoes_all_or_nothing(monkeypatch):
    monkeypatch.setattr(imports, "PART", 1)
    queue = cast.queue()
    batch = planned("a,expire_at\n1,\n2,2027-03-02T00:00:00Z\n3,\n", queue, draft=False, whole=True)
    work(batch, NOW + timedelta(days=2))
    assert inputs(queue) == []
    assert batch.status == BatchStatus.FAILED
    assert batch.faults == [{"item": 3, "detail": "expire_at: This time has passed."}]


def test_a_queue_that_was_deleted_meanwhile_takes_nothing():
    queue = cast.queue()
    batch = planned(rows(3), queue, draft=False)
    administration.archive_queue(queue_id=queue.pk)
    work(batch)
    assert inputs(queue) == []
    assert batches.progress(batch).faults[0] == {"item": 2, "detail": "The queue digits was deleted."}


@pytest.mark.django_db(transaction=True)
def test_an_import_that_is_killed_goes_on_and_no_line_comes_twice(monkeypatch):
    monkeypatch.setattr(imports, "PART", 3)
    queue = cast.queue()
    batch = planned(rows(10), queue, draft=False)
    insert, calls = intake.create_tasks, []

    class Killed(BaseException):
        """As SIGKILL would: nothing in between is told."""

    def dies_after_inserting(**given):
        made = insert(**given)
        calls.append(made)
        if len(calls) == 3:
            raise Killed
        return made

    monkeypatch.setattr(intake, "create_tasks", dies_after_inserting)
    with pytest.raises(Killed):
        work(batch)
    assert len(inputs(queue)) == 6
    batch.refresh_from_db()
    assert batch.status == BatchStatus.RUNNING
    work(batch)
    assert [task["n"] for task in inputs(queue)] == [str(n) for n in range(10)]


@pytest.mark.threads
def test_two_workers_share_an_import_and_no_line_comes_twice(together, monkeypatch):
    monkeypatch.setattr(imports, "PART", 2)
    queue = cast.queue()
    batch = planned(rows(20), queue, draft=False)

    def worker():
        while batches.work(batch_id=batch.pk):
            continue

    assert together(worker, worker) == [None, None]
    worker()
    assert sorted(int(task["n"]) for task in inputs(queue)) == list(range(20))
    assert Batch.objects.get().status == BatchStatus.FINISHED


# Cells


@pytest.mark.parametrize(
    "text", ["=1+1", "+a", "-a", "@x", "\t=", "\rx", " =1", '"=1', ";=1", "'=1", "''-5", "'-5", "＝1"]
)
def test_a_formula_gets_an_apostrophe_and_loses_it_again(text):
    assert csvjson.guarded(text) == "'" + text
    assert csvjson.unguarded(csvjson.guarded(text)) == text


@pytest.mark.parametrize("text", ["", "5", "-5", "+1.5e3", "a=b", "'a", "it's", "a;b", "{}"])
def test_other_cells_are_left_alone(text):
    assert csvjson.guarded(text) == csvjson.unguarded(text) == text


# The command


@pytest.fixture
def file(tmp_path):
    """Return `file(text)`, the path of a file with it."""

    def write(text):
        path = tmp_path / "tasks.csv"
        path.write_text(text)
        return str(path)

    return write


def run(*arguments, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command("import_tasks", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_the_command_imports_all_or_nothing(file):
    queue = cast.queue(input_schema=SCHEMA)
    cast.person("rick")
    out, _ = run("digits", file("n\n1\n2\n"), "--requester", "rick")
    assert inputs(queue) == [{"n": 1}, {"n": 2}]
    assert "2 tasks were imported." in out
    assert Task.objects.first().requester == cast.person("rick")


def test_the_command_prints_bad_lines_and_does_nothing(file):
    cast.queue(input_schema=SCHEMA)
    cast.person("root", is_superuser=True)
    err = io.StringIO()
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_tasks", "digits", file("n\n1\nx\n"), stdout=io.StringIO(), stderr=err)
    assert err.getvalue().startswith("line 3: n: The queue's schema wants integer here.")
    assert Task.objects.count() == Batch.objects.count() == 0


def test_the_command_leaves_bad_lines_out_where_it_is_told_to(file):
    queue = cast.queue(input_schema=SCHEMA)
    cast.person("root", is_superuser=True)
    run("digits", file("n\n1\nx\n"), "--good-lines-only")
    assert inputs(queue) == [{"n": 1}]


def test_the_command_only_checks_where_it_is_told_to(file):
    cast.queue()
    out, _ = run("digits", file("n\n1\n"), "--check")
    assert "1 lines: 1 good, 0 bad." in out
    assert Batch.objects.count() == 0


def test_the_command_reads_the_standard_input(monkeypatch):
    queue = cast.queue()
    cast.person("root", is_superuser=True)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"input_data": 1}\n')))
    run("digits", "-", verbosity=0)
    assert inputs(queue) == [1]


def test_the_command_goes_on_with_a_stopped_import(monkeypatch):
    monkeypatch.setattr(imports, "PART", 2)
    queue = cast.queue()
    batch = planned(rows(5), queue, draft=False)
    batches.work(batch_id=batch.pk)
    batches.stop(batch_id=batch.pk)
    run("digits", "--resume", str(batch.pk))
    assert len(inputs(queue)) == 5
    with pytest.raises(CommandError, match="is finished"):
        run("digits", "--resume", str(batch.pk))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing", "x"], "no queue 'nothing'"),
        (["digits"], "Give a file"),
        (["digits", "/nowhere/at.all", "--check"], "cannot be read"),
        (["digits", "x"], "--requester"),
        (["digits", "x", "--requester", "nobody"], "no user 'nobody'"),
        (["digits", "--resume", "7"], "no import into digits"),
    ],
)
def test_the_command_says_what_it_misses(arguments, sentence):
    cast.queue()
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
