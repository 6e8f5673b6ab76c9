"""What a worker does with tasks: the ordinary claim and the ordinary answer, for who has the seat for it.

An answer and its being counted for pay are one transaction: the seat's row is written last, where it is as it must be,
else nothing is. Active workers work on the pool's queue, those who wait on its backlog.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from assignments import claims, lifecycle
from assignments.exceptions import AssignmentClosed, LeaseExpired, ReviewAccessLost
from assignments.models import Assignment
from pavilion import pool
from pavilion.exceptions import BudgetUsedUp, SeatElsewhere, SeatNotActive
from pavilion.models import Seat
from pavilion.states import SeatStatus
from queues.models import Membership, Queue
from queues.transactions import database_now, writer

FEW_LEFT = 5
"""With fewer answers allowed than so many, more are asked for."""

TAKEN_BACK = "the pool has other plans for you"


@dataclass(frozen=True)
class Answered:
    """An answer that was taken; `next` is what came with it, where it was asked for."""

    assignment: Assignment
    next: claims.Grab | None


def seat_of(*, seat_id: int, connection: int) -> Seat:
    """The live seat, with its session, pool and worker, for the window that may act for it.

    Raises Seat.DoesNotExist, SeatOver, SeatElsewhere.
    """
    seat = Seat.objects.select_related(
        "session__pool__queue", "session__pool__backlog_queue", "worker__reviewer__user"
    ).get(pk=seat_id)
    if not seat.live:
        raise pool.over(seat)
    if seat.connection != connection:
        raise SeatElsewhere("You have opened this in another window. Go on there.")
    return seat


def queue_for(seat: Seat) -> Queue:
    """The queue in which a seat works now. Raises SeatNotActive."""
    if seat.status == SeatStatus.ACTIVE:
        if seat.confirmed_at is None:
            raise SeatNotActive("Say first that you are here.")
        return seat.session.pool.queue
    backlog = seat.session.pool.backlog_queue
    if backlog is None:
        raise SeatNotActive("There is nothing to do while you wait.")
    return backlog


def grab(*, seat: Seat, call: Mapping[str, Any] | None = None, now: datetime | None = None) -> claims.Grab:
    """Get work, as any reviewer of the queue would.

    Raises SeatNotActive, SeatOver, BudgetUsedUp, ReviewAccessLost, and what claims.grab does.
    """
    queue = queue_for(seat)
    if seat.is_active:
        seat = _with_answers(seat, now)
    memberships = Membership.objects.reviewers().select_related("queue", "user")
    membership = memberships.filter(queue=queue, user=seat.worker.reviewer.user_id).first()
    if membership is None:
        raise ReviewAccessLost("You may not work in this queue any more.")
    found = claims.grab(membership=membership, call=call, now=now)
    # The seat may have ended, or been promoted, since it was looked at: its follow-up may have been there before.
    there = Seat.objects.filter(pk=seat.pk, status=seat.status, live=True).exists()
    if not there:
        give_up(found.assignments, now=now)
        raise pool.over(Seat.objects.get(pk=seat.pk)) if not _lives(seat) else SeatNotActive("You have been promoted.")
    return found


def _lives(seat: Seat) -> bool:
    return Seat.objects.live().filter(pk=seat.pk).exists()


def _with_answers(seat: Seat, now: datetime | None) -> Seat:
    """The seat, with more answers allowed where few are left. Raises BudgetUsedUp where there are none."""
    if seat.answers_allowed - seat.answers < FEW_LEFT:
        allowed = pool.allow_answers(seat_id=seat.pk, now=now)
        seat.answers, seat.answers_allowed = allowed.answers, allowed.answers_allowed
    if seat.answers_allowed <= seat.answers:
        raise BudgetUsedUp("There is no money for more answers in this session. Submit what you have done.")
    return seat


def finalize(
    *,
    seat: Seat,
    assignment: Assignment,
    data: Any,
    grab_next: bool = False,
    call: Mapping[str, Any] | None = None,
    now: datetime | None = None,
) -> Answered:
    """Answer a task that the seat's worker holds; repeating one's own answer changes nothing and is counted once.

    Raises SeatOver, SeatElsewhere, SeatNotActive, BudgetUsedUp, and what lifecycle.finalize does.
    """
    done = _finalize(seat=seat, assignment=assignment, data=data, now=now)
    if not grab_next or done.repeated:
        return Answered(done.assignment, None)
    fresh = seat_of(seat_id=seat.pk, connection=seat.connection)
    try:
        return Answered(done.assignment, grab(seat=fresh, call=call, now=now))
    except (SeatNotActive, BudgetUsedUp, ReviewAccessLost):
        # The answer stands; the next look says why there is no more.
        return Answered(done.assignment, None)


@writer
def _finalize(*, seat: Seat, assignment: Assignment, data: Any, now: datetime | None) -> lifecycle.Finalized:
    actor = seat.worker.reviewer.user
    done = lifecycle.finalize(assignment_id=assignment.pk, data=data, actor=actor, now=now)
    if done.repeated:
        return done
    mine = Seat.objects.live().filter(pk=seat.pk, connection=seat.connection)
    if assignment.queue_id == seat.session.pool.queue_id:
        active = mine.filter(status=SeatStatus.ACTIVE, confirmed_at__isnull=False, answers__lt=F("answers_allowed"))
        counted = active.update(answers=F("answers") + 1)
    else:
        counted = mine.update(backlog_answers=F("backlog_answers") + 1)
    if not counted:
        fresh = seat_of(seat_id=seat.pk, connection=seat.connection)
        queue_for(fresh)
        raise BudgetUsedUp("There is no money for this answer in this session.")
    return done


def held(*, seat: Seat, assignment_id: int) -> Assignment:
    """What was handed to the seat's worker in one of the pool's queues. Raises Assignment.DoesNotExist."""
    queues = {seat.session.pool.queue_id, seat.session.pool.backlog_queue_id} - {None}
    mine = Assignment.objects.filter(reviewer=seat.worker.reviewer_id, queue__in=queues)
    return mine.select_related("task__target_reviewer", "task__queue", "queue", "reviewer__user").get(pk=assignment_id)


def skip(
    *, seat: Seat, assignment: Assignment, seconds_to_expire: int | None, now: datetime | None = None
) -> Assignment:
    """Hand a task back. Raises what lifecycle.skip does."""
    actor = seat.worker.reviewer.user
    return lifecycle.skip(assignment_id=assignment.pk, seconds_to_expire=seconds_to_expire, actor=actor, now=now)


def extend(
    *,
    seat: Seat,
    assignment: Assignment,
    seconds_to_expire: int | None = None,
    expire_at: datetime | None = None,
    now: datetime | None = None,
) -> Assignment:
    """Move the end of a lease away from now. Raises SeatNotActive, and what lifecycle.extend does."""
    if assignment.queue_id == seat.session.pool.queue_id:
        queue_for(seat)
    return lifecycle.extend(
        assignment_id=assignment.pk,
        seconds_to_expire=seconds_to_expire,
        expire_at=expire_at,
        actor=seat.worker.reviewer.user,
        now=now,
    )


def give_up(assignments: list[Assignment], *, now: datetime | None = None) -> int:
    """Take assignments back from their worker; how many were still held."""
    count = 0
    for assignment in assignments:
        try:
            lifecycle.release(assignment_id=assignment.pk, reason=TAKEN_BACK, now=now)
            count += 1
        except (AssignmentClosed, LeaseExpired):
            continue
    return count


def release(*, limit: int = 100, now: datetime | None = None) -> int:
    """Take back what promoted workers hold of the backlog, and all that those hold who have left; how many seats.

    A follow-up of what pool.py has committed as `to_release`, harmless when done twice.
    """
    seats = Seat.objects.filter(to_release=True).select_related("session__pool", "worker").order_by("pk")[:limit]
    for seat in seats:
        own = seat.session.pool
        queues = {own.backlog_queue_id} if seat.live else {own.queue_id, own.backlog_queue_id}
        held = Assignment.objects.filter(reviewer=seat.worker.reviewer_id, queue__in=queues - {None})
        # Who has left may have come back: what was handed out since is of a seat whose work is not to be taken.
        newer = Seat.objects.live().filter(worker=seat.worker_id).exclude(pk=seat.pk).first()
        if newer is not None:
            held = held.filter(created_at__lt=newer.joined_at)
        give_up(list(held.live(database_now(now))), now=now)
        Seat.objects.filter(pk=seat.pk, status=seat.status).update(to_release=False)
    return len(seats)
