"""How one seat stands in its session just now: what its worker is shown."""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q

from pavilion import marketplaces, pay
from pavilion.exceptions import SeatElsewhere
from pavilion.models import Payment, Seat
from pavilion.states import ANSWERS_AT_ONCE, Left, SeatStatus
from queues import moments
from queues.transactions import database_now


@dataclass(frozen=True)
class There:
    """Who is in a session: how many are active, and the seats that wait, each with its place in the line from 1 on."""

    active: int
    line: dict[int, int]


@dataclass(frozen=True)
class Standing:
    """A seat as of `as_of` by the database's clock. Amounts in the marketplace's currency.

    `earned`: what submitting now would bring; after the end, what the seat has earned. `place`: in the line of those
    who wait, from 1 on. `budget_left`: whether there is money for another answer.
    """

    seat_id: int
    connection: int
    status: str
    session_status: str
    as_of: datetime
    joined_at: datetime
    active_at: datetime | None
    confirm_by: datetime | None
    confirmed_at: datetime | None
    ends_at: datetime
    ended_at: datetime | None
    left: str
    reason: str
    waiting: int
    active: int
    place: int | None
    wage: Decimal
    base_reward: Decimal
    answer_reward: Decimal
    answers: int
    backlog_answers: int
    earned: Decimal
    has_backlog: bool
    budget_left: bool


def there(session_id: int) -> There:
    """Who is in a session, in one query for all who are to be told."""
    live = Seat.objects.filter(session=session_id).live().order_by("joined_at", "id").values_list("pk", "status")
    rows = list(live)
    line = {pk: place for place, pk in enumerate((pk for pk, status in rows if status == SeatStatus.WAITING), 1)}
    return There(len(rows) - len(line), line)


def _counts(seat: Seat) -> tuple[int, int, int | None]:
    """How many wait in the seat's session, how many are active, and its own place among those who wait."""
    waits = Q(status=SeatStatus.WAITING)
    before = Q(joined_at__lt=seat.joined_at) | Q(joined_at=seat.joined_at, pk__lte=seat.pk)
    live = Seat.objects.filter(session=seat.session_id).live().order_by()
    found = live.aggregate(all=Count("pk"), waiting=Count("pk", filter=waits), place=Count("pk", filter=waits & before))
    place = found["place"] if seat.status == SeatStatus.WAITING else None
    return found["waiting"], found["all"] - found["waiting"], place


def of(seat_id: int, *, now: datetime | None = None) -> Standing:
    """How this seat stands. Raises Seat.DoesNotExist."""
    seat = Seat.objects.select_related("session__pool").get(pk=seat_id)
    session, moment = seat.session, database_now(now)
    waiting, active, place = _counts(seat)
    allowed = seat.answers_allowed if seat.is_active else ANSWERS_AT_ONCE
    room = None if session.budget is None else session.budget - session.committed
    return Standing(
        seat_id=seat.pk,
        connection=seat.connection,
        status=seat.status,
        session_status=session.status,
        as_of=moment,
        joined_at=seat.joined_at,
        active_at=seat.active_at,
        confirm_by=seat.confirm_by,
        confirmed_at=seat.confirmed_at,
        ends_at=seat.ends_at,
        ended_at=seat.ended_at,
        left=seat.left,
        reason=seat.reason,
        waiting=waiting,
        active=active,
        place=place,
        wage=session.waiting_wage,
        base_reward=session.base_reward,
        answer_reward=session.answer_reward,
        answers=seat.answers,
        backlog_answers=seat.backlog_answers,
        earned=earned(seat, moment),
        has_backlog=session.pool.backlog_queue_id is not None,
        budget_left=seat.answers < allowed or pay.that_fit(room, session.answer_reward, 1) > 0,
    )


def require_window(*, seat_id: int, connection: int) -> None:
    """Raises SeatElsewhere unless this is the latest window of the seat, whether that lives or not."""
    if not Seat.objects.filter(pk=seat_id, connection=connection).exists():
        raise SeatElsewhere("You have opened this in another window. Go on there.")


def earned(seat: Seat, moment: datetime) -> Decimal:
    """What the seat has earned; while it lives, what submitting at this moment would bring."""
    if not seat.live:
        return sum(Payment.objects.filter(seat=seat).values_list("amount", flat=True), Decimal(0))
    session = seat.session
    can = marketplaces.kind(session.pool.marketplace).pays_the_departed
    until = min(moment, seat.ends_at)
    amounts = pay.earned(session, seat, left=Left.SUBMIT, until=until, pays_the_departed=can)
    return sum(amounts.values(), Decimal(0))


def as_json(standing: Standing) -> dict[str, Any]:
    """The state as the API shows it: times and amounts are texts."""
    return {name: _plain(value) for name, value in asdict(standing).items() if name not in ("seat_id", "connection")}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return moments.show(value)
    return str(value) if isinstance(value, Decimal) else value
