"""Taking tasks in: the writer that makes rows of a list of drafts."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from queues import access, inserting, lifecycle, notifications, signals
from queues.drafts import TaskDraft, endpoint_faults, people_faults, setting_faults, shape_faults, time_faults
from queues.exceptions import CrowdError, InvalidInput, QueueArchived
from queues.models import Queue, Task
from queues.people import users_by_email
from queues.places import places
from queues.states import TaskStatus
from queues.transactions import database_now, writer

CHUNK = 2000
"""How many tasks of very many one transaction creates."""


@dataclass(frozen=True)
class Created:
    """New tasks in the order of their drafts, and the settings of their own that they came with."""

    tasks: list[Task]
    settings: list[notifications.Made]


@dataclass(frozen=True)
class CreatedMany:
    """The ids of new tasks in the order of their drafts, in which they ascend, and the settings they came with."""

    ids: list[int]
    settings: list[notifications.Made]


def look_up(drafts: Sequence[TaskDraft]) -> None:
    """Refuse settings whose endpoints cannot be told: asks the network, so before the transaction that creates tasks.

    Raises InvalidInput.
    """
    _refuse((index, fault) for index, draft in enumerate(drafts) for fault in setting_faults(draft))
    _refuse(endpoint_faults(drafts))


def _refuse(faults: Iterable[tuple[int, tuple[str, str]]]) -> None:
    errors = [
        {"pointer": f"/{index}{pointer}", "index": index, "detail": detail} for index, (pointer, detail) in faults
    ]
    if errors:
        raise InvalidInput(errors)


_FIELDS = tuple(field.attname for field in Task._meta.concrete_fields)
_UNSAID = {field.attname: field.get_default() for field in Task._meta.concrete_fields}


def _task(draft: TaskDraft, *, queue: Queue, requester: Any, target: Any, now: datetime) -> Task:
    """The task of a good draft, with the two events in its `sequence` that every task begins with."""
    required = draft.judgments_required or (1 if target else queue.judgments_per_task)
    scheduled = draft.schedule_to is not None and draft.schedule_to > now
    if draft.output_data is not None:
        status, slots = TaskStatus.FINISHED, 0
    else:
        status, slots = (TaskStatus.SCHEDULED if scheduled else TaskStatus.AVAILABLE), required
    values: dict[str, Any] = {
        **_UNSAID,
        "queue_id": queue.pk,
        "requester_id": requester.pk,
        "input_data": draft.input_data,
        "output_data": draft.output_data,
        "status": status,
        "created_at": now,
        "updated_at": now,
        "schedule_to": draft.schedule_to,
        "expire_at": draft.expire_at,
        "seconds_to_expire": draft.seconds_to_expire,
        "topic": draft.topic,
        "priority": draft.priority,
        "target_reviewer_id": target and target.pk,
        "global_keys": list(draft.global_keys),
        "judgments_required": required,
        "open_slots": slots,
        "has_hook": draft.has_hook,
        "sequence": 2,
    }
    # By place: by name, a model takes twice as long, and there may be a hundred thousand.
    task = Task(*[values[name] for name in _FIELDS])  # type: ignore[misc]  # the plugin knows no stars
    related = task._state.fields_cache
    related["queue"], related["requester"], related["target_reviewer"] = queue, requester, target
    if status != TaskStatus.SCHEDULED:
        lifecycle.start_expiry(task, now)
    return task


def check_drafts(
    *, queue: Queue, drafts: Sequence[TaskDraft], now: datetime | None = None
) -> list[tuple[int, str, str]]:
    """What `create_tasks` would say against each draft at this moment: (index, pointer, sentence). Changes nothing."""
    people = _people(drafts)
    with_access = access.hold_review_access(queue_id=queue.pk, users=_targets(drafts, people))
    now = database_now(now)
    return [
        (index, pointer, detail)
        for index, draft in enumerate(drafts)
        for pointer, detail in (
            *shape_faults(draft, queue),
            *time_faults(draft, now),
            *people_faults(draft, people, with_access, queue=queue, requester=None),
        )
    ]


def _people(drafts: Sequence[TaskDraft]) -> dict[str, list[Any]]:
    return users_by_email(
        email for draft in drafts for email in (*draft.excluded, *([draft.target] if draft.target else []))
    )


def _targets(drafts: Sequence[TaskDraft], people: dict[str, list[Any]]) -> set[Any]:
    return {user.pk for draft in drafts if draft.target for user in people[draft.target]}


def create_tasks(
    *,
    queue: Queue,
    requester: Any,
    drafts: Sequence[TaskDraft],
    actor: Any = None,
    now: datetime | None = None,
) -> list[Task]:
    """Create one task a draft, all or none, and return them in order.

    Raises InvalidInput with every fault found, each with the draft's `index`; QueueArchived.
    """
    return create(queue=queue, requester=requester, drafts=drafts, actor=actor, now=now).tasks


def create(
    *,
    queue: Queue,
    requester: Any,
    drafts: Sequence[TaskDraft],
    actor: Any = None,
    now: datetime | None = None,
) -> Created:
    """The same, and the secrets of endpoints that are new with these tasks, which were looked up before (`look_up`)."""
    _refuse((index, fault) for index, draft in enumerate(drafts) for fault in shape_faults(draft, queue))
    return _insert(queue=queue, requester=requester, drafts=drafts, actor=actor or requester, now=now)


def create_many(
    *,
    queue: Queue,
    requester: Any,
    drafts: Iterable[TaskDraft],
    chunk: int = CHUNK,
    actor: Any = None,
    now: datetime | None = None,
) -> CreatedMany:
    """Create one task a draft, however many: `chunk` of them in one transaction, which the next ones do not undo.

    `drafts` may be a stream; a chunk of it is in memory at a time. The endpoints of their settings are looked up before
    each transaction, at most ten different ones a chunk.

    Raises InvalidInput for the first chunk with faults, each with the draft's `index` in the whole of `drafts`; nothing
    of that chunk or behind it is created. Raises QueueArchived where the queue is deleted meanwhile. Either says in
    `extra["created"]` how many tasks were created before: so many drafts, from the first, are done. In a transaction of
    the caller's it is theirs whether these stay. Raises ValueError for a `chunk` below 1.
    """
    if chunk < 1:
        raise ValueError("A chunk has one task or more.")
    remaining, done = iter(drafts), CreatedMany([], [])
    while part := list(islice(remaining, chunk)):
        try:
            _refuse((index, fault) for index, draft in enumerate(part) for fault in shape_faults(draft, queue))
            _refuse(endpoint_faults(part))
            made = _insert(queue=queue, requester=requester, drafts=part, actor=actor or requester, now=now)
        except CrowdError as refused:
            raise _counted(refused, len(done.ids)) from None
        done.ids.extend(task.pk for task in made.tasks)
        done.settings.extend(made.settings)
    return done


def _counted(refused: CrowdError, created: int) -> CrowdError:
    """Why a chunk was refused, told of the whole."""
    if isinstance(refused, InvalidInput):
        faults = [
            {
                "pointer": f"/{created + error['index']}{error['pointer'].removeprefix('/' + str(error['index']))}",
                "index": created + error["index"],
                "detail": error["detail"],
            }
            for error in refused.errors
        ]
        refused = InvalidInput(faults)
    refused.extra["created"] = created
    return refused


def create_task(
    *, queue: Queue, requester: Any, draft: TaskDraft, actor: Any = None, now: datetime | None = None
) -> Task:
    """Create one task. Raises InvalidInput, QueueArchived."""
    return create_one(queue=queue, requester=requester, draft=draft, actor=actor, now=now).tasks[0]


def create_one(
    *, queue: Queue, requester: Any, draft: TaskDraft, actor: Any = None, now: datetime | None = None
) -> Created:
    """The same, and the secrets of endpoints that are new with this task."""
    with of_one():
        return create(queue=queue, requester=requester, drafts=[draft], actor=actor, now=now)


@contextmanager
def of_one() -> Iterator[None]:
    """Faults that are found inside are told of the one draft there is, not of a list."""
    try:
        yield
    except InvalidInput as invalid:
        raise InvalidInput(
            [{"pointer": error["pointer"].removeprefix("/0"), "detail": error["detail"]} for error in invalid.errors]
        ) from None


@writer
def _insert(*, queue: Queue, requester: Any, drafts: Sequence[TaskDraft], actor: Any, now: datetime | None) -> Created:
    people = _people(drafts)
    with_access = access.hold_review_access(queue_id=queue.pk, users=_targets(drafts, people))
    now = database_now(now)
    may_review = Queue.objects.alive().filter(pk=queue.pk).values_list("requester_may_review", flat=True).first()
    if may_review is None:
        raise QueueArchived(f"The queue {queue.name} was deleted.")
    queue.requester_may_review = may_review
    _refuse(
        (index, fault)
        for index, draft in enumerate(drafts)
        for fault in (
            *time_faults(draft, now),
            *people_faults(draft, people, with_access, queue=queue, requester=requester),
        )
    )
    made = (
        _task(draft, queue=queue, requester=requester, target=target, now=now)
        for draft, target in zip(drafts, _chosen(drafts, people, with_access), strict=True)
    )
    tasks = inserting.insert(made, count=len(drafts))
    pairs = [(task, setting) for task, draft in zip(tasks, drafts, strict=True) for setting in draft.notifications]
    settings = notifications.for_tasks(pairs, owner=requester, now=now) if pairs else []
    inserting.tell(tasks, actor=actor, now=now)
    places.became_available(_foremost(tasks))
    signals.tasks_created.send(Task, tasks=tasks, drafts=drafts, people=people, now=now)
    return Created(tasks, settings)


def _foremost(tasks: Sequence[Task]) -> list[Task]:
    """Of new tasks those that are first for somebody, in whatever order: the oldest and the newest of their kind."""
    ends: dict[tuple[str, int], list[Task]] = {}
    for task in tasks:
        if task.status == TaskStatus.AVAILABLE:
            found = ends.setdefault((task.topic, task.priority), [task, task])
            found[1] = task
    return list({task.pk: task for pair in ends.values() for task in pair}.values())


def _chosen(drafts: Sequence[TaskDraft], people: dict[str, list[Any]], with_access: set[Any]) -> Iterator[Any]:
    """The target of each draft, or None."""
    for draft in drafts:
        target = draft.target
        yield None if target is None else next((user for user in people[target] if user.pk in with_access), None)
