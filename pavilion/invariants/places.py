"""What must always be true of places, and who has them."""

from typing import Any

from django.db.models import Count, Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from assignments.models import Assignment
from pavilion.models import Hire, Seat, Session
from pavilion.states import LIVE, EventType, HireStatus, SeatStatus, SessionStatus
from queues.invariants import invariant
from queues.models import Event
from queues.transactions import database_now


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


def _changes(*names: str) -> QuerySet[Any, Any]:
    """Events by which one of these of the session at hand was changed."""
    told = Event.objects.filter(object_type="session", object_id=OuterRef("pk"), type=EventType.SESSION_UPDATED)
    return told.filter(delta__has_any_keys=list(names))


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
    over = Q(waiting__gt=F("max_waiting")) | Q(active__gt=F("max_active"))
    return _with_counts().filter(~Exists(_changes("max_active", "max_waiting")), over)


@invariant
def nobody_waits_in_vain() -> QuerySet[Any, Any]:
    """While more wait than have to, as many are active as may; before the start, fewer wait than start it."""
    started = Q(started_at__isnull=False)
    room = Q(active__lt=F("max_active"), waiting__gt=F("min_waiting"))
    enough = Q(waiting__gt=0, waiting__gte=F("min_active") + F("min_waiting"))
    return _with_counts().filter((started & room) | (~started & enough))


@invariant
def a_hire_seats_one() -> QuerySet[Any, Any]:
    """A place that was offered has one live seat at most."""
    return Seat.objects.filter(status__in=LIVE).order_by().values("hire").annotate(n=Count("pk")).filter(n__gt=1)


@invariant
def an_offer_is_posted_once() -> QuerySet[Any, Any]:
    """Each hire has a key of its own, by which it is posted once, and is one thing at the marketplace."""
    of_key = Window(Count("pk"), partition_by=F("request_token"))
    of_id = Window(Count("pk"), partition_by=[F("session"), F("external_id")])
    return Hire.objects.annotate(of_key=of_key, of_id=of_id).filter(
        Q(of_key__gt=1) | (~Q(external_id="") & Q(of_id__gt=1))
    )


@invariant
def no_place_is_offered_twice() -> QuerySet[Any, Any]:
    """No more places are offered and taken than may be, and were hired by hand; unless the limits were changed."""
    by_hand = _changes("hired").annotate(many=Cast(KT("delta__hired"), IntegerField()))
    hired = by_hand.order_by().values("object_id").annotate(sum=Sum("many")).values("sum")
    places = F("max_active") + F("max_waiting") + Coalesce(Subquery(hired), 0)
    live = Session.objects.filter(status=SessionStatus.LIVE).annotate(
        offered=_number(Hire.objects.offered()), seated=_number(Seat.objects.live()), places=places
    )
    return live.filter(~Exists(_changes("max_active", "max_waiting")), offered__gt=F("places") - F("seated"))


@invariant
def what_was_to_be_taken_back_was() -> QuerySet[Any, Any]:
    """Where nothing is to be taken back any more, nobody holds what came before they were promoted, or had left."""
    seat = Seat.objects.filter(worker__reviewer=OuterRef("reviewer"), to_release=False)
    since = {"joined_at__lte": OuterRef("created_at")}
    backlog, queue = Q(session__pool__backlog_queue=OuterRef("queue")), Q(session__pool__queue=OuterRef("queue"))
    promoted = seat.filter(backlog, status=SeatStatus.ACTIVE, active_at__gt=OuterRef("created_at"), **since)
    gone = seat.filter(backlog | queue, ended_at__gt=OuterRef("created_at"), **since)
    return Assignment.objects.live(database_now()).filter(Exists(promoted) | Exists(gone))
