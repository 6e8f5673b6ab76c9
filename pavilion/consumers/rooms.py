"""Who is in a session, found out once for all of its sockets in a process, and told at most once a second."""

import asyncio
import logging
from typing import Protocol
from weakref import WeakKeyDictionary

from pavilion import standing
from pavilion.standing import There
from queues.consumers.base import ask
from queues.consumers.endings import Closed

logger = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds, at least, between two times of telling."""

AT_ONCE = 100
"""So many sockets are told before others get the loop."""


class Member(Protocol):
    """A socket that is told who is there."""

    def count(self, there: There) -> None: ...


class Room:
    """The sockets of one session on one loop."""

    _here: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[int, "Room"]] = WeakKeyDictionary()

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self._members: dict[Member, None] = {}
        self._changed = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, session_id: int) -> "Room":
        """That of a session on the running loop."""
        rooms = cls._here.setdefault(asyncio.get_running_loop(), {})
        return rooms.setdefault(session_id, cls(session_id))

    def join(self, member: Member) -> None:
        self._members[member] = None
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name=f"room {self.session_id}")

    def leave(self, member: Member) -> None:
        self._members.pop(member, None)
        if not self._members and self._work is not None:
            self._work.cancel()
            self._work = None
            self._here.get(asyncio.get_running_loop(), {}).pop(self.session_id, None)

    def changed(self) -> None:
        """Somebody has come, gone, or been promoted."""
        self._changed.set()

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._tell()
            await asyncio.sleep(EVERY)

    async def _tell(self) -> None:
        try:
            there = await ask(standing.there, self.session_id)
        except Closed:
            # The database is away: once more, later.
            self._changed.set()
            return
        except Exception:
            logger.exception("Who is in session %s could not be found out.", self.session_id)
            return
        for number, member in enumerate(list(self._members), 1):
            member.count(there)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
