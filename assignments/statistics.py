"""A queue in numbers. Asked for when somebody looks: no claim pays for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Min

from assignments.models import Assignment
from assignments.querysets import starved
from assignments.states import AssignmentStatus
from queues.conf import user_email_field
from queues.models import Queue, Task
from queues.states import TaskStatus
from queues.transactions import database_now

STARVED_SHOWN = 100


@dataclass(frozen=True)
class QueueStats:
    """Counts of tasks by status and topic; the creation of the oldest available one; who holds how many; how many
    assignments were lost to time and skipped; which tasks nobody may be handed.
    """

    queue: str
    as_of: datetime
    by_status: dict[str, int]
    by_topic: dict[str, dict[str, int]]
    oldest_available: datetime | None
    live_by_reviewer: list[dict[str, Any]]
    expired: int
    skipped: int
    starved: int
    starved_tasks: list[int]


def of_queue(queue: Queue, *, now: datetime | None = None) -> QueueStats:
    """The numbers of one queue as of now."""
    now = database_now(now)
    tasks, assignments = Task.objects.filter(queue=queue), Assignment.objects.filter(queue=queue)
    ended = dict(
        assignments.filter(status__in=[AssignmentStatus.EXPIRED, AssignmentStatus.SKIPPED])
        .order_by()
        .values_list("status")
        .annotate(n=Count("id"))
    )
    held = assignments.live(now).order_by("reviewer").values_list("reviewer", f"reviewer__user__{user_email_field()}")
    unservable = starved(queue, now=now)
    return QueueStats(
        queue=queue.name,
        as_of=now,
        by_status=tasks.counts_by_status(),
        by_topic=tasks.counts_by_topic(),
        oldest_available=tasks.filter(status=TaskStatus.AVAILABLE).aggregate(at=Min("created_at"))["at"],
        live_by_reviewer=[{"reviewer": email, "live": n} for _, email, n in held.annotate(n=Count("id"))],
        expired=ended.get(AssignmentStatus.EXPIRED, 0),
        skipped=ended.get(AssignmentStatus.SKIPPED, 0),
        starved=unservable.count(),
        starved_tasks=list(unservable.order_by("id").values_list("id", flat=True)[:STARVED_SHOWN]),
    )
