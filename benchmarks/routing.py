"""What routing costs: `python -m benchmarks.routing`. About two minutes.

`route()` beyond calling the method; and the answers a second that move a run on, beside plain answers, in turns and in
the same minutes, on a PostgreSQL (fsync on) of its own: first in an empty place, then beside 100,000 open runs. Writes
docs/benchmarks/routing.md unless QUICK=1, which takes a tenth of all.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.desk import DURABLE
from benchmarks.figures import machine
from tests.servers import postgresql

REPORT = Path(__file__).resolve().parents[1] / "docs" / "benchmarks" / "routing.md"
BEGIN, END = "<!-- written by the benchmark: begin -->\n", "<!-- written by the benchmark: end -->\n"
QUICK = os.environ.get("QUICK") == "1"
CALLS = 2_000 if QUICK else 20_000
ANSWERS = 60 if QUICK else 400
"""Answers of each sort in a repetition."""

REPETITIONS = 3 if QUICK else 5
BESIDE = 10_000 if QUICK else 100_000
"""Open runs that are there besides."""

ROUTE_GOAL, FLOOR, GOAL = 150, 0.4, 0.6
"""Microseconds of route() beyond the method; of the plain answers a second, the share that must and that should be."""

OPEN_RUNS = """
INSERT INTO crowd_queues_task
  (id, queue_id, requester_id, input_data, status, created_at, updated_at, topic, priority, global_keys,
   judgments_required, open_slots, has_hook, sequence)
SELECT 1000000 + i, %(queue)s, %(user)s, '{{}}', 'AVAILABLE', now(), now(), '', 500, '[]', 1, 1, true, 2
FROM generate_series(1, {beside}) i;
INSERT INTO crowd_routing_run
  (id, workflow, name, version, status, reason, input, started_by_id, created_at, sequence)
SELECT 1000000 + i, 'benchmarks.routing:Long', 'Long', '1', 'RUNNING', '', '{{}}', %(user)s, now(), 1
FROM generate_series(1, {beside}) i;
INSERT INTO crowd_routing_lane (id, run_id, index, plan)
SELECT 1000000 + i, 1000000 + i, 0, '["Question"]' FROM generate_series(1, {beside}) i;
INSERT INTO crowd_routing_step
  (run_id, lane_id, number, position, element, name, way, kind, status, task_id, earlier_tasks, data, reason, internal,
   traceback, attempts, created_at, to_cancel)
SELECT 1000000 + i, 1000000 + i, 1, 0, 'Question', 'Question', '["Question"]', 'HUMAN', 'WAITING', 1000000 + i, '[]',
  '{{}}', '', false, '', 1, now(), false
FROM generate_series(1, {beside}) i;
ANALYZE;
"""


def rate(times: list[float]) -> float:
    """How many a second, by the median of the times in seconds."""
    return 1 / statistics.median(times)


def timed(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def routed() -> dict[str, float]:
    """Microseconds of a call: of the method itself, through route(), and through route() with statistics."""
    from routing import AbstractCrowdRouter, AbstractTask, AbstractWorkFlow

    class Show(AbstractTask):
        def get(self, crowd_request: Any, data: Any) -> dict[str, Any]:
            return {"status": "OK", "shown": data["n"]}

        def post(self) -> dict[str, Any]:
            return {"status": "OK"}

    class Showing(AbstractWorkFlow):
        tasks = [Show]

        def run(self, task: Any, crowd_request: Any) -> Any:
            return task.execute(crowd_request)

    class Router(AbstractCrowdRouter):
        workflows = [Showing]

    class Request:
        method, session, data, form = "GET", {}, {"n": 1}, {}

    router, request = Router(), Request()
    method = Show.get.crowd_function  # type: ignore[attr-defined]
    shown, data = Show(), {"n": 1}

    def each(function: Callable[[], Any], calls: int) -> float:
        times = [timed(lambda: [function() for _call in range(calls)]) / calls for _time in range(REPETITIONS)]
        return statistics.median(times) * 1e6

    router.crowd_statistics = False
    figures = {
        "method": each(lambda: method(shown, None, data), CALLS),
        "route": each(lambda: router.route(Showing, Show, request), CALLS),
    }
    router.crowd_statistics = True
    figures["counted"] = each(lambda: router.route(Showing, Show, request), max(1, CALLS // 100))
    return figures


class Answering:
    """One reviewer in two queues: of one the answers move runs, of the other they do not."""

    def __init__(self) -> None:
        from tests import cast

        self.cast = cast
        self.rick = cast.person("rick")
        self.plain = cast.join(cast.queue("plain"), "alice")
        self.moving = cast.join(cast.queue("moving"), "alice")

    def repetition(self) -> tuple[float, float]:
        """Plain answers and answers that move a run, a second; one after the other, in turns."""
        from queues.models import Task

        self.cast.post(self.plain.queue, ANSWERS)
        run = long_workflow().start({}, by=self.rick)
        # The task of the run that is answered is the first of its queue.
        Task.objects.filter(step__run=run).update(priority=5)
        plain, moving = [], []
        for _turn in range(ANSWERS):
            plain.append(self.answer(self.plain))
            moving.append(self.answer(self.moving))
        assert run.steps.count() == ANSWERS + 1
        Task.objects.filter(step__run=run, status="AVAILABLE").update(priority=995)
        return rate(plain), rate(moving)

    def answer(self, membership: Any) -> float:
        from assignments import lifecycle

        (held,) = self.cast.grab(membership).assignments
        return timed(lambda: lifecycle.finalize(assignment_id=held.pk, data="answer", actor=membership.user))

    def beside(self) -> None:
        """Fill in open runs that nobody answers."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(OPEN_RUNS.format(beside=BESIDE), {"queue": self.moving.queue.pk, "user": self.rick.pk})


def long_workflow() -> Any:
    from benchmarks.flows import Long

    return Long


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
        calls = routed()
        answering = Answering()
        answering.repetition()
        empty = [answering.repetition() for _time in range(REPETITIONS)]
        answering.beside()
        full = [answering.repetition() for _time in range(REPETITIONS)]
        connection.ensure_connection()
        version = ".".join(str(part) for part in divmod(connection.connection.info.server_version, 10000))
        said = report(calls, empty, full, version)
        connection.close()
    print(said)
    if not QUICK:
        before, _begin, rest = REPORT.read_text().partition(BEGIN)
        _old, _end, after = rest.partition(END)
        REPORT.write_text(before + BEGIN + "\n" + said + "\n" + END + after)


def report(
    calls: dict[str, float], empty: list[tuple[float, float]], full: list[tuple[float, float]], version: str
) -> str:
    """The figures in Markdown."""
    over = calls["route"] - calls["method"]
    shares = [moving / plain for plain, moving in empty]
    crowded = [moving / plain for plain, moving in full]
    slower = statistics.median(moving for _plain, moving in full) / statistics.median(
        moving for _plain, moving in empty
    )
    lines = [
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine(version)}",
        f"Load average over the last five minutes: {os.getloadavg()[1]:.1f}.",
        "",
        "| | | limit |",
        "|---|---|---|",
        f"| `route()` beyond calling the method, without statistics | {over:.0f} µs | goal {ROUTE_GOAL} µs |",
        f"| `route()` with statistics (one INSERT, committed) | {calls['counted']:.0f} µs | |",
        f"| plain answers a second, one client | {middle(plain for plain, _moving in empty)} | |",
        f"| answers that move a run, a second | {middle(moving for _plain, moving in empty)} | |",
        f"| share of the plain ones | {middle(shares)} | floor {FLOOR}, goal {GOAL} |",
        f"| the same beside {BESIDE:,} open runs | {middle(crowded)} | floor {FLOOR}, goal {GOAL} |",
        f"| answers that move a run, beside {BESIDE:,} open runs ÷ without | {slower:.2f} | 1 |",
        "",
    ]
    return "\n".join(lines)


def middle(values: Any) -> str:
    """The median, and the range."""
    found = sorted(values)
    digits = 2 if found[0] < 10 else 0
    return f"{statistics.median(found):.{digits}f} ({found[0]:.{digits}f}–{found[-1]:.{digits}f})"


if __name__ == "__main__":
    main()
