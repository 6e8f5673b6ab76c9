"""Importing tasks from a file: checked by the rules of intake first, planned as a batch, done in its parts."""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import islice
from typing import IO, Any

from queues import batches, intake, taskjson
from queues.drafts import TaskDraft
from queues.exceptions import InvalidInput, QueueArchived
from queues.models import Batch, BatchPart, GlobalKey, Queue
from queues.taskfiles import FileRefused, Line, Note, TaskFile

KIND = "import"

CHUNK = 500
"""Lines that are checked together."""

PART = 500
PART_BYTES = 2 * 1024 * 1024
"""How much one transaction inserts: so many tasks, of about so many bytes."""

BAD_LINES_MAX = 10_000
"""With more bad lines than this it is another kind of file, and reading it to its end would be no help."""

KEYS_WATCHED = 1_000_000
"""How many different global keys of one file are compared with one another."""

DETAIL_LENGTH = 500


@dataclass
class Checked:
    """What a check found. Nothing is created yet.

    `faults` are the first `batches.FAULTS_KEPT` of `bad` lines, `{"item": line, "detail": sentence}`. `finished` tasks
    bring their answer along. `doubled` global keys stand on several lines, `known` ones are those of tasks that exist:
    neither is forbidden. The `good` lines are kept in a temporary file for `plan`; leaving the context closes it.
    """

    format: str
    good: int = 0
    bad: int = 0
    finished: int = 0
    doubled: int = 0
    known: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    items: IO[bytes] = field(default_factory=tempfile.TemporaryFile)

    @property
    def lines(self) -> int:
        return self.good + self.bad

    def __enter__(self) -> "Checked":
        return self

    def __exit__(self, *raised: object) -> None:
        self.items.close()


def check(
    *,
    queue: Queue,
    file: IO[bytes],
    format: str | None = None,
    lines_max: int | None = None,
    bad_line: Callable[[int, str], object] = lambda line, detail: None,
    read: Callable[[int], object] = lambda count: None,
    now: datetime | None = None,
) -> Checked:
    """Read a whole file of tasks and judge each of its lines as `intake.create_tasks` would at this moment.

    `bad_line(number, sentence)` is called for each bad line, `read(bytes)` as the file is read. Raises FileRefused for
    what is no file of tasks, has more than `lines_max` lines, or more than BAD_LINES_MAX bad ones.
    """
    tasks = TaskFile(file, queue, format, read)
    lines = iter(tasks)
    with ExitStack() as closing:
        checked = closing.enter_context(Checked(format=tasks.format or ""))
        keys: set[int] = set()
        while chunk := list(islice(lines, CHUNK)):
            _judge(checked, queue, chunk, keys, bad_line, now)
            if lines_max is not None and checked.lines > lines_max:
                raise FileRefused(
                    f"The file has more than {lines_max:,} lines; the command import_tasks takes any number."
                )
            if checked.bad > BAD_LINES_MAX:
                raise FileRefused(
                    f"More than {BAD_LINES_MAX:,} of the first {checked.lines:,} lines are bad. The first is line"
                    f" {checked.faults[0]['item']}: {checked.faults[0]['detail']}"
                )
        if not checked.lines:
            raise FileRefused("The file has no line with a task in it.")
        closing.pop_all()
    checked.notes = tasks.notes
    return checked


def _judge(
    checked: Checked,
    queue: Queue,
    lines: list[Line],
    keys: set[int],
    bad_line: Callable[[int, str], object],
    now: datetime | None,
) -> None:
    good = []
    for line, draft, detail in _judged(queue, lines, now):
        if draft is not None:
            good.append((line, draft))
            continue
        checked.bad += 1
        if len(checked.faults) < batches.FAULTS_KEPT:
            checked.faults.append({"item": line.number, "detail": detail})
        bad_line(line.number, detail)
    _keep(checked, good, keys)


def _judged(queue: Queue, lines: list[Line], now: datetime | None) -> Iterator[tuple[Line, TaskDraft | None, str]]:
    """Each line with its draft, or with what is wrong about it."""
    drafts: dict[int, TaskDraft] = {}
    details: dict[int, list[str]] = {}
    for at, line in enumerate(lines):
        if line.faults:
            details[at] = list(line.faults)
            continue
        try:
            drafts[at] = taskjson.read(line.members)
        except InvalidInput as invalid:
            details[at] = [_detail(error["pointer"], error["detail"]) for error in invalid.errors]
    places = list(drafts)
    for index, pointer, detail in intake.check_drafts(queue=queue, drafts=list(drafts.values()), now=now):
        details.setdefault(places[index], []).append(_detail(pointer, detail))
    for at, line in enumerate(lines):
        yield line, None if at in details else drafts[at], _joined(details[at]) if at in details else ""


def _detail(pointer: str, detail: str) -> str:
    return f"{pointer[1:]}: {detail}" if pointer else detail


def _joined(details: list[str]) -> str:
    text = details[0] if len(details) == 1 else "; ".join(detail.removesuffix(".") for detail in details)
    return text if len(text) <= DETAIL_LENGTH else text[: DETAIL_LENGTH - 1] + "…"


def _keep(checked: Checked, good: list[tuple[Line, TaskDraft]], keys: set[int]) -> None:
    fresh = set()
    for line, draft in good:
        checked.good += 1
        checked.finished += draft.output_data is not None
        for key in draft.global_keys:
            if hash(key) in keys:
                checked.doubled += 1
            elif len(keys) < KEYS_WATCHED:
                keys.add(hash(key))
                fresh.add(key)
        item = json.dumps({"line": line.number, "task": line.members}, ensure_ascii=False, separators=(",", ":"))
        checked.items.write(item.encode() + b"\n")
    if fresh:
        found = GlobalKey.objects.filter(key__in=fresh).order_by().values("key").distinct()
        checked.known += found.count()


@dataclass(frozen=True)
class _Items:
    """The kept items, from the first at every iteration: a writer may run again."""

    file: IO[bytes]

    def __iter__(self) -> Iterator[Any]:
        self.file.seek(0)
        return map(json.loads, self.file)


def plan(
    *,
    queue: Queue,
    checked: Checked,
    actor: Any,
    file_name: str,
    draft: bool = True,
    whole: bool = False,
    now: datetime | None = None,
) -> Batch:
    """Write the good lines down as a batch, whose tasks will have `actor` for their requester.

    A `draft` waits for `batches.start`.
    """
    size = max(1, checked.items.tell())
    parameters = {
        "file": file_name[-200:],
        "format": checked.format,
        "lines": checked.lines,
        "finished": checked.finished or None,
        "doubled_keys": checked.doubled or None,
        "known_keys": checked.known or None,
        "columns": [asdict(note) for note in checked.notes],
    }
    return batches.plan(
        kind=KIND,
        queue=queue,
        actor=actor,
        parameters=parameters,
        items=_Items(checked.items),
        faults=checked.faults,
        faults_total=checked.bad,
        part=max(1, min(PART, PART_BYTES * checked.good // size)),
        draft=draft,
        whole=whole,
        now=now,
    )


def first_items(batch: Batch, count: int) -> list[dict[str, Any]]:
    """The first items of a planned import, `{"line", "task"}`, at most those of its first part."""
    part = BatchPart.objects.filter(batch=batch, ordinal=0).first()
    return part.payload[:count] if part else []


def apply(batch: Batch, items: list[Any], now: datetime | None) -> batches.Outcome:
    """Create the tasks of a part. A line that has become wrong since the check is a fault, and the others are created.

    What `queues.batches` calls, inside the transaction that also marks the part as done.
    """
    faults: dict[int, str] = {}
    left = items
    while left:
        try:
            drafts = [taskjson.read(item["task"]) for item in left]
            intake.create_tasks(
                queue=batch.queue,  # type: ignore[arg-type]  # an import always has one
                requester=batch.created_by,
                drafts=drafts,
                now=now,
            )
            break
        except InvalidInput as invalid:
            wrong: dict[int, list[str]] = {}
            for error in invalid.errors:
                pointer = error["pointer"].removeprefix(f"/{error['index']}")
                wrong.setdefault(error["index"], []).append(_detail(pointer, error["detail"]))
            faults |= {left[index]["line"]: _joined(details) for index, details in wrong.items()}
            left = [item for index, item in enumerate(left) if index not in wrong]
        except QueueArchived as gone:
            faults |= {item["line"]: gone.detail for item in left}
            left = []
    return batches.Outcome(len(left), [{"item": line, "detail": faults[line]} for line in sorted(faults)])
