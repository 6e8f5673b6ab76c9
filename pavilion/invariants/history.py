"""What must always be true of what sessions and seats tell.

An event whose task has closed may be purged; those of sessions and seats are kept (queues.feed.purge).
"""

from typing import Any

from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce

from pavilion.models import Seat, Session
from pavilion.sessions import LIMITS
from pavilion.states import SEAT_EVENT, EventType
from queues.invariants import OWN, invariant, saying_something_else
from queues.models import Event


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


@invariant
def events_tell_the_limits() -> QuerySet[Any, Any]:
    """The last event that names one of a session's limits names the one it has."""
    told = Event.objects.filter(object_type="session", object_id=OuterRef("pk"))
    sessions, wrong = Session.objects.all(), Q()
    for name in LIMITS:
        last = told.filter(delta__has_key=name).order_by("-sequence")
        value = last.annotate(value=Cast(KT(f"delta__{name}"), IntegerField())).values("value")[:1]
        sessions = sessions.annotate(**{f"told_{name}": Subquery(value)})
        wrong |= Q(**{f"told_{name}__isnull": False}) & ~Q(**{f"told_{name}": F(name)})
    return sessions.filter(wrong)
