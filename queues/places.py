"""Where looks for an available task begin.

A look from the head of an index reads what is gone from there. Mostly that is nothing; but while PostgreSQL keeps a
transaction open that began long ago, in whatever database of the cluster, rows that are gone stay in the index, and
every look reads them all; and a reviewer who skipped thousands of tasks passes by each of them again. So a process
remembers for each order of a queue, and each topic, where its last look found the first available task, and for a
reviewer how far they had to look.

A place is a hint and decides nothing. Something better may become available before it: what this process makes so
lowers it, and for the rest a look begins at the head again HEAD_EVERY seconds after the last one did. Where that is
slow, it is done so much more rarely that it takes HEAD_SHARE of the time, or every HEAD_PAUSE seconds. Nothing is
called empty but after a look from the head.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic

from django.db import transaction

from queues.models import Task
from queues.strategy import Policy

HEAD_EVERY = 1.0
"""Seconds between looks from the head, and from a reviewer's beginning."""

HEAD_SHARE = 0.05
"""The share of the time of a process that looks from the head may take, where they are slow."""

HEAD_PAUSE = 5.0
"""Seconds after which it looks from the head however slow that is."""

REMEMBERED = 20_000
"""Places of reviewers that are kept; with more all are forgotten."""

LINES = 2_000
"""Orders and topics that are remembered; with more all are forgotten. Callers choose topics as they like."""

LATE = timedelta(seconds=10)
"""How much may have changed in a transaction that was open while one looked: see Sweep."""

Rank = tuple[int, int]
HEAD: Rank = (-(2**30), -(2**62))


@dataclass
class Place:
    """The rank at which looks begin until `due`, by the clock."""

    rank: Rank
    due: float


@dataclass
class Line:
    """What is remembered of one order and topic. `version` rises whenever something better became available; `pause`
    is for how long a look from the head lasts.
    """

    policy: Policy
    head: Place = field(default_factory=lambda: Place(HEAD, 0.0))
    own: dict[int, Place] = field(default_factory=dict)
    version: int = 0
    pause: float = HEAD_EVERY


@dataclass(frozen=True)
class Start:
    """Where a look begins: for everybody, and for its reviewer, who may begin later."""

    line: Line
    version: int
    head: Rank
    own: Rank

    @property
    def is_head(self) -> bool:
        return self.own == HEAD


def _pause(seconds: float) -> float:
    """How long a look lasts that took so many seconds."""
    return min(HEAD_PAUSE, max(HEAD_EVERY, seconds / HEAD_SHARE))


class Places:
    """The places of this process. `clock`: seconds that only rise."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._lines: dict[int, dict[tuple[str, str, str | None], Line]] = {}
        self._swept: dict[int, tuple[datetime, float]] = {}
        self._kept = 0

    def start(self, queue_id: int, policy: Policy, reviewer: int) -> Start:
        """Where this reviewer's look begins. Whoever finds a place due looks from before it, and alone."""
        now = self.clock()
        with self._lock:
            line = self._line(queue_id, policy)
            own = line.own.get(reviewer)
            if now >= line.head.due:
                line.head.due = now + line.pause
                return Start(line, line.version, HEAD, HEAD)
            head = line.head.rank
            if own is None or now >= own.due:
                return Start(line, line.version, head, head)
            return Start(line, line.version, head, max(head, own.rank))

    def _line(self, queue_id: int, policy: Policy) -> Line:
        key = (policy.order, policy.priority_order, policy.topic)
        line = self._lines.get(queue_id, {}).get(key)
        if line is None:
            if sum(map(len, self._lines.values())) >= LINES:
                self._lines.clear()
                self._kept = 0
            line = self._lines.setdefault(queue_id, {})[key] = Line(policy)
        return line

    def found(self, start: Start, reviewer: int, *, first: Rank | None, taken: Rank | None, seconds: float) -> None:
        """What a look found: the first task that is available to anybody, and the first one that was taken.

        `seconds`: how long it looked, without what it waited for.
        """
        now = self.clock()
        line = start.line
        with self._lock:
            if start.head == HEAD:
                line.pause = _pause(seconds)
                line.head.due = now + line.pause
            if start.version != line.version:
                return
            if first is not None:
                line.head.rank = max(line.head.rank, first) if start.head != HEAD else first
            if taken is None or taken == first:
                return
            if start.own != start.head and (own := line.own.get(reviewer)) is not None:
                own.rank = taken
                return
            if reviewer not in line.own:
                self._kept += 1
                if self._kept > REMEMBERED:
                    self._forget_reviewers()
            line.own[reviewer] = Place(taken, now + _pause(seconds))

    def _forget_reviewers(self) -> None:
        for lines in self._lines.values():
            for line in lines.values():
                line.own.clear()
        self._kept = 1

    def became_available(self, tasks: Iterable[Task]) -> None:
        """Lower the places behind tasks that are, or will be at the commit, available."""
        known = [task for task in tasks if task.queue_id in self._lines]
        if known:
            self._lower(known)
            transaction.on_commit(lambda: self._lower(known))

    def _lower(self, tasks: list[Task]) -> None:
        with self._lock:
            for task in tasks:
                for line in self._lines.get(task.queue_id, {}).values():
                    if line.policy.topic is None or line.policy.topic == task.topic:
                        rank = line.policy.rank(task.priority, task.pk)
                        line.version += 1
                        line.head.rank = min(line.head.rank, rank)
                        for reviewer in [reviewer for reviewer, own in line.own.items() if own.rank > rank]:
                            del line.own[reviewer]
                            self._kept -= 1

    def swept_to(self, queue_id: int) -> datetime | None:
        """Until when nothing of a queue had lapsed or was due, as far as this process saw; None: look at all."""
        found = self._swept.get(queue_id)
        return None if found is None or self.clock() >= found[1] else found[0]

    def was_swept(self, queue_id: int, moment: datetime, *, seconds: float) -> None:
        """Nothing was behind at a moment, asked without a `swept_to`.

        What a transaction of more than LATE brings in behind it is seen when all is looked at again.
        """
        self._swept[queue_id] = (moment - LATE, self.clock() + _pause(seconds))

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._lines.clear()
            self._swept.clear()
            self._kept = 0


places = Places()
