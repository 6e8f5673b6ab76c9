"""Counting what operators watch: once for all of them, of the queues that changed, and never for long."""

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from assignments import dashboard
from assignments.dashboard import Depth, Overview, QueueNow
from queues import moments
from queues.consumers.base import Socket, ask
from queues.consumers.endings import Closed

logger = logging.getLogger(__name__)

EVERY = 0.5
"""Seconds, at least, between two frames with numbers."""

REST = 9
"""How many times longer than the counting the pause behind it is: at most a tenth of a thread counts."""


class Counting:
    """Counts as long as somebody watches, on one loop."""

    _here: WeakKeyDictionary[asyncio.AbstractEventLoop, "Counting"] = WeakKeyDictionary()

    def __init__(self) -> None:
        self._watching: dict[Socket, None] = {}
        self._changed: dict[int, None] = {}
        self._all = False
        self._something = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @classmethod
    def here(cls) -> "Counting":
        """That of the running loop."""
        return cls._here.setdefault(asyncio.get_running_loop(), cls())

    def join(self, socket: Socket) -> None:
        self._watching[socket] = None
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name="counting")

    def leave(self, socket: Socket) -> None:
        self._watching.pop(socket, None)
        if not self._watching and self._work is not None:
            self._work.cancel()
            self._work = None
            self._changed.clear()

    def count_all(self) -> None:
        """Somebody has not seen any numbers yet: count the queues that stand first on the dashboard."""
        self._all = True
        self._something.set()

    def changed(self, queues: Iterable[int]) -> None:
        """Something happened in these queues."""
        self._changed.update(dict.fromkeys(queues))
        self._something.set()

    async def _run(self) -> None:
        while True:
            await self._something.wait()
            self._something.clear()
            # What changes while it is counted is counted again.
            changed, self._changed = self._changed, {}
            wanted = None if self._all else list(changed)[: dashboard.QUEUES_MAX]
            self._all = False
            try:
                text, counted, took = await ask(_count, wanted)
            except Closed:
                # The database is away. The sockets find that out for themselves.
                text, counted, took = "", [], EVERY
            except Exception:
                logger.exception("The queues could not be counted for operators.")
                text, counted, took = "", wanted or [], EVERY
            self._changed = {queue_id: None for queue_id in changed if queue_id not in counted} | self._changed
            if text:
                for socket in self._watching:
                    socket.say_text(text)
            if self._changed:
                self._something.set()
            await asyncio.sleep(max(EVERY, REST * took))


def _count(wanted: list[int] | None) -> tuple[str, list[int], float]:
    """The frame about these queues (None: those that stand first), which they are, and how long it took."""
    began = time.perf_counter()
    ids = dashboard.in_order()[: dashboard.QUEUES_MAX] if wanted is None else wanted
    frame = as_frame(dashboard.overview(ids, cap=dashboard.CAP_AMONG_MANY))
    text = json.dumps(frame, separators=(",", ":"))
    return text, ids, time.perf_counter() - began


def as_frame(whole: Overview) -> dict[str, Any]:
    """The numbers of some queues, as they are sent."""
    return {
        "type": "counts",
        "as_of": moments.show(whole.as_of),
        "complete": whole.complete,
        "queues": [_numbers(queue) for queue in whole.queues],
    }


def _numbers(now: QueueNow) -> dict[str, Any]:
    return {
        "id": now.queue.pk,
        "name": now.queue.name,
        "paused": now.queue.is_paused,
        "available": _depth(now.available),
        "assigned": _depth(now.assigned),
        "scheduled": _depth(now.scheduled),
        "waiting_since": moments.show(now.waiting_since),
        "hour": {"answered": now.hour.answered, "lapsed": now.hour.lapsed, "skipped": now.hour.skipped},
        "today": now.today,
        "reviewers": now.at_work.reviewers,
        "held": now.at_work.held,
        "lease_end": moments.show(now.at_work.lease_end),
    }


def _depth(depth: Depth) -> dict[str, Any]:
    return {"number": depth.number, "more": depth.more}
