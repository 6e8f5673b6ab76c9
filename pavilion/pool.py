"""The seats of a session: who joins, is promoted, and leaves. One function for each thing that happens, called alike by
the API, the admin, sockets, sweeps and marketplaces. The rules are in locking.py, and in docs/pool.md.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from pavilion.exceptions import (
    AlreadySeated,
    BudgetUsedUp,
    NobodyToPromote,
    OfferClosed,
    PoolFull,
    SeatElsewhere,
    SeatNotActive,
    SeatOver,
    SessionNotStarted,
    WorkerBlocked,
)
from pavilion.locking import SECOND, Locked, due, event, overdue, under_lock
from pavilion.models import Hire, Seat, Session, Worker
from pavilion.states import ANSWERS_AT_ONCE, HIRES_MAX, OFFERED, EventType, HireStatus, Left, SeatStatus
from queues import events
from queues.exceptions import InvalidInput
from queues.transactions import database_now, is_unique_violation, writer

SWEEP_BATCH = 20
"""How many sessions one sweep sees to."""


def join(
    *,
    session_id: int,
    worker: Worker,
    hire_id: int | None = None,
    external_id: str = "",
    submit_url: str = "",
    now: datetime | None = None,
) -> Seat:
    """Let a worker wait, by this offer, or by any that is open (None); who has a seat in the session already gets that.

    `external_id`, `submit_url`: of the assignment at the marketplace.

    Raises Session.DoesNotExist, SessionOver, PoolFull, OfferClosed, WorkerBlocked, AlreadySeated.
    """

    def act(locked: Locked) -> Seat:
        locked.require_live()
        # Locked, so that who is blocked just now is either seen to be, or seen to have this seat.
        if Worker.objects.select_for_update(no_key=True).get(pk=worker.pk).blocked_at is not None:
            raise WorkerBlocked("You cannot take part in this pool any more.")
        mine = Seat.objects.live().filter(worker=worker).first()
        if mine is not None and mine.session_id != session_id:
            raise AlreadySeated("You have a seat in another pool. Leave that first.", session=mine.session_id)
        if mine is not None:
            Seat.objects.filter(pk=mine.pk).update(heard_at=locked.now)
            mine.heard_at = locked.now
            return mine
        # Asked again: a seat that they had elsewhere may have ended since, and its time has not to overlap with this.
        locked.now = database_now(now)
        hire = _offer(locked, hire_id)
        seat = Seat(
            session=locked.session,
            worker=worker,
            hire=hire,
            external_id=external_id,
            submit_url=submit_url,
            joined_at=locked.now,
            heard_at=locked.now,
            ends_at=locked.now + SECOND * locked.session.time_limit,
            reserved=locked.take(hire),
        )
        try:
            with transaction.atomic():
                return locked.join(seat)
        except IntegrityError as error:
            if not is_unique_violation(error, Seat):
                raise
            raise AlreadySeated("You have a seat in another pool. Leave that first.") from None

    return under_lock(session_id, act, now=now)


def _offer(locked: Locked, hire_id: int | None) -> Hire:
    """The offer to be taken, locked. Raises PoolFull, OfferClosed."""
    if locked.is_full:
        raise PoolFull("All places are taken just now. Try again in a while.")
    hires = Hire.objects.filter(session=locked.session).select_for_update(no_key=True)
    if hire_id is None:
        hire = hires.offered().order_by("id").first()
        if hire is None:
            raise PoolFull("All places are taken just now. Try again in a while.")
        return hire
    hire = hires.filter(pk=hire_id).first()
    if hire is None or hire.status not in OFFERED:
        taken = hire is not None and hire.status == HireStatus.TAKEN
        raise OfferClosed("Somebody else has taken this offer." if taken else "This offer is closed.")
    return hire


def enter(*, seat_id: int, now: datetime | None = None) -> Seat:
    """Let a window act for a seat; those that were opened before cannot any more. Its number is `connection`.

    Raises Seat.DoesNotExist, SeatOver.
    """
    moment = database_now(now)
    fresh = {"connection": F("connection") + 1, "heard_at": moment}
    if not Seat.objects.live().filter(pk=seat_id).update(**fresh):
        raise over(Seat.objects.get(pk=seat_id))
    return Seat.objects.select_related("session__pool", "worker").get(pk=seat_id)


def over(seat: Seat) -> SeatOver:
    """What to say of a seat that has ended."""
    said = SeatStatus(seat.status).label
    return SeatOver(f"Your seat has ended: {said}.", status=seat.status, left=seat.left)


@writer
def heard(*, connections: Mapping[int, int], now: datetime | None = None) -> set[int]:
    """Note that these windows, seat id → connection, are there; the ids of those that may still act.

    The others have ended, or are used elsewhere. What a seat that changes just now is noted the next time.
    """
    seats = Seat.objects.live().filter(pk__in=connections)
    known = dict(seats.values_list("pk", "connection"))
    mine = {pk for pk, connection in connections.items() if known.get(pk) == connection}
    free = list(
        Seat.objects.live()
        .filter(pk__in=mine)
        .order_by("pk")
        .select_for_update(no_key=True, skip_locked=True)
        .values_list("pk", flat=True)
    )
    Seat.objects.filter(pk__in=free).update(heard_at=database_now(now))
    return mine


def confirm(*, seat_id: int, connection: int | None = None, now: datetime | None = None) -> Seat:
    """A promoted worker is there. Saying so again changes nothing.

    Raises Seat.DoesNotExist, SeatOver, SeatElsewhere, SeatNotActive.
    """
    seat = _confirm(seat_id=seat_id, connection=connection, now=now)
    if seat is None:
        # Their time is over, and somebody else's has come.
        tick(session_id=_session_of(seat_id), now=now)
        raise over(Seat.objects.get(pk=seat_id))
    return seat


@writer
def _confirm(*, seat_id: int, connection: int | None, now: datetime | None) -> Seat | None:
    """The confirmed seat, or None where its time was over. Who joins or leaves is not waited for: that could take up
    what time there is.
    """
    rows = Seat.objects.select_for_update(no_key=True, of=("self",)).select_related("session__pool")
    seat = rows.get(pk=seat_id)
    moment = database_now(now)
    _require(seat, connection)
    _left, ends = due(seat, seat.session)
    if ends <= moment or seat.session.expires_at <= moment:
        return None
    if not seat.is_active:
        raise SeatNotActive("You have not been promoted yet.")
    if seat.confirmed_at is None:
        seat.confirmed_at = seat.heard_at = moment
        events.record([event(seat, EventType.SEAT_CONFIRMED, session=seat.session, now=moment)])
        seat.save(update_fields=["confirmed_at", "heard_at", "sequence"])
    return seat


def submit(*, seat_id: int, connection: int | None = None, actor: Any = None, now: datetime | None = None) -> Seat:
    """A worker ends their work. Raises Seat.DoesNotExist, SeatOver, SeatElsewhere."""
    return _leave(seat_id, Left.SUBMIT, connection=connection, actor=actor, now=now)


def give_back(*, seat_id: int, connection: int | None = None, actor: Any = None, now: datetime | None = None) -> Seat:
    """A worker returns what they had accepted. Raises Seat.DoesNotExist, SeatOver, SeatElsewhere."""
    return _leave(seat_id, Left.RETURN, connection=connection, actor=actor, now=now)


def abandon(*, seat_id: int, now: datetime | None = None) -> Seat:
    """The marketplace says that the worker's time is over. Raises Seat.DoesNotExist, SeatOver."""
    return _leave(seat_id, Left.TIME, now=now)


def dismiss(*, seat_id: int, actor: Any = None, reason: str = "", now: datetime | None = None) -> Seat:
    """An operator ends a seat. Raises Seat.DoesNotExist, SeatOver."""
    return _leave(seat_id, Left.DISMISS, actor=actor, reason=reason, now=now)


def block(*, worker_id: int, actor: Any = None, reason: str = "", now: datetime | None = None) -> Worker:
    """A worker takes no seat any more, anywhere; a live one ends. Raises Worker.DoesNotExist."""
    moment = database_now(now)
    Worker.objects.filter(pk=worker_id, blocked_at__isnull=True).update(blocked_at=moment, blocked_reason=reason)
    worker = Worker.objects.get(pk=worker_id)
    for seat in Seat.objects.live().filter(worker=worker):
        try:
            _leave(seat.pk, Left.BLOCK, actor=actor, reason=reason, now=now)
        except SeatOver:
            # It ended by itself meanwhile.
            continue
    return worker


def unblock(*, worker_id: int) -> Worker:
    """A worker may take seats again. Raises Worker.DoesNotExist."""
    Worker.objects.filter(pk=worker_id).update(blocked_at=None, blocked_reason="")
    return Worker.objects.get(pk=worker_id)


def _leave(
    seat_id: int,
    left: Left,
    *,
    connection: int | None = None,
    actor: Any = None,
    reason: str = "",
    now: datetime | None = None,
) -> Seat:
    def act(locked: Locked) -> Seat:
        seat = _live(locked, seat_id, connection)
        locked.leave(seat, left, actor=actor, reason=reason)
        return seat

    return under_lock(_session_of(seat_id), act, now=now)


def _session_of(seat_id: int) -> int:
    """Raises Seat.DoesNotExist."""
    return Seat.objects.values_list("session_id", flat=True).get(pk=seat_id)


def _live(locked: Locked, seat_id: int, connection: int | None = None) -> Seat:
    """The seat, locked and live, and used by this window (None: whoever asks may). Raises SeatOver, SeatElsewhere."""
    seat = locked.seat(seat_id)
    _require(seat, connection)
    return seat


def _require(seat: Seat, connection: int | None) -> None:
    """Raises SeatOver, SeatElsewhere."""
    if not seat.live:
        raise over(seat)
    if connection is not None and connection != seat.connection:
        raise SeatElsewhere("You have opened this in another window. Go on there.")


def migrate(*, session_id: int, count: int = 1, actor: Any = None, now: datetime | None = None) -> list[Seat]:
    """Promote up to so many, whoever has waited longest, even below the least that should wait; never above max_active.

    Raises Session.DoesNotExist, InvalidInput, SessionOver, SessionNotStarted, NobodyToPromote.
    """
    _check_count(count)

    def act(locked: Locked) -> list[Seat]:
        locked.require_live()
        session = locked.session
        if session.started_at is None:
            raise SessionNotStarted("The session has not started yet: start it first.")
        possible = min(count, locked.waiting, session.max_active - locked.active)
        if possible <= 0:
            why = "Nobody waits." if not locked.waiting else f"{locked.active} are active, and no more may be."
            raise NobodyToPromote(why)
        return [seat for _ in range(possible) if (seat := locked.promote(actor, by_hand=True)) is not None]

    return under_lock(session_id, act, now=now)


def hire(*, session_id: int, count: int = 1, actor: Any = None, now: datetime | None = None) -> int:
    """Offer so many more places, as far as the budget reaches; how many it was.

    Raises Session.DoesNotExist, InvalidInput, SessionOver, BudgetUsedUp.
    """
    _check_count(count)

    def act(locked: Locked) -> int:
        locked.require_live()
        hired = locked.hire(count)
        if not hired:
            raise BudgetUsedUp(f"The budget has room for {locked.room} more, which is too little for a worker.")
        locked.tell(EventType.SESSION_UPDATED, actor, hired=hired)
        return hired

    return under_lock(session_id, act, now=now)


def _check_count(count: int) -> None:
    if not 1 <= count <= HIRES_MAX:
        raise InvalidInput.at("/count", f"Must be from 1 to {HIRES_MAX}.")


def allow_answers(*, seat_id: int, now: datetime | None = None) -> Seat:
    """Put money aside so that an active worker may give ANSWERS_AT_ONCE more answers, as far as the budget reaches.

    Raises Seat.DoesNotExist, SeatOver, SeatNotActive.
    """

    def act(locked: Locked) -> Seat:
        seat = _live(locked, seat_id)
        if not seat.is_active:
            raise SeatNotActive("Only who is active answers tasks.")
        locked.allow_answers(seat, seat.answers + ANSWERS_AT_ONCE - seat.answers_allowed)
        return seat

    return under_lock(_session_of(seat_id), act, now=now)


def tick(*, session_id: int, now: datetime | None = None) -> bool:
    """Do all in a session whose time is over; whether there was any. Raises Session.DoesNotExist."""
    return under_lock(session_id, lambda locked: locked.was_late, now=now)


def late_sessions(*, sessions: Collection[int] | None = None, now: datetime | None = None) -> list[int]:
    """The ids of sessions, among these or all, in which something's time is over."""
    moment = database_now(now)
    open_ = Session.objects.open()
    if sessions is not None:
        open_ = open_.filter(pk__in=sessions)
    return [
        session.pk
        for session in open_.order_by("pk")
        if session.expires_at <= moment
        or overdue(Seat.objects.filter(session=session), session, moment).order_by().exists()
    ]


def sweep(*, limit: int = SWEEP_BATCH, now: datetime | None = None) -> int:
    """Do all whose time is over in up to so many sessions; how many sessions it was."""
    late = late_sessions(now=now)[:limit]
    return sum(tick(session_id=session_id, now=now) for session_id in late)
