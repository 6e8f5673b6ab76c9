"""What reviewers did in days, weeks and months, read from their hours (rollup.py says what is counted).

Skip rate: skipped ÷ (completed + skipped + expired); none where there were none.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from assignments import durations
from assignments.models import Reviewer, ReviewerHour
from assignments.rollup import CHUNK, COUNTED, HOUR, VALUES, as_of, hour_of
from queues.exceptions import InvalidInput
from queues.models import Membership, Queue
from queues.querysets import is_operator
from queues.transactions import database_now

PERIODS = {"day": 14, "week": 8, "month": 6}
"""The periods one can ask for, with the number of them that is shown unless another is asked for."""

COUNT_MAX = 92
HOURS_MAX = 31 * 24
REVIEWERS_MAX = 200


@dataclass(frozen=True)
class Row:
    """What was done from `start` until before `end` (UTC). Times are seconds; what there is none of is None."""

    start: datetime
    end: datetime
    completed: int
    skipped: int
    expired: int
    canceled: int
    handling_median: float | None
    handling_p95: float | None
    response_median: float | None
    response_p95: float | None
    skip_rate: float | None
    active_seconds: float
    slack_seconds: float


@dataclass(frozen=True)
class Metrics:
    """The numbers of one reviewer, newest period first, and of all these periods together.

    `as_of` is the time up to which everything is counted; None before the first roll-up.
    """

    as_of: datetime | None
    rows: list[Row]
    total: Row


@dataclass(frozen=True)
class ReviewerTotal:
    """What one reviewer did in a queue in the current period."""

    reviewer: Reviewer
    row: Row


@dataclass(frozen=True)
class QueueHour:
    """How many assignments of a queue ended within an hour, and how."""

    queue_id: int
    hour: datetime
    completed: int
    skipped: int
    expired: int
    canceled: int


@dataclass
class _Sum:
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED.values(), 0))
    handling: durations.Histogram = field(default_factory=dict)
    response: durations.Histogram = field(default_factory=dict)
    active: float = 0.0
    slack: float = 0.0

    def add(self, values: dict[str, Any]) -> None:
        for name in self.counts:
            self.counts[name] += values[name]
        durations.add(self.handling, values["handling"])
        durations.add(self.response, values["response"])
        self.active += values["active_seconds"]
        self.slack += values["slack_seconds"]

    def row(self, start: datetime, end: datetime) -> Row:
        tried = self.counts["completed"] + self.counts["skipped"] + self.counts["expired"]
        return Row(
            start=start,
            end=end,
            **self.counts,
            handling_median=durations.percentile(self.handling, 0.5),
            handling_p95=durations.percentile(self.handling, 0.95),
            response_median=durations.percentile(self.response, 0.5),
            response_p95=durations.percentile(self.response, 0.95),
            skip_rate=self.counts["skipped"] / tried if tried else None,
            active_seconds=round(self.active, 3),
            slack_seconds=round(self.slack, 3),
        )


def period_of(moment: datetime, period: str) -> tuple[datetime, datetime]:
    """The start and the end (excluded) of the day, week (from Monday) or month in UTC in which a moment is.

    Raises InvalidInput for another period.
    """
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return day, day + timedelta(days=1)
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    if period == "month":
        first = day.replace(day=1)
        return first, (first + timedelta(days=31)).replace(day=1)
    raise InvalidInput.at("/period", str(_("Must be day, week or month.")))


def of_reviewer(
    reviewer: Reviewer,
    *,
    period: str,
    queue: Queue | None = None,
    among: QuerySet[Queue] | None = None,
    count: int | None = None,
    now: datetime | None = None,
) -> Metrics:
    """A reviewer's numbers for the current period and those before it, `count` (1–92) in all; those without work too.

    In all queues, in one `queue`, or in those `among` some. Raises InvalidInput.
    """
    spans = [period_of(database_now(now), period)]
    count = PERIODS[period] if count is None else count
    if not 1 <= count <= COUNT_MAX:
        raise InvalidInput.at("/count", str(_("Must be from 1 to %(max)s.")) % {"max": COUNT_MAX})
    while len(spans) < count:
        spans.append(period_of(spans[-1][0] - timedelta(seconds=1), period))
    hours = ReviewerHour.objects.filter(reviewer=reviewer, hour__gte=spans[-1][0], hour__lt=spans[0][1])
    if queue is not None:
        hours = hours.filter(queue=queue)
    if among is not None:
        hours = hours.filter(queue__in=among)
    sums, total = {span[0]: _Sum() for span in spans}, _Sum()
    for values in hours.order_by().values("hour", *VALUES).iterator(chunk_size=CHUNK):
        sums[period_of(values["hour"], period)[0]].add(values)
        total.add(values)
    rows = [sums[start].row(start, end) for start, end in spans]
    return Metrics(as_of=as_of(), rows=rows, total=total.row(spans[-1][0], spans[0][1]))


def queues_seen(reviewer: Reviewer, *, by: Any) -> QuerySet[Queue]:
    """The queues, deleted ones too, in which the user `by` may see what the reviewer did: those they manage.

    Operators see all, and reviewers of themselves those in which they may work or have worked.
    """
    if is_operator(by):
        return Queue.objects.all()
    members = Membership.objects.filter(user=by)
    managed = Queue.objects.filter(pk__in=members.managers().values("queue"))
    if by.pk != reviewer.user_id:
        return managed
    worked = ReviewerHour.objects.filter(reviewer=reviewer).order_by().values("queue")
    return managed | Queue.objects.filter(Q(pk__in=members.reviewers().values("queue")) | Q(pk__in=worked))


def of_reviewers(queue: Queue, *, period: str, now: datetime | None = None) -> list[ReviewerTotal]:
    """What each reviewer did in a queue in the current period; the 200 who completed most. Raises InvalidInput."""
    start, end = period_of(database_now(now), period)
    hours = ReviewerHour.objects.filter(queue=queue, hour__gte=start, hour__lt=end).order_by()
    busiest = hours.values("reviewer_id").annotate(n=Sum("completed")).order_by("-n", "reviewer_id")
    sums = {reviewer_id: _Sum() for reviewer_id in busiest.values_list("reviewer_id", flat=True)[:REVIEWERS_MAX]}
    for values in hours.filter(reviewer_id__in=list(sums)).values("reviewer_id", *VALUES).iterator(chunk_size=CHUNK):
        sums[values["reviewer_id"]].add(values)
    reviewers = Reviewer.objects.select_related("user").in_bulk(list(sums))
    return [ReviewerTotal(reviewers[reviewer_id], found.row(start, end)) for reviewer_id, found in sums.items()]


def of_queues(*, hours: int, queue: Queue | None = None, now: datetime | None = None) -> list[QueueHour]:
    """How assignments ended, by queue and hour, in this hour and those before it, `hours` (1–744) in all; oldest first.

    Hours in which nothing ended are left out. Raises InvalidInput.
    """
    if not 1 <= hours <= HOURS_MAX:
        raise InvalidInput.at("/hours", str(_("Must be from 1 to %(max)s.")) % {"max": HOURS_MAX})
    since = hour_of(database_now(now)) - (hours - 1) * HOUR
    ended = ReviewerHour.objects.filter(hour__gte=since)
    if queue is not None:
        ended = ended.filter(queue=queue)
    sums = (
        ended.order_by("hour", "queue_id")
        .values("queue_id", "hour")
        .annotate(**{f"n_{name}": Sum(name) for name in COUNTED.values()})
        .values_list("queue_id", "hour", *(f"n_{name}" for name in COUNTED.values()))
    )
    return [QueueHour(*row) for row in sums if any(row[2:])]
