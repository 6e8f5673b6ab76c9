"""`ws/pool/{session}/`: what a worker hears while they wait, are promoted, work, and at the end."""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from assignments import pushes as work
from pavilion import links, pool, pushes, standing
from pavilion.consumers.heartbeats import Heartbeats
from pavilion.consumers.rooms import Room
from pavilion.exceptions import SeatElsewhere, SeatNotActive, SeatOver
from pavilion.links import SeatToken
from pavilion.models import Seat
from pavilion.standing import Standing, There
from pavilion.states import SeatStatus
from queues.consumers.base import LastWord, Socket, ask
from queues.consumers.endings import Closed, Code
from queues.consumers.switchboard import tell
from queues.pushes import Push

logger = logging.getLogger(__name__)

BEAT_MAX = 20.0
"""Seconds, at most, between two times of asking whether the worker is there."""

BEATS = 3
"""So many times within the heartbeat of the session."""

AVAILABLE = '{"type":"available"}'

ELSEWHERE = "You have opened this in another window."


@dataclass(frozen=True)
class BySeat:
    """Known by the token of a window of a seat."""

    token: SeatToken

    def user(self) -> Any:
        """The active user of the seat's worker, or None."""
        seat = Seat.objects.select_related("worker__reviewer__user").filter(pk=self.token.seat_id).first()
        user = None if seat is None else seat.worker.reviewer.user
        return user if user is not None and user.is_active else None


@dataclass(frozen=True)
class Admission:
    """A seat whose window may be here, and how often it is to say that its worker is there."""

    seat_id: int
    session_id: int
    heartbeat: float
    queues: tuple[int, ...]
    user_id: Any


class SeatSocket(Socket):
    """One window of a seat. A newer one of the same seat closes it."""

    commands = frozenset({"look", "ping", "alive", "confirm"})
    by_session = False

    _token: SeatToken
    """Known since `identify`."""

    _admission: Admission
    """As it was at the beginning; known since `groups`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._session_id: int = self.scope["url_route"]["kwargs"]["session"]
        self._shown: Standing | None = None
        self._counts: tuple[int, int, int | None] | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None
        self._room: Room | None = None

    def identify(self, token: str) -> tuple[BySeat, Any] | None:
        try:
            self._token = links.read_token(token)
        except links.BadLink:
            return None
        known = BySeat(self._token)
        user = known.user()
        return None if user is None else (known, user)

    def admit(self, user: Any) -> Admission:
        """Raises Closed for a window that is not the latest of the seat, and for another session's."""
        seat = Seat.objects.select_related("session__pool").get(pk=self._token.seat_id)
        if seat.session_id != self._session_id:
            raise Closed(Code.MISSING, "Your seat is in another session.")
        if seat.connection != self._token.connection:
            raise Closed(Code.ELSEWHERE, ELSEWHERE)
        of = seat.session.pool
        return Admission(
            seat_id=seat.pk,
            session_id=seat.session_id,
            heartbeat=min(BEAT_MAX, seat.session.heartbeat_seconds / BEATS),
            queues=tuple(pk for pk in (of.queue_id, of.backlog_queue_id) if pk is not None),
            user_id=user.pk,
        )

    def groups(self, admission: Admission) -> Collection[str]:
        self._admission = admission
        of_work = [work.of_queue(pk) for pk in admission.queues]
        of_own = [work.of_member(pk, admission.user_id) for pk in admission.queues]
        return {pushes.of_seat(admission.seat_id), pushes.of_session(admission.session_id), *of_work, *of_own}

    def snapshot(self, admission: Admission) -> Standing:
        return standing.of(admission.seat_id)

    def show(self, type_: str, snapshot: Standing) -> None:
        before, self._shown = self._shown, snapshot
        ended = snapshot.ended_at is not None
        # What has happened is said even where they happen to ask at that moment.
        said = "ended" if ended else _what_happened(before, snapshot) or ("state" if type_ == "welcome" else type_)
        if said:
            key = LastWord() if ended else "state"
            self.say(said, key=key, **standing.as_json(snapshot))
            self._counts = (snapshot.waiting, snapshot.active, snapshot.place)
        if ended:
            self.hang_up(Code.DONE, "Your seat has ended.")
        elif type_ == "welcome":
            self._room = Room.of(self._session_id)
            self._room.join(self)
            self._ask_whether_there()
            self._telling = asyncio.create_task(self._close_others())

    def heard(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "seat":
                self._check_within(0)
            case "available" if self._may_work(message):
                # Which queue it is in, and whether it is for them, a grab says.
                self.say_text(AVAILABLE, key="available")
            case "session" if self._room is not None:
                self._room.changed()
            case "window" if message["connection"] > self._token.connection:
                self.hang_up(Code.ELSEWHERE, ELSEWHERE)

    async def obey(self, command: str) -> None:
        if command == "alive":
            Heartbeats.here().alive(self._token.seat_id, self._token.connection, lambda: self._check_within(0))
            return
        try:
            await ask(self._confirm)
        except SeatNotActive as refused:
            self._complain("not-active", refused.detail)
        except (SeatOver, SeatElsewhere):
            # Which of the two, and how it has ended, says the look.
            self.show("", await self._look())
        else:
            self.show("confirmed", await self._look())

    def _confirm(self) -> None:
        """Raises SeatNotActive, SeatOver, SeatElsewhere, Closed."""
        self._known()
        pool.confirm(seat_id=self._token.seat_id, connection=self._token.connection)

    def count(self, there: There) -> None:
        """Say who is there, where that is not what was said before."""
        counts = (len(there.line), there.active, there.line.get(self._token.seat_id))
        if counts != self._counts:
            self._counts = counts
            waiting, active, place = counts
            self.say("counts", key="counts", waiting=waiting, active=active, place=place)

    def ended(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if self._room is not None:
            self._room.leave(self)
        if self._telling is not None:
            self._telling.cancel()

    def _may_work(self, message: dict[str, Any]) -> bool:
        """Whether what has become available may be for them."""
        now = self._shown
        if now is None or str(self._admission.user_id) in message["but"]:
            return False
        return now.has_backlog if now.status == SeatStatus.WAITING else now.confirmed_at is not None

    def _ask_whether_there(self) -> None:
        """The page answers each beat at once, so that slow timers of hidden pages do not matter."""
        self.say_text('{"type":"beat"}', key="beat")
        self._beat = self._loop.call_later(self._admission.heartbeat, self._ask_whether_there)

    async def _close_others(self) -> None:
        """Have the windows that were opened before this one closed at once, in whatever process they are."""
        message = {"type": "window", "connection": self._token.connection}
        try:
            await tell([Push(pushes.of_seat(self._token.seat_id), message)])
        except Exception:
            # They find out at their next command, or within a minute.
            logger.exception("Other windows of seat %s were not told.", self._token.seat_id)


def _what_happened(before: Standing | None, now: Standing) -> str:
    """The type of the frame for what nobody asked for; "": nothing that the worker has to hear of at once."""
    if before is None or before.status == now.status == SeatStatus.WAITING:
        return ""
    if before.status != now.status:
        return "promoted"
    if before.confirmed_at is None and now.confirmed_at is not None:
        return "confirmed"
    return ""
