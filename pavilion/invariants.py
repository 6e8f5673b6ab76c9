"""What must always be true of the pool (see queues.invariants)."""

from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Value, Window
from django.db.models.functions import Coalesce, Lag, Round

from assignments.models import Assignment
from assignments.states import AssignmentStatus
from pavilion import conf
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session, Worker
from pavilion.models.pool import money
from pavilion.pay import WITH_BASE
from pavilion.states import (
    LIVE,
    SEAT_EVENT,
    SEAT_TRANSITIONS,
    EventType,
    HireStatus,
    PaymentKind,
    SeatStatus,
    SessionStatus,
)
from queues.invariants import OWN, invariant, saying_something_else
from queues.models import Event
from queues.transactions import database_now


def _sum(rows: Any, field: str, *, of: str = "session") -> Coalesce:
    """The sum of a field over the rows of the session at hand, as a subquery."""
    own = rows.filter(**{of: OuterRef("pk")}).order_by().values(of).annotate(sum=Sum(field)).values("sum")
    return Coalesce(Subquery(own, output_field=money("")), Value(Decimal(0), output_field=money("")))


def _cents(amount: Any) -> Round:
    """An amount that can be compared: SQLite adds amounts as floats."""
    return Round(amount, 2)


def _number(rows: Any) -> Coalesce:
    """How many of these rows the session at hand has, as a subquery."""
    own = rows.filter(session=OuterRef("pk")).order_by().values("session").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(own, output_field=IntegerField()), 0)


def _with_counts() -> QuerySet[Any, Any]:
    """Live sessions with the number of those who are `waiting` and `active`."""
    seats = Seat.objects.live()
    return Session.objects.filter(status=SessionStatus.LIVE).annotate(
        waiting=_number(seats.filter(status=SeatStatus.WAITING)), active=_number(seats.filter(status=SeatStatus.ACTIVE))
    )


# Money.


@invariant
def owed_is_what_the_ledger_says() -> QuerySet[Any, Any]:
    """What a session owes is the sum of its payments."""
    return Session.objects.annotate(sum=_cents(_sum(Payment.objects, "amount"))).exclude(sum=_cents(F("owed")))


@invariant
def committed_is_owed_and_kept() -> QuerySet[Any, Any]:
    """What is committed is what is owed, and what is kept for live seats and open offers."""
    seated, offered = _sum(Seat.objects.live(), "reserved"), _sum(Hire.objects.offered(), "reserved")
    sessions = Session.objects.annotate(sum=_cents(F("owed") + seated + offered))
    return sessions.exclude(sum=_cents(F("committed")))


@invariant
def only_who_has_left_is_paid() -> QuerySet[Any, Any]:
    """A payment is of a seat that has ended, in the session that the seat was in."""
    return Payment.objects.filter(Q(seat__live=True) | ~Q(session=F("seat__session")))


@invariant
def the_base_reward_is_for_who_submits() -> QuerySet[Any, Any]:
    """Whoever submitted, or was there when the session stopped, is owed the base reward; nobody else is."""
    base = Payment.objects.filter(seat=OuterRef("pk"), kind=PaymentKind.BASE)
    right = Exists(base.filter(amount=OuterRef("session__base_reward")))
    entitled = Q(left__in=WITH_BASE, session__base_reward__gt=0)
    return Seat.objects.filter((entitled & ~right) | (~entitled & Exists(base)))


@invariant
def answers_are_paid_by_the_piece() -> QuerySet[Any, Any]:
    """Whoever answered and has left is owed the reward for each answer, but those whom the marketplace cannot pay."""
    owed = Payment.objects.filter(seat=OuterRef("pk"), kind=PaymentKind.ANSWERS)
    sum_ = _cents(OuterRef("answers") * OuterRef("session__answer_reward"))
    right = Exists(owed.alias(cents=_cents(F("amount"))).filter(cents=sum_))
    entitled = Q(live__isnull=True, answers__gt=0, session__answer_reward__gt=0)
    by_themselves = Q(status__in=[SeatStatus.RETURNED, SeatStatus.ABANDONED])
    return Seat.objects.filter(
        (entitled & ~by_themselves & ~right) | (entitled & Exists(owed) & ~right) | (~entitled & Exists(owed))
    )


@invariant
def no_answer_is_paid_that_was_not_given() -> QuerySet[Any, Any]:
    """The answers of a seat are at most those that its worker gave to the pool's queue since being promoted."""
    given = Assignment.objects.filter(
        reviewer=OuterRef("worker__reviewer"),
        queue=OuterRef("session__pool__queue"),
        status=AssignmentStatus.FINISHED,
        ended_at__gte=OuterRef("active_at"),
    )
    counted = given.order_by().values("reviewer").annotate(n=Count("pk")).values("n")
    seats = Seat.objects.filter(answers__gt=0)
    return seats.annotate(given=Coalesce(Subquery(counted, output_field=IntegerField()), 0)).filter(
        answers__gt=F("given")
    )


@invariant
def every_answer_is_counted() -> QuerySet[Any, Any]:
    """A worker's seats count each answer that they gave; unless the host makes users who may answer elsewhere."""
    if conf.make_worker_user():
        return Worker.objects.none()
    given = Assignment.objects.filter(reviewer=OuterRef("reviewer"), status=AssignmentStatus.FINISHED)
    number = given.order_by().values("reviewer").annotate(n=Count("pk")).values("n")
    seats = Seat.objects.filter(worker=OuterRef("pk")).order_by().values("worker")
    sum_ = seats.annotate(n=Sum(F("answers") + F("backlog_answers"))).values("n")
    return Worker.objects.annotate(
        given=Coalesce(Subquery(number, output_field=IntegerField()), 0),
        counted=Coalesce(Subquery(sum_, output_field=IntegerField()), 0),
    ).exclude(given=F("counted"))


# Places.


@invariant
def a_taken_hire_has_its_seat() -> QuerySet[Any, Any]:
    """A hire is taken exactly while a seat has it."""
    seat = Exists(Seat.objects.live().filter(hire=OuterRef("pk"), session=OuterRef("session")))
    taken = Q(status=HireStatus.TAKEN)
    return Hire.objects.filter((taken & ~seat) | (~taken & seat))


@invariant
def what_is_to_be_done_at_the_marketplace_is_due() -> QuerySet[Any, Any]:
    """A hire that is to be posted or withdrawn has a time at which somebody sees to it."""
    return Hire.objects.filter(status__in=[HireStatus.PLANNED, HireStatus.WITHDRAWING], due_at__isnull=True)


@invariant
def nothing_is_open_in_a_session_that_is_over() -> QuerySet[Any, Any]:
    """A session that was stopped or has ended has neither live seats nor open offers."""
    seats, offers = Seat.objects.live(), Hire.objects.offered()
    over = Session.objects.exclude(status=SessionStatus.LIVE)
    own = {"session": OuterRef("pk")}
    return over.filter(Exists(seats.filter(**own)) | Exists(offers.filter(**own)))


@invariant
def a_worker_sits_once() -> QuerySet[Any, Any]:
    """A worker has one live seat at most, anywhere."""
    sitting = Seat.objects.filter(status__in=LIVE).order_by().values("worker")
    return sitting.annotate(n=Count("pk")).filter(n__gt=1)


@invariant
def limits_hold() -> QuerySet[Any, Any]:
    """No more wait, and no more are active, than may; unless the session's limits were changed."""
    changed = Event.objects.filter(object_type="session", object_id=OuterRef("pk"), type=EventType.SESSION_UPDATED)
    over = Q(waiting__gt=F("max_waiting")) | Q(active__gt=F("max_active"))
    return _with_counts().filter(~Exists(changed), over)


@invariant
def nobody_waits_in_vain() -> QuerySet[Any, Any]:
    """While more wait than have to, as many are active as may; before the start, fewer wait than start it."""
    started = Q(started_at__isnull=False)
    room = Q(active__lt=F("max_active"), waiting__gt=F("min_waiting"))
    enough = Q(waiting__gt=0, waiting__gte=F("min_active") + F("min_waiting"))
    return _with_counts().filter((started & room) | (~started & enough))


# Moves.


@invariant
def every_move_of_a_seat_was_allowed() -> QuerySet[Any, Any]:
    """A seat begins by waiting; each move begins where the one before it led, and is one that there is."""
    before = Coalesce(Window(Lag("to_status"), partition_by=F("seat"), order_by="number"), Value(""))
    moves = [Q(from_status="", to_status=SeatStatus.WAITING)]
    moves += [Q(from_status=source, to_status__in=targets) for source, targets in SEAT_TRANSITIONS.items() if targets]
    return SeatTransition.objects.annotate(before=before).exclude(reduce(or_, moves), from_status=F("before"))


@invariant
def a_seat_is_where_its_moves_led() -> QuerySet[Any, Any]:
    """A seat's status, how it ended, and its times are those of its moves."""
    moves = SeatTransition.objects.filter(seat=OuterRef("pk"))
    last = moves.order_by("-number")

    def at(**which: Any) -> Subquery:
        return Subquery(moves.filter(**which).values("at")[:1])

    seats = Seat.objects.annotate(
        moved_to=Coalesce(Subquery(last.values("to_status")[:1]), Value("")),
        moved_by=Coalesce(Subquery(last.values("left")[:1]), Value("")),
        came=at(to_status=SeatStatus.WAITING),
        went_active=at(to_status=SeatStatus.ACTIVE),
        went=at(to_status__in=[status for status in SeatStatus if status not in LIVE]),
    )
    same = Q(moved_to=F("status"), moved_by=F("left"), came=F("joined_at"))
    active = Q(went_active__isnull=True, active_at__isnull=True) | Q(went_active=F("active_at"))
    ended = Q(went__isnull=True, ended_at__isnull=True) | Q(went=F("ended_at"))
    return seats.exclude(same & active & ended)


# What was promised to be taken back.


@invariant
def what_was_to_be_taken_back_was() -> QuerySet[Any, Any]:
    """Where nothing is to be taken back any more, nobody holds what came before they were promoted, or had left."""
    seat = Seat.objects.filter(worker__reviewer=OuterRef("reviewer"), to_release=False)
    since = {"joined_at__lte": OuterRef("created_at")}
    backlog, queue = Q(session__pool__backlog_queue=OuterRef("queue")), Q(session__pool__queue=OuterRef("queue"))
    promoted = seat.filter(backlog, status=SeatStatus.ACTIVE, active_at__gt=OuterRef("created_at"), **since)
    gone = seat.filter(backlog | queue, ended_at__gt=OuterRef("created_at"), **since)
    return Assignment.objects.live(database_now()).filter(Exists(promoted) | Exists(gone))


# History.


# An event whose task has closed may be purged; those of sessions and seats are kept (queues.feed.purge).


def _told(kind: str, value: Any, *, naming: bool = False) -> Subquery:
    """A value of the last event of the object at hand; of the last that names a status, where `naming`."""
    own = Event.objects.filter(object_type=kind, object_id=OuterRef("pk")).annotate(value=value)
    named = own.exclude(value="") if naming else own
    return Subquery(named.order_by("-sequence").values("value")[:1])


@invariant
def history_tells_the_seats_status() -> QuerySet[Any, Any]:
    """The last event of a seat that names a status names the one it has."""
    seats = Seat.objects.annotate(told=_told("seat", OWN, naming=True))
    return seats.exclude(told__isnull=False, told=F("status"))


@invariant
def a_seats_history_is_complete() -> QuerySet[Any, Any]:
    """A seat has as many events as its sequence says."""
    seats = Seat.objects.annotate(events=Coalesce(_told("seat", F("sequence")), 0))
    return seats.exclude(events=F("sequence"))


@invariant
def a_type_says_the_seats_status() -> QuerySet[Any, Any]:
    """An event of a seat's move names the status that its type says."""
    return saying_something_else({type_: status for status, type_ in SEAT_EVENT.items()})


@invariant
def a_sessions_history_is_complete() -> QuerySet[Any, Any]:
    """A session has as many events as its sequence says."""
    sessions = Session.objects.annotate(events=Coalesce(_told("session", F("sequence")), 0))
    return sessions.exclude(events=F("sequence"))


@invariant
def history_tells_how_a_session_is() -> QuerySet[Any, Any]:
    """A session was stopped, or has ended, exactly where an event says so."""
    told = Event.objects.filter(object_type="session", object_id=OuterRef("pk"))
    stopped, ended = (
        Exists(told.filter(type=type_)) for type_ in (EventType.SESSION_STOPPED, EventType.SESSION_EXPIRED)
    )
    return Session.objects.filter(
        Q(stopped_at__isnull=False) & ~stopped
        | Q(ended_at__isnull=False) & ~ended
        | Q(stopped, stopped_at__isnull=True)
        | Q(ended, ended_at__isnull=True)
    )
