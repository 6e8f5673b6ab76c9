"""The hours of reviewers: what each did in a queue, rolled up from events.

- completed, skipped, expired, canceled: assignments by the hour in which they ended so.
- handling time: from the hand-out to the answer, of completed ones.
- response time: from when the task first became available (its creation, or its `schedule_to` where that is later) to
  the answer: what its requester waited, whatever others did with it in between.
- active time: when the reviewer held a task whose lease was not over; each instant counts for one queue (see spells).
- slack: the gaps of at most half an hour between two spells of work, for the queue of the work that follows.

Hours are made whole, again and again, until nothing can change them: ids and times of events are given out before
their transactions commit, so a cursor over either would pass by what commits late. What the roll-up writes is a
function of the events and assignments alone, so it can be repeated, and be done twice at once.

Events are purged in time, hours stay. Hours of which events are gone are never made again: they would come out too low.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.db.models import FloatField, Func

from assignments import durations, spells
from assignments.models import Assignment, MetricsMark, ReviewerHour
from assignments.spells import Hold
from assignments.states import ENDING_EVENT, AssignmentStatus
from queues import feed
from queues.exceptions import InvalidInput
from queues.models import Event
from queues.transactions import database_now, writer

LATE = timedelta(minutes=15)
"""How long before the mark hours are made again at every roll-up, for what was committed late."""

AGAIN = timedelta(days=1)
"""Each hour is made once more when it is so old, for what was committed even later."""

STEP = timedelta(hours=6)
"""The most hours that are made in one transaction."""

OVERHANG = timedelta(days=1)
"""How far behind an hour one looks for the end of what was held in it. What is live now is always seen."""

HOUR = timedelta(hours=1)
EVER = datetime.min.replace(tzinfo=UTC)
ABSENCE = timedelta(seconds=spells.ABSENCE)
CHUNK = 2000

COUNTED = {
    AssignmentStatus.FINISHED: "completed",
    AssignmentStatus.SKIPPED: "skipped",
    AssignmentStatus.EXPIRED: "expired",
    AssignmentStatus.CANCELED: "canceled",
}
VALUES = (*COUNTED.values(), "handling", "response", "active_seconds", "slack_seconds")


class Seconds(Func):
    """A time as seconds since 1970. Making datetimes of them took two thirds of the roll-up's time."""

    template = "EXTRACT(EPOCH FROM %(expressions)s)::float8"
    output_field = FloatField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="%(expressions)s", **context)

    def convert_value(self, value: Any, *context: Any) -> Any:
        """SQLite gives the time itself, in UTC and without saying so."""
        return value.replace(tzinfo=UTC).timestamp() if isinstance(value, datetime) else value


def as_of() -> datetime | None:
    """The time up to which everything is counted; None before the first roll-up."""
    return MetricsMark.objects.values_list("as_of", flat=True).first()


def roll_up(*, now: datetime | None = None) -> bool:
    """Make the hours anew that may have changed, at most STEP of them beyond the mark; whether there is more to do.

    False as well where somebody else is at it.
    """
    moment = database_now(now)
    mark = as_of()
    if mark is None:
        first = Event.objects.order_by("created_at").values_list("created_at", flat=True).first()
        mark = MetricsMark.objects.get_or_create(defaults={"as_of": first or moment})[0].as_of
    until = min(moment, hour_of(mark) + STEP)
    whole = first_whole_hour()
    if until == moment:
        for start, stop in _steps(max(hour_of(mark) - AGAIN, whole), hour_of(until) - AGAIN):
            _make(start=start, stop=stop, moment=moment)
    start = max(hour_of(mark - LATE - ABSENCE), whole)
    if not _make(start=start, stop=hour_of(until) + HOUR, moment=moment, until=until):
        return False
    return until < moment


def remake(*, since: datetime, now: datetime | None = None) -> Iterator[datetime]:
    """Make all hours from `since` to the mark anew, step by step; yields how far it has come.

    Raises InvalidInput where events of these hours were purged.
    """
    mark = as_of()
    if mark is not None:
        for start, stop in _steps(hour_of(since), hour_of(mark) + HOUR):
            require_whole(start)
            _make(start=start, stop=stop, moment=database_now(now), patient=True)
            yield stop


def first_whole_hour() -> datetime:
    """The first hour of which no event was purged, nor of the time before it that its slack hangs on."""
    purged = feed.whole_since()
    return EVER if purged is None else hour_of(purged + ABSENCE) + HOUR


def require_whole(start: datetime) -> None:
    """Raises InvalidInput unless all events are there from which the hours from `start` on are made."""
    whole = first_whole_hour()
    if start < whole:
        raise InvalidInput.at(
            "/since",
            f"Events are not kept for ever: hours can be made anew from {whole:%Y-%m-%d %H:%M} UTC on, not from "
            f"{start:%Y-%m-%d %H:%M}.",
        )


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour (UTC) in which a moment is."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _steps(start: datetime, stop: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < stop:
        yield start, min(start + STEP, stop)
        start += STEP


@writer
def _make(
    *, start: datetime, stop: datetime, moment: datetime, until: datetime | None = None, patient: bool = False
) -> bool:
    """Replace the rows of the hours from `start` until before `stop`, and move the mark to `until`.

    False, and nothing done, where another transaction holds the mark and we are not `patient`.
    """
    marks = MetricsMark.objects.select_for_update(skip_locked=not patient)
    if marks.first() is None:
        return False
    low = 0
    for rows, high in _chunks(_hours(start=start, stop=stop, moment=moment)):
        _replace(rows, start=start, stop=stop, low=low, high=high)
        low = high or low
    # Asked last: what was purged meanwhile, some of these hours may have been made without.
    require_whole(start)
    if until is not None:
        MetricsMark.objects.filter(as_of__lt=until).update(as_of=until)
    return True


def _held(*, start: datetime, stop: datetime) -> Iterator[tuple[Any, ...]]:
    """What was held from before `start` to behind `stop`, as far as it matters there, by reviewer.

    (reviewer, queue, status, handed out, ended, lease's end, task created, task's `schedule_to`).
    """
    ends = Event.objects.filter(
        type__in=[str(type_) for type_ in ENDING_EVENT.values()],
        created_at__gte=start - ABSENCE,
        created_at__lt=stop + OVERHANG,
    )
    times = ("created_at", "ended_at", "expire_at", "task__created_at", "task__schedule_to")
    rows = (
        Assignment.objects.filter(created_at__lt=stop + ABSENCE)
        .order_by("reviewer_id")
        .values_list("reviewer_id", "queue_id", "status", *map(Seconds, times))
    )
    ended = rows.filter(pk__in=ends.values("object_id")).exclude(status=AssignmentStatus.CREATED)
    live = rows.filter(status=AssignmentStatus.CREATED)
    return merge(ended.iterator(chunk_size=CHUNK), live.iterator(chunk_size=CHUNK), key=itemgetter(0))


def _hours(*, start: datetime, stop: datetime, moment: datetime) -> Iterator[list[ReviewerHour]]:
    """The rows of each reviewer for these hours, by reviewer."""
    low, high, present = start.timestamp(), stop.timestamp(), moment.timestamp()
    for reviewer, assignments in groupby(_held(start=start, stop=stop), key=itemgetter(0)):
        made: dict[tuple[int, int], ReviewerHour] = {}
        holds = []
        for _reviewer, queue, status, handed, ended, expiry, created, scheduled in assignments:
            end = present if ended is None else ended
            holds.append(Hold(handed, end if expiry is None else min(end, expiry), queue))
            if ended is None or not low <= ended < high:
                continue
            row = _row(made, reviewer, queue, int(ended // spells.HOUR))
            name = COUNTED[status]
            setattr(row, name, getattr(row, name) + 1)
            if status == AssignmentStatus.FINISHED:
                available = scheduled if scheduled and created < scheduled <= handed else created
                _count(row.handling, ended - handed)
                _count(row.response, ended - available)
        for queue, hour, active, slack in spells.worked(holds):
            if low <= hour * spells.HOUR < high:
                row = _row(made, reviewer, queue, hour)
                row.active_seconds += active
                row.slack_seconds += slack
        for row in made.values():
            row.active_seconds = round(row.active_seconds, 3)
            row.slack_seconds = round(row.slack_seconds, 3)
        yield list(made.values())


def _row(made: dict[tuple[int, int], ReviewerHour], reviewer: int, queue: int, hour: int) -> ReviewerHour:
    """The row of a queue and hour among those of the reviewer, made where missing."""
    found = made.get((queue, hour))
    if found is None:
        at = datetime.fromtimestamp(hour * spells.HOUR, UTC)
        found = ReviewerHour(reviewer_id=reviewer, queue_id=queue, hour=at, handling={}, response={})
        made[queue, hour] = found
    return found


def _count(histogram: durations.Histogram, seconds: float) -> None:
    key = str(durations.bucket(seconds))
    histogram[key] = histogram.get(key, 0) + 1


def _chunks(reviewers: Iterable[list[ReviewerHour]]) -> Iterator[tuple[list[ReviewerHour], int | None]]:
    """Rows in chunks of whole reviewers, with the last reviewer of each; the last chunk, perhaps empty, has no end."""
    chunk: list[ReviewerHour] = []
    for rows in reviewers:
        chunk += rows
        if len(chunk) >= CHUNK:
            yield chunk, chunk[-1].reviewer_id
            chunk = []
    yield chunk, None


def _replace(rows: list[ReviewerHour], *, start: datetime, stop: datetime, low: int, high: int | None) -> None:
    """Let `rows` be all there is of reviewers above `low` to `high` in these hours; what is right already stays."""
    there = ReviewerHour.objects.filter(hour__gte=start, hour__lt=stop, reviewer_id__gt=low)
    if high is not None:
        there = there.filter(reviewer_id__lte=high)
    old = {(row.reviewer_id, row.queue_id, row.hour): row for row in there}
    changed = []
    for row in rows:
        was = old.pop((row.reviewer_id, row.queue_id, row.hour), None)
        if was is None or any(getattr(was, name) != getattr(row, name) for name in VALUES):
            changed.append(row)
    if old:
        ReviewerHour.objects.filter(pk__in=[row.pk for row in old.values()]).delete()
    ReviewerHour.objects.bulk_create(
        changed,
        batch_size=500,
        update_conflicts=True,
        unique_fields=["reviewer", "queue", "hour"],
        update_fields=VALUES,
    )
