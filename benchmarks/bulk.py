"""How quickly very many tasks are created: `python -m benchmarks.bulk`. About three minutes.

`intake.create_many` and, in turns and in the same minutes, a bare COPY of the same rows into the same tables, on a
PostgreSQL (fsync on) of its own: into an empty queue, then into one with a million open tasks; and an import, and
lists posted to the API. Writes docs/benchmarks/bulk.md unless QUICK=1, which takes a twentieth of the tasks.
"""

import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.desk import DURABLE
from benchmarks.figures import machine
from tests.servers import postgresql

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "bulk.md"
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"
QUICK = os.environ.get("QUICK") == "1"
TASKS = 5_000 if QUICK else 100_000
"""Tasks of a repetition."""

BESIDE = 20_000 if QUICK else 1_000_000
"""Open tasks that are in the queue before."""

REPETITIONS = 5
POSTS = 2 if QUICK else 20
"""Lists of 1,000 that are posted."""

FLOOR, GOAL = 5_000, 10_000
"""Tasks a second."""

FILL = """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, input_data, status, created_at, updated_at, topic, priority, global_keys,
   judgments_required, open_slots, has_hook, sequence)
SELECT %s, %s, '{}', 'AVAILABLE', now(), now(), 'topic ' || i %% 5, 500, '[]', 1, 1, false, 2
FROM generate_series(1, %s) i
"""

TABLES = ("crowd_queues_task", "crowd_queues_event", "crowd_queues_eventpending")


def seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def members(number: int) -> dict[str, Any]:
    """A small task."""
    return {"input_data": {"number": number, "text": "Is this a cat?"}, "topic": f"topic {number % 5}"}


class Creating:
    """One requester, and a queue to be filled."""

    def __init__(self) -> None:
        from tests import cast

        self.rick = cast.person("rick")
        self.queue = cast.queue("bulk")
        cast.join(self.queue, "rick", "requester")

    def create(self, count: int = TASKS) -> float:
        """Tasks a second that `create_many` makes; the drafts are made as it reads them."""
        from queues import intake
        from queues.drafts import TaskDraft

        drafts = (TaskDraft(**members(number)) for number in range(count))
        return count / seconds(lambda: intake.create_many(queue=self.queue, requester=self.rick, drafts=drafts))

    def insert(self) -> float:
        """The same as on other databases, by INSERT."""
        from queues import copying

        worth, copying.WORTH = copying.WORTH, TASKS
        try:
            return self.create(TASKS // 10)
        finally:
            copying.WORTH = worth

    def rows(self) -> list[dict[str, bytes]]:
        """Table → lines, for one transaction each: the rows that `create_many` made last, with the ids that follow."""
        from django.db import connection

        from queues.intake import CHUNK

        with connection.cursor() as cursor:
            cursor.execute("SELECT max(id) FROM crowd_queues_task")
            last = cursor.fetchone()[0]
            cursor.execute("SELECT max(id) FROM crowd_queues_event")
            last_event = cursor.fetchone()[0]
        moved = {"id": TASKS, "object_id": TASKS, "task_id": TASKS}
        wanted = {
            TABLES[0]: (moved, "id", last - TASKS, CHUNK),
            TABLES[1]: ({**moved, "id": 2 * TASKS}, "id", last_event - 2 * TASKS, 2 * CHUNK),
            TABLES[2]: ({"event_id": 2 * TASKS}, "event_id", last_event - 2 * TASKS, 2 * CHUNK),
        }
        return [
            {
                table: self._lines(table, by, key, first + n * size, size)
                for table, (by, key, first, size) in wanted.items()
            }
            for n in range(TASKS // CHUNK)
        ]

    def _lines(self, table: str, moved: dict[str, int], key: str, after: int, count: int) -> bytes:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                " ORDER BY attnum",
                [table],
            )
            names = [name for (name,) in cursor.fetchall()]
        columns = ", ".join(f"{name} + {moved[name]}" if name in moved else name for name in names)
        text = f"COPY (SELECT {columns} FROM {table} WHERE {key} > {after} AND {key} <= {after + count}) TO STDOUT"
        with connection.connection.cursor().copy(text) as stream:
            return b"".join(bytes(part) for part in stream)

    def copy(self, rows: list[dict[str, bytes]]) -> float:
        """Tasks a second that a bare COPY makes."""
        from django.db import connection, transaction

        raw: Any = connection.connection

        def run() -> None:
            for chunk in rows:
                with transaction.atomic():
                    for table, lines in chunk.items():
                        with raw.cursor().copy(f"COPY {table} FROM STDIN") as stream:
                            stream.write(lines)

        took = seconds(run)
        with connection.cursor() as cursor:
            for table in TABLES[:2]:
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")
        return TASKS / took

    def empty(self) -> None:
        """Leave no task."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE crowd_queues_task, crowd_queues_event CASCADE")

    def fill(self) -> None:
        """Put the tasks there that are in the queue before."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(FILL, [self.queue.pk, self.rick.pk, BESIDE])
            cursor.execute("VACUUM ANALYZE crowd_queues_task")

    def repetition(self, *, alone: bool) -> tuple[float, float]:
        """Tasks a second: of `create_many`, and of a bare COPY. `alone`: there is no other task when they begin."""
        if alone:
            self.empty()
        created = self.create()
        rows = self.rows()
        if alone:
            self.empty()
        return created, self.copy(rows)

    def imported(self) -> dict[str, float]:
        """Tasks a second of an import of JSON lines: of its check with the plan, of its parts, of all."""
        from queues import batches, imports

        count = TASKS // 5
        lines = "".join(json.dumps(members(number)) + "\n" for number in range(count)).encode()
        batch: Any = None

        def plan() -> None:
            nonlocal batch
            with imports.check(queue=self.queue, file=io.BytesIO(lines)) as checked:
                batch = imports.plan(
                    queue=self.queue, checked=checked, actor=self.rick, file_name="bulk.jsonl", draft=False
                )

        def work() -> None:
            while batches.work(batch_id=batch.pk):
                continue

        planned, worked = seconds(plan), seconds(work)
        assert batches.progress(batch).changed == count
        return {"check": count / planned, "parts": count / worked, "all": count / (planned + worked)}

    def posted(self) -> float:
        """Tasks a second of lists of 1,000, each a request through the whole site but for the server."""
        from django.test import Client

        from queues import tokens

        client = Client(headers={"authorization": f"Bearer {tokens.issue(user=self.rick, name='bulk')[1]}"})
        body = json.dumps([members(number) for number in range(1000)])
        path = f"/api/v1/queues/{self.queue.name}/tasks/"

        def post() -> None:
            answer = client.post(path, body, content_type="application/json")
            assert answer.status_code == 201, answer.content

        post()
        return 1000 / statistics.median(seconds(post) for _time in range(POSTS))


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {
            "DATABASE_URL": stack.enter_context(postgresql(folder, **DURABLE)),
            "CROWDSITE_DATA_DIR": str(folder / "site"),
            "REDIS_URL": "redis://127.0.0.1:1",
            "DJANGO_SETTINGS_MODULE": "crowdsite.settings",
            "ALLOWED_HOSTS": "testserver",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        creating = Creating()
        creating.create(TASKS // 10)
        alone = [creating.repetition(alone=True) for _time in range(REPETITIONS)]
        others = {
            "insert": creating.insert(),
            "posted": creating.posted(),
            **{f"import, {what}": rate for what, rate in creating.imported().items()},
        }
        creating.fill()
        beside = [creating.repetition(alone=False) for _time in range(REPETITIONS)]
        connection.ensure_connection()
        version = ".".join(str(part) for part in divmod(connection.connection.info.server_version, 10000))
        said = report(alone, beside, others, version)
        connection.close()
    print(said)
    if not QUICK:
        before, _begin, rest = REPORT.read_text().partition(BEGIN)
        _old, _end, after = rest.partition(END)
        REPORT.write_text(before + BEGIN + "\n" + said + "\n" + END + after)


def report(
    alone: list[tuple[float, float]], beside: list[tuple[float, float]], others: dict[str, float], version: str
) -> str:
    """The figures in Markdown."""
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}",
        f"Load average over the last five minutes: {os.getloadavg()[1]:.1f}. {TASKS:,} tasks a repetition.",
        "",
        "| tasks a second | `create_many` | bare COPY of the same rows | share | |",
        "|---|---|---|---|---|",
        row("into an empty queue", alone),
        row(f"into a queue with {BESIDE:,} open tasks", beside),
        "",
        "| tasks a second, into an empty queue | |",
        "|---|---|",
        f"| `create_many` by INSERT, as on other databases | {others['insert']:,.0f} |",
        f"| an import of JSON lines: its check and plan | {others['import, check']:,.0f} |",
        f"| its parts | {others['import, parts']:,.0f} |",
        f"| both | {others['import, all']:,.0f} |",
        f"| lists of 1,000 posted to the API, one after the other | {others['posted']:,.0f} |",
        "",
    ]
    return "\n".join(lines)


def row(what: str, pairs: list[tuple[float, float]]) -> str:
    shares = [created / copied for created, copied in pairs]
    created, copied = zip(*pairs, strict=True)
    limit = f"floor {FLOOR:,}, goal {GOAL:,}"
    return f"| {what} | {middle(created)} | {middle(copied)} | {middle(shares, '.2f')} | {limit} |"


def middle(values: Iterable[float], shown: str = ",.0f") -> str:
    """The median, and the range."""
    found = sorted(values)
    return f"{statistics.median(found):{shown}} ({found[0]:{shown}}–{found[-1]:{shown}})"


if __name__ == "__main__":
    main()
