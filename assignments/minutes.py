"""What happened in the last hour, minute by minute and queue by queue: counted from events.

However busy the site, a look reads at most EVENTS_MAX events, the newest first. Minutes that are settled are kept in
Django's cache, so the looks that follow read the last few minutes and what is missing still.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.core.cache import cache
from django.db import connection

from assignments.states import EventType
from queues.models import Event
from queues.states import EventType as TaskEventType

MINUTES = 60
EVENTS_MAX = 50_000
SETTLED = 2
"""A minute that ended so many minutes ago is not counted again: what it holds was committed by then."""

KEPT_SECONDS = (MINUTES + 5) * 60

_EPOCH_MINUTE = {
    "postgresql": "FLOOR(EXTRACT(EPOCH FROM created_at) / 60)::bigint",
    "sqlite": "CAST(strftime('%%s', created_at) AS INTEGER) / 60",
}


class Counts(NamedTuple):
    """How many assignments ended in these three ways, how many tasks came, and how many closed."""

    answered: int = 0
    lapsed: int = 0
    skipped: int = 0
    created: int = 0
    closed: int = 0

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*map(sum, zip(self, other, strict=True)))


_PLACE = {
    str(EventType.ASSIGNMENT_FINISHED): Counts(answered=1),
    str(EventType.ASSIGNMENT_EXPIRED): Counts(lapsed=1),
    str(EventType.ASSIGNMENT_SKIPPED): Counts(skipped=1),
    str(TaskEventType.TASK_CREATED): Counts(created=1),
    str(TaskEventType.TASK_FINISHED): Counts(closed=1),
    str(TaskEventType.TASK_EXPIRED): Counts(closed=1),
    str(TaskEventType.TASK_CANCELED): Counts(closed=1),
}

Minute = tuple[dict[int, Counts], bool]
"""Queue id → counts; and whether the minute was counted to its beginning."""


@dataclass(frozen=True)
class Hour:
    """The minutes from `start`, oldest first; None where one has not been counted yet.

    `complete` is false where something of the hour is not counted yet: sums are then the least that it was.
    """

    start: datetime
    minutes: list[dict[int, Counts] | None]
    complete: bool

    def of(self, queue_id: int) -> list[Counts | None]:
        """A queue's counts by minute, oldest first."""
        return [None if minute is None else minute.get(queue_id, Counts()) for minute in self.minutes]

    def totals(self) -> dict[int, Counts]:
        """The counts of the whole hour by queue, where anything happened."""
        sums: dict[int, list[int]] = {}
        for minute in self.minutes:
            for queue_id, counts in (minute or {}).items():
                sum_ = sums.setdefault(queue_id, [0] * len(counts))
                for place, number in enumerate(counts):
                    sum_[place] += number
        return {queue_id: Counts(*numbers) for queue_id, numbers in sums.items()}


def of_the_hour(now: datetime) -> Hour:
    """The minute of `now` and the 59 before it, in all queues."""
    last = int(now.timestamp() // 60)
    wanted = range(last - MINUTES + 1, last + 1)
    kept = cache.get_many([_key(minute) for minute in wanted])
    found: dict[int, Minute] = {minute: kept[_key(minute)] for minute in wanted if _key(minute) in kept}
    left, fresh = EVENTS_MAX, {}
    for start, stop in list(_holes(wanted, found)):
        if left > 0:
            counted, read = _count(start, stop, limit=left)
            left -= read
            fresh.update(counted)
    cache.set_many({_key(minute): fresh[minute] for minute in fresh if minute < last - SETTLED}, timeout=KEPT_SECONDS)
    found.update(fresh)
    return Hour(
        start=datetime.fromtimestamp(wanted[0] * 60, UTC),
        minutes=[found[minute][0] if minute in found else None for minute in wanted],
        complete=all(minute in found and found[minute][1] for minute in wanted),
    )


def _key(minute: int) -> str:
    return f"crowd_assignments.minute.{minute}"


def _holes(wanted: range, found: Mapping[int, Minute]) -> Iterator[tuple[int, int]]:
    """The spans (the end is excluded) of minutes that are wanted and not found, newest first."""
    stop = None
    for minute in reversed(wanted):
        if minute not in found and stop is None:
            stop = minute + 1
        if minute in found and stop is not None:
            yield minute + 1, stop
            stop = None
    if stop is not None:
        yield wanted[0], stop


def _count(start: int, stop: int, *, limit: int) -> tuple[dict[int, Minute], int]:
    """The minutes from `start` until before `stop` as far as `limit` events reach back; and how many were read.

    The last minute that is reached is cut short; it counts only if it is the first as well, so that every look gets on.
    """
    rows, read = _read(start, stop, limit=limit)
    reached = min((minute for _queue, _type, minute, _n in rows), default=start) if read == limit else start - 1
    first = min(reached + 1, stop - 1)
    counted: dict[int, Minute] = {minute: ({}, minute > reached) for minute in range(first, stop)}
    for queue_id, type_, minute, number in rows:
        place = _PLACE.get(type_)
        if place is not None and queue_id is not None and minute in counted:
            queues = counted[minute][0]
            queues[queue_id] = queues.get(queue_id, Counts()).plus(Counts(*(number * one for one in place)))
    return counted, read


def _read(start: int, stop: int, *, limit: int) -> tuple[list[tuple[int | None, str, int, int]], int]:
    """(queue id, type, minute, number) of the newest `limit` events of the span; and how many events these are.

    The limit stands inside, so that the whole span is never counted, and the queue is not a condition: the way is
    along the index by time, whoever the events are about.
    """
    since = datetime.fromtimestamp(start * 60, UTC)
    events = Event.objects.filter(created_at__gte=since, created_at__lt=since + timedelta(minutes=stop - start))
    newest = events.order_by("-created_at").values_list("queue_id", "type", "created_at")[:limit]
    inner, parameters = newest.query.sql_with_params()
    minute = _EPOCH_MINUTE[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT queue_id, type, {minute} AS minute, COUNT(*) FROM ({inner}) AS newest"
            " GROUP BY queue_id, type, minute",
            parameters,
        )
        rows = cursor.fetchall()
    return rows, sum(number for *_rest, number in rows)
