"""Cycles a second through the writers and over HTTP, beside the limit in the same minutes."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

from benchmarks.backlog import Backlog
from benchmarks.hands import CLIENTS, FORMS, hands, working
from benchmarks.limit import Limit
from benchmarks.pace import Pace
from benchmarks.web import serving, tokens_of

Figures = dict[str, dict[str, float]]
"""One repetition: what was run → its rate (cycles/s), p50 and p99 (milliseconds)."""

Run = Callable[[], Pace]


def interleaved(runs: dict[str, Run], repetitions: int) -> list[Figures]:
    """Run all in turn, so often; every other repetition in the other direction."""
    found: list[Figures] = []
    for number in range(repetitions):
        figures: Figures = {}
        for name in sorted(runs, reverse=number % 2 == 1):
            figures[name] = runs[name]().figures
            print(f"{name}: " + ", ".join(f"{key} {value:.1f}" for key, value in figures[name].items()), flush=True)
        found.append(figures)
    return found


def writers(backlog: Backlog, *, repetitions: int, seconds: float, warm: float) -> dict[str, Any]:
    """`pair` and `next` with few and with many reviewers: of the app, and of pgbench with its statements."""
    with hands(backlog.url, backlog.membership) as app, working(backlog.url, threads=1) as ear:
        limit = Limit(backlog, ear)

        def through(form: str, people: int) -> Pace:
            app.get_ready(form, people)
            found = app.run(form, people, seconds, warm)
            app.let_go(people)
            return found

        def pgbench(form: str, people: int) -> Pace:
            limit.listen()
            app.get_ready(form, people)
            return limit.run(form, people, seconds, warm)

        runs: dict[str, Run] = {}
        for form in FORMS:
            for people in (CLIENTS, backlog.people):
                runs[f"{form} {people} app"] = partial(through, form, people)
                runs[f"{form} {people} limit"] = partial(pgbench, form, people)
        if repetitions > 1:
            # Connections and prepared statements are there, then, and what is read often is in memory.
            for run in list(runs.values())[::2]:
                run()
        return {"repetitions": interleaved(runs, repetitions)}


def http(backlog: Backlog, *, sizes: Sequence[int], repetitions: int, seconds: float, warm: float) -> dict[str, Any]:
    """The same over HTTP, beside pgbench with few reviewers, at the last of the sizes; and the rates at the others."""
    with ExitStack() as stack:
        ear = stack.enter_context(working(backlog.url, threads=1))
        limit = Limit(backlog, ear)
        tokens = ear.ask(tokens_of, backlog.user, backlog.people)
        web = stack.enter_context(serving(backlog.url, tokens))

        def pgbench(form: str) -> Pace:
            limit.listen()
            return limit.run(form, CLIENTS, seconds, warm)

        runs: dict[str, Run] = {}
        for form, people in (("next", CLIENTS), ("next", backlog.people), ("pair", CLIENTS)):
            runs[f"{form} {people} http"] = partial(web.run, form, people, seconds, warm)
        for form in FORMS:
            runs[f"{form} {CLIENTS} limit"] = partial(pgbench, form)
        backlog.fill(sizes[0])
        web.run("next", CLIENTS, warm + 1, warm)
        rates: dict[str, list[float]] = {}
        for size in sizes[:-1]:
            backlog.fill(size)
            rates[str(size)] = [web.run("next", CLIENTS, seconds, warm).rate for _repetition in range(repetitions)]
        backlog.fill(sizes[-1])
        found = interleaved(runs, repetitions)
        rates[str(sizes[-1])] = [figures[f"next {CLIENTS} http"]["rate"] for figures in found]
        return {"repetitions": found, "by_backlog": rates, "client": max(web.shares)}
