"""What a reviewer's desk shows: per queue what waits for them, what they hold, and how they did today.

The number of queries does not grow with the number of queues, and no query looks at more rows than it shows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Case, IntegerField, OuterRef, Subquery, When
from django.utils import timezone

from assignments.models import Assignment, Reviewer
from assignments.querysets import fresh_to
from assignments.states import AssignmentStatus
from queues import strategy
from queues.models import Membership, Queue, Task
from queues.states import LIVE_MAX, TaskStatus
from queues.transactions import database_now

WAITING_SHOWN = 100
"""What waits is counted up to here: beyond it the number says nothing more to a person."""

QUEUES_COUNTED = 100
"""For so many queues what waits is counted; a reviewer of more opens the rest to see."""

TODAY_SHOWN = 1000
"""So many of a reviewer's newest assignments are looked at for what was done today."""

SHORT = timedelta(minutes=1)
"""A lease that ends within this time is about to lapse."""


@dataclass(frozen=True)
class Held:
    """A live assignment; `seconds_left` of its lease, None where that has no end."""

    assignment: Assignment
    seconds_left: int | None

    @property
    def is_short(self) -> bool:
        return self.seconds_left is not None and self.seconds_left <= SHORT.total_seconds()


@dataclass(frozen=True)
class Today:
    """How many assignments ended since midnight; `capped` where there may have been more."""

    finished: int = 0
    skipped: int = 0
    expired: int = 0
    capped: bool = False


@dataclass(frozen=True)
class Place:
    """One queue on the desk. `waiting`: tasks that could be handed out, at most WAITING_SHOWN; None: not known."""

    queue: Queue
    waiting: int | None
    held: list[Held] = field(default_factory=list)
    today: Today = field(default_factory=Today)

    @property
    def waiting_capped(self) -> bool:
        return self.waiting == WAITING_SHOWN


@dataclass(frozen=True)
class Desk:
    """A reviewer's queues by their shown names, as of `as_of`."""

    places: list[Place]
    as_of: datetime


class _Number(Subquery):
    """How many rows a query gives; it should have a limit."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS shown)"
    output_field = IntegerField()


def of_user(user: Any, *, now: datetime | None = None) -> Desk:
    """The desk of a user, who need not have reviewed anything yet."""
    now = database_now(now)
    members = Membership.objects.reviewers().filter(user=user, queue__archived_at__isnull=True)
    memberships = sorted(members.select_related("queue"), key=lambda member: str(member.queue).casefold())
    if not memberships:
        return Desk([], as_of=now)
    # One who never grabbed has no row; asked about as somebody without any assignment.
    reviewer = Reviewer.objects.filter(user=user).first() or Reviewer(pk=0, user=user)
    queues = [member.queue for member in memberships]
    waiting = _waiting(memberships[:QUEUES_COUNTED], reviewer, now)
    held = _held(queues, reviewer, now)
    today = _today(reviewer, now)
    places = [
        Place(queue, waiting.get(queue.pk), held.get(queue.pk, []), today.get(queue.pk) or today[None])
        for queue in queues
    ]
    return Desk(places, as_of=now)


def _waiting(memberships: Sequence[Membership], reviewer: Reviewer, now: datetime) -> dict[int, int | None]:
    """Queue id → how many tasks a grab could hand out; None where the queue is paused.

    One subquery for each kind of queue, however many there are of it: written out for each queue, fifty of them took
    longer to compile than to run.
    """
    alike: dict[tuple[str | None, bool], list[int]] = {}
    for member in memberships:
        alike.setdefault((_topic(member), member.queue.requester_may_review), []).append(member.queue_id)
    numbers = [
        When(pk__in=queues, then=_number(reviewer, now, topic=topic, own=own)) for (topic, own), queues in alike.items()
    ]
    shown = Case(When(is_paused=True, then=None), *numbers, output_field=IntegerField())
    asked = Queue.objects.filter(pk__in=[member.queue_id for member in memberships]).order_by()
    return {pk: None if n is None else min(n, WAITING_SHOWN) for pk, n in asked.values_list("pk", shown)}


def _topic(member: Membership) -> str | None:
    """The topic that the member's grabs are limited to."""
    default = member.queue.default_assignment_strategy
    return strategy.resolve(member=member.strategy, call=None, queue=default, max_lease=None, cap=LIVE_MAX).topic


def _number(reviewer: Reviewer, now: datetime, *, topic: str | None, own: bool) -> Any:
    """The tasks aimed at the reviewer and those for anybody, each counted through an index that holds only such.

    They are looked at from the end that is handed out last, where the fewest are that this reviewer has judged.
    """
    of_queue = Task.objects.filter(queue=OuterRef("pk"), status=TaskStatus.AVAILABLE)
    tasks = fresh_to(of_queue, reviewer=reviewer, now=now)
    if topic is not None:
        tasks = tasks.filter(topic=topic)
    if not own:
        tasks = tasks.exclude(requester=reviewer.user_id)
    last = tasks.order_by("-priority", "-id").values("pk")
    mine = _Number(last.filter(target_reviewer=reviewer.user_id)[:WAITING_SHOWN])
    anybodys = _Number(last.filter(target_reviewer__isnull=True)[:WAITING_SHOWN])
    return mine + anybodys


def _held(queues: Sequence[Queue], reviewer: Reviewer, now: datetime) -> dict[int, list[Held]]:
    """Queue id → what is held and in time, the lease that ends first first."""
    live = Assignment.objects.live(now).filter(reviewer=reviewer, queue__in=queues, live_slot__isnull=False)
    held: dict[int, list[Held]] = {}
    for assignment in sorted(live.defer("data"), key=lambda row: (row.expire_at is None, row.expire_at, row.pk)):
        left = None if assignment.expire_at is None else int((assignment.expire_at - now).total_seconds())
        held.setdefault(assignment.queue_id, []).append(Held(assignment, left))
    return held


def _today(reviewer: Reviewer, now: datetime) -> dict[int | None, Today]:
    """Queue id → what ended since midnight, in the present time zone; under None: for a queue with nothing."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    newest = Assignment.objects.filter(reviewer=reviewer).order_by("-id")
    rows = list(newest.values_list("queue_id", "status", "ended_at", "created_at")[:TODAY_SHOWN])
    capped = len(rows) == TODAY_SHOWN and rows[-1][3] >= midnight
    ended = Counter((queue, status) for queue, status, at, _ in rows if at is not None and at >= midnight)
    return {None: Today(capped=capped)} | {
        queue: Today(
            finished=ended[queue, AssignmentStatus.FINISHED],
            skipped=ended[queue, AssignmentStatus.SKIPPED],
            expired=ended[queue, AssignmentStatus.EXPIRED],
            capped=capped,
        )
        for queue, _ in ended
    }
