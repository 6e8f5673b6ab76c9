"""A session whose row is locked: what may be done to it, and to its seats and offers, within one transaction.

The rules of the pool are here (docs/pool.md); who calls is pool.py and sessions.py.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Q

from pavilion import marketplaces, pay
from pavilion.exceptions import SessionOver
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session
from pavilion.states import (
    ANSWERS_AT_ONCE,
    LEAVES,
    SEAT_EVENT,
    EventType,
    HireStatus,
    Left,
    SeatStatus,
    SessionStatus,
)
from queues import events
from queues.exceptions import CrowdError
from queues.models import Event
from queues.transactions import database_now, writer

R = TypeVar("R")

SECOND = timedelta(seconds=1)


def under_lock(session_id: int, act: Callable[["Locked"], R], *, now: datetime | None = None) -> R:
    """Carry out `act` on a locked session, after all whose time is over has been done. Raises what `act` raises.

    What was overdue stays done where `act` refuses.
    """

    @writer
    def run() -> tuple[R | None, CrowdError | None]:
        locked = Locked(session_id, now)
        locked.was_late = locked.run_deadlines()
        if not locked.was_late:
            result = act(locked)
            locked.save()
            return result, None
        locked.save()
        try:
            with transaction.atomic():
                result = act(locked)
                locked.save()
                return result, None
        except CrowdError as refused:
            return None, refused

    result, refused = run()
    if refused is not None:
        raise refused
    return result  # type: ignore[return-value]


class Locked:
    """A session, locked by this transaction, as of the database's time after that. `save` writes what was done.

    Raises Session.DoesNotExist.
    """

    def __init__(self, session_id: int, now: datetime | None = None) -> None:
        rows = Session.objects.select_for_update(no_key=True, of=("self",)).select_related("pool")
        self.session = rows.get(pk=session_id)
        self.now = database_now(now)
        self.marketplace = marketplaces.kind(self.session.pool.marketplace)
        self.waiting, self.active = self.seats.counts()
        self.was_late = False
        self._events: list[Event] = []
        self._moves: list[SeatTransition] = []

    @property
    def seats(self) -> Any:
        return Seat.objects.filter(session=self.session)

    @property
    def room(self) -> Decimal | None:
        """What may still be committed; None: there is no limit."""
        session = self.session
        return None if session.budget is None else session.budget - session.committed

    @property
    def is_full(self) -> bool:
        return self.waiting >= self.session.max_waiting and self.active >= self.session.max_active

    def require_live(self) -> None:
        """Raises SessionOver."""
        if not self.session.is_live:
            status = SessionStatus(self.session.status)
            raise SessionOver(f"The session is over: {status.label}.", status=status.value)

    def seat(self, seat_id: int) -> Seat:
        """A seat of the session, locked, so that an answer that is under way counts. Raises Seat.DoesNotExist."""
        return Seat.objects.select_for_update(no_key=True).get(pk=seat_id, session=self.session)

    def save(self) -> None:
        """Write the session's own row, and what happened."""
        self.session.save(
            update_fields=["status", "started_at", "stopped_at", "ended_at", "owed", "committed", "sequence"]
        )
        SeatTransition.objects.bulk_create(self._moves)
        events.record(self._events)
        self._moves, self._events = [], []

    # What happens to the session.

    def tell(self, type_: EventType, actor: Any = None, **delta: Any) -> None:
        """Note an event of the session."""
        self._note(self.session, type_, actor, delta)

    def start(self, actor: Any = None) -> None:
        """The least number go active at once, those who have waited longest; then as the rules have it."""
        self.session.started_at = self.now
        self.tell(EventType.SESSION_STARTED, actor)
        for _ in range(min(self.session.min_active, self.waiting)):
            self.promote()
        self.settle()

    def settle(self) -> None:
        """Begin where enough wait; promote while there is room among the active and more wait than have to."""
        session = self.session
        if not session.is_live:
            return
        if session.started_at is None:
            if self.waiting >= session.min_active + session.min_waiting:
                self.start()
            return
        while self.active < session.max_active and self.waiting > session.min_waiting and self.promote():
            pass

    def end(self, status: SessionStatus, actor: Any = None) -> None:
        """Submit everybody, withdraw what is offered; nobody more is hired or promoted."""
        session, before = self.session, self.session.status
        session.status = status
        if status == SessionStatus.DRAINING:
            session.stopped_at = self.now
            self.tell(EventType.SESSION_STOPPED, actor)
        else:
            session.ended_at = self.now
            self.tell(EventType.SESSION_EXPIRED, actor)
        if before == SessionStatus.LIVE:
            for seat in self.seats.live().select_for_update(no_key=True).order_by("pk"):
                # Nobody may have looked since before the session's time was over: who had gone by then has gone.
                by_itself, at = due(seat, session)
                left = by_itself if at <= min(self.now, session.expires_at) else Left.STOP
                self.leave(seat, left, actor=actor, until=at)
        self.withdraw(Hire.objects.filter(session=session).offered())

    # What happens to offers.

    def hire(self, count: int) -> int:
        """Offer so many more places, as far as the budget reaches; how many it was."""
        each = pay.at_most_for_an_offer(self.session)
        count = pay.that_fit(self.room, each, count)
        Hire.objects.bulk_create(
            [Hire(session=self.session, reserved=each, created_at=self.now, due_at=self.now) for _ in range(count)]
        )
        self.session.committed += each * count
        return count

    def withdraw_latest(self, count: int) -> None:
        """Take back so many of the offers that nobody has taken, the latest first."""
        open_ = Hire.objects.filter(session=self.session).offered().order_by("-id")
        self.withdraw(Hire.objects.filter(pk__in=list(open_.values_list("pk", flat=True)[:count])))

    def withdraw(self, hires: Any) -> None:
        """Take these offers back: a follow-up tells the marketplace."""
        for hire in hires.select_for_update(no_key=True).order_by("pk"):
            self.session.committed -= hire.reserved
            self._change(hire, HireStatus.WITHDRAWING, reserved=Decimal(0), due_at=self.now)

    def fail(self, hire_id: int, reason: str) -> None:
        """The marketplace does not take this offer, if nobody has taken or withdrawn it meanwhile."""
        hire = Hire.objects.select_for_update(no_key=True).get(pk=hire_id)
        if hire.status == HireStatus.PLANNED:
            self.session.committed -= hire.reserved
            ended = {"ended_at": self.now, "due_at": None, "leased_until": None}
            self._change(hire, HireStatus.FAILED, reserved=Decimal(0), error=reason, **ended)

    def take(self, hire: Hire) -> Decimal:
        """Somebody has taken this offer; the money that was put aside for it is now for their seat."""
        reserved = hire.reserved
        self._change(hire, HireStatus.TAKEN, reserved=Decimal(0), opened_at=None)
        return reserved

    def _offer_again(self, hire: Hire) -> None:
        """A place that was returned or abandoned is open again, where the budget has room for it."""
        each = pay.at_most_for_an_offer(self.session)
        if not self.session.is_live or not self.marketplace.offers_again or not pay.that_fit(self.room, each, 1):
            status = HireStatus.WITHDRAWING if self.marketplace.offers_again else HireStatus.SPENT
            ended = {"due_at": self.now} if self.marketplace.offers_again else {"ended_at": self.now}
            self._change(hire, status, **ended)
            return
        self.session.committed += each
        self._change(hire, HireStatus.POSTED, reserved=each, opened_at=self.now)

    def _change(self, hire: Hire, status: HireStatus, **fields: Any) -> None:
        for name, value in {"status": status, **fields}.items():
            setattr(hire, name, value)
        hire.save(update_fields=["status", *fields])

    # What happens to seats.

    def join(self, seat: Seat) -> Seat:
        """Somebody new waits; then as the rules have it."""
        seat.sequence = 1
        seat.save(force_insert=True)
        # The event that counts as its first needs the row's id.
        seat.sequence = 0
        self.waiting += 1
        self._move(seat, "", None)
        self.settle()
        return seat

    def promote(self, actor: Any = None, *, by_hand: bool = False) -> Seat | None:
        """Whoever has waited longest goes active; None: nobody waits. `actor`: who asked for it, where somebody did.

        `by_hand` is told, for then it is not the rules that promote.
        """
        seat = self.seats.waiting().select_for_update(no_key=True).first()
        if seat is None:
            return None
        session = self.session
        seat.status, seat.active_at = SeatStatus.ACTIVE, self.now
        seat.confirm_by = self.now + SECOND * session.confirm_seconds
        seat.answers_allowed = ANSWERS_AT_ONCE
        seat.to_release = session.pool.backlog_queue_id is not None
        self._reserve(seat)
        asked = {"by_hand": True} if by_hand else {}
        self._move(seat, SeatStatus.WAITING, actor, confirm_by=seat.confirm_by.isoformat(), **asked)
        fields = ["status", "active_at", "confirm_by", "answers_allowed", "to_release", "reserved", "sequence"]
        seat.save(update_fields=fields)
        self.waiting -= 1
        self.active += 1
        return seat

    def allow_answers(self, seat: Seat, wanted: int) -> None:
        """Put money aside for further answers of an active seat, as far as the budget reaches."""
        seat.answers_allowed += pay.that_fit(self.room, self.session.answer_reward, wanted)
        self._reserve(seat)
        seat.save(update_fields=["answers_allowed", "reserved"])

    def leave(
        self,
        seat: Seat,
        left: Left,
        *,
        actor: Any = None,
        reason: str = "",
        until: datetime | None = None,
    ) -> None:
        """A locked, live seat ends: it is paid, its place is offered again or replaced, and one is promoted for it.

        Each as the table of departures has it. `until`: the end of what is paid for; now, where that is earlier.
        """
        session, was = self.session, SeatStatus(seat.status)
        seat.status, seat.live, seat.left, seat.reason = LEAVES[left], None, left, reason
        seat.ended_at = self.now
        seat.paid_until = max(seat.joined_at, min(self.now, seat.ends_at, until or self.now))
        seat.to_release = True
        self._pay(seat, left)
        self._move(seat, was, actor, left=left)
        fields = ["status", "live", "left", "reason", "ended_at", "paid_until", "to_release", "reserved", "sequence"]
        seat.save(update_fields=fields)
        if was == SeatStatus.ACTIVE:
            self.active -= 1
        else:
            self.waiting -= 1
        hire = Hire.objects.select_for_update(no_key=True).get(pk=seat.hire_id)
        if seat.status in (SeatStatus.RETURNED, SeatStatus.ABANDONED):
            self._offer_again(hire)
        else:
            self._change(hire, HireStatus.SPENT, ended_at=self.now)
            if session.is_live:
                self.hire(1)
        # Where max_active was lowered, departures bring those who are active down to it.
        if was == SeatStatus.ACTIVE and session.is_live and self.active < session.max_active:
            self.promote()

    def _pay(self, seat: Seat, left: Left) -> None:
        amounts = pay.earned(
            self.session,
            seat,
            left=left,
            until=seat.paid_until or self.now,
            pays_the_departed=self.marketplace.pays_the_departed,
        )
        Payment.objects.bulk_create(
            [
                Payment(seat=seat, session=self.session, kind=kind, amount=amount, created_at=self.now, due_at=self.now)
                for kind, amount in amounts.items()
            ]
        )
        earned = sum(amounts.values(), Decimal(0))
        self.session.owed += earned
        self.session.committed += earned - seat.reserved
        seat.reserved = Decimal(0)

    def _reserve(self, seat: Seat) -> None:
        """Put aside what the seat may cost from now on, instead of what was put aside."""
        most = pay.at_most_for_a_seat(self.session, seat, status=SeatStatus(seat.status), allowed=seat.answers_allowed)
        self.session.committed += most - seat.reserved
        seat.reserved = most

    def _move(self, seat: Seat, before: str, actor: Any, **delta: Any) -> None:
        self._note(seat, SEAT_EVENT[SeatStatus(seat.status)], actor, {"status": seat.status, **delta})
        number = {"": 1, SeatStatus.WAITING: 2, SeatStatus.ACTIVE: 3}[before]
        self._moves.append(
            SeatTransition(
                seat=seat,
                number=number,
                from_status=before,
                to_status=seat.status,
                left=delta.get("left", ""),
                actor=actor,
                at=self.now,
            )
        )

    def _note(self, row: Seat | Session, type_: EventType, actor: Any, delta: dict[str, Any]) -> None:
        self._events.append(event(row, type_, session=self.session, actor=actor, now=self.now, **delta))

    # What time does.

    def run_deadlines(self) -> bool:
        """Do all whose time is over: those who wait first, so that none of them is promoted; whether there was any."""
        if self.session.status == SessionStatus.EXPIRED:
            return False
        if self.session.expires_at <= self.now:
            self.end(SessionStatus.EXPIRED)
            return True
        if not self.session.is_live:
            return False
        late = list(overdue(self.seats, self.session, self.now).select_for_update(no_key=True).order_by("pk"))
        ends = sorted(
            ((seat, *due(seat, self.session)) for seat in late), key=lambda row: (row[0].is_active, row[2], row[0].pk)
        )
        for seat, left, at in ends:
            self.leave(seat, left, until=at)
        return bool(ends)


def event(
    row: Seat | Session, type_: EventType, *, session: Session, now: datetime, actor: Any = None, **delta: Any
) -> Event:
    """The next event of a locked seat or session. Counts its `sequence` up; the caller saves the row."""
    row.sequence += 1
    is_seat = isinstance(row, Seat)
    return Event(
        type=type_,
        object_type="seat" if is_seat else "session",
        object_id=row.pk,
        queue_id=session.pool.queue_id,
        actor=events.actor_id(actor),
        sequence=row.sequence,
        delta={"session": session.pk, **delta} if is_seat else delta,
        created_at=now,
    )


def overdue(seats: Any, session: Session, now: datetime) -> Any:
    """The live seats of a session whose time is over: silent, beyond the time limit, or not confirmed in time."""
    silent_since = now - SECOND * session.heartbeat_seconds
    return seats.live().filter(
        Q(heard_at__lte=silent_since) | Q(ends_at__lte=now) | Q(confirm_by__lte=now, confirmed_at__isnull=True)
    )


def due(seat: Seat, session: Session) -> tuple[Left, datetime]:
    """How and when a live seat ends by itself; of two ends the earlier, and of equal ones the first of these."""
    ends = [
        (seat.confirm_by if seat.confirmed_at is None else None, Left.UNCONFIRMED),
        (seat.heard_at + SECOND * session.heartbeat_seconds, Left.SILENCE),
        (seat.ends_at, Left.TIME),
    ]
    at, left = min(((at, left) for at, left in ends if at is not None), key=lambda end: end[0])
    return left, at
