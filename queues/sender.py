"""Sending deliveries: takes what is due under leases, posts it, writes down how it went.

One event loop, on which nothing but the network is waited for; the database is asked on one thread beside it. Bounded:
so many tries at once, few of them to one endpoint, and only a share of them to endpoints that failed, or dawdled, the
last time. So endpoints that hang, however many, and rows that wait for a dead one leave the others as quick as before.
"""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import Error, InterfaceError, OperationalError

from queues import conf, deliveries, posting
from queues.beside import DatabaseThread
from queues.deliveries import Claimed, Outcome

logger = logging.getLogger(__name__)

SLOTS = 64
PER_ENDPOINT = 2
UNPROVEN_SLOTS = 24
"""How many tries go at once to endpoints that did not answer well the last time, or never yet; to each of them one."""

HAND = 64
"""How many deliveries of a proven endpoint are taken at once; of another it is one."""

LOW = HAND // 2
"""When no more are left of a hand the next one is taken: meanwhile these are sent."""

CLAIMED = 8
"""Of how many endpoints hands are taken in one transaction: it holds them locked, and each costs a journey less."""

HELD_MAX = 16 * SLOTS
"""When so many deliveries are taken and not tried yet, no more are."""

LEEWAY, SLOW = 10, 4
"""A lease lasts so many seconds, and so many times as long as a try may take."""

TICK = 0.25
"""Seconds between two looks for what is due, where nobody wakes the sender: retries and replays."""

PAUSE = 1.0
"""Seconds to wait after the database has failed."""

FINISHING = 3.0
"""How long, at the end, the tries that are under way may still take."""


@dataclass
class Lane:
    """An endpoint at work: what was taken for it and is not tried yet, each with the end of its lease (loop time)."""

    proven: bool
    waiting: deque[tuple[Claimed, float]] = field(default_factory=deque)
    in_flight: int = 0

    @property
    def width(self) -> int:
        return PER_ENDPOINT if self.proven else 1


class Sender:
    """Sends until it is told to stop. `wake` it when something may be due that was not before."""

    def __init__(self) -> None:
        self.lanes: dict[int, Lane] = {}
        self.outcomes: list[Outcome] = []
        self.returned: list[Claimed] = []
        self.in_flight: set[asyncio.Task[None]] = set()
        self.unproven = 0
        self.woken = asyncio.Event()
        self.ending = False
        self.database = DatabaseThread("deliveries")

    def wake(self) -> None:
        """Look again at once. To be called on the sender's own loop."""
        self.woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; then finish the tries that are under way, and give back what was taken."""
        async with posting.client() as self.session:
            while not stop.is_set():
                try:
                    await self._round()
                except Exception as fault:
                    # Whatever it is, what there is to do stands in the database.
                    reason = "the database does not answer" if isinstance(fault, Error) else "a fault of ours"
                    logger.exception("Deliveries wait: %s.", reason)
                    await asyncio.sleep(PAUSE)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.woken.wait(), TICK)
                self.woken.clear()
            await self._finish()
        await self.database.close()

    async def _round(self) -> None:
        """Write down what has come back, take what is due, and start as much of it as there is room for."""
        await self._record()
        await self._take()
        self._start()

    async def _record(self) -> None:
        """Write down how tries went, and that others were not made."""
        if self.outcomes:
            batch = self.outcomes[: deliveries.BATCH]
            try:
                await self.database.ask(deliveries.record, outcomes=batch)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                await self._record_singly(batch)
            del self.outcomes[: len(batch)]
        if self.returned:
            back = self.returned[: deliveries.BATCH]
            try:
                await self.database.ask(deliveries.give_back, claimed=back)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("Deliveries cannot be given back; they are due when their leases end.")
            del self.returned[: len(back)]

    async def _record_singly(self, batch: list[Outcome]) -> None:
        """Write down all but those that cannot be: these must not keep the others from it."""
        for outcome in batch:
            try:
                await self.database.ask(deliveries.record, outcomes=[outcome])
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                logger.exception("How a try of delivery %s went cannot be written down.", outcome.claimed.id)

    async def _take(self) -> None:
        """Fill the lanes that run dry, up to what can be tried within its lease."""
        full = [pk for pk, lane in self.lanes.items() if not lane.proven or len(lane.waiting) > LOW]
        if self._held() < HELD_MAX:
            await self._fill(proven=True, besides=full, limit=SLOTS)
        waiting = sum(len(lane.waiting) for lane in self.lanes.values() if not lane.proven)
        if (room := UNPROVEN_SLOTS - self.unproven - waiting) > 0:
            await self._fill(proven=False, besides=list(self.lanes), limit=room)

    def _held(self) -> int:
        return sum(len(lane.waiting) for lane in self.lanes.values())

    async def _fill(self, *, proven: bool, besides: list[int], limit: int) -> None:
        hand = HAND if proven else 1
        due = await self.database.ask(deliveries.due, proven=proven, besides=besides, limit=limit)
        for some in (due[place : place + CLAIMED] for place in range(0, len(due), CLAIMED)):
            if proven and self._held() >= HELD_MAX:
                break
            lease = self._lease()
            ends = asyncio.get_running_loop().time() + lease.total_seconds()
            for one in await self.database.ask(deliveries.claim, endpoint_ids=some, limit=hand, lease=lease):
                self.lanes.setdefault(one.endpoint_id, Lane(proven)).waiting.append((one, ends))
            self._start()

    @staticmethod
    def _lease() -> timedelta:
        """Long enough for some that take as long as they may; what is left of a hand at its end is given back."""
        return timedelta(seconds=LEEWAY + SLOW * conf.webhook_seconds())

    def _start(self) -> None:
        """Start tries as long as there are slots: in turn, the lane that was served longest ago first."""
        going = not self.ending
        while going:
            going = False
            for pk, lane in list(self.lanes.items()):
                if len(self.in_flight) >= SLOTS:
                    return
                if lane.waiting and lane.in_flight < lane.width and (lane.proven or self.unproven < UNPROVEN_SLOTS):
                    self._begin(pk, lane)
                    going = True

    def _begin(self, pk: int, lane: Lane) -> None:
        claimed, ends = lane.waiting.popleft()
        self.lanes[pk] = self.lanes.pop(pk)
        counted = not lane.proven
        lane.in_flight += 1
        self.unproven += counted
        task = asyncio.create_task(self._deliver(lane, claimed, ends))
        self.in_flight.add(task)

        def ended(done: asyncio.Task[None]) -> None:
            self.in_flight.discard(done)
            self.unproven -= counted
            lane.in_flight -= 1
            if not lane.waiting and not lane.in_flight:
                self.lanes.pop(pk, None)
            self._start()
            # While enough is held, what has come back is written down with what comes after it.
            if len(lane.waiting) <= LOW:
                self.wake()

        task.add_done_callback(ended)

    async def _deliver(self, lane: Lane, claimed: Claimed, ends: float) -> None:
        if asyncio.get_running_loop().time() + conf.webhook_seconds() > ends:
            # Its lease would end under the try.
            self.returned.append(claimed)
            return
        try:
            outcome = await posting.post(self.session, claimed)
        except asyncio.CancelledError:
            self.returned.append(claimed)
            raise
        self.outcomes.append(outcome)
        lane.proven = outcome.proves
        if not lane.proven:
            self.returned.extend(one for one, _ends in lane.waiting)
            lane.waiting.clear()

    async def _finish(self) -> None:
        """End the tries that are under way, write down how they went, and give back the others."""
        self.ending = True
        if self.in_flight:
            _done, late = await asyncio.wait(self.in_flight, timeout=FINISHING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        self.returned.extend(one for lane in self.lanes.values() for one, _ends in lane.waiting)
        try:
            while self.outcomes or self.returned:
                await self._record()
        except Error:
            logger.exception("The last deliveries are not written down; they are sent again.")
