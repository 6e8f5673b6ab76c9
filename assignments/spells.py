"""From what one person held to when they worked: active time and slack, by queue and hour.

Times are seconds since 1970, hours are those divided by 3600.
"""

import heapq
import math
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import NamedTuple

HOUR = 3600
ABSENCE = 1800
"""A gap of more than these seconds between two spells of work is no slack: the person was away."""


class Hold(NamedTuple):
    """From when until when (excluded) somebody held a task of a queue."""

    start: float
    end: float
    queue: int


def spells(holds: Iterable[Hold]) -> Iterator[Hold]:
    """When the person held anything, in order and without overlap.

    What is held at once counts for the queue of what was handed out last: nothing that happens later can change that.
    """
    waiting = sorted(holds, key=attrgetter("start", "queue"))
    held: list[tuple[float, int, Hold]] = []
    place, at = 0, -math.inf
    while place < len(waiting) or held:
        if not held:
            at = max(at, waiting[place].start)
        while place < len(waiting) and waiting[place].start <= at:
            heapq.heappush(held, (-waiting[place].start, -place, waiting[place]))
            place += 1
        latest = held[0][2]
        until = min(latest.end, waiting[place].start) if place < len(waiting) else latest.end
        if until > at:
            yield Hold(at, until, latest.queue)
            at = until
        if latest.end <= at:
            heapq.heappop(held)


def by_hour(start: float, end: float) -> Iterator[tuple[int, float]]:
    """A span cut at the borders of hours: each hour with its seconds."""
    while start < end:
        hour = int(start // HOUR)
        cut = min(end, (hour + 1) * HOUR)
        yield hour, cut - start
        start = cut


def worked(holds: Iterable[Hold]) -> Iterator[tuple[int, int, float, float]]:
    """(queue, hour, active seconds, slack seconds), as often as it takes.

    Slack is the gap between two spells, unless it is an absence, and counts for the queue of the work that follows it.
    """
    before: float | None = None
    for spell in spells(holds):
        if before is not None and spell.start - before <= ABSENCE:
            for hour, seconds in by_hour(before, spell.start):
                yield spell.queue, hour, 0.0, seconds
        for hour, seconds in by_hour(spell.start, spell.end):
            yield spell.queue, hour, seconds, 0.0
        before = spell.end
