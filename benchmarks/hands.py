"""Processes that use the writers, in threads that stay, as those of gunicorn do."""

import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.pace import Cycle, Pace

PROCESSES, THREADS = 2, 4
CLIENTS = PROCESSES * THREADS
ANSWER = "cat"

FORMS = ("pair", "next")
"""A cycle is a grab and a finalize, or a finalize that brings the next task."""

PATIENCE = 900
"""Seconds that anything may take that is asked of another process."""


class Worker:
    """A process with the site's settings, which does what it is asked in each of its threads."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe

    def begin(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> None:
        """Call a function of a module once in each thread, with its own of the `arguments`."""
        self.pipe.send((function, arguments))

    def end(self) -> list[Any]:
        """What the calls returned, in the order of their arguments."""
        if not self.pipe.poll(PATIENCE):
            raise SystemExit("A process of the benchmark does not answer.")
        done, found = self.pipe.recv()
        if not done:
            raise SystemExit(found)
        return found

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What one call returns."""
        self.begin(function, [arguments])
        return self.end()[0]


@contextmanager
def working(url: str, threads: int = THREADS, **variables: str) -> Iterator[Worker]:
    """A process at the database `url` (and with these environment variables), as long as the block lasts."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, threads, {"DATABASE_URL": url, **variables}), daemon=True)
    process.start()
    try:
        yield Worker(ours)
    finally:
        process.terminate()
        process.join()


def _work(pipe: Connection, threads: int, variables: dict[str, str]) -> None:
    os.environ |= variables
    import django

    django.setup()
    # One pool of one thread each: a thread's connection and what is prepared on it stay with its share of the work.
    with ExitStack() as stack:
        pools = [stack.enter_context(ThreadPoolExecutor(1)) for _thread in range(threads)]
        while True:
            function, arguments = pipe.recv()
            calls = [pool.submit(function, *own) for pool, own in zip(pools, arguments, strict=False)]
            try:
                pipe.send((True, [call.result() for call in calls]))
            except BaseException:
                pipe.send((False, traceback.format_exc()))


_members: dict[int, Any] = {}
_held: dict[int, Any] = {}


def get_ready(memberships: Sequence[int], form: str) -> None:
    """Read the memberships; for `next`, have each reviewer hold a task."""
    from assignments import claims
    from queues.models import Membership

    wanted = set(memberships) - set(_members)
    _members.update(Membership.objects.select_related("queue", "user").in_bulk(wanted))
    if form == "next":
        for one in memberships:
            _held[one] = claims.grab(membership=_members[one]).assignments[0]


def answer(memberships: Sequence[int], form: str, until: float) -> tuple[list[Cycle], float]:
    """Answer for each of these reviewers in turn until a moment of time.time(); the seconds of processor it took."""
    step = {"pair": _pair, "next": _next}[form]
    found: list[Cycle] = []
    busy = time.thread_time()
    for one in cycle(memberships):
        began = time.perf_counter()
        step(one)
        took = time.perf_counter() - began
        now = time.time()
        found.append((now, took * 1000))
        if now >= until:
            break
    return found, time.thread_time() - busy


def _pair(one: int) -> None:
    from assignments import claims, lifecycle

    membership = _members[one]
    (assignment,) = claims.grab(membership=membership).assignments
    lifecycle.finalize(assignment_id=assignment.pk, data=ANSWER, actor=membership.user, known=assignment)


def _next(one: int) -> None:
    from assignments import claims

    member = _members[one]
    _done, grab = claims.finalize_and_grab(
        assignment=_held[one], data=ANSWER, user=member.user, grab_next=True, membership=member
    )
    assert grab is not None
    (_held[one],) = grab.assignments


def let_go(memberships: Sequence[int]) -> None:
    """Finalize what these reviewers hold of `next`."""
    from assignments import lifecycle

    for one in memberships:
        if (assignment := _held.pop(one, None)) is not None:
            lifecycle.finalize(assignment_id=assignment.pk, data=ANSWER, actor=_members[one].user)


def shares(first: int, people: int) -> list[list[int]]:
    """Ids that follow one another, dealt out to the clients in turn."""
    return [list(range(first + client, first + people, CLIENTS)) for client in range(CLIENTS)]


class Hands:
    """Eight clients in two processes."""

    def __init__(self, workers: Sequence[Worker], first: int) -> None:
        self.workers, self.first = workers, first

    def _begin(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> None:
        for number, worker in enumerate(self.workers):
            worker.begin(function, arguments[number * THREADS : (number + 1) * THREADS])

    def _end(self) -> list[Any]:
        return [found for worker in self.workers for found in worker.end()]

    def _all(self, function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> None:
        self._begin(function, arguments)
        self._end()

    def get_ready(self, form: str, people: int) -> None:
        """What is done once and does not count."""
        self._all(get_ready, [(share, form) for share in shares(self.first, people)])

    def start(self, form: str, people: int, seconds: float) -> None:
        """Answer for so long with so many reviewers, who are ready."""
        until = time.time() + seconds
        self._begin(answer, [(share, form, until) for share in shares(self.first, people)])

    def end(self) -> tuple[list[Cycle], float]:
        """What was answered since the start, and the processor's seconds that it took in these processes."""
        runs = self._end()
        return [one for cycles, _busy in runs for one in cycles], sum(busy for _cycles, busy in runs)

    def run(self, form: str, people: int, seconds: float, warm: float) -> Pace:
        """Answer for so long, of which the first seconds do not count."""
        begin = time.time()
        self.start(form, people, seconds)
        return Pace.of(begin + warm, begin + seconds, *self.end())

    def let_go(self, people: int) -> None:
        """Leave nothing in anybody's hands."""
        self._all(let_go, [(share,) for share in shares(self.first, people)])


@contextmanager
def hands(url: str, first: int) -> Iterator[Hands]:
    """Hands for the reviewers whose memberships follow one another from `first`."""
    with ExitStack() as stack:
        yield Hands([stack.enter_context(working(url)) for _process in range(PROCESSES)], first)
