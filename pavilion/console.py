"""What an operator watches of a session: who waits, who is active, what it costs, how it went, what happened last.

It is asked for every few seconds for as long as anybody looks, also where a session has lasted for a week. So people
are read along the index of live seats and up to SHOWN of each kind, what happened last is looked for among those who
came last, and all the seats of a session are read for its plot alone: in one statement, and in a session of some length
once in KEPT_SECONDS.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db.models import BigIntegerField, Count, Func

from pavilion import following, pay
from pavilion.marketplaces.local import Local
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session
from pavilion.sizing import Advice
from pavilion.states import OFFERED, HireStatus, Left, PaymentStatus
from queues import history
from queues.models import Event
from queues.people import shown
from queues.transactions import database_now

SHOWN = 100
"""Of those who wait, and of those who are active, so many are shown."""

INVITATIONS = 20
LOOKED_AT, LOOKED_AT_MAX, MOVES = 200, 2000, 30
"""What happened last is looked for among those who came last: at least the first number of them, and as many as there
are places, up to the second. So many things are shown."""

POINTS = 60
STEPS = (10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200)
"""Seconds from one point of the plot to the next: the first with which a session takes POINTS at most."""

KEPT_SECONDS = 60
ADVISED = 10
"""For so many seconds advice is kept."""

KEPT_FROM = 120
"""With steps of so many seconds, and longer ones, what was counted is kept for KEPT_SECONDS."""


@dataclass(frozen=True)
class Person:
    """Somebody in a session. `place`: in the line, from 1; None for who is active. `earned`: on submitting now."""

    seat: Seat
    place: int | None
    earned: Decimal

    @property
    def unconfirmed(self) -> bool:
        return self.seat.is_active and self.seat.confirmed_at is None


@dataclass(frozen=True)
class Money:
    """What has been earned, and how far it has been sent; what live seats and offers may still cost; the budget's room.

    `left` is None where there is no budget. `each`: what a worker may cost.
    """

    earned: Decimal
    owed: Decimal
    sent: Decimal
    failed: Decimal
    reserved: Decimal
    committed: Decimal
    left: Decimal | None
    each: Decimal

    @property
    def is_used_up(self) -> bool:
        """Whether the budget has no room for another worker."""
        return self.left is not None and self.left < self.each


@dataclass(frozen=True)
class Offers:
    """How many places somebody may take, how many of these are still to be posted, and how many were refused.

    `error`: what the marketplace had to say last, where it did not take one or has not yet.
    """

    open: int
    planned: int
    failed: int
    error: str


@dataclass(frozen=True)
class Point:
    """How many waited and were active at the end of a step that began at `start`; None: that is still to come."""

    start: datetime
    waiting: int | None
    active: int | None


@dataclass(frozen=True)
class Series:
    """Points from the beginning of a session, `step` seconds apart: always POINTS of them."""

    step: int
    points: list[Point]


@dataclass(frozen=True)
class Move:
    """Something that happened: `what` is a state of `worker`'s seat, or the type of an event of the session.

    `by`: who did it, as people read it, "" where it was nobody else. `delta`: what an event has to say.
    """

    at: datetime
    what: str
    seat: Seat | None
    left: str
    by: str
    delta: dict[str, Any]


@dataclass(frozen=True)
class Now:
    """A session as of a moment; `waiting` and `active` are how many, of whom the lists show the first."""

    session: Session
    as_of: datetime
    waiting: int
    active: int
    in_line: list[Person]
    at_work: list[Person]
    money: Money
    offers: Offers
    series: Series
    moves: list[Move]
    advice: Advice | None

    @property
    def started(self) -> bool:
        return self.session.started_at is not None


def now(session_id: int, *, now: datetime | None = None) -> Now:
    """Raises Session.DoesNotExist."""
    session = Session.objects.select_related("pool__project", "pool__queue", "pool__backlog_queue").get(pk=session_id)
    moment = database_now(now)
    seats = Seat.objects.filter(session=session)
    waiting, active = seats.counts()
    return Now(
        session=session,
        as_of=moment,
        waiting=waiting,
        active=active,
        in_line=_people(session, seats.waiting(), moment),
        at_work=_people(session, seats.active().order_by("active_at", "id"), moment),
        money=_money(session),
        offers=_offers(session),
        series=series(session, waiting, active, moment),
        moves=moves(session),
        advice=_advice(session, moment),
    )


def hands_out_links(session: Session) -> bool:
    """Whether operators hand out links to its places: a marketplace leads its workers here itself."""
    return session.is_live and session.pool.marketplace == Local.slug


def invitations(session: Session) -> list[Hire]:
    """The first places that somebody may take by a link that is handed out."""
    if not hands_out_links(session):
        return []
    return list(Hire.objects.filter(session=session).offered().order_by("id")[:INVITATIONS])


def _people(session: Session, seats: Any, moment: datetime) -> list[Person]:
    return [
        Person(seat, None if seat.is_active else place, earned(session, seat, moment))
        for place, seat in enumerate(seats.select_related("worker")[:SHOWN], start=1)
    ]


def earned(session: Session, seat: Seat, moment: datetime) -> Decimal:
    """What a live seat would be paid on submitting now."""
    until = min(moment, seat.ends_at)
    amounts = pay.earned(session, seat, left=Left.SUBMIT, until=until, pays_the_departed=True)
    return sum(amounts.values(), Decimal(0))


def _money(session: Session) -> Money:
    # What was sent is by far the most of it, and is what is left of the session's own sum.
    pending = [PaymentStatus.OWED, PaymentStatus.SENDING, PaymentStatus.FAILED]
    sums = Payment.objects.filter(session=session, status__in=pending).totals()
    nothing = Decimal(0)
    owed = sums.get(PaymentStatus.OWED, nothing) + sums.get(PaymentStatus.SENDING, nothing)
    failed = sums.get(PaymentStatus.FAILED, nothing)
    return Money(
        earned=session.owed,
        owed=owed,
        sent=max(nothing, session.owed - owed - failed),
        failed=failed,
        reserved=session.committed - session.owed,
        committed=session.committed,
        left=None if session.budget is None else session.budget - session.committed,
        each=pay.at_most_for_an_offer(session),
    )


def _offers(session: Session) -> Offers:
    hires = Hire.objects.filter(session=session)
    wanted = [*OFFERED, HireStatus.FAILED]
    found = dict(hires.filter(status__in=wanted).order_by().values_list("status").annotate(Count("pk")))
    troubled = [HireStatus.PLANNED, HireStatus.FAILED]
    errors = hires.filter(status__in=troubled).exclude(error="").order_by("-id").values_list("error", flat=True)
    planned = found.get(HireStatus.PLANNED, 0)
    failed = found.get(HireStatus.FAILED, 0)
    return Offers(
        open=found.get(HireStatus.POSTED, 0) + planned,
        planned=planned,
        failed=failed,
        error=(errors.first() or "") if planned or failed else "",
    )


def _advice(session: Session, moment: datetime) -> Advice | None:
    """What has been measured moves slowly, and is measured for all who look."""
    if not session.is_live or session.started_at is None:
        return None

    def look() -> tuple[Advice | None]:
        return (following.advice(session, now=moment),)

    key = f"crowd_pavilion.advice.{session.pk}.{session.started_at.timestamp()}"
    kept: Any = cache.get_or_set(key, look, ADVISED)
    return kept[0]


class Steps(Func):
    """A moment as a number of whole steps of so many seconds, counted from 1970."""

    output_field = BigIntegerField()

    def __init__(self, moment: str, *, seconds: int) -> None:
        super().__init__(moment, seconds=seconds)

    def as_postgresql(self, compiler: Any, connection: Any, **given: Any) -> Any:
        template = "FLOOR(EXTRACT(EPOCH FROM %(expressions)s) / %(seconds)s)::bigint"
        return self.as_sql(compiler, connection, template=template, **given)

    def as_sqlite(self, compiler: Any, connection: Any, **given: Any) -> Any:
        template = "CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / %(seconds)s"
        return self.as_sql(compiler, connection, template=template, **given)


def series(session: Session, waiting: int, active: int, moment: datetime) -> Series:
    """How many waited and were active over time; `waiting` and `active` are how many do and are now."""
    begun = int(session.posted_at.timestamp())
    until = int(max(session.posted_at, session.stopped_at or session.ended_at or moment).timestamp())
    step = next((step for step in STEPS if until // step - begun // step < POINTS), STEPS[-1])
    first, last = begun // step, until // step
    changes = _kept_changes(session, step, last)
    points, waits, works = [], 0, 0
    for at in range(first, first + POINTS):
        start = datetime.fromtimestamp(at * step, UTC)
        came, went = changes.get(at, (0, 0))
        waits, works = waits + came, works + went
        if at > last:
            points.append(Point(start, None, None))
        elif at == last:
            points.append(Point(start, waiting, active))
        else:
            points.append(Point(start, waits, works))
    return Series(step, points)


def _kept_changes(session: Session, step: int, last: int) -> dict[int, tuple[int, int]]:
    if step < KEPT_FROM:
        return changes(session, step)
    # With each new step it is counted anew, so that the one that has just ended is counted to its end.
    key = f"crowd_pavilion.series.{session.pk}.{session.posted_at.timestamp()}.{step}.{last}"
    return cache.get_or_set(key, lambda: changes(session, step), KEPT_SECONDS) or {}


def changes(session: Session, step: int) -> dict[int, tuple[int, int]]:
    """Step → by how many more wait, and are active, at its end than at its beginning."""
    found: dict[int, list[int]] = {}

    def change(at: int | None, *, waiting: int = 0, active: int = 0) -> None:
        if at is not None:
            of_step = found.setdefault(at, [0, 0])
            of_step[0] += waiting
            of_step[1] += active

    moments = {name: Steps(f"{name}_at", seconds=step) for name in ("joined", "active", "ended")}
    rows = (
        Seat.objects.filter(session=session)
        .order_by()
        .annotate(came=moments["joined"], promoted=moments["active"], went=moments["ended"])
    )
    for came, promoted, went, number in rows.values_list("came", "promoted", "went").annotate(number=Count("pk")):
        change(came, waiting=number)
        change(promoted, waiting=-number, active=number)
        if promoted is None:
            change(went, waiting=-number)
        else:
            change(went, active=-number)
    return {at: (waits, works) for at, (waits, works) in found.items()}


def moves(session: Session) -> list[Move]:
    """What happened last, the latest first: to the session, and to the seats of those who came last."""
    places = session.max_waiting + session.max_active
    latest = Seat.objects.filter(session=session).order_by("-id").values_list("pk", flat=True)
    seats = list(latest[: min(LOOKED_AT_MAX, max(LOOKED_AT, places))])
    ids = SeatTransition.objects.filter(seat__in=seats).order_by("-at", "-id").values_list("pk", flat=True)[:MOVES]
    transitions = SeatTransition.objects.filter(pk__in=list(ids)).select_related("seat__worker", "actor")
    found = [
        Move(each.at, each.to_status, each.seat, each.left, shown(each.actor) if each.actor else "", {})
        for each in transitions.order_by("-at", "-id")
    ]
    events = list(Event.objects.filter(object_type="session", object_id=session.pk).order_by("-sequence")[:MOVES])
    actors = history.actors(events)
    found += [
        Move(event.created_at, event.type, None, "", actors.get(event.actor, event.actor), event.delta)
        for event in events
    ]
    return sorted(found, key=lambda move: move.at, reverse=True)[:MOVES]
