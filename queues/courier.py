"""The courier: sequences events as they commit, sends deliveries, tells open sockets. One is enough; more do no harm.

It holds nothing that is not in the database: killed at any moment, the next one goes on where the rows say.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import DatabaseError, close_old_connections

from queues import feed, pushes
from queues.models import FeedEntry
from queues.pushes import Push
from queues.sender import PAUSE, Sender
from queues.sequencer import BATCH, sequence

logger = logging.getLogger(__name__)

TICK = 0.03
"""Seconds between two looks at what has committed: most of the time from a commit to a push."""

FROM_THE_HEAD = 1.0
"""Seconds between two looks from the beginning of what is pending, for what committed late under a low id."""

Tell = Callable[[Sequence[Push]], Awaitable[None]]


@dataclass
class Place:
    """Where the courier is: above which event it looks, when it looked from the beginning, what it has told of."""

    above: int = 0
    looked: float = float("-inf")
    told: int | None = None


class Courier:
    """Runs until it is told to stop. `tell` brings pushes to the sockets."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.place = Place()
        self.sender = Sender()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sender.run(stop))
            group.create_task(self._follow(stop))

    async def _follow(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="sequencer") as thread:
            while not stop.is_set():
                try:
                    moved, told = await loop.run_in_executor(thread, self._look)
                except DatabaseError:
                    logger.exception("Events wait: the database does not answer.")
                    await asyncio.sleep(PAUSE)
                    continue
                if moved:
                    self.sender.wake()
                if told:
                    await self._push(told)
                if not moved:
                    await asyncio.sleep(TICK)

    def _look(self) -> tuple[bool, list[Push]]:
        """Sequence what is there; whether there was anything, and what to push."""
        try:
            place, now = self.place, time.monotonic()
            if place.told is None:
                place.told = feed.mark().position
            from_the_head = now - place.looked >= FROM_THE_HEAD
            done = sequence(above=0 if from_the_head else place.above)
            if from_the_head and not done.full:
                place.looked = now
            place.above = max(place.above, done.highest)
            entries = FeedEntry.objects.filter(position__gt=place.told).select_related("event").order_by("position")
            fresh = list(entries[:BATCH])
            if fresh:
                place.told = fresh[-1].position
            return bool(done.count), pushes.of([entry.event for entry in fresh]) if fresh else []
        finally:
            close_old_connections()

    async def _push(self, told: Sequence[Push]) -> None:
        try:
            await self.tell(told)
        except Exception:
            # Sockets look for themselves now and then; nothing is lost with a push.
            logger.exception("Open sockets could not be told.")
