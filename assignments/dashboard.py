"""What an operator watches: what waits in the queues, who is at it, and how it goes.

It is asked every few seconds for hours, beside millions of tasks. So no table is counted: counts of open tasks end at
a cap, closed tasks are not looked at, what happened comes from the events of one hour and from the hours that
rollup.py has rolled up.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Exists, IntegerField, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest

from assignments import metrics, minutes, rollup
from assignments.models import Assignment, QueueAtWork, Reviewer, ReviewerHour
from assignments.states import AssignmentStatus
from queues.models import Task
from queues.querysets import TaskQuerySet, is_operator
from queues.states import TaskStatus
from queues.transactions import database_now

CAP = 100_000
CAP_AMONG_MANY = 10_000
FEW = 4
"""Up to so many queues are counted to CAP each; more of them to CAP_AMONG_MANY."""

WATCHING = (
    "crowd_queues.view_queue",
    "crowd_assignments.view_queueatwork",
    "crowd_assignments.change_queueatwork",
)

QUEUES_MAX = 50
NAMES = 3
HOLDERS_MAX = 100
LOOKED_AT, SHOWN = 50, 12
"""So many of the latest lapses, and of the latest skips, are looked at, and so many of both are shown."""

ROLLED_SECONDS, DAYS_SECONDS = 10, 60
"""How long sums over rolled-up hours, and over thirty days of them, are kept: they are made anew every 15 seconds."""

DAYS = 30


@dataclass(frozen=True)
class Depth:
    """How many tasks; `more`: at least so many, they were not counted further."""

    number: int
    more: bool


@dataclass(frozen=True)
class Holding:
    """What one reviewer holds in a queue."""

    reviewer: Reviewer
    held: int
    since: datetime
    lease_end: datetime | None
    done: int


@dataclass(frozen=True)
class AtWork:
    """Who holds tasks of a queue: how many people, how many tasks, the first end of a lease, who holds most."""

    reviewers: int = 0
    held: int = 0
    lease_end: datetime | None = None
    names: tuple[tuple[Reviewer, int], ...] = ()


@dataclass(frozen=True)
class QueueNow:
    """A queue at this moment, and its last hour.

    `waiting_since`: when the first-created of its available tasks was created or, where that is later, scheduled for.
    `today`: answers since midnight UTC.
    """

    queue: QueueAtWork
    available: Depth
    assigned: Depth
    scheduled: Depth
    waiting_since: datetime | None
    hour: minutes.Counts
    today: int
    at_work: AtWork

    @property
    def lost(self) -> float | None:
        """The share of the last hour's hand-outs that lapsed or were skipped; None where none came to an end."""
        ended = self.hour.answered + self.hour.lapsed + self.hour.skipped
        return (self.hour.lapsed + self.hour.skipped) / ended if ended else None


@dataclass(frozen=True)
class Overview:
    """Some of the living queues, in the order asked for, as of now.

    `complete`: whether the last hour was counted whole. `rolled_up`: up to when `today` is counted.
    """

    as_of: datetime
    queues: list[QueueNow]
    complete: bool
    rolled_up: datetime | None


@dataclass(frozen=True)
class Span:
    """How a queue's assignments ended in an hour or a day from `start` (UTC)."""

    start: datetime
    answered: int
    lapsed: int
    skipped: int


@dataclass(frozen=True)
class Board:
    """One queue, with its last hour by minute, its last day by hour, its last thirty days, who holds its tasks and what
    was lost last. `open` is how many tasks were open at the end of each minute, None where it cannot be known.
    """

    overview: Overview
    now: QueueNow
    minutes: list[tuple[datetime, minutes.Counts | None]]
    open: list[int | None]
    hours: list[Span]
    days: list[Span]
    holders: list[Holding]
    lost: list[Assignment]


def in_order(*, search: str = "", now: datetime | None = None) -> list[int]:
    """The ids of the living queues: first those where tasks wait, are held or ended today, by name.

    `search` is a part of the name or alias.
    """
    now = database_now(now)
    queues = QueueAtWork.objects.alive()
    if search:
        queues = queues.filter(Q(name__icontains=search) | Q(alias__icontains=search))
    working = set(Assignment.objects.live(now).order_by().values_list("queue_id", flat=True).distinct())
    working |= _today(now).keys()
    waiting = Exists(_in_state(TaskStatus.AVAILABLE))
    rows = queues.annotate(waits=waiting).order_by("name").values_list("pk", "waits")
    return [pk for pk, _waits in sorted(rows, key=lambda row: not (row[1] or row[0] in working))]


def may_watch(user: Any) -> bool:
    """Whether the user may see this: operators, and staff who may view queues, or these."""
    return is_operator(user) or (getattr(user, "is_staff", False) and any(map(user.has_perm, WATCHING)))


def overview(ids: Collection[int], *, cap: int | None = None, now: datetime | None = None) -> Overview:
    """These queues, as far as they live, in this order. Tasks are counted to `cap`; None: to that of so many queues."""
    now = database_now(now)
    return _overview(ids, minutes.of_the_hour(now), now, cap)


def _overview(ids: Collection[int], hour: minutes.Hour, now: datetime, cap: int | None = None) -> Overview:
    cap = cap or (CAP if len(ids) <= FEW else CAP_AMONG_MANY)
    totals, today, working = hour.totals(), _today(now), _at_work(ids, now)
    found = _with_depths(ids, cap).in_bulk()
    return Overview(
        as_of=now,
        queues=[
            _queue_now(found[pk], cap, totals.get(pk, minutes.Counts()), today, working) for pk in ids if pk in found
        ],
        complete=hour.complete,
        rolled_up=rollup.as_of(),
    )


def board(queue_id: int, *, now: datetime | None = None) -> Board:
    """One queue. Raises QueueAtWork.DoesNotExist, also where it was deleted."""
    now = database_now(now)
    hour = minutes.of_the_hour(now)
    whole = _overview([queue_id], hour, now)
    if not whole.queues:
        raise QueueAtWork.DoesNotExist
    (this,) = whole.queues
    counts = hour.of(queue_id)
    return Board(
        overview=whole,
        now=this,
        minutes=[(hour.start + timedelta(minutes=place), one) for place, one in enumerate(counts)],
        open=_backwards([this.available, this.assigned, this.scheduled], counts, complete=hour.complete),
        hours=_last_hours(this.queue, now),
        days=_last_days(this.queue, now),
        holders=_holders(queue_id, now),
        lost=_lost(queue_id),
    )


def _in_state(status: TaskStatus) -> TaskQuerySet:
    """The tasks of the outer queue in this state, by id.

    The state is a range of one value: with an equality the order would be that of the primary key as well, and a
    planner that takes it reads through millions of closed tasks. So it is the order of `task_by_queue` alone.
    """
    tasks = Task.objects.filter(queue=OuterRef("pk"), status__gte=status, status__lte=status)
    return tasks.order_by("status", "id")


def waiting() -> list[tuple[int, str, datetime | None]]:
    """Each living queue's id and name, and since when the first-created of its available tasks waits."""
    queues = QueueAtWork.objects.alive().order_by("name").annotate(waiting_since=_waiting_since())
    return list(queues.values_list("pk", "name", "waiting_since"))


def _waiting_since() -> Subquery:
    since = Greatest("created_at", Coalesce("schedule_to", "created_at"))
    return Subquery(_in_state(TaskStatus.AVAILABLE).values(since=since)[:1])


def _capped(status: TaskStatus, cap: int) -> Subquery:
    return Subquery(
        _in_state(status).values("pk")[: cap + 1],
        template="(SELECT COUNT(*) FROM (%(subquery)s) AS counted)",
        output_field=IntegerField(),
    )


def _with_depths(ids: Collection[int], cap: int) -> Any:
    return (
        QueueAtWork.objects.alive()
        .filter(pk__in=ids)
        .order_by()
        .annotate(
            n_available=_capped(TaskStatus.AVAILABLE, cap),
            n_assigned=_capped(TaskStatus.ASSIGNED, cap),
            n_scheduled=_capped(TaskStatus.SCHEDULED, cap),
            waiting_since=_waiting_since(),
        )
    )


def _queue_now(
    queue: Any, cap: int, hour: minutes.Counts, today: dict[int, int], working: dict[int, AtWork]
) -> QueueNow:
    available, assigned, scheduled = (
        Depth(min(number, cap), number > cap) for number in (queue.n_available, queue.n_assigned, queue.n_scheduled)
    )
    return QueueNow(
        queue=queue,
        available=available,
        assigned=assigned,
        scheduled=scheduled,
        waiting_since=queue.waiting_since,
        hour=hour,
        today=today.get(queue.pk, 0),
        at_work=working.get(queue.pk, AtWork()),
    )


def _at_work(ids: Collection[int], now: datetime) -> dict[int, AtWork]:
    """Queue id → who holds its tasks, with the NAMES who hold most."""
    live = Assignment.objects.live(now).filter(queue__in=ids).values_list("queue_id", "reviewer_id")
    pairs = live.annotate(held=Count("id"), lease_end=Min("expire_at")).order_by("queue_id", "-held", "reviewer_id")
    by_queue = {queue_id: list(rows) for queue_id, rows in groupby(pairs, key=itemgetter(0))}
    shown = {reviewer_id for rows in by_queue.values() for _queue, reviewer_id, *_rest in rows[:NAMES]}
    people = Reviewer.objects.select_related("user").in_bulk(shown)
    return {
        queue_id: AtWork(
            reviewers=len(rows),
            held=sum(held for _queue, _reviewer, held, _end in rows),
            lease_end=min((end for *_rest, end in rows if end is not None), default=None),
            names=tuple((people[reviewer_id], held) for _queue, reviewer_id, held, _end in rows[:NAMES]),
        )
        for queue_id, rows in by_queue.items()
    }


def _holders(queue_id: int, now: datetime) -> list[Holding]:
    """Who holds tasks of this queue, those who hold for longest first; at most HOLDERS_MAX."""
    live = Assignment.objects.live(now).filter(queue=queue_id).order_by().values("reviewer_id")
    rows = list(
        live.annotate(held=Count("id"), since=Min("created_at"), lease_end=Min("expire_at")).order_by(
            "since", "reviewer_id"
        )[:HOLDERS_MAX]
    )
    ids = [row["reviewer_id"] for row in rows]
    people = Reviewer.objects.select_related("user").in_bulk(ids)
    this_hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = ReviewerHour.objects.filter(queue=queue_id, hour=this_hour, reviewer__in=ids)
    done = dict(hours.order_by().values_list("reviewer_id", "completed"))
    return [
        Holding(
            reviewer=people[row["reviewer_id"]],
            held=row["held"],
            since=row["since"],
            lease_end=row["lease_end"],
            done=done.get(row["reviewer_id"], 0),
        )
        for row in rows
    ]


def _lost(queue_id: int) -> list[Assignment]:
    """The latest lapses and skips by their end, among those handed out last."""
    found: list[Assignment] = []
    for status in (AssignmentStatus.EXPIRED, AssignmentStatus.SKIPPED):
        ended = Assignment.objects.filter(queue=queue_id, status=status).select_related("reviewer__user")
        found += ended.order_by("-id").defer("data")[:LOOKED_AT]
    return sorted(found, key=lambda assignment: (assignment.ended_at, assignment.pk), reverse=True)[:SHOWN]


def _backwards(depths: Iterable[Depth], counts: list[minutes.Counts | None], *, complete: bool) -> list[int | None]:
    """How many tasks were open at the end of each minute: from the present number back, by what came and what closed.

    None for all of it where the present number stopped at the cap, or the hour is not counted whole.
    """
    depths = list(depths)
    if not complete or any(depth.more for depth in depths):
        return [None] * len(counts)
    open_then = sum(depth.number for depth in depths)
    found: list[int | None] = []
    for one in reversed(counts):
        found.append(max(0, open_then))
        if one is not None:
            open_then += one.closed - one.created
    return found[::-1]


def _kept(key: str, make: Callable[[], Any], seconds: int) -> Any:
    return cache.get_or_set(key, make, seconds)


def _today(now: datetime) -> dict[int, int]:
    """Queue id → answers since midnight (UTC), as far as they are rolled up."""

    def count() -> dict[int, int]:
        sums: dict[int, int] = {}
        for row in metrics.of_queues(hours=now.astimezone(UTC).hour + 1, now=now):
            sums[row.queue_id] = sums.get(row.queue_id, 0) + row.completed
        return sums

    return _kept(f"crowd_assignments.today.{now.astimezone(UTC):%Y%m%d}", count, ROLLED_SECONDS)


def _spans(starts: list[datetime], rows: Iterable[tuple[datetime, metrics.QueueHour]]) -> list[Span]:
    sums = {start: [0, 0, 0] for start in starts}
    for start, row in rows:
        if start in sums:
            for place, number in enumerate((row.completed, row.expired, row.skipped)):
                sums[start][place] += number
    return [Span(start, *numbers) for start, numbers in sums.items()]


def _last_hours(queue: QueueAtWork, now: datetime) -> list[Span]:
    """This hour and the 23 before it."""
    this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    starts = [this - timedelta(hours=back) for back in reversed(range(24))]

    def count() -> list[Span]:
        rows = metrics.of_queues(hours=24, queue=queue, now=now)
        return _spans(starts, ((row.hour.astimezone(UTC), row) for row in rows))

    return _kept(f"crowd_assignments.hours.{queue.pk}.{this:%Y%m%d%H}", count, ROLLED_SECONDS)


def _last_days(queue: QueueAtWork, now: datetime) -> list[Span]:
    """This day (UTC) and the 29 before it."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [today - timedelta(days=back) for back in reversed(range(DAYS))]

    def count() -> list[Span]:
        hours = (DAYS - 1) * 24 + now.astimezone(UTC).hour + 1
        rows = metrics.of_queues(hours=hours, queue=queue, now=now)
        return _spans(starts, ((row.hour.astimezone(UTC).replace(hour=0), row) for row in rows))

    return _kept(f"crowd_assignments.days.{queue.pk}.{today:%Y%m%d}", count, DAYS_SECONDS)
