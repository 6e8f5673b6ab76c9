"""How one member of a queue stands in it just now: whether there is work for them, and what they hold."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from assignments.models import Assignment, Reviewer
from assignments.querysets import claimable, unexpired
from queues import strategy
from queues.models import Membership, Queue, Task
from queues.querysets import TaskQuerySet, is_operator
from queues.states import LIVE_MAX, Role, TaskStatus
from queues.transactions import database_now


@dataclass(frozen=True)
class Member:
    """Somebody who may follow a queue: a reviewer, by `membership`; without one a manager or operator, who watches."""

    queue: Queue
    user: Any
    membership: Membership | None

    @property
    def topic(self) -> str | None:
        """The topic that their grabs are limited to, None for any."""
        if self.membership is None:
            return None
        policy = strategy.resolve(
            member=self.membership.strategy,
            call=None,
            queue=self.queue.default_assignment_strategy,
            max_lease=None,
            cap=LIVE_MAX,
        )
        return policy.topic


@dataclass(frozen=True)
class Lease:
    """A live assignment: its id, that of its task, and from when to when it is held (None: without an end)."""

    assignment: int
    task: int
    created_at: datetime
    expire_at: datetime | None


@dataclass(frozen=True)
class Standing:
    """As of `as_of` by the database's clock. `available`: a grab may well get something new."""

    member: Member
    as_of: datetime
    available: bool
    held: list[Lease]


def member(user: Any, queue: Queue) -> Member | None:
    """The user as one who may follow this queue; None where they are neither its reviewer or manager nor operator."""
    roles = {row.role: row for row in Membership.objects.filter(queue=queue, user=user)}
    if roles.keys() & {Role.REVIEWER, Role.MANAGER} or is_operator(user):
        return Member(queue, user, roles.get(Role.REVIEWER))
    return None


def of(member: Member, *, now: datetime | None = None) -> Standing:
    """How this member stands now."""
    now = database_now(now)
    reviewer = Reviewer.objects.filter(user=member.user).first()
    held = [] if reviewer is None else _held(member.queue, reviewer, now)
    return Standing(member, now, _available(member, reviewer, now), held)


def _held(queue: Queue, reviewer: Reviewer, now: datetime) -> list[Lease]:
    live = Assignment.objects.live(now).filter(reviewer=reviewer, queue=queue, live_slot__isnull=False)
    return [Lease(*row) for row in live.order_by("id").values_list("id", "task_id", "created_at", "expire_at")]


def _available(member: Member, reviewer: Reviewer | None, now: datetime) -> bool:
    """First whether there is any task for anybody, or for this member: while many wait for work there mostly is none,
    and that is quickly said.
    """
    queue = member.queue
    if queue.is_paused:
        return False
    # A range of one value, so that the order is that of one index alone; see dashboard.py.
    waiting = Task.objects.filter(queue=queue, status__gte=TaskStatus.AVAILABLE, status__lte=TaskStatus.AVAILABLE)
    if not unexpired(waiting, now=now).order_by("status", "id").values_list("pk")[:1]:
        return False
    if member.membership is None:
        return True
    tasks = Task.objects.filter(queue=queue, status=TaskStatus.AVAILABLE)
    mine = tasks.filter(target_reviewer=member.user.pk)
    # From the end that is handed out last: there the fewest are that they have judged.
    anybodys = tasks.filter(target_reviewer__isnull=True).order_by("-priority", "-id")
    return _any_for(mine, member, reviewer, now) or _any_for(anybodys, member, reviewer, now)


def _any_for(tasks: TaskQuerySet, member: Member, reviewer: Reviewer | None, now: datetime) -> bool:
    """Whether the member could be handed any of these."""
    if not tasks.values_list("pk")[:1]:
        return False
    # One who never grabbed has no row; asked about as somebody without any assignment.
    who = reviewer or Reviewer(pk=0, user=member.user)
    suited = claimable(tasks, queue=member.queue, reviewer=who, now=now)
    if member.topic is not None:
        suited = suited.filter(topic=member.topic)
    return bool(suited.values_list("pk")[:1])
