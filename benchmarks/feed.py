"""How quickly events get their places in the feed, with and without a transaction that is held open for long.

    python -m benchmarks.feed [sqlite]

On a PostgreSQL (fsync on) of its own, or on SQLite as the site has it; one process, nothing beside it. About a minute.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.desk import DURABLE
from benchmarks.figures import timed
from tests.servers import postgresql

BACKLOG, ONE_BY_ONE, GONE, FOREIGN, REPETITIONS = 10_000, 100, 100_000, 10_000, 5

# The events of tasks, two each; what writes them in earnest would take longer than what is measured.
EVENTS = """
INSERT INTO crowd_queues_event
  (type, object_type, object_id, queue_id, task_id, actor, sequence, delta, created_at)
VALUES (%s, 'task', %s, %s, %s, '', %s, '{}', CURRENT_TIMESTAMP)
"""


class Writing:
    """Writes events of tasks that need not be there."""

    def __init__(self, queue_id: int) -> None:
        self.queue_id, self.task = queue_id, 1_000_000

    def events(self, number: int) -> None:
        """That many events that are pending, two a task."""
        from django.db import connection, transaction

        tasks = range(self.task, self.task + number // 2)
        self.task = tasks.stop
        rows = [
            (type_, task, self.queue_id, task, place)
            for task in tasks
            for place, type_ in enumerate(("TASK_CREATED", "TASK_AVAILABLE"), 1)
        ]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(EVENTS, rows)
            cursor.execute(
                "INSERT INTO crowd_queues_eventpending (event_id) SELECT id FROM crowd_queues_event"
                " WHERE id > (SELECT COALESCE(MAX(id), 0) - %s FROM crowd_queues_event)",
                [number],
            )


def drain() -> None:
    """Sequence until nothing is pending."""
    from queues.sequencer import sequence

    while sequence().count:
        pass


def measure(hold: Callable[[], Any] | None) -> None:
    """Measure and print. `hold`: opens a transaction that stays open."""
    from queues import administration, feed
    from queues.sequencer import outlook
    from tests import cast

    queue = administration.create_queue(name="bench", actor=cast.person("mia"), fields={})
    writing = Writing(queue.pk)
    drain()
    rates = []
    for _repetition in range(REPETITIONS):
        writing.events(BACKLOG)
        rates.append(BACKLOG / timed(drain) * 1000)
    print(f"a backlog of {BACKLOG:,} events: {statistics.median(rates):,.0f}/s ({min(rates):,.0f}-{max(rates):,.0f})")
    print(f"two events of one task: {_one_by_one(writing, outlook.keep_up)}")
    requester = cast.person("rick")
    last = feed.mark().position
    looks = [timed(lambda: feed.look(requester, after=last - FOREIGN)) for _look in range(20)]
    print(f"a requester's look through {FOREIGN:,} events of others: {_told(looks)}")
    if hold is not None:
        hold()
        writing.events(GONE)
        drain()
        print(
            f"two events of one task, {GONE:,} gone under a transaction held open: "
            f"{_one_by_one(writing, outlook.keep_up)}"
        )


def _one_by_one(writing: Writing, keep_up: Callable[[], Any]) -> str:
    times = []
    for _task in range(ONE_BY_ONE):
        writing.events(2)
        times.append(timed(keep_up))
    return _told(times)


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, slowest {max(times):.1f} ms"


def main() -> None:
    """Start what is needed and measure."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-bench-")))
        os.environ |= {"DJANGO_SETTINGS_MODULE": "crowdsite.settings", "CROWDSITE_DATA_DIR": str(folder / "site")}
        url = None
        if sys.argv[1:] != ["sqlite"]:
            url = os.environ["DATABASE_URL"] = stack.enter_context(postgresql(folder, **DURABLE))
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        def hold() -> None:
            assert url is not None
            held = stack.enter_context(psycopg.connect(url))
            held.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            held.execute("SELECT count(*) FROM crowd_queues_event")

        call_command("migrate", verbosity=0)
        measure(None if url is None else hold)
        connection.close()


if __name__ == "__main__":
    main()
