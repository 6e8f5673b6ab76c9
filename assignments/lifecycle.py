"""What becomes of an assignment. One function per transition; each locks the task first, which guards all that is live
under it, refuses what is not live and in time, and writes events.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from assignments.exceptions import AssignmentClosed, LeaseExpired, OwnTask
from assignments.models import Assignment, Exclusion
from assignments.plurality import plurality
from assignments.statements import ending
from assignments.states import ENDING_EVENT, AssignmentStatus, EventType
from queues import events, schemas, statements, strategy, strictjson
from queues.exceptions import InvalidInput
from queues.lifecycle import SWEEP_BATCH, expire, finish, give_slot_back, send_hooks
from queues.models import Event, Task
from queues.places import places
from queues.states import OPEN, SECONDS_MAX
from queues.transactions import database_now, writer


@dataclass(frozen=True)
class Finalized:
    """An assignment with its answer; `repeated` when it had this very answer before the call."""

    assignment: Assignment
    repeated: bool


def event(
    type_: EventType, assignment: Assignment, *, sequence: int, now: datetime, actor: Any = None, **delta: Any
) -> Event:
    """An event of an assignment, with the state that it and its locked task have after the change."""
    task = assignment.task
    delta |= {"status": assignment.status, "task_status": task.status, "open_slots": task.open_slots}
    if type_ in (EventType.ASSIGNMENT_CREATED, EventType.ASSIGNMENT_EXTENDED):
        delta["reviewer"] = assignment.reviewer_id
        delta["expire_at"] = assignment.expire_at.isoformat() if assignment.expire_at else None
    if type_ == EventType.ASSIGNMENT_CREATED:
        delta["topic"] = task.topic
    return Event(
        type=type_,
        object_type="assignment",
        object_id=assignment.pk,
        queue_id=assignment.queue_id,
        task_id=assignment.task_id,
        actor=events.actor_id(actor),
        sequence=sequence,
        delta=delta,
        created_at=now,
    )


def _end(assignment: Assignment, to: AssignmentStatus, *, now: datetime, data: Any = None, reason: str = "") -> None:
    """The guarded UPDATE behind every end of an assignment. Raises AssignmentClosed where it was not live."""
    assignment.status, assignment.ended_at, assignment.data, assignment.reason = to, now, data, reason
    assignment.live_slot = None
    assignment.counted = True if to == AssignmentStatus.FINISHED else None
    assignment.sequence += 1
    fields = ("status", "ended_at", "data", "reason", "live_slot", "counted", "sequence")
    values = {field: getattr(assignment, field) for field in fields}
    if not Assignment.objects.filter(pk=assignment.pk, status=AssignmentStatus.CREATED).update(**values):
        raise AssignmentClosed(f"Assignment {assignment.pk} is not live.")


def _ending(assignment: Assignment, *, now: datetime, actor: Any = None, **delta: Any) -> Event:
    status = AssignmentStatus(assignment.status)
    if assignment.reason:
        delta["reason"] = assignment.reason
    return event(ENDING_EVENT[status], assignment, sequence=assignment.sequence, now=now, actor=actor, **delta)


def _locked(assignment_id: int) -> Assignment:
    """The assignment as it is once its task is locked. Raises Assignment.DoesNotExist."""
    task_id = Assignment.objects.values_list("task_id", flat=True).get(pk=assignment_id)
    task = Task.objects.locked().select_related("queue", "target_reviewer").get(pk=task_id)
    assignment = Assignment.objects.select_related("reviewer__user", "queue").get(pk=assignment_id)
    assignment.task = task
    return assignment


def _require_live(assignment: Assignment, now: datetime) -> None:
    """Raise LeaseExpired or AssignmentClosed unless the assignment is live and in time."""
    lapsed = assignment.expire_at is not None and assignment.expire_at <= now
    if assignment.status == AssignmentStatus.EXPIRED or (assignment.status == AssignmentStatus.CREATED and lapsed):
        raise LeaseExpired(f"The lease of assignment {assignment.pk} has ended.", expire_at=assignment.expire_at)
    if assignment.status != AssignmentStatus.CREATED:
        label = AssignmentStatus(assignment.status).label
        raise AssignmentClosed(f"Assignment {assignment.pk} is {label}.", status_was=assignment.status)


def _known(assignment_id: int, known: Assignment | None) -> Assignment:
    """The assignment with all that is shown of it, where nobody read it yet. Raises Assignment.DoesNotExist."""
    if known is not None:
        return known
    rows = Assignment.objects.select_related("task__queue", "task__target_reviewer", "queue", "reviewer__user")
    return rows.get(pk=assignment_id)


def finalize(
    *,
    assignment_id: int,
    data: Any,
    actor: Any = None,
    now: datetime | None = None,
    known: Assignment | None = None,
) -> Finalized:
    """Answer: the assignment is finished, and with the last judgment its task.

    Repeating one's finalize with equal data (as canonical JSON) changes nothing. `known`: the assignment as it was read
    before, with its task, queue and reviewer; it is brought up to date. Raises Assignment.DoesNotExist, InvalidInput,
    AssignmentClosed, LeaseExpired, OwnTask.
    """
    known = _known(assignment_id, known)
    if _is_forbidden(known):
        raise OwnTask("Requesters of this queue do not review their own tasks.")
    try:
        _check_answer(data, known.queue.output_schema)
    except InvalidInput:
        # An answer that was taken may be repeated although the schema has changed since.
        taken = Assignment.objects.judgments().filter(pk=assignment_id).select_related("task__queue", "reviewer__user")
        given = taken.first()
        if given is None or not strictjson.same(given.data, data):
            raise
        return Finalized(given, repeated=True)
    if statements.are_supported() and ending.closes_alone(known):
        values = {"user": known.reviewer.user_id, "data": json.dumps(data), **_whose(known, actor, now)}
        for ended in ending.finalize().ask(**values):
            ending.note_answer(known, data, ended)
            return Finalized(known, repeated=False)
    return _finalize(assignment_id=assignment_id, data=data, actor=actor, now=now)


def _whose(known: Assignment, actor: Any, now: datetime | None) -> dict[str, Any]:
    """What every statement about an assignment asks for."""
    return {"assignment": known.pk, "queue": known.queue_id, "actor": events.actor_id(actor), "now": now}


def _is_forbidden(known: Assignment) -> bool:
    """Whether it is for others to judge this task: somebody got their own, at the moment when that was forbidden."""
    own = known.task.requester_id == known.reviewer.user_id
    return own and not known.queue.requester_may_review and known.status == AssignmentStatus.CREATED


def is_good(data: Any, assignment: Assignment) -> bool:
    """Whether this answer fits the schema of the assignment's queue, and is its reviewer's to give."""
    if _is_forbidden(assignment):
        return False
    try:
        _check_answer(data, assignment.queue.output_schema)
    except InvalidInput:
        return False
    return True


def _check_answer(data: Any, schema: Any) -> None:
    if data is None:
        raise InvalidInput.at("/data", "An answer cannot be null.")
    try:
        strictjson.check(data)
    except strictjson.StrictJSONError as error:
        raise InvalidInput.at(f"/data{error.pointer}", error.detail) from None
    if schema is not None and (faults := schemas.check_answer(schema, data)):
        raise InvalidInput([{**fault, "pointer": f"/data{fault['pointer']}"} for fault in faults])


@writer
def _finalize(*, assignment_id: int, data: Any, actor: Any, now: datetime | None) -> Finalized:
    assignment = _locked(assignment_id)
    now = database_now(now)
    if assignment.status == AssignmentStatus.FINISHED and strictjson.same(assignment.data, data):
        return Finalized(assignment, repeated=True)
    _require_live(assignment, now)
    _end(assignment, AssignmentStatus.FINISHED, now=now, data=data)
    task, closing = assignment.task, []
    judgments = list(Assignment.objects.filter(task=task).judgments())
    if len(judgments) == task.judgments_required:
        alone = assignment.reviewer.user if len(judgments) == 1 else None
        output = plurality([judgment.data for judgment in judgments])
        closing = [finish(task, output_data=output, reviewer=alone, now=now, actor=actor)]
    events.record([_ending(assignment, now=now, actor=actor), *closing])
    if closing:
        send_hooks([task], now=now)
    return Finalized(assignment, repeated=False)


def skip(
    *,
    assignment_id: int,
    seconds_to_expire: int | None,
    actor: Any = None,
    now: datetime | None = None,
    known: Assignment | None = None,
) -> Assignment:
    """Hand a task back; it does not come to this reviewer again for so many seconds, or ever (None).

    `known` is as finalize takes it. Raises Assignment.DoesNotExist, InvalidInput, AssignmentClosed, LeaseExpired.
    """
    if seconds_to_expire is not None and not 1 <= seconds_to_expire <= SECONDS_MAX:
        raise InvalidInput.at("/seconds_to_expire", f"Must be from 1 to {SECONDS_MAX} seconds, or null for ever.")
    if statements.are_supported():
        known = _known(assignment_id, known)
        for *ended, status, slots, sequence in ending.skip().ask(
            seconds=seconds_to_expire, **_whose(known, actor, now)
        ):
            ending.note_end(known, tuple(ended))
            known.task.status, known.task.open_slots, known.task.sequence = status, slots, sequence
            places.became_available([known.task])
            return known
    return _skip(assignment_id=assignment_id, seconds_to_expire=seconds_to_expire, actor=actor, now=now)


@writer
def _skip(*, assignment_id: int, seconds_to_expire: int | None, actor: Any, now: datetime | None) -> Assignment:
    assignment = _locked(assignment_id)
    now = database_now(now)
    _require_live(assignment, now)
    until = None if seconds_to_expire is None else now + timedelta(seconds=seconds_to_expire)
    _end(assignment, AssignmentStatus.SKIPPED, now=now)
    Exclusion.objects.update_or_create(task=assignment.task, reviewer=assignment.reviewer, defaults={"until": until})
    reopening = give_slot_back(assignment.task, now=now, actor=actor)
    end = _ending(assignment, now=now, actor=actor, until=until.isoformat() if until else None)
    events.record([end, *reopening])
    return assignment


def extend(
    *,
    assignment_id: int,
    seconds_to_expire: int | None = None,
    expire_at: datetime | None = None,
    actor: Any = None,
    now: datetime | None = None,
    known: Assignment | None = None,
) -> Assignment:
    """Move the end of a lease, to so many seconds from now or to a time.

    At most the queue's longest lease from now, never after the task's own expiry, never to an earlier time than it had.
    `known` is as finalize takes it. Raises Assignment.DoesNotExist, InvalidInput, AssignmentClosed, LeaseExpired.
    """
    wish = {
        key: value
        for key, value in (("seconds_to_expire", seconds_to_expire), ("expire_at", expire_at))
        if value is not None
    }
    if not wish:
        raise InvalidInput.at("/seconds_to_expire", "Say for how long: seconds_to_expire, or expire_at.")
    if statements.are_supported() and expire_at is None:
        known = _known(assignment_id, known)
        strategy.check(wish, max_lease=known.queue.max_lease_seconds)
        for end, sequence in ending.extend().ask(seconds=seconds_to_expire, **_whose(known, actor, now)):
            known.expire_at, known.sequence = end, sequence
            return known
    return _extend(assignment_id=assignment_id, wish=wish, actor=actor, now=now)


@writer
def _extend(*, assignment_id: int, wish: dict[str, Any], actor: Any, now: datetime | None) -> Assignment:
    assignment = _locked(assignment_id)
    now = database_now(now)
    longest, expire_at = assignment.queue.max_lease_seconds, wish.get("expire_at")
    strategy.check(wish, max_lease=longest)
    strategy.check_lease_end(expire_at, now=now, max_lease=longest)
    _require_live(assignment, now)
    end = expire_at or now + timedelta(seconds=wish["seconds_to_expire"])
    if assignment.task.expire_at is not None:
        end = min(end, assignment.task.expire_at)
    if assignment.expire_at is not None and end > assignment.expire_at:
        _set_lease(assignment, end, now=now, actor=actor)
    return assignment


def _set_lease(assignment: Assignment, end: datetime, *, now: datetime, actor: Any) -> None:
    assignment.expire_at = end
    assignment.sequence += 1
    Assignment.objects.filter(pk=assignment.pk).update(expire_at=end, sequence=assignment.sequence)
    events.record(
        [event(EventType.ASSIGNMENT_EXTENDED, assignment, sequence=assignment.sequence, now=now, actor=actor)]
    )


@writer
def release(*, assignment_id: int, reason: str, actor: Any = None, now: datetime | None = None) -> Assignment:
    """Take a live assignment back from its reviewer, for a reason they are shown; the slot is open again.

    Raises Assignment.DoesNotExist, AssignmentClosed, LeaseExpired.
    """
    assignment = _locked(assignment_id)
    now = database_now(now)
    _require_live(assignment, now)
    take_back([assignment], reason=reason, now=now, actor=actor)
    return assignment


def end_under(tasks: Iterable[Task], *, reason: str, now: datetime, actor: Any) -> None:
    """End what is live under locked tasks that have just closed: expired where its time is over, else canceled."""
    history = []
    for assignment in under(tasks):
        _end_early(assignment, reason=reason, now=now)
        history.append(_ending(assignment, now=now, actor=actor))
    events.record(history)


def take_back(assignments: Iterable[Assignment], *, reason: str, now: datetime, actor: Any = None) -> None:
    """End live assignments of open tasks that are locked (as `assignment.task`), and give their slots back.

    A task whose own time is over expires instead, with all that is live under it: it is nobody's to take any more.
    """
    history, overdue = [], {}
    for assignment in assignments:
        if assignment.task.is_overdue(now):
            overdue[assignment.task_id] = assignment.task
            continue
        _end_early(assignment, reason=reason, now=now)
        reopening = give_slot_back(assignment.task, now=now)
        history += [_ending(assignment, now=now, actor=actor), *reopening]
    events.record(history)
    if overdue:
        expire(list(overdue.values()), now=now)


def _end_early(assignment: Assignment, *, reason: str, now: datetime) -> None:
    if assignment.expire_at is not None and assignment.expire_at <= now:
        _end(assignment, AssignmentStatus.EXPIRED, now=now)
    else:
        _end(assignment, AssignmentStatus.CANCELED, now=now, reason=reason)


def under(tasks: Iterable[Task]) -> list[Assignment]:
    """The assignments that are live, in time or not, under locked tasks, each with its locked task; by id."""
    by_id = {task.pk: task for task in tasks}
    rows = Assignment.objects.filter(task__in=by_id, status=AssignmentStatus.CREATED)
    live = list(rows.select_related("reviewer").order_by("id"))
    for assignment in live:
        assignment.task = by_id[assignment.task_id]
    return live


def shorten_leases(task: Task, *, now: datetime, actor: Any) -> None:
    """No lease outlives its locked task: bring those under it down to the task's expiry."""
    for assignment in under([task]):
        if task.expire_at is not None and (assignment.expire_at is None or assignment.expire_at > task.expire_at):
            _set_lease(assignment, task.expire_at, now=now, actor=actor)


@writer
def expire_assignments(*, queue_id: int | None = None, limit: int = SWEEP_BATCH, now: datetime | None = None) -> int:
    """End up to `limit` assignments whose lease is over, and give their slots back; how many it was."""
    moment = database_now(now)
    lapsed = Assignment.objects.lapsed(moment)
    if queue_id is not None:
        lapsed = lapsed.filter(queue_id=queue_id)
    task_ids = set(lapsed.order_by("expire_at").values_list("task_id", flat=True)[:limit])
    tasks = list(Task.objects.filter(pk__in=task_ids, status__in=OPEN).locked(skip=True))
    due = [assignment for assignment in under(tasks) if assignment.expire_at and assignment.expire_at <= moment]
    take_back(due, reason="", now=moment)
    return len(due)
