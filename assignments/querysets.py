"""What can be asked of reviewers, assignments and exclusions, and which tasks one may be handed."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import models
from django.db.models import Exists, F, Min, OuterRef, Q

from assignments.states import AssignmentStatus
from queues.models import Membership, Queue, Task
from queues.querysets import TaskQuerySet, is_operator
from queues.states import OPEN, TaskStatus

if TYPE_CHECKING:
    from assignments.models import Assignment, Exclusion, Reviewer  # noqa: F401


def _model(name: str) -> Any:
    """A model of this app: models.py stands on this module, so the name is looked up when it is asked for."""
    return apps.get_model("crowd_assignments", name)


class ReviewerQuerySet(models.QuerySet["Reviewer"]):
    def of_users(self, users: Iterable[Any], *, now: datetime) -> dict[Any, "Reviewer"]:
        """User id → reviewer, made where missing."""
        ids = {user.pk for user in users}
        found: dict[Any, Reviewer] = {reviewer.user_id: reviewer for reviewer in self.filter(user_id__in=ids)}
        missing = ids - set(found)
        if missing:
            fresh = [self.model(user_id=user_id, created_at=now) for user_id in sorted(missing, key=str)]
            self.bulk_create(fresh, ignore_conflicts=True)
            found |= {reviewer.user_id: reviewer for reviewer in self.filter(user_id__in=missing)}
        return found

    def visible_to(self, user: Any) -> "ReviewerQuerySet":
        """Oneself, and those who may review or have reviewed in queues one manages; operators see all."""
        if is_operator(user):
            return self
        managed = Membership.objects.managers().filter(user=user).values("queue")
        members = Membership.objects.reviewers().filter(queue__in=managed, user=OuterRef("user"))
        done = _model("Assignment").objects.filter(queue__in=managed, reviewer=OuterRef("pk"))
        return self.filter(Q(user=user) | Exists(members) | Exists(done))


class AssignmentQuerySet(models.QuerySet["Assignment"]):
    def live(self, now: datetime) -> "AssignmentQuerySet":
        """Held, and in time."""
        return self.filter(Q(expire_at__isnull=True) | Q(expire_at__gt=now), status=AssignmentStatus.CREATED)

    def lapsed(self, now: datetime) -> "AssignmentQuerySet":
        """Still marked as held though the lease is over."""
        return self.filter(status=AssignmentStatus.CREATED, expire_at__lte=now)

    def judgments(self) -> "AssignmentQuerySet":
        """Answers, in the order in which they were given."""
        return self.filter(status=AssignmentStatus.FINISHED).order_by("ended_at", "id")

    def visible_to(self, user: Any) -> "AssignmentQuerySet":
        """One's own, and those of queues one manages; operators see all."""
        if is_operator(user):
            return self
        managed = Membership.objects.managers().filter(user=user).values("queue")
        return self.filter(Q(reviewer__user=user) | Q(queue__in=managed))


class ExclusionQuerySet(models.QuerySet["Exclusion"]):
    def in_force(self, now: datetime) -> "ExclusionQuerySet":
        return self.filter(Q(until__isnull=True) | Q(until__gt=now))


TOUCHED_LOOKED_AT = 5000
"""So many tasks that somebody skipped, judged or was given are looked at for being starved."""


def unexpired(tasks: TaskQuerySet, *, now: datetime) -> TaskQuerySet:
    return tasks.filter(Q(expire_at__isnull=True) | Q(expire_at__gt=now))


def fresh_to(tasks: TaskQuerySet, *, reviewer: "Reviewer", now: datetime) -> TaskQuerySet:
    """Those among `tasks`, of any queue, that this reviewer has not judged and does not hold, is not excluded from,
    and that are not aimed at another.
    """
    taken = _model("Assignment").objects.filter(task=OuterRef("pk"), reviewer=reviewer, counted=True)
    excluded = _model("Exclusion").objects.in_force(now).filter(task=OuterRef("pk"), reviewer=reviewer)
    return unexpired(tasks, now=now).filter(
        ~Exists(taken),
        ~Exists(excluded),
        Q(target_reviewer__isnull=True) | Q(target_reviewer=reviewer.user_id),
    )


def suiting(tasks: TaskQuerySet, *, queue: Queue, reviewer: "Reviewer", now: datetime) -> TaskQuerySet:
    """Those among the queue's `tasks` that this reviewer may judge: fresh to them, and not their own where the queue
    forbids it.
    """
    suited = fresh_to(tasks, reviewer=reviewer, now=now).filter(queue=queue)
    return suited if queue.requester_may_review else suited.exclude(requester=reviewer.user_id)


def claimable(tasks: TaskQuerySet, **who: Any) -> TaskQuerySet:
    """Those among `suiting` that have an open slot."""
    return suiting(tasks, **who).filter(status=TaskStatus.AVAILABLE)


def starved(queue: Queue, *, now: datetime) -> TaskQuerySet:
    """Available tasks that every eligible reviewer of the queue has excluded or judged.

    Looked for among TOUCHED_LOOKED_AT tasks at most, so with more of them the number found is the least there are.
    """
    assignments = _model("Assignment").objects.filter(counted=True)
    exclusions = _model("Exclusion").objects.in_force(now)
    available = unexpired(Task.objects.filter(queue=queue, status=TaskStatus.AVAILABLE), now=now)
    reviewers = Membership.objects.reviewers().filter(queue=queue, user__is_active=True)
    needed_for_a_fresh_one = 1 if queue.requester_may_review else 2
    if reviewers[:needed_for_a_fresh_one].count() == needed_for_a_fresh_one:
        touched = _touched(queue, exclusions)
        if not touched:
            return available.none()
        available = available.filter(pk__in=touched)
    if not queue.requester_may_review:
        reviewers = reviewers.exclude(user=OuterRef("requester"))
    of_this_one = {"task": OuterRef(OuterRef("pk")), "reviewer__user": OuterRef("user")}
    willing = reviewers.filter(~Exists(assignments.filter(**of_this_one)), ~Exists(exclusions.filter(**of_this_one)))
    return available.filter(
        Q(target_reviewer__isnull=True) & ~Exists(willing)
        | Q(target_reviewer__isnull=False) & ~Exists(willing.filter(user=OuterRef("target_reviewer")))
    )


def _touched(queue: Queue, exclusions: "ExclusionQuerySet") -> list[int]:
    """The ids of the queue's open tasks that were excluded from somebody, aimed at somebody, or begun by somebody.

    While the queue has reviewers enough, only these can be starved. Each kind has an index, or a table, of few rows:
    asked for with OR, the database reads every available task. And they are asked for first: as a subquery, of which
    PostgreSQL expects a third of all tasks, they took 30 s among a million.
    """
    tasks = Task.objects.filter(queue=queue).order_by()
    excluded = exclusions.filter(task__queue=queue, task__status=TaskStatus.AVAILABLE).order_by().values("task_id")
    aimed = tasks.open().filter(target_reviewer__isnull=False).values("id")
    begun = tasks.filter(status=TaskStatus.AVAILABLE, open_slots__lt=F("judgments_required")).values("id")
    return list(excluded.union(aimed, begun).values_list("task_id", flat=True)[:TOUCHED_LOOKED_AT])


def next_chance(queue: Queue, *, reviewer: "Reviewer", topic: str | None, now: datetime) -> datetime | None:
    """The earliest time at which something may come up for this reviewer by itself: an exclusion ends, a lease ends, a
    scheduled task becomes available. None when no such time is known.
    """
    tasks = Task.objects.filter(queue=queue)
    if topic is not None:
        tasks = tasks.filter(topic=topic)
    exclusions = _model("Exclusion").objects.filter(
        reviewer=reviewer, until__gt=now, task__in=tasks.filter(status__in=OPEN)
    )
    leases = (
        _model("Assignment")
        .objects.live(now)
        .filter(
            Exists(suiting(tasks.filter(pk=OuterRef("task")), queue=queue, reviewer=reviewer, now=now)),
            queue=queue,
        )
    )
    scheduled = tasks.filter(status=TaskStatus.SCHEDULED).filter(
        Q(target_reviewer__isnull=True) | Q(target_reviewer=reviewer.user_id)
    )
    times = [
        exclusions.aggregate(at=Min("until"))["at"],
        leases.aggregate(at=Min("expire_at"))["at"],
        scheduled.aggregate(at=Min("schedule_to"))["at"],
    ]
    return min((at for at in times if at is not None), default=None)
