"""What a session's own past says about how many should wait; and following that, where the pool says so."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Q

from pavilion import pay, sessions, sizing
from pavilion.exceptions import SessionOver
from pavilion.models import Seat, Session
from pavilion.sizing import Advice, Demand
from pavilion.states import Left, SessionStatus
from queues.transactions import database_now

LOOKED_BACK = timedelta(hours=1)
ENOUGH = 5
"""With fewer promotions, or fewer hires, than so many nothing is said."""

LAST = 1000
"""So many seats, the latest, are looked at, however long the session is."""

QUITS = [Left.SUBMIT, Left.RETURN, Left.SILENCE, Left.TIME]


@dataclass(frozen=True)
class Measured:
    """What was seen since `since`: how many went active, how many came by an offer, and the demand that this makes."""

    since: datetime
    promotions: int
    joins: int
    demand: Demand


def measured(session: Session, *, now: datetime | None = None) -> Measured | None:
    """The demand of the last hour, or of the session's life; None: too little has happened."""
    moment = database_now(now)
    latest = Seat.objects.filter(session=session).order_by("-pk").values("pk")[:LAST]
    seats = Seat.objects.filter(pk__in=list(latest.values_list("pk", flat=True)))
    since = max(session.started_at or session.posted_at, moment - LOOKED_BACK)
    first = seats.order_by("pk").values_list("joined_at", flat=True).first()
    if first is not None and seats.count() == LAST:
        since = max(since, first)
    seconds = (moment - since).total_seconds()
    recent = seats.filter(joined_at__gte=since)
    hiring = recent.filter(hire__posted_at__isnull=False, hire__posted_at__lte=F("joined_at"))
    took = hiring.aggregate(count=Count("pk"), mean=Avg(_between("hire__posted_at", "joined_at")))
    promotions = seats.filter(active_at__gte=since).count()
    if seconds <= 0 or promotions < ENOUGH or took["count"] < ENOUGH:
        return None
    demand = Demand(
        rate=promotions / seconds,
        hire_seconds=max(0.0, took["mean"].total_seconds()),
        quit_rate=_quit_rate(seats, since, moment),
    )
    return Measured(since, promotions, took["count"], demand)


def _between(start: str, end: str) -> ExpressionWrapper:
    return ExpressionWrapper(F(end) - F(start), output_field=DurationField())


def _quit_rate(seats: object, since: datetime, moment: datetime) -> float:
    """How many left while they waited, for each second that somebody waited."""
    rows = seats.filter(Q(ended_at__isnull=True) | Q(ended_at__gte=since))  # type: ignore[attr-defined]
    quits = rows.filter(active_at__isnull=True, left__in=QUITS).count()
    waited = sum(
        max(0.0, ((active or ended or moment) - max(joined, since)).total_seconds())
        for joined, active, ended in rows.values_list("joined_at", "active_at", "ended_at")
    )
    return quits / waited if waited else 0.0


def advice(session: Session, *, now: datetime | None = None) -> Advice | None:
    """How many should wait at most, by what has been measured and the pool's miss rate, within limits and budget.

    None: too little has happened.
    """
    seen = measured(session, now=now)
    if seen is None:
        return None
    return sizing.advise(
        seen.demand,
        wage_per_minute=session.waiting_wage,
        share=session.pool.miss_rate,
        floor=max(1, session.min_active + session.min_waiting),
        ceiling=max(session.min_active + session.min_waiting, session.max_waiting + _affordable(session)),
    )


def _affordable(session: Session) -> int:
    """How many more places the budget has room for."""
    room = None if session.budget is None else session.budget - session.committed
    return pay.that_fit(room, pay.at_most_for_an_offer(session), sizing.TARGET_MAX // 100)


def follow(*, now: datetime | None = None) -> int:
    """Set the most that wait as advised in live sessions whose pools say so; how many were changed."""
    changed = 0
    live = Session.objects.filter(status=SessionStatus.LIVE, pool__follows_advice=True).select_related("pool")
    for session in live.order_by("pk"):
        found = advice(session, now=now)
        if found is None or found.target == session.max_waiting:
            continue
        try:
            sessions.change(session_id=session.pk, changes={"max_waiting": found.target}, now=now)
            changed += 1
        except SessionOver:
            continue
    return changed
