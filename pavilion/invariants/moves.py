"""What must always be true of how seats move: who is promoted, when, and for whom.

Moves are rows that never change, numbered in a session as they were made, for each is made under its lock. So those who
waited and were active at each can be counted, and held against the limits that events tell were those of that time.
"""

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import (
    BigIntegerField,
    Case,
    Exists,
    F,
    IntegerField,
    Max,
    OuterRef,
    Q,
    QuerySet,
    RowRange,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, Lag, Lead

from pavilion.models import Seat, SeatTransition
from pavilion.sessions import LIMITS
from pavilion.states import LIVE, SEAT_TRANSITIONS, EventType, SeatStatus
from queues.invariants import invariant, surely
from queues.models import Event

WAITING, ACTIVE = SeatStatus.WAITING, SeatStatus.ACTIVE


def _played() -> QuerySet[Any, Any]:
    """Moves with those who are `waiting` and `active` after each, the moves before and after it in its session, and the
    limits of its time: null where they are not known, as where they were changed at that very moment.

    What they are filtered by has to be within `surely`: other conditions would come before the counting.
    """
    session: dict[str, Any] = {"partition_by": F("seat__session"), "order_by": "id"}

    def number(status: SeatStatus) -> Window:
        step = Case(When(to_status=status, then=1), When(from_status=status, then=-1), default=0)
        return Window(Sum(step, output_field=IntegerField()), **session)

    told = Event.objects.filter(object_type="session", object_id=OuterRef("seat__session"))
    changed_then = told.filter(
        type=EventType.SESSION_UPDATED, created_at=OuterRef("at"), delta__has_any_keys=list(LIMITS)
    )

    def limit(name: str) -> Case:
        naming = told.filter(delta__has_key=name)
        then = naming.filter(created_at__lte=OuterRef("at")).order_by("-sequence")
        value = then.annotate(value=Cast(KT(f"delta__{name}"), IntegerField())).values("value")[:1]
        return Case(
            When(Exists(changed_then), then=None),
            When(Exists(naming), then=Subquery(value)),
            default=F(f"seat__session__{name}"),
            output_field=IntegerField(),
        )

    return SeatTransition.objects.annotate(
        waiting=number(WAITING),
        active=number(ACTIVE),
        began=F("seat__session__started_at"),
        over=Coalesce("seat__session__stopped_at", "seat__session__ended_at"),
        before_from=Window(Lag("from_status"), **session),
        before_at=Window(Lag("at"), **session),
        next_from=Window(Lead("from_status"), **session),
        next_to=Window(Lead("to_status"), **session),
        next_at=Window(Lead("at"), **session),
        **{name: limit(name) for name in LIMITS},
    ).annotate(promotes=surely(Q(next_from=WAITING, next_to=ACTIVE, next_at=F("at"))))


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


@invariant
def every_promotion_has_its_cause() -> QuerySet[Any, Any]:
    """Each promotion is for one departure, begins a session, finds room while enough wait, or was asked for by hand."""
    told = Event.objects.filter(object_type="seat", object_id=OuterRef("seat"), type=EventType.SEAT_ACTIVE)
    by_hand = Q(Exists(told.filter(delta__has_key="by_hand"))) | Q(actor__isnull=False)
    departure = Q(before_from=ACTIVE, before_at=F("at"))
    beginning = Q(at=F("began"), active__lte=F("min_active"))
    room = Q(waiting__gte=F("min_waiting"), active__lte=F("max_active"), began__lte=F("at"))
    moves = _played().annotate(caused=surely(departure | beginning | room), by_hand=surely(by_hand))
    known = {f"{name}__isnull": False for name in LIMITS}
    uncaused = Q(from_status=WAITING, to_status=ACTIVE, caused=False, by_hand=False, **known)
    return moves.annotate(uncaused=surely(uncaused)).filter(uncaused=True)


@invariant
def no_promotion_is_missing() -> QuerySet[Any, Any]:
    """Each departure promotes who waits, and so does whoever finds room while enough wait, or makes a session begin."""
    room = Q(active__lt=F("max_active"))
    enough = Q(waiting__gt=F("min_waiting"))
    # A move of the very moment of the start may have been before it, unless it was a promotion.
    begun = Q(at__gt=F("began")) | Q(at=F("began"), to_status=ACTIVE)
    departure = Q(from_status=ACTIVE, waiting__gt=0)
    not_begun = Q(began__isnull=True) | Q(began__gt=F("at"))
    missed = (begun & room & (departure | enough)) | (
        not_begun & Q(to_status=WAITING, waiting__gte=F("min_active") + F("min_waiting"))
    )
    in_time = Q(over__isnull=True) | Q(at__lt=F("over"))
    return _played().annotate(missed=surely(in_time & missed & Q(promotes=False))).filter(missed=True)


@invariant
def limits_held_at_every_move() -> QuerySet[Any, Any]:
    """Nobody was promoted, or came to wait, beyond the limits of that time."""
    beyond = Q(to_status=ACTIVE, active__gt=F("max_active"))
    crowd = Q(to_status=WAITING, waiting__gt=F("max_waiting"), promotes=False)
    return _played().annotate(beyond=surely(beyond | crowd)).filter(beyond=True)


@invariant
def who_has_waited_longest_goes_first() -> QuerySet[Any, Any]:
    """Whoever was promoted had waited longest of those who waited then."""
    went = SeatTransition.objects.filter(seat=OuterRef("pk"), from_status=WAITING).values("id")[:1]
    seats = Seat.objects.annotate(
        went=Coalesce(Subquery(went), 2**62, output_field=BigIntegerField()),
        of_those_before=Window(
            Max("went"), partition_by=F("session"), order_by=["joined_at", "id"], frame=RowRange(end=-1)
        ),
    )
    late = surely(Q(active_at__isnull=False, of_those_before__gt=F("went")))
    return seats.annotate(late=late).filter(late=True)
