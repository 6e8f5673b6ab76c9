"""Making, changing, pausing and deleting queues."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from queues import events, lifecycle, schemas, signals, strategy
from queues.exceptions import InvalidInput, QueueArchived, QueueNameTaken
from queues.models import Membership, Queue
from queues.states import EventType, Role
from queues.transactions import database_now, is_unique_violation, writer

CHANGEABLE = frozenset(
    {
        "alias",
        "description",
        "instructions",
        "reviewer_frontend_url",
        "input_schema",
        "output_schema",
        "default_assignment_strategy",
        "judgments_per_task",
        "max_lease_seconds",
        "max_multitask",
        "requester_may_review",
        "is_paused",
    }
)


def _check(queue: Queue, fields: frozenset[str] | set[str]) -> None:
    """Raise InvalidInput with every fault of these fields."""
    errors: list[dict[str, Any]] = [
        {"pointer": f"/{field.name}", "detail": "Cannot be null."}
        for field in queue._meta.fields
        if field.name in fields and not field.null and getattr(queue, field.name) is None
    ]
    try:
        queue.clean_fields(exclude={field.name for field in queue._meta.fields} - fields)
    except ValidationError as error:
        errors += [
            {"pointer": f"/{field}", "detail": " ".join(messages)} for field, messages in error.message_dict.items()
        ]
    for field in fields & {"input_schema", "output_schema"}:
        if getattr(queue, field) is not None:
            try:
                schemas.check_schema(getattr(queue, field))
            except schemas.SchemaRefused as refused:
                errors.append({"pointer": f"/{field}{refused.pointer}", "detail": refused.detail})
    if "default_assignment_strategy" in fields:
        try:
            strategy.check(
                queue.default_assignment_strategy,
                pointer="/default_assignment_strategy",
                stored=True,
                max_lease=queue.max_lease_seconds,
            )
        except InvalidInput as invalid:
            errors += invalid.errors
    if errors:
        raise InvalidInput(errors)


@writer
def create_queue(*, name: str, actor: Any, fields: dict[str, Any] | None = None, now: datetime | None = None) -> Queue:
    """Make a queue with `actor` as its manager; `fields` may be any of CHANGEABLE.

    Raises InvalidInput, QueueNameTaken.
    """
    fields = fields or {}
    now = database_now(now)
    queue = Queue(name=name, created_at=now, updated_at=now, **{key: fields[key] for key in fields.keys() & CHANGEABLE})
    _check(queue, CHANGEABLE | {"name"})
    event = events.of_queue(EventType.QUEUE_CREATED, queue, now=now, actor=actor, name=name)
    try:
        with transaction.atomic():
            queue.save(force_insert=True)
    except IntegrityError as error:
        if not is_unique_violation(error, Queue):
            raise
        raise QueueNameTaken(f"The name {name} is taken, perhaps by a queue that was deleted.") from None
    event.object_id = event.queue_id = queue.pk
    events.record([event])
    Membership.objects.create(queue=queue, user=actor, role=Role.MANAGER, created_at=now)
    return queue


def _locked(queue_id: int) -> Queue:
    """The queue, locked and alive. Raises Queue.DoesNotExist, QueueArchived."""
    queue = Queue.objects.select_for_update(no_key=True).get(pk=queue_id)
    if queue.archived_at is not None:
        raise QueueArchived(f"The queue {queue.name} was deleted.")
    return queue


@writer
def update_queue(*, queue_id: int, changes: dict[str, Any], actor: Any = None, now: datetime | None = None) -> Queue:
    """Set any of CHANGEABLE. Tasks that exist keep their number of judgments, and leases theirs; but where requesters
    may no longer review their own tasks, those that they hold are taken back, and none is aimed at them.

    Raises Queue.DoesNotExist, QueueArchived, InvalidInput.
    """
    if changes.get("requester_may_review") is False:
        # Tasks are locked before the queue, as where review access is revoked.
        moment = database_now(now)
        lifecycle.clear_own_targets(queue_id=queue_id, actor=actor, now=moment)
        signals.own_work_forbidden.send(Queue, queue_id=queue_id, actor=actor, now=moment)
    queue = _locked(queue_id)
    changed = {key: changes[key] for key in changes.keys() & CHANGEABLE if getattr(queue, key) != changes[key]}
    if not changed:
        return queue
    for key, value in changed.items():
        setattr(queue, key, value)
    _check(queue, set(changed))
    queue.updated_at = database_now(now)
    small = {key: value for key, value in changed.items() if isinstance(value, bool | int | None)}
    event = events.of_queue(
        EventType.QUEUE_UPDATED, queue, now=queue.updated_at, actor=actor, fields=sorted(changed), **small
    )
    queue.save(update_fields=[*changed, "updated_at", "sequence"])
    events.record([event])
    return queue


@writer
def _archive(*, queue_id: int, actor: Any, now: datetime | None) -> Queue:
    queue = _locked(queue_id)
    queue.archived_at = queue.updated_at = database_now(now)
    event = events.of_queue(EventType.QUEUE_DELETED, queue, now=queue.updated_at, actor=actor)
    queue.save(update_fields=["archived_at", "updated_at", "sequence"])
    events.record([event])
    return queue


def archive_queue(*, queue_id: int, actor: Any = None, now: datetime | None = None) -> Queue:
    """Delete a queue: from now on nothing is handed out, and its open tasks are canceled.

    Rows, events and the name stay. The first batch of tasks is canceled here, the rest by the sweep, in
    transactions of their own. Raises Queue.DoesNotExist, QueueArchived.
    """
    queue = _archive(queue_id=queue_id, actor=actor, now=now)
    lifecycle.cancel_archived(now=now)
    return queue
