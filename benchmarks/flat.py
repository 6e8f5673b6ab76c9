"""What a grab takes with few and with very many open tasks, in every order that tasks are handed out."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from benchmarks.backlog import Backlog, copied
from benchmarks.hands import ANSWER, Worker, working

ORDERS = [(order, by) for by in ("important_first", "important_last", "no") for order in ("fifo", "lifo")]
EXCLUDED = 5_000

_members: dict[int, Any] = {}


def grabs(membership: int, call: dict[str, Any], count: int) -> list[float]:
    """Milliseconds of so many grabs, each followed by a finalize that is not timed."""
    from assignments import claims, lifecycle
    from queues.models import Membership

    if membership not in _members:
        _members[membership] = Membership.objects.select_related("queue", "user").get(pk=membership)
    member = _members[membership]
    times = []
    for _grab in range(count):
        began = time.perf_counter()
        got = claims.grab(membership=member, call=call)
        times.append((time.perf_counter() - began) * 1000)
        lifecycle.finalize(assignment_id=got.assignments[0].pk, data=ANSWER, actor=member.user)
    return times


def variations(backlog: Backlog) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """What it is called, whose grab it is (a membership), and how they ask."""
    targeted, anybody, excluded = range(backlog.membership, backlog.membership + 3)
    for number, (order, by) in enumerate(ORDERS):
        call = {"order": order, "priority_order": by}
        yield f"{by}, {order}", anybody, call
        yield f"{by}, {order}, topic", anybody, {**call, "topic": f"topic-{number}"}
        yield f"{by}, {order}, targeted", targeted, call
    yield f"{EXCLUDED:,} excluded at the head", excluded, {}


def flat(backlog: Backlog, *, sizes: list[int], closed: int, repetitions: int, grabs_each: int) -> dict[str, Any]:
    """Times by variation and size, from a database for each size, with as many closed tasks behind in each.

    Of each repetition the median and the longest, in milliseconds.
    """
    backlog.close(closed)
    backlog.settle()
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    with ExitStack() as stack:
        databases = [stack.enter_context(copied(backlog, f"open_{size}")) for size in sizes]
        for size, database in zip(sizes, databases, strict=True):
            database.fill(size, targets=True)
            print(f"{size:,} open tasks are there", flush=True)
        workers = [stack.enter_context(working(database.url, threads=1)) for database in databases]
        for repetition in range(repetitions + 1):
            for database in databases:
                database.exclude(database.reviewer + 2, EXCLUDED)
            for name, membership, call in variations(backlog):
                for size, worker in _there_and_back(sizes, workers, repetition):
                    # The first round is for the connections and their prepared statements, which get a plan that
                    # stays at the sixth time.
                    times = worker.ask(grabs, membership, call, grabs_each if repetition else 8)
                    if repetition:
                        found.setdefault(name, {}).setdefault(str(size), []).append(
                            (statistics.median(times), max(times))
                        )
    return {"sizes": sizes, "closed": closed, "grabs": grabs_each, "times": found}


def _there_and_back(sizes: list[int], workers: list[Worker], repetition: int) -> list[tuple[int, Worker]]:
    both = list(zip(sizes, workers, strict=True))
    return both[::-1] if repetition % 2 else both
