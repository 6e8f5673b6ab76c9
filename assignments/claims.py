"""The claim: which task a reviewer gets next, and the rows that make it theirs.

What keeps it exact is not here but in the constraints: a task's `open_slots` never falls below zero, a live slot of
(queue, reviewer) exists once, a task counts once for a reviewer. The claim locks the tasks it takes (passing over
those that others are taking), inserts, and where a constraint says that another request of the same reviewer was
faster, it runs once more and returns what is held.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, connection

from assignments import at_once, lifecycle
from assignments.asking import Claim, prepare
from assignments.exceptions import CapacityReached, NotAvailable, QueuePaused, ReviewAccessLost
from assignments.models import Assignment
from assignments.querysets import claimable, next_chance, suiting, unexpired
from assignments.states import AssignmentStatus, EventType, Reason
from queues import access, events
from queues.exceptions import QueueArchived
from queues.lifecycle import release_scheduled, take_slot
from queues.models import Membership, Queue, Task
from queues.states import LIVE_MAX, OPEN, TaskStatus
from queues.transactions import database_now, is_unique_violation, sqlstate, writer

CATCH_UP_BATCHES = 10
PATIENT_LOOKS = 3
LOCK_PATIENCE = "500ms"
LOCK_NOT_AVAILABLE = "55P03"
LOOK_AGAIN = timedelta(seconds=1)


@dataclass(frozen=True)
class Grab:
    """What a reviewer holds after a grab, oldest first; where that is nothing, why, and when to come back."""

    assignments: list[Assignment] = field(default_factory=list)
    reason: Reason | None = None
    retry_at: datetime | None = None


def grab(*, membership: Membership, call: Mapping[str, Any] | None = None, now: datetime | None = None) -> Grab:
    """Let a reviewer hold up to `multitask_index` tasks of a queue: what they hold comes back first, new ones fill up.

    `membership`: the reviewer's, with its queue and user; `call`: the strategy asked for (see queues.strategy).
    Raises InvalidInput, QueueArchived, ReviewAccessLost.
    """
    return _grab(prepare(membership=membership, call=call, now=now))


def _grab(claim: Claim) -> Grab:
    given = None if claim.queue.is_paused else at_once.grab(claim)
    if given is not None:
        return Grab(given.assignments) if given.assignments else Grab(reason=Reason.PAUSED)
    return _grab_portably(claim)


def _grab_portably(claim: Claim) -> Grab:
    if claim.queue.is_paused:
        held = _in_time(claim.live(), database_now(claim.now))
        return Grab(held) if held else Grab(reason=Reason.PAUSED)
    _catch_up(claim)
    got = _fill_or_held(claim)
    for _look in range(PATIENT_LOOKS):
        if got or not claim.candidates(database_now(claim.now)).exists():
            break
        got = _fill_patiently(claim)
    return Grab(got) if got else _explain(claim, database_now(claim.now))


def assign(
    *,
    membership: Membership,
    task_id: int,
    call: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Assignment:
    """Hand a chosen task, one that a grab could hand out, to a reviewer; one they hold already is returned as it is.

    Raises Task.DoesNotExist, InvalidInput, QueueArchived, QueuePaused, NotAvailable, CapacityReached, ReviewAccessLost.
    """
    claim = prepare(membership=membership, call=call, now=now)
    given = None if claim.queue.is_paused else at_once.assign(claim, task_id)
    if given is not None:
        return given
    _catch_up(claim)
    # Each violation is a slot that another request of the same reviewer won, and there are LIVE_MAX slots.
    for _attempt in range(LIVE_MAX):
        try:
            return _assign(claim=claim, task_id=task_id)
        except IntegrityError as error:
            if not is_unique_violation(error, Assignment):
                raise
    return _assign(claim=claim, task_id=task_id)


def finalize_and_grab(
    *,
    assignment: Assignment,
    data: Any,
    user: Any,
    grab_next: bool,
    call: Mapping[str, Any] | None = None,
    membership: Membership | None = None,
    now: datetime | None = None,
) -> tuple[lifecycle.Finalized, Grab | None]:
    """Answer and, where `grab_next`, get the next work of the same queue in one call.

    `membership`: the user's review access to that queue, with queue and user, where it was read before.

    The strategy is checked before the answer is taken, and its errors are below "/strategy". A repeated answer gets no
    new task, and neither does one whose giver may not review in the queue any more. Raises what `lifecycle.finalize`
    does, and InvalidInput.
    """
    claim = None
    if grab_next:
        if membership is None:
            members = Membership.objects.reviewers().select_related("queue", "user")
            membership = members.filter(queue=assignment.queue_id, user=user, queue__archived_at__isnull=True).first()
        if membership is not None:
            claim = prepare(membership=membership, call=call, now=now, pointer="/strategy")
    done, given = _finalize(claim, assignment=assignment, data=data, user=user, now=now)
    if claim is None or done.repeated:
        return done, None
    if given is not None:
        return done, given
    try:
        return done, _grab(claim)
    except (ReviewAccessLost, QueueArchived):
        # That was lost after the answer was taken, which stands.
        return done, None


def _finalize(
    claim: Claim | None, *, assignment: Assignment, data: Any, user: Any, now: datetime | None
) -> tuple[lifecycle.Finalized, Grab | None]:
    """The answer taken, and the next work where the same statement brought it."""
    if claim is not None and lifecycle.is_good(data, assignment):
        answered, given = at_once.finalize_and_grab(claim, assignment, data)
        if answered is not None:
            next_work = None if given is None else Grab(given.assignments, None if given.assignments else Reason.PAUSED)
            return lifecycle.Finalized(answered, repeated=False), next_work
    return lifecycle.finalize(assignment_id=assignment.pk, data=data, actor=user, now=now, known=assignment), None


def _catch_up(claim: Claim) -> None:
    """Do what the sweeps may not have done yet: take lapsed leases back, open what is due.

    A sweep that lives leaves at most a second's worth; without one each grab does a share and the next goes on.
    """
    moment = database_now(claim.now)
    overdue = (
        (Assignment.objects.lapsed(moment), lifecycle.expire_assignments),
        (Task.objects.due(moment), release_scheduled),
    )
    for rows, sweep in overdue:
        if rows.filter(queue=claim.queue).exists():
            for _batch in range(CATCH_UP_BATCHES):
                if not sweep(queue_id=claim.queue.pk, now=claim.now):
                    break


def _in_time(live: list[Assignment], moment: datetime) -> list[Assignment]:
    return [assignment for assignment in live if assignment.expire_at is None or assignment.expire_at > moment]


def _free_slots(live: list[Assignment], claim: Claim) -> list[int]:
    """Slot numbers within the policy's limit that no row occupies, a lapsed one not yet swept included."""
    taken = {assignment.live_slot for assignment in live}
    return [slot for slot in range(1, claim.policy.multitask_index + 1) if slot not in taken]


def _hold_access(claim: Claim) -> None:
    """From here to the commit, a revocation of this reviewer's membership waits; and the queue is as it is now.

    Raises ReviewAccessLost, QueueArchived.
    """
    queue = claim.queue
    if not access.hold_review_access(queue_id=queue.pk, users={claim.membership.user_id}):
        raise ReviewAccessLost(f"You may not review in {queue.name} any more.")
    now_is = Queue.objects.values_list("is_paused", "archived_at", "requester_may_review").get(pk=queue.pk)
    queue.is_paused, queue.archived_at, queue.requester_may_review = now_is
    if queue.archived_at is not None:
        raise QueueArchived(f"The queue {queue.name} was deleted.")


def _fill_or_held(claim: Claim) -> list[Assignment]:
    """Fill up; when another request of the same reviewer won the slot or the task, once more; then what is held."""
    for _attempt in range(2):
        try:
            return _fill(claim=claim)
        except IntegrityError as error:
            if not is_unique_violation(error, Assignment):
                raise
    return _in_time(claim.live(), database_now(claim.now))


def _fill_patiently(claim: Claim) -> list[Assignment]:
    """A look from the head that waits for rows instead of passing them over: others may leave them free."""
    try:
        return _fill(claim=claim, patient=True)
    except IntegrityError as error:
        if not is_unique_violation(error, Assignment):
            raise
    except OperationalError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
    return _in_time(claim.live(), database_now(claim.now))


@writer
def _fill(*, claim: Claim, patient: bool = False) -> list[Assignment]:
    _hold_access(claim)
    moment = database_now(claim.now)
    live = claim.live()
    held = _in_time(live, moment)
    slots = _free_slots(live, claim)[: max(0, claim.policy.multitask_index - len(held))]
    if not slots or claim.queue.is_paused:
        return held
    tasks = _pick_one_waiting(claim, moment) if patient else _pick(claim, len(slots), moment)
    # Asked again: what the locks waited for is told of with a later time, and some time may be over by now.
    moment = database_now(claim.now)
    tasks = [task for task in tasks if not task.is_overdue(moment)]
    return held + _hand_out(tasks, slots, claim=claim, now=moment)


def _pick(claim: Claim, need: int, moment: datetime) -> list[Task]:
    """The next `need` tasks, locked: those aimed at the reviewer first. Rows that others hold are passed over."""
    candidates = claim.candidates(moment).order_by(*claim.policy.ordering())
    free = candidates.select_for_update(no_key=True, skip_locked=True, of=("self",))
    tasks = list(free.filter(target_reviewer=claim.membership.user_id)[:need])
    if len(tasks) < need:
        tasks += free.filter(target_reviewer__isnull=True)[: need - len(tasks)]
    return tasks


def _pick_one_waiting(claim: Claim, moment: datetime) -> list[Task]:
    """The next task, waited for a moment; none if it is gone by then.

    It is chosen first and locked by its id: a query that waits for one row, finds it changed and goes on to the next
    keeps the first one's lock, so two that come from both ends would wait in a circle.
    """
    candidates = claim.candidates(moment).order_by(*claim.policy.ordering()).values_list("pk", flat=True)
    mine = list(candidates.filter(target_reviewer=claim.membership.user_id)[:1])
    chosen = mine or list(candidates.filter(target_reviewer__isnull=True)[:1])
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_PATIENCE])
    return list(claim.candidates(moment).filter(pk__in=chosen).select_for_update(no_key=True, of=("self",)))


def _hand_out(tasks: list[Task], slots: list[int], *, claim: Claim, now: datetime) -> list[Assignment]:
    """Insert an assignment for each of these locked tasks. Slots ascend, so that two requests meet at the first."""
    assignments = []
    for task, slot in zip(tasks, slots, strict=False):
        take_slot(task, now=now)
        # Whoever shows the task need not ask for what is known here.
        task.queue = claim.queue
        if task.target_reviewer_id is not None:
            task.target_reviewer = claim.membership.user
        assignments.append(
            Assignment(
                task=task,
                queue=claim.queue,
                reviewer=claim.reviewer,
                status=AssignmentStatus.CREATED,
                created_at=now,
                expire_at=claim.policy.lease_end(now=now, task_expire_at=task.expire_at),
                live_slot=slot,
                sequence=1,
            )
        )
    Assignment.objects.bulk_create(assignments)
    actor = claim.membership.user
    events.record(
        [
            lifecycle.event(EventType.ASSIGNMENT_CREATED, assignment, sequence=1, now=now, actor=actor)
            for assignment in assignments
        ]
    )
    return assignments


@writer
def _assign(*, claim: Claim, task_id: int) -> Assignment:
    _hold_access(claim)
    if claim.queue.is_paused:
        raise QueuePaused(f"The queue {claim.queue.name} is paused.")
    task = Task.objects.locked().get(pk=task_id, queue=claim.queue)
    moment = database_now(claim.now)
    live = claim.live()
    held = _in_time(live, moment)
    for assignment in held:
        if assignment.task_id == task.pk:
            return assignment
    slots = _free_slots(live, claim)[: max(0, claim.policy.multitask_index - len(held))]
    if not slots:
        raise CapacityReached(f"You hold {len(held)} of this queue's tasks, and may hold no more.")
    chosen = claimable(Task.objects.filter(pk=task.pk), queue=claim.queue, reviewer=claim.reviewer, now=moment)
    if not chosen.exists():
        raise NotAvailable(f"Task {task.pk} cannot be handed to you now.")
    return _hand_out([task], slots, claim=claim, now=moment)[0]


def _explain(claim: Claim, moment: datetime) -> Grab:
    """Why nothing was handed out."""
    if claim.queue.is_paused:
        return Grab(reason=Reason.PAUSED)
    retry_at = next_chance(claim.queue, reviewer=claim.reviewer, topic=claim.policy.topic, now=moment)
    open_tasks = unexpired(Task.objects.filter(queue=claim.queue, status__in=OPEN), now=moment)
    if claim.policy.topic is not None:
        open_tasks = open_tasks.filter(topic=claim.policy.topic)
    if claim.candidates(moment).exists():
        return Grab(reason=Reason.LEASED, retry_at=min(filter(None, [retry_at, moment + LOOK_AGAIN])))
    if suiting(
        open_tasks.filter(status=TaskStatus.ASSIGNED), queue=claim.queue, reviewer=claim.reviewer, now=moment
    ).exists():
        return Grab(reason=Reason.LEASED, retry_at=retry_at)
    if open_tasks.exclude(status=TaskStatus.SCHEDULED).exists():
        return Grab(reason=Reason.EXCLUDED, retry_at=retry_at)
    return Grab(reason=Reason.EMPTY, retry_at=retry_at)
