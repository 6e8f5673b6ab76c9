"""Writing the outbox: each event with its pending row, in the transaction of the change it tells of."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from queues.models import Event, EventPending, Queue, Task
from queues.states import MOVING_EVENT, EventType, TaskStatus

_registered: set[str] = set(EventType)


def register(types: Iterable[str]) -> None:
    """Make event types of another app known; `record` refuses the others."""
    _registered.update(str(type_) for type_ in types)


def is_registered(type_: str) -> bool:
    """Whether some app writes events of this type."""
    return type_ in _registered


def registered() -> list[str]:
    """The event types that apps write, by name."""
    return sorted(_registered)


def actor_id(actor: Any) -> str:
    """The acting user's id as text (user ids may be integers or UUIDs); "" when nobody acted, as in a sweep."""
    return "" if actor is None else str(actor.pk)


def of_task(type_: EventType, task: Task, *, now: datetime, actor: Any = None, **delta: Any) -> Event:
    """The next event of a task whose row is locked. Counts `task.sequence` up; the caller saves the row."""
    return _next(type_, task, "task", queue_id=task.queue_id, task_id=task.pk, now=now, actor=actor, delta=delta)


def of_move(to: TaskStatus, task: Task, *, now: datetime, actor: Any = None, **delta: Any) -> Event:
    """The same, of a move from the task's present status that is still to be made: statistics count by such events."""
    moved = {"status": to, "was": task.status, "topic": task.topic, **delta}
    return of_task(MOVING_EVENT[to], task, now=now, actor=actor, **moved)


def of_queue(type_: EventType, queue: Queue, *, now: datetime, actor: Any = None, **delta: Any) -> Event:
    """The next event of a queue whose row is locked. Counts `queue.sequence` up; the caller saves the row."""
    return _next(type_, queue, "queue", queue_id=queue.pk, task_id=None, now=now, actor=actor, delta=delta)


def _next(
    type_: EventType,
    row: Task | Queue,
    object_type: str,
    *,
    queue_id: int,
    task_id: int | None,
    now: datetime,
    actor: Any,
    delta: dict[str, Any],
) -> Event:
    row.sequence += 1
    return Event(
        type=type_,
        object_type=object_type,
        object_id=row.pk,
        queue_id=queue_id,
        task_id=task_id,
        actor=actor_id(actor),
        sequence=row.sequence,
        delta=delta,
        created_at=now,
    )


def record(events: list[Event]) -> None:
    """Insert events and their pending rows, in order.

    Raises ValueError for a type that nobody registered, TransactionManagementError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("An event is written in the transaction of its change.")
    for event in events:
        if event.type not in _registered:
            raise ValueError(f"The event type {event.type!r} is not registered.")
    Event.objects.bulk_create(events, batch_size=500)
    EventPending.objects.bulk_create([EventPending(event=event) for event in events], batch_size=500)
