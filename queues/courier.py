"""The courier: sequences events as they commit, sends deliveries, tells open sockets. One is enough; more do no harm.

It holds nothing that is not in the database: killed at any moment, the next one goes on where the rows say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from django.db import Error

from queues import feed, pushes
from queues.beside import DatabaseThread
from queues.models import Event, FeedEntry
from queues.pushes import Push
from queues.sender import PAUSE, Sender
from queues.sequencer import BATCH, outlook

logger = logging.getLogger(__name__)

TICK = 0.03
"""Seconds between two looks at what has committed: most of the time from a commit to a push."""

TELLING = 2.0
"""Seconds that telling the sockets may take."""

Tell = Callable[[Sequence[Push]], Awaitable[None]]


class Courier:
    """Runs until it is told to stop. `tell` brings pushes to the sockets."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell
        self.told: int | None = None
        self.sender = Sender()
        self.database = DatabaseThread("sequencer")
        self.untold: list[Push] = []
        self.news = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.sender.run(stop))
            speaking = group.create_task(self._speak())
            await self._follow(stop)
            speaking.cancel()

    async def _follow(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                grew = await self._move_on()
            except Exception as fault:
                reason = "the database does not answer" if isinstance(fault, Error) else "a fault of ours"
                logger.exception("Events wait: %s.", reason)
                await asyncio.sleep(PAUSE)
                continue
            if not grew:
                await asyncio.sleep(TICK)
        await self.database.close()

    async def _move_on(self) -> bool:
        """Sequence what is there, have it sent and told; whether the feed has grown, by whomever."""
        if self.told is None:
            self.told = (await self.database.ask(feed.mark)).position
        done = await self.database.ask(outlook.keep_up)
        if done.count:
            # Before it is found out whom to tell: that takes as long again.
            self.sender.wake()
        fresh = await self.database.ask(self._fresh)
        if fresh:
            self.sender.wake()
            self.untold += await self.database.ask(_pushes, fresh)
            self.news.set()
        return bool(done.count or fresh)

    def _fresh(self) -> list[Event]:
        """What has come into the feed and was not told of yet."""
        entries = FeedEntry.objects.filter(position__gt=self.told).select_related("event").order_by("position")
        fresh = list(entries[:BATCH])
        if fresh:
            self.told = fresh[-1].position
        return [entry.event for entry in fresh]

    async def _speak(self) -> None:
        """Bring pushes to the sockets, beside the rest: a broker that hangs holds up nothing else."""
        while True:
            await self.news.wait()
            self.news.clear()
            told, self.untold = self.untold, []
            try:
                async with asyncio.timeout(TELLING):
                    await self.tell(told)
            except Exception:
                # Sockets look for themselves now and then; nothing is lost with a push.
                logger.exception("Open sockets could not be told.")


def _pushes(events: Sequence[Event]) -> list[Push]:
    try:
        return pushes.of(events)
    except Error:
        raise
    except Exception:
        logger.exception("What to tell open sockets could not be found out.")
        return []
