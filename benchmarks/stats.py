"""What a queue's numbers cost: `python -m benchmarks.stats`. About three minutes.

GET /api/v1/queues/<name>/stats/ through the whole site but for the server, with many open tasks and as many closed
ones behind, on a PostgreSQL (fsync on) of its own: while nothing happens, and after 5,000 changes that nobody rolled
up, beside counting every row, in turns and in the same minutes. Writes docs/benchmarks/stats.md unless QUICK=1, which
takes a hundredth of the tasks. HUGE=1 goes to ten million open tasks as well.
"""

import os
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.desk import DURABLE
from benchmarks.figures import machine, percentile, timed
from tests.servers import postgresql

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "stats.md"
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"
QUICK, HUGE = os.environ.get("QUICK") == "1", os.environ.get("HUGE") == "1"
SIZES = (1_000, 10_000) if QUICK else (10_000, 1_000_000, *((10_000_000,) if HUGE else ()))
"""Open tasks; there are as many closed ones."""

TIMES = 5 if QUICK else 40
CHANGES = 5_000
FLOOR, GOAL = 50, 10
"""Milliseconds at a million."""

FILL = """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, reviewer_id, input_data, output_data, status, created_at, updated_at, topic, priority,
   global_keys, judgments_required, open_slots, has_hook, sequence)
SELECT %(queue)s, %(user)s, CASE WHEN i %% 2 = 1 THEN %(user)s END, '{}', CASE WHEN i %% 2 = 1 THEN '1'::jsonb END,
  CASE WHEN i %% 2 = 1 THEN 'FINISHED' ELSE 'AVAILABLE' END, now(), now(), 'topic ' || i / 2 %% 20, 500, '[]', 1,
  1 - i %% 2, false, 2
FROM generate_series(1, 2 * %(open)s) i
"""


class Queue:
    """A queue with `size` open tasks, twenty reviewers who hold one each, and its requester's client."""

    def __init__(self, size: int) -> None:
        from django.db import connection
        from rest_framework.test import APIClient

        from queues import tokens
        from tests import cast

        self.size, self.queue, mia = size, cast.queue(f"tasks-{size}"), cast.person("mia")
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"queue": self.queue.pk, "user": mia.pk, "open": size})
        for number in range(20):
            cast.grab(cast.join(self.queue, f"reviewer{number}"))
        self.client, self.path = APIClient(HTTP_HOST="localhost"), f"/api/v1/queues/{self.queue.name}/stats/"
        self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.issue(user=mia, name=self.queue.name)[1]}")

    def get(self) -> dict[str, Any]:
        answer = self.client.get(self.path)
        if answer.status_code != 200:
            raise SystemExit(f"{self.path}: {answer.status_code} {answer.content[:500]!r}")
        found: dict[str, Any] = answer.json()
        return found

    def count(self) -> dict[str, dict[str, int]]:
        """The same by all rows, as far as that was all there was to do."""
        from queues.models import Task

        tasks = Task.objects.filter(queue=self.queue)
        tasks.counts_by_status()
        return tasks.counts_by_topic()

    def change(self) -> None:
        """So many changes, which get their places in the feed and are not rolled up; one in ten has none yet."""
        from queues import sequencer
        from tests import cast

        cast.post(self.queue, CHANGES, topic="topic 3")
        while sequencer.sequence(limit=CHANGES // 2).count and self.pending() > CHANGES // 5:
            pass

    def pending(self) -> int:
        from queues.models import EventPending

        return EventPending.objects.count()


def measure(queue: Queue) -> dict[str, list[float]]:
    """Milliseconds: of the page while nothing happens and after changes, and of the count of every row."""
    from assignments import census

    times: dict[str, list[float]] = {"nothing happens": [], "changes": [], "first": [], "every row": []}
    queue.get()
    for _time in range(TIMES):
        times["nothing happens"].append(timed(queue.get))
        if len(times["every row"]) < 5:
            times["every row"].append(timed(queue.count))
    long = census.LONG
    for _time in range(2):
        queue.change()
        census.LONG = 10**9
        times["changes"] += [timed(queue.get) for _time in range(TIMES // 2)]
        if queue.get()["by_topic"] != queue.count():
            raise SystemExit("The numbers are not those of the rows.")
        census.LONG = long
        times["first"].append(timed(queue.get))
        roll_up()
    return times


def roll_up() -> None:
    from assignments import census

    while census.catch_up():
        pass


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        os.environ |= {
            "DATABASE_URL": stack.enter_context(postgresql(folder, **DURABLE)),
            "CROWDSITE_DATA_DIR": str(folder / "site"),
            "REDIS_URL": "redis://127.0.0.1:1",
            "DJANGO_SETTINGS_MODULE": "crowdsite.settings",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        queues = [Queue(size) for size in SIZES]
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
        from assignments import census

        began = timed(census.roll_up)
        roll_up()
        found = [(queue.size, measure(queue)) for queue in queues]
        connection.ensure_connection()
        version = ".".join(str(part) for part in divmod(connection.connection.info.server_version, 10000))
        said = report(found, began, version)
        connection.close()
    print(said)
    if not QUICK:
        before, _begin, rest = REPORT.read_text().partition(BEGIN)
        _old, _end, after = rest.partition(END)
        REPORT.write_text(before + BEGIN + "\n" + said + "\n" + END + after)


def report(found: list[tuple[int, dict[str, list[float]]]], began: float, version: str) -> str:
    """The figures in Markdown."""
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}",
        f"Load average over the last five minutes: {os.getloadavg()[1]:.1f}.",
        "",
        "| | p50, ms | p95, ms | limit at a million |",
        "|---|---:|---:|---|",
    ]
    limit = f"floor {FLOOR}, goal {GOAL}"
    for size, times in found:
        rows = (
            ("nothing happens", f"`stats/`, {size:,} open tasks, nothing happens", limit),
            ("changes", f"the same with {CHANGES:,} changes that are not rolled up", limit),
            ("first", "the same, and rolls some of them up", ""),
            ("every row", f"counting all {2 * size:,} rows instead, without the rest of the page", ""),
        )
        lines += [f"| {what} | {middle(times[key])} | {last} |" for key, what, last in rows]
    (_size, few), *_between, (size, many) = found
    ratio = percentile(many["nothing happens"], 0.5) / percentile(few["nothing happens"], 0.5)
    lines += [
        f"| p50 at {size:,} ÷ at {SIZES[0]:,}, nothing happens | {ratio:.2f} | | |",
        f"| the first count of all there is, once in a site's life | {began:.0f} | | |",
        "",
    ]
    return "\n".join(lines)


def middle(times: list[float]) -> str:
    """The median, the range, and in a cell of its own what one in twenty exceeds."""
    return f"{percentile(times, 0.5):.1f} ({min(times):.1f}–{max(times):.1f}) | {percentile(times, 0.95):.1f}"


if __name__ == "__main__":
    main()
