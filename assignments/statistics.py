"""A queue in numbers. Asked for when somebody looks: no claim pays for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count

from assignments import census
from assignments.models import Assignment
from assignments.querysets import starved
from assignments.states import EventType
from queues.conf import user_email_field
from queues.models import Queue, Task
from queues.states import TaskStatus
from queues.transactions import database_now

STARVED_SHOWN = 100


@dataclass(frozen=True)
class QueueStats:
    """Counts of tasks by status and topic; when the first available one, by id, was created; who holds how many; how
    many assignments were lost to time and skipped; which tasks nobody may be handed.
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
    counts = census.of_queue(queue)
    live = Assignment.objects.filter(queue=queue).live(now).order_by("reviewer")
    held = live.values_list("reviewer", f"reviewer__user__{user_email_field()}")
    unservable = starved(queue, now=now)
    return QueueStats(
        queue=queue.name,
        as_of=now,
        by_status=counts.by_status(),
        by_topic=counts.tasks,
        oldest_available=_first_available(queue),
        live_by_reviewer=[{"reviewer": email, "live": n} for _, email, n in held.annotate(n=Count("id"))],
        expired=counts.hands.get(EventType.ASSIGNMENT_EXPIRED, 0),
        skipped=counts.hands.get(EventType.ASSIGNMENT_SKIPPED, 0),
        starved=unservable.count(),
        starved_tasks=list(unservable.order_by("id").values_list("id", flat=True)[:STARVED_SHOWN]),
    )


def _first_available(queue: Queue) -> datetime | None:
    """When the first available task, by its id, was created.

    The state is a range of one value, so that the order is that of `task_by_queue` alone: with an equality it is that
    of the primary key too, and a planner that takes it reads through millions of closed tasks.
    """
    available = Task.objects.filter(queue=queue, status__gte=TaskStatus.AVAILABLE, status__lte=TaskStatus.AVAILABLE)
    return available.order_by("status", "id").values_list("created_at", flat=True).first()
