"""How new tasks become rows: they, their keys and their first events, few of them portably, many by COPY.

Whoever calls has checked them, and is in the transaction that creates them.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from django.db import connection

from queues import copying, events
from queues.models import Event, EventPending, GlobalKey, Task
from queues.rows import table
from queues.states import EventType, TaskStatus

FIRST_EVENT = {
    TaskStatus.SCHEDULED: EventType.TASK_SCHEDULED,
    TaskStatus.AVAILABLE: EventType.TASK_AVAILABLE,
    TaskStatus.FINISHED: EventType.TASK_FINISHED,
}
"""What a task tells after TASK_CREATED, by the status that it begins in."""

BATCH = 500
"""Rows of a portable INSERT."""


def insert(made: Iterable[Task], *, count: int) -> list[Task]:
    """Insert `count` tasks, whose ids ascend in their order, and the rows of their keys.

    `made` is read while the rows are sent, and must not ask the database.
    """
    if copying.is_worth(count):
        return _copy(made, count)
    tasks = Task.objects.bulk_create(made, batch_size=BATCH)
    GlobalKey.objects.bulk_create(
        [GlobalKey(task=task, key=key) for task in tasks for key in task.global_keys], batch_size=BATCH
    )
    return tasks


def _copy(made: Iterable[Task], count: int) -> list[Task]:
    tasks = []
    ids = copying.take_ids(Task, count)

    def rows() -> Iterator[copying.Row]:
        for task, pk in zip(made, ids, strict=True):
            task.pk = pk
            task._state.adding, task._state.db = False, connection.alias
            tasks.append(task)
            yield vars(task)

    copying.copy(Task, [field.attname for field in Task._meta.concrete_fields], rows())
    keys = [{"task_id": task.pk, "key": key} for task in tasks for key in task.global_keys]
    if keys:
        copying.copy(GlobalKey, ["task_id", "key"], keys)
    return tasks


def tell(tasks: Sequence[Task], *, actor: Any, now: datetime) -> None:
    """Write the events that tasks begin with, and their pending rows. `sequence` of the tasks counts them already."""
    if copying.is_worth(len(tasks)):
        with connection.cursor() as cursor:
            cursor.execute(_first_events(), [events.actor_id(actor), now, [task.pk for task in tasks]])
        return
    history = []
    for task in tasks:
        task.sequence = 0
        history.append(events.of_task(EventType.TASK_CREATED, task, now=now, actor=actor))
        status = TaskStatus(task.status)
        history.append(events.of_task(FIRST_EVENT[status], task, now=now, actor=actor, status=status, topic=task.topic))
    events.record(history)


@cache
def _first_events() -> str:
    """The same for many: made of their rows where these are, which is quicker than sending them."""
    types = " ".join(f"WHEN '{status}' THEN '{type_}'" for status, type_ in FIRST_EVENT.items())
    return f"""
WITH told AS (
  INSERT INTO {table(Event)}
    (type, object_type, object_id, queue_id, task_id, actor, sequence, delta, created_at)
  SELECT CASE number WHEN 1 THEN '{EventType.TASK_CREATED}' ELSE CASE status {types} END END,
    'task', task.id, task.queue_id, task.id, %s, number,
    CASE number WHEN 1 THEN '{{}}' ELSE jsonb_build_object('status', status, 'topic', topic) END, %s
  FROM {table(Task)} task CROSS JOIN generate_series(1, 2) number
  WHERE task.id = ANY(%s::bigint[])
  ORDER BY task.id, number
  RETURNING id
)
INSERT INTO {table(EventPending)} (event_id) SELECT id FROM told"""
