"""What sockets are told of a lot of events, and who of them hears it.

One message to a queue for all that has become available in it, however many tasks; it names none. Who could not be
handed any of them is left out.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from assignments.models import Assignment, Exclusion
from assignments.states import EventType as Type
from queues.models import Event, Task
from queues.pushes import Push
from queues.states import EventType as TaskType
from queues.states import TaskStatus
from queues.transactions import database_now

OPERATORS = "operators"
"""The group of those who hear in which queues something happened."""

FEW = 20
"""Of so many tasks of a queue it is looked up who may not have them; of more nearly everybody may have one."""

TOPICS_MAX = 20

NEEDED = ("queue__requester_may_review", "topic", "target_reviewer", "requester", "expire_at")

SOON = 2.0
"""Seconds over which the many sockets of a queue ask anew whether they may be there."""

LIVE = frozenset({Type.ASSIGNMENT_CREATED, Type.ASSIGNMENT_EXTENDED})
ENDED = {
    Type.ASSIGNMENT_FINISHED: "done",
    Type.ASSIGNMENT_SKIPPED: "done",
    Type.ASSIGNMENT_EXPIRED: "lapsed",
    Type.ASSIGNMENT_CANCELED: "canceled",
}


def of_queue(queue_id: int) -> str:
    """The group of all who follow a queue."""
    return f"queue.{queue_id}"


def of_member(queue_id: int, user_id: Any) -> str:
    """The group of one user's sockets at a queue."""
    return f"queue.{queue_id}.user.{user_id}"


def told(events: Sequence[Event]) -> Iterator[Push]:
    """All pushes of these events."""
    yield from _of_queues(events)
    yield from _of_assignments(events)
    yield from _available(events)
    if queues := sorted({event.queue_id for event in events if event.queue_id is not None}):
        yield Push(OPERATORS, {"type": "changed", "queues": queues})


def _of_queues(events: Sequence[Event]) -> Iterator[Push]:
    """A change of the queue itself; whoever may not be there any more, or on other terms, is asked to check."""
    changed = set()
    for event in events:
        if event.queue_id is None:
            continue
        if event.type == TaskType.QUEUE_DELETED:
            yield Push(of_queue(event.queue_id), {"type": "check", "seconds": SOON})
        elif event.type == TaskType.QUEUE_UPDATED and "user" in event.delta:
            yield Push(of_member(event.queue_id, event.delta["user"]), {"type": "check"})
        elif event.type == TaskType.QUEUE_UPDATED:
            changed.add(event.queue_id)
    for queue_id in sorted(changed):
        yield Push(of_queue(queue_id), {"type": "queue.changed"})


def _of_assignments(events: Sequence[Event]) -> Iterator[Push]:
    """What became of an assignment, to the reviewer who has or had it."""
    about = [event for event in events if event.type in LIVE or event.type in ENDED]
    if not about:
        return
    rows = Assignment.objects.filter(pk__in={event.object_id for event in about})
    whose = {pk: (user, end) for pk, user, end in rows.values_list("pk", "reviewer__user_id", "expire_at")}
    for event in about:
        if event.object_id not in whose or event.queue_id is None:
            continue
        user_id, expire_at = whose[event.object_id]
        message: dict[str, Any] = {"assignment": event.object_id, "task": event.task_id}
        if event.type in LIVE:
            message |= {"type": "lease", "from": event.created_at.isoformat(), "until": event.delta["expire_at"]}
        else:
            until = expire_at.isoformat() if expire_at else None
            message |= {"type": "ended", "how": ENDED[Type(event.type)], "until": until}
        yield Push(of_member(event.queue_id, user_id), message)


def _available(events: Sequence[Event]) -> Iterator[Push]:
    """In which queues there is work that there was not before, for whom."""
    ids = {event.task_id for event in events if event.task_id is not None and _may_open(event)}
    if not ids:
        return
    now = database_now()
    tasks = Task.objects.filter(
        pk__in=ids, status=TaskStatus.AVAILABLE, queue__is_paused=False, queue__archived_at__isnull=True
    ).select_related("queue")
    by_queue: dict[int, list[Task]] = defaultdict(list)
    targets = set()
    for task in tasks.only(*NEEDED):
        if task.is_overdue(now):
            continue
        if task.target_reviewer_id is None:
            by_queue[task.queue_id].append(task)
        else:
            targets.add((task.queue_id, task.target_reviewer_id))
    barred = _barred([task for some in by_queue.values() if len(some) <= FEW for task in some], now)
    for queue_id, anybodys in by_queue.items():
        topics = sorted({task.topic for task in anybodys})
        nobody = set.intersection(*(barred.get(task.pk, set()) for task in anybodys))
        message = {"topics": topics if len(topics) <= TOPICS_MAX else None, "but": sorted(nobody)}
        yield Push(of_queue(queue_id), {"type": "available", **message})
    for queue_id, user_id in targets:
        yield Push(of_member(queue_id, user_id), {"type": "available", "topics": None, "but": []})


def _may_open(event: Event) -> bool:
    """Whether more people may be handed the task than before."""
    if event.type == TaskType.TASK_UPDATED:
        return not event.delta.keys().isdisjoint({"target_reviewer_id", "topic"})
    return event.type == TaskType.TASK_AVAILABLE


def _barred(tasks: Collection[Task], now: Any) -> dict[int, set[str]]:
    """Task id → the ids, as text, of the users who may not have it: they skipped, hold or judged it, or posted it."""
    barred: dict[int, set[str]] = {task.pk: set() for task in tasks}
    rows = (
        Exclusion.objects.in_force(now).filter(task__in=barred),
        Assignment.objects.filter(task__in=barred, counted=True),
    )
    for some in rows if barred else ():
        for task_id, user_id in some.order_by().values_list("task_id", "reviewer__user_id"):
            barred[task_id].add(str(user_id))
    for task in tasks:
        if not task.queue.requester_may_review:
            barred[task.pk].add(str(task.requester_id))
    return barred
