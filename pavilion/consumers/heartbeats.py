"""Noting who is there: what the windows of one process say within a second is written in one go."""

import asyncio
import logging
from collections.abc import Callable
from weakref import WeakKeyDictionary

from pavilion import pool
from pavilion.models import Seat
from queues.consumers.base import ask
from queues.consumers.endings import Closed

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two times of writing."""

Gone = Callable[[], None]


class Heartbeats:
    """Those of the sockets on one loop."""

    _here: WeakKeyDictionary[asyncio.AbstractEventLoop, "Heartbeats"] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._said: dict[int, tuple[int, Gone]] = {}
        self._work: asyncio.Task[None] | None = None

    @classmethod
    def here(cls) -> "Heartbeats":
        """That of the running loop."""
        return cls._here.setdefault(asyncio.get_running_loop(), cls())

    def alive(self, seat_id: int, connection: int, gone: Gone) -> None:
        """A window says that its worker is there; `gone` is called where it may not speak for the seat any more."""
        known = self._said.get(seat_id)
        if known is None or known[0] <= connection:
            self._said[seat_id] = (connection, gone)
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name="heartbeats")

    async def _run(self) -> None:
        """Write until nobody says anything any more."""
        while self._said:
            said, self._said = self._said, {}
            try:
                mine = await ask(note, {seat_id: connection for seat_id, (connection, _gone) in said.items()})
            except Closed:
                # The database is away: what was said counts as soon as it is there again.
                self._said = said | self._said
                mine = set(said)
            except Exception:
                logger.exception("It could not be noted who is there.")
                mine = set(said)
            for seat_id, (_connection, gone) in said.items():
                if seat_id not in mine:
                    gone()
            await asyncio.sleep(EVERY)
        self._work = None


def note(connections: dict[int, int]) -> set[int]:
    """Note these windows, and do what is late in their sessions; the seats whose windows may go on."""
    mine = pool.heard(connections=connections)
    sessions = set(Seat.objects.filter(pk__in=mine).values_list("session_id", flat=True))
    for session_id in pool.late_sessions(sessions=sessions):
        pool.tick(session_id=session_id)
    return mine
