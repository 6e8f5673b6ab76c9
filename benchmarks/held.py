"""What becomes of the cycles a second while a transaction is held open elsewhere, as by a backup."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.backlog import Backlog
from benchmarks.hands import CLIENTS, Hands, hands, working
from benchmarks.limit import Limit, started
from benchmarks.pace import Cycle, Pace


@contextmanager
def held_open(url: str) -> Iterator[None]:
    """A transaction in which one statement was executed, so that it has its snapshot; then nothing more comes."""
    with psycopg.connect(url) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT FROM crowd_queues_task LIMIT 1")
        yield
        connection.rollback()


@dataclass(frozen=True)
class Plan:
    """In seconds: how long it goes as usual, of which the first `warm` do not count; when, after a transaction was
    opened, a rate is taken, over how long; and how long one is held open beside pgbench.
    """

    normal: int
    moments: tuple[int, ...]
    window: int
    warm: float
    rival: int

    def told(self, begin: float, since: float, cycles: Sequence[Cycle], held: int) -> dict[str, Any]:
        """The rates, and a curve of them, of cycles since `begin`, with a transaction held open since then."""
        end = since + held + self.window
        pace = Pace.of(begin + self.warm, end, cycles)
        at = {str(moment): (since + moment, since + moment + self.window) for moment in self.moments if moment <= held}
        return {
            "rates": {
                "normal": pace.between(pace.begin, since).rate,
                **{moment: pace.between(*when).rate for moment, when in at.items()},
            },
            "curve": [(round(at - since, 1), round(rate, 1)) for at, rate in pace.curve(self.window)],
        }


def held(backlog: Backlog, *, open_tasks: int, plans: Sequence[Plan], many: bool) -> dict[str, Any]:
    """A repetition for each plan, each of its runs on a table that was vacuumed; pgbench in the last one.

    `many`: whether with all reviewers, too.
    """
    found: dict[str, list[Any]] = {}

    def keep(name: str, run: dict[str, Any]) -> None:
        found.setdefault(name, []).append(run)
        print(f"{name}: " + ", ".join(f"{when} {rate:.0f}" for when, rate in run["rates"].items()), flush=True)

    with hands(backlog.url, backlog.membership) as app, working(backlog.url, threads=1) as ear:
        limit = Limit(backlog, ear)
        for plan in plans:
            for people in (CLIENTS, backlog.people) if many else (CLIENTS,):
                backlog.fill(open_tasks)
                app.get_ready("pair", people)
                keep(f"app {people}", _writers(app, people, plan, backlog.url))
        for name, form in (("limit", "pair"), ("naive", "naive")):
            backlog.fill(open_tasks)
            limit.listen()
            keep(f"{name} {CLIENTS}", _pgbench(limit, form, plans[-1]))
    return {"runs": found}


def _writers(app: Hands, people: int, plan: Plan, url: str) -> dict[str, Any]:
    longest, begin = max(plan.moments), time.time()
    app.start("pair", people, plan.normal + longest + plan.window + 1)
    time.sleep(plan.normal)
    with held_open(url):
        since = time.time()
        cycles, _busy = app.end()
    return plan.told(begin, since, cycles, longest)


def _pgbench(limit: Limit, form: str, plan: Plan) -> dict[str, Any]:
    with started(limit, form, CLIENTS, plan.normal + plan.rival + plan.window + 1) as end:
        begin = time.time()
        time.sleep(plan.normal)
        with held_open(limit.backlog.url):
            since = time.time()
            cycles = end()
    return plan.told(begin, since, cycles, plan.rival)
