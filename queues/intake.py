"""Taking tasks in: a draft, what may be wrong with it, and the writer that makes rows of a list of them."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from queues import access, inserting, lifecycle, notifications, schemas, signals, strictjson
from queues.exceptions import CrowdError, InvalidInput, QueueArchived
from queues.models import Queue, Task
from queues.notifications import NotificationDraft
from queues.people import ANYONE, users_by_email
from queues.places import places
from queues.states import (
    EXCLUDED_MAX,
    GLOBAL_KEYS_MAX,
    JUDGMENTS_MAX,
    PRIORITY_DEFAULT,
    PRIORITY_MAX,
    PRIORITY_MIN,
    SECONDS_MAX,
    Level,
    TaskStatus,
)
from queues.transactions import database_now, writer

GLOBAL_KEY_LENGTH = 255
TOPIC_LENGTH = 100
CHUNK = 2000
"""How many tasks of very many one transaction creates."""

NOTIFICATIONS_MAX = notifications.SETTINGS_MAX[Level.TASK]


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


@dataclass(frozen=True, kw_only=True)
class TaskDraft:
    """A task before it exists.

    `target_reviewer` and `exclude_reviewers` are e-mails; `judgments_required` None means the queue's number (or 1 with
    a target). `output_data` makes a task that is finished from the start. `notifications` are settings of its own.
    """

    input_data: Any
    output_data: Any = None
    topic: str = ""
    priority: int = PRIORITY_DEFAULT
    target_reviewer: str | None = None
    exclude_reviewers: tuple[str, ...] = ()
    global_keys: tuple[str, ...] = ()
    judgments_required: int | None = None
    schedule_to: datetime | None = None
    expire_at: datetime | None = None
    seconds_to_expire: int | None = None
    has_hook: bool = False
    notifications: tuple[NotificationDraft, ...] = ()

    @property
    def target(self) -> str | None:
        """The target's e-mail in lower case, or None for anyone."""
        if self.target_reviewer is None or self.target_reviewer == ANYONE:
            return None
        return self.target_reviewer.lower()

    @property
    def excluded(self) -> frozenset[str]:
        return frozenset(email.lower() for email in self.exclude_reviewers)


def _shape_faults(draft: TaskDraft, queue: Queue) -> Iterable[tuple[str, str]]:
    """What is wrong with a draft whatever the time and whoever is who: (pointer, sentence) pairs."""
    for member, value, schema in (
        ("input_data", draft.input_data, queue.input_schema),
        ("output_data", draft.output_data, queue.output_schema),
    ):
        if value is None:
            continue
        try:
            strictjson.check(value)
        except strictjson.StrictJSONError as error:
            yield f"/{member}{error.pointer}", error.detail
            continue
        if schema is not None:
            for fault in schemas.check_answer(schema, value):
                yield f"/{member}{fault['pointer']}", fault["detail"]
    if draft.input_data is None:
        yield "/input_data", "A task needs its input."
    if not PRIORITY_MIN <= draft.priority <= PRIORITY_MAX:
        yield "/priority", f"Must be from {PRIORITY_MIN} (most important) to {PRIORITY_MAX}."
    yield from _text_faults(draft)
    if len(draft.topic) > TOPIC_LENGTH:
        yield "/topic", f"At most {TOPIC_LENGTH} characters."
    if draft.judgments_required is not None and not 1 <= draft.judgments_required <= JUDGMENTS_MAX:
        yield "/judgments_required", f"Must be from 1 to {JUDGMENTS_MAX}."
    if draft.target is not None and draft.judgments_required not in (None, 1):
        yield "/judgments_required", "A task with a target is judged once, by its target."
    if len(draft.global_keys) > GLOBAL_KEYS_MAX:
        yield "/global_keys", f"At most {GLOBAL_KEYS_MAX} keys."
    if len(set(draft.global_keys)) < len(draft.global_keys):
        yield "/global_keys", "The same key stands here twice."
    if any(not 1 <= len(key) <= GLOBAL_KEY_LENGTH for key in draft.global_keys):
        yield "/global_keys", f"A key has 1 to {GLOBAL_KEY_LENGTH} characters."
    if len(draft.excluded) > EXCLUDED_MAX:
        yield "/exclude_reviewers", f"At most {EXCLUDED_MAX} reviewers."
    if draft.target is not None and draft.target in draft.excluded:
        yield "/exclude_reviewers", "The target cannot be excluded."
    if draft.seconds_to_expire is not None and not 1 <= draft.seconds_to_expire <= SECONDS_MAX:
        yield "/seconds_to_expire", f"Must be from 1 to {SECONDS_MAX} seconds."
    if draft.expire_at is not None and draft.seconds_to_expire is not None:
        yield "/seconds_to_expire", "Give expire_at or seconds_to_expire, not both."
    if len(draft.notifications) > NOTIFICATIONS_MAX:
        yield "/notifications", f"At most {NOTIFICATIONS_MAX} for one task."
    yield from _setting_faults(draft)


def _text_faults(draft: TaskDraft) -> Iterable[tuple[str, str]]:
    """Text that one database keeps and the other refuses."""
    for pointer, text in (("/topic", draft.topic), *(("/global_keys", key) for key in draft.global_keys)):
        if text.isascii() and "\0" not in text:
            continue
        try:
            strictjson.check(text)
        except strictjson.StrictJSONError as error:
            yield pointer, error.detail


def _setting_faults(draft: TaskDraft) -> Iterable[tuple[str, str]]:
    endpoints = set()
    for position, setting in enumerate(draft.notifications):
        for pointer, detail in notifications.faults(setting):
            yield f"/notifications/{position}{pointer}", detail
        if setting.endpoint in endpoints:
            yield f"/notifications/{position}/endpoint", "The same endpoint stands here twice."
        endpoints.add(setting.endpoint)


def _time_faults(draft: TaskDraft, now: datetime) -> Iterable[tuple[str, str]]:
    if draft.expire_at is not None and draft.expire_at <= now:
        yield "/expire_at", "This time has passed."
    elif draft.expire_at is not None and draft.schedule_to is not None and draft.expire_at <= draft.schedule_to:
        yield "/expire_at", "The task would expire before it is available."


def look_up(drafts: Sequence[TaskDraft]) -> None:
    """Refuse settings whose endpoints cannot be told: asks the network, so before the transaction that creates tasks.

    Raises InvalidInput.
    """
    _refuse((index, fault) for index, draft in enumerate(drafts) for fault in _setting_faults(draft))
    _refuse(_endpoint_faults(drafts))


def _endpoint_faults(drafts: Sequence[TaskDraft]) -> Iterable[tuple[int, tuple[str, str]]]:
    """Settings whose endpoints cannot be told, each address asked about once."""
    wanted = [
        (index, f"/notifications/{position}/endpoint", setting.endpoint)
        for index, draft in enumerate(drafts)
        for position, setting in enumerate(draft.notifications)
    ]
    if len({endpoint for *_place, endpoint in wanted}) > notifications.ENDPOINTS_MAX:
        index, pointer, _endpoint = wanted[0]
        yield index, (pointer, f"One request may name {notifications.ENDPOINTS_MAX} different endpoints at most.")
        return
    refused = notifications.look_up({endpoint for *_place, endpoint in wanted})
    yield from ((index, (pointer, refused[endpoint])) for index, pointer, endpoint in wanted if endpoint in refused)


def _people_faults(
    draft: TaskDraft, people: dict[str, list[Any]], with_access: set[Any], *, queue: Queue, requester: Any
) -> Iterable[tuple[str, str]]:
    """`requester`: who will post it, None where that is not known yet."""
    if draft.target is not None:
        found = [user for user in people[draft.target] if user.pk in with_access]
        if len(found) != 1:
            yield "/target_reviewer", f"{draft.target_reviewer} is not exactly one active reviewer of this queue."
        elif requester is not None and found[0].pk == requester.pk and not queue.requester_may_review:
            yield "/target_reviewer", lifecycle.OWN_TARGET
    for position, email in enumerate(draft.exclude_reviewers):
        if not people[email.lower()]:
            yield f"/exclude_reviewers/{position}", f"There is no active user {email}."


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
            *_shape_faults(draft, queue),
            *_time_faults(draft, now),
            *_people_faults(draft, people, with_access, queue=queue, requester=None),
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
    _refuse((index, fault) for index, draft in enumerate(drafts) for fault in _shape_faults(draft, queue))
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
            _refuse((index, fault) for index, draft in enumerate(part) for fault in _shape_faults(draft, queue))
            _refuse(_endpoint_faults(part))
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
            *_time_faults(draft, now),
            *_people_faults(draft, people, with_access, queue=queue, requester=requester),
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
