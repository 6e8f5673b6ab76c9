"""What becomes of a task. One function per transition: lock, refuse what the old state forbids, write, tell events.

The functions that take a `task` (take_slot, give_slot_back, finish) are for the floor above: its transaction holds
the row locked, from `Task.objects.locked()`.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from queues import access, events, signals
from queues.exceptions import InvalidInput, TaskClosed, TaskInHands
from queues.models import Event, Queue, Task
from queues.places import places
from queues.priority import Change
from queues.querysets import TaskQuerySet
from queues.states import CLOSED, OPEN, TRANSITIONS, EventType, TaskStatus
from queues.transactions import database_now, is_passing, writer

logger = logging.getLogger(__name__)

SWEEP_BATCH = 500

OWN_TARGET = "Requesters of this queue do not review their own tasks."

CHANGEABLE = ("priority", "topic", "target_reviewer_id", "schedule_to", "expire_at", "seconds_to_expire")


def _move(task: Task, to: TaskStatus, *, now: datetime, fields: Iterable[str] = ()) -> None:
    """The guarded UPDATE behind every change of an open task: no row changes unless the old status allows the move.

    Raises TaskClosed when it does not.
    """
    sources = [source for source, targets in TRANSITIONS.items() if to in targets or source == to in OPEN]
    task.status, task.updated_at = to, now
    values = {field: getattr(task, field) for field in ("status", "updated_at", "sequence", *fields)}
    if not Task.objects.filter(pk=task.pk, status__in=sources).update(**values):
        raise TaskClosed(f"Task {task.pk} is closed.")
    if to == TaskStatus.AVAILABLE:
        places.became_available([task])


def start_expiry(task: Task, now: datetime) -> None:
    """Turn `seconds_to_expire`, which counts from availability, into a time."""
    if task.seconds_to_expire is not None:
        task.expire_at = now + timedelta(seconds=task.seconds_to_expire)
        task.seconds_to_expire = None


def _make_available(task: Task, *, now: datetime, actor: Any = None) -> Event:
    start_expiry(task, now)
    event = events.of_move(TaskStatus.AVAILABLE, task, now=now, actor=actor, open_slots=task.open_slots)
    _move(task, TaskStatus.AVAILABLE, now=now, fields=("open_slots", "expire_at", "seconds_to_expire"))
    return event


def take_slot(task: Task, *, now: datetime) -> None:
    """One judgment of this available, locked task is being worked on. The caller's event tells of it."""
    task.open_slots -= 1
    _move(
        task,
        TaskStatus.AVAILABLE if task.open_slots else TaskStatus.ASSIGNED,
        now=now,
        fields=("open_slots",),
    )


def give_slot_back(task: Task, *, slots: int = 1, now: datetime, actor: Any = None) -> list[Event]:
    """Judgments of this open, locked task that were being worked on are not any more.

    Returns the event to record, if the task became available by it.
    """
    task.open_slots += slots
    if task.status == TaskStatus.ASSIGNED:
        return [_make_available(task, now=now, actor=actor)]
    _move(task, TaskStatus(task.status), now=now, fields=("open_slots",))
    return []


def finish(task: Task, *, output_data: Any, reviewer: Any, now: datetime, actor: Any = None) -> Event:
    """The last judgment of this open, locked task is in. `reviewer`: the user who judged alone, or None.

    Returns the event to record. Nothing is live under the task any more, so nobody is told but hooks (`send_hooks`).
    """
    task.output_data, task.reviewer, task.open_slots = output_data, reviewer, 0
    event = events.of_move(TaskStatus.FINISHED, task, now=now, actor=actor)
    _move(task, TaskStatus.FINISHED, now=now, fields=("output_data", "reviewer", "open_slots"))
    return event


def send_hooks(tasks: list[Task], *, now: datetime) -> None:
    """Tell the floors above which tasks with hooks closed, last of all and in a savepoint: host code may run there.

    What it raises undoes what it did and is logged; the tasks stay closed. Where the database asks for the transaction
    to be run again, it is.
    """
    hooked = [task for task in tasks if task.has_hook]
    if not hooked:
        return
    try:
        with transaction.atomic():
            signals.tasks_hooked.send(Task, tasks=hooked, now=now)
    except Exception as error:
        if is_passing(error):
            raise
        logger.exception("The hook of tasks %s raised; they stay closed.", [task.pk for task in hooked])


def _close(tasks: list[Task], to: TaskStatus, *, reason: str, now: datetime, actor: Any = None) -> None:
    """Close open, locked tasks before they are finished, with all that is live under them."""
    if not tasks:
        return
    history = []
    for task in tasks:
        task.open_slots = 0
        history.append(events.of_move(to, task, now=now, actor=actor, **({"reason": reason} if reason else {})))
        _move(task, to, now=now, fields=("open_slots",))
    signals.tasks_closed.send(Task, tasks=tasks, status=to, reason=reason, actor=actor, now=now)
    events.record(history)
    send_hooks(tasks, now=now)


def _locked(task_id: int) -> Task:
    """The task, locked and open. Raises Task.DoesNotExist, TaskClosed."""
    task = Task.objects.locked().get(pk=task_id)
    if task.status in CLOSED:
        raise TaskClosed(f"Task {task_id} is {TaskStatus(task.status).label}, and never changes again.")
    return task


@writer
def cancel_task(*, task_id: int, reason: str = "", actor: Any = None, now: datetime | None = None) -> Task:
    """Close a task that nobody need answer any more; what is live under it is canceled.

    Raises Task.DoesNotExist, TaskClosed.
    """
    task = _locked(task_id)
    _close([task], TaskStatus.CANCELED, reason=reason, now=database_now(now), actor=actor)
    return task


@writer
def update_task(*, task_id: int, changes: dict[str, Any], actor: Any = None, now: datetime | None = None) -> Task:
    """Change an open task: `priority` (a priority.Change), `topic`, `target_reviewer` (a user or None), `schedule_to`,
    `expire_at`.

    A new target releases another's lease; an earlier expiry shortens leases. Only a task that nobody was handed can
    be scheduled anew. Raises Task.DoesNotExist, TaskClosed, TaskInHands, InvalidInput.
    """
    target = changes.get("target_reviewer")
    if target is not None:
        queue_id = Task.objects.values_list("queue_id", flat=True).get(pk=task_id)
        if target.pk not in access.hold_review_access(queue_id=queue_id, users={target.pk}):
            raise InvalidInput.at("/target_reviewer", "Must be an active reviewer of this queue.")
    task = _locked(task_id)
    now = database_now(now)
    if task.is_overdue(now):
        raise TaskClosed(f"Task {task_id} has expired, and never changes again.")
    _check_changes(task, changes, now)
    before = {field: getattr(task, field) for field in CHANGEABLE}
    for field in changes.keys() & {"topic", "target_reviewer", "schedule_to", "expire_at"}:
        setattr(task, field, changes[field])
    if "priority" in changes:
        change: Change = changes["priority"]
        task.priority = change.apply(task.priority)
    if "expire_at" in changes:
        task.seconds_to_expire = None
    changed = {field: getattr(task, field) for field, old in before.items() if getattr(task, field) != old}
    if not changed:
        return task
    delta = _as_json(changed)
    if "topic" in changed:
        delta |= {"topic_was": before["topic"], "status": task.status}
    history = [events.of_task(EventType.TASK_UPDATED, task, now=now, actor=actor, **delta)]
    if "schedule_to" in changed:
        history += _reschedule(task, now=now, actor=actor)
    else:
        _move(task, TaskStatus(task.status), now=now, fields=CHANGEABLE)
    events.record(history)
    signals.task_changed.send(Task, task=task, fields=set(changed), actor=actor, now=now)
    return task


def _as_json(changed: dict[str, Any]) -> dict[str, Any]:
    """Changed values as an event's delta: times in RFC 3339, and the ids of users (integers or UUIDs) as text."""
    shown = {field: value.isoformat() if isinstance(value, datetime) else value for field, value in changed.items()}
    if shown.get("target_reviewer_id") is not None:
        shown["target_reviewer_id"] = str(shown["target_reviewer_id"])
    return shown


def _check_changes(task: Task, changes: dict[str, Any], now: datetime) -> None:
    schedule_to = changes.get("schedule_to", task.schedule_to)
    expire_at = changes.get("expire_at", task.expire_at)
    if changes.get("target_reviewer") is not None and task.judgments_required != 1:
        raise InvalidInput.at("/target_reviewer", "A task with a target is judged once, and this one more often.")
    target = changes.get("target_reviewer")
    if target is not None and target.pk == task.requester_id and not task.queue.requester_may_review:
        raise InvalidInput.at("/target_reviewer", OWN_TARGET)
    if changes.get("expire_at") is not None and changes["expire_at"] <= now:
        raise InvalidInput.at("/expire_at", "This time has passed.")
    if changes.keys() & {"schedule_to", "expire_at"} and schedule_to and expire_at and expire_at <= schedule_to:
        raise InvalidInput.at("/expire_at", "The task would expire before it is available.")
    if "schedule_to" in changes and task.open_slots != task.judgments_required:
        raise TaskInHands(f"Task {task.pk} has been handed to somebody, so it cannot be scheduled anew.")


def _reschedule(task: Task, *, now: datetime, actor: Any) -> list[Event]:
    """Save a changed task that nobody was handed, with the status that its new `schedule_to` asks for.

    In one UPDATE: a SCHEDULED task without a time does not exist for a moment.
    """
    later = task.schedule_to is not None and task.schedule_to > now
    to = TaskStatus.SCHEDULED if later else TaskStatus.AVAILABLE
    if task.status == to:
        _move(task, to, now=now, fields=CHANGEABLE)
        return []
    if not later:
        start_expiry(task, now)
    slots = {} if later else {"open_slots": task.open_slots}
    event = events.of_move(to, task, now=now, actor=actor, **slots)
    _move(task, to, now=now, fields=CHANGEABLE)
    return [event]


def clear_targets(*, queue: Queue, user: Any, actor: Any, now: datetime) -> None:
    """Open the tasks aimed at a user to anyone. Runs in the transaction that revokes the user's review access."""
    _open_to_anyone(Task.objects.open().filter(queue=queue, target_reviewer=user), actor=actor, now=now)


def clear_own_targets(*, queue_id: int, actor: Any, now: datetime) -> None:
    """Open the tasks aimed at whoever posted them to anyone. Runs in the transaction that forbids it."""
    own = Task.objects.open().filter(queue=queue_id, target_reviewer=F("requester"))
    _open_to_anyone(own, actor=actor, now=now)


def _open_to_anyone(aimed: TaskQuerySet, *, actor: Any, now: datetime) -> None:
    tasks = list(aimed.locked())
    history = [
        events.of_task(EventType.TASK_UPDATED, task, now=now, actor=actor, target_reviewer_id=None) for task in tasks
    ]
    for task in tasks:
        task.target_reviewer, task.updated_at = None, now
    Task.objects.bulk_update(tasks, ["target_reviewer", "updated_at", "sequence"], batch_size=SWEEP_BATCH)
    places.became_available(tasks)
    events.record(history)


@writer
def release_scheduled(*, queue_id: int | None = None, limit: int = SWEEP_BATCH, now: datetime | None = None) -> int:
    """Make up to `limit` scheduled tasks whose time has come available, in one queue or all; how many it was."""
    now = database_now(now)
    due = Task.objects.due(now)
    if queue_id is not None:
        due = due.filter(queue_id=queue_id)
    tasks = list(due.locked(skip=True)[:limit])
    events.record([_make_available(task, now=now) for task in tasks])
    return len(tasks)


def cancel(tasks: list[Task], *, reason: str, now: datetime, actor: Any = None) -> None:
    """Close open, locked tasks that nobody need answer any more, in the caller's transaction."""
    _close(tasks, TaskStatus.CANCELED, reason=reason, now=now, actor=actor)


def expire(tasks: list[Task], *, now: datetime) -> None:
    """Close locked tasks that are past their time, and end what is live under them, in the caller's transaction."""
    _close(tasks, TaskStatus.EXPIRED, reason="", now=now)


@writer
def expire_tasks(*, limit: int = SWEEP_BATCH, now: datetime | None = None) -> int:
    """Expire up to `limit` open tasks that are past their time, with all that is live under them; how many it was."""
    now = database_now(now)
    tasks = list(Task.objects.overdue(now).locked(skip=True)[:limit])
    expire(tasks, now=now)
    return len(tasks)


@writer
def cancel_archived(*, limit: int = SWEEP_BATCH, now: datetime | None = None) -> int:
    """Cancel up to `limit` open tasks of deleted queues; how many it was."""
    # Queue by queue along the index: joined to the tasks, every open one is read each second.
    left = Task.objects.open().filter(queue=OuterRef("pk"))
    archived = list(Queue.objects.filter(Exists(left), archived_at__isnull=False).values_list("pk", flat=True))
    tasks = list(Task.objects.open().filter(queue__in=archived).locked(skip=True)[:limit])
    _close(tasks, TaskStatus.CANCELED, reason="queue deleted", now=database_now(now))
    return len(tasks)
