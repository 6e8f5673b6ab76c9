"""What this floor does when the one below says that something changed. Runs inside that change's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import F

from assignments import exclusions, lifecycle
from assignments.models import Assignment, Reviewer
from assignments.states import AssignmentStatus
from queues import signals
from queues.drafts import TaskDraft
from queues.models import Queue, Task


def exclude_reviewers(
    *,
    tasks: Sequence[Task],
    drafts: Sequence[TaskDraft],
    people: dict[str, list[Any]],
    now: datetime,
    **_: Any,
) -> None:
    """Write the exclusions that new tasks were created with."""
    pairs = [
        (task, user) for task, draft in zip(tasks, drafts, strict=True) for e in draft.excluded for user in people[e]
    ]
    if not pairs:
        return
    reviewers = Reviewer.objects.of_users([user for _task, user in pairs], now=now)
    exclusions.exclude((task.pk, reviewers[user.pk].pk) for task, user in pairs)


def end_assignments(*, tasks: Sequence[Task], reason: str, actor: Any, now: datetime, **_: Any) -> None:
    """A task that closes takes what is live under it along."""
    lifecycle.end_under(tasks, reason=reason or "task closed", now=now, actor=actor)


def follow_task(*, task: Task, fields: set[str], actor: Any, now: datetime, **_: Any) -> None:
    """A new target releases another's lease; an earlier expiry shortens leases."""
    if "target_reviewer_id" in fields and task.target_reviewer_id is not None:
        live = Assignment.objects.filter(task=task, status=AssignmentStatus.CREATED)
        others = list(live.exclude(reviewer__user=task.target_reviewer_id).select_related("reviewer"))
        for assignment in others:
            assignment.task = task
        lifecycle.take_back(others, reason="task given to another reviewer", now=now, actor=actor)
    if "expire_at" in fields:
        lifecycle.shorten_leases(task, now=now, actor=actor)


def release_leases(*, queue: Queue, user: Any, actor: Any, now: datetime, **_: Any) -> None:
    """Whoever may not review any more holds nothing."""
    mine = Assignment.objects.filter(queue=queue, reviewer__user=user, status=AssignmentStatus.CREATED)
    tasks = Task.objects.filter(pk__in=list(mine.values_list("task_id", flat=True))).locked()
    held = [assignment for assignment in lifecycle.under(tasks) if assignment.reviewer.user_id == user.pk]
    lifecycle.take_back(held, reason="review access revoked", now=now, actor=actor)


def release_own(*, queue_id: int, actor: Any, now: datetime, **_: Any) -> None:
    """Whoever may not review their own tasks any more holds none of them."""
    held = Assignment.objects.filter(queue=queue_id, status=AssignmentStatus.CREATED)
    own = held.filter(reviewer__user=F("task__requester"))
    tasks = Task.objects.filter(pk__in=list(own.values_list("task_id", flat=True))).locked()
    theirs = [each for each in lifecycle.under(tasks) if each.reviewer.user_id == each.task.requester_id]
    lifecycle.take_back(theirs, reason="requesters do not review their own tasks", now=now, actor=actor)


def connect() -> None:
    """Called once, when the apps are ready."""
    signals.tasks_created.connect(exclude_reviewers, dispatch_uid="assignments.exclude_reviewers")
    signals.tasks_closed.connect(end_assignments, dispatch_uid="assignments.end_assignments")
    signals.task_changed.connect(follow_task, dispatch_uid="assignments.follow_task")
    signals.review_revoked.connect(release_leases, dispatch_uid="assignments.release_leases")
    signals.own_work_forbidden.connect(release_own, dispatch_uid="assignments.release_own")
