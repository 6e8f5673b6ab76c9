"""One synthetic worker, from the invitation to the end of their seat."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import aiohttp

from pavilion.simulation.behaviour import Leaving, Plan
from pavilion.simulation.site import PASSING, PATIENCE, Over, Refused, Site, Window
from pavilion.simulation.tally import Tally

LIVE = {"WAITING", "ACTIVE"}

LOOKS = 3
"""So often somebody who works looks for a task before they have had enough."""

LOOK_EVERY = 1.0
"""Seconds between two looks."""

RECONNECT = 0.5, 5.0
"""Seconds before a lost socket is opened again: at first, doubled each time, and at most."""

ELSEWHERE = 4409
"""How a socket is closed whose seat is used in another window."""

Answer = Callable[[Any, random.Random], Any]
"""What makes an answer to a task: of its input data, and a source of chance."""


def choose(input_data: Any, chance: random.Random) -> Any:
    """A label for a task that offers `categories`, as the demo's digits do; by chance, so mostly a wrong one.

    Raises Refused for a task of another kind.
    """
    try:
        return {"label": chance.choice(input_data["categories"])}
    except (KeyError, TypeError, IndexError):
        raise Refused("answering", 0, "", "the task has no categories: say with --answer what to answer") from None


class Worker:
    """Somebody who has accepted. `over` is set when the whole simulation ends: then they submit and go."""

    def __init__(
        self,
        site: Site,
        window: Window,
        plan: Plan,
        tally: Tally,
        *,
        over: asyncio.Event,
        chance: random.Random,
        answer: Answer = choose,
    ) -> None:
        self.site = site
        self.window = window
        self.plan = plan
        self.tally = tally
        self.over = over
        self.chance = chance
        self.answer = answer
        self.status = ""
        self.known = asyncio.Event()
        self.promoted = asyncio.Event()
        self.confirmed = asyncio.Event()
        self.ended = asyncio.Event()
        self.leaving = False
        self.counted = False
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def live(self) -> None:
        """Wait, work, and leave. Raises Refused and what PASSING names."""
        listening = asyncio.create_task(self._listen())
        try:
            await self._until(PATIENCE, self.known, listening)
            if listening.done():
                listening.result()
            if not self.known.is_set() and not self._is_done():
                raise Refused("the socket", 0, "", "said nothing of the seat")
            await self._wait_and_work()
        except Over:
            self._end()
        finally:
            if self.status in LIVE:
                self._see("")
            listening.cancel()
            (lost,) = await asyncio.gather(listening, return_exceptions=True)
            if self._socket is not None:
                await self._socket.close()
        if isinstance(lost, Exception):
            raise lost

    async def _wait_and_work(self) -> None:
        await self._until(self.plan.patience, self.promoted)
        if self.promoted.is_set() and not self._is_done():
            await self._until(self.plan.reaction)
            if not self._is_done():
                await self._confirm()
            if not self._is_done():
                await self._work()
        await self._leave(Leaving.SUBMIT if self.over.is_set() else self.plan.leaving)

    async def _confirm(self) -> None:
        """By the socket, as the room does, or by a call where that is lost."""
        if self._socket is None or self._socket.closed:
            await self._call("confirm/")
        else:
            await self._socket.send_json({"type": "confirm"})
            await self._until(PATIENCE, self.confirmed)
            if self._is_done():
                return
            if not self.confirmed.is_set():
                raise Refused("confirming", 0, "", "the socket did not say that it was heard")
        self.tally.confirmed += 1

    async def _work(self) -> None:
        """Give as many answers as planned, unless there are no tasks."""
        held: list[Any] = []
        for seconds in self.plan.thinking:
            held = held or await self._look()
            if not held:
                self.tally.without_task += not self._is_done()
                return
            await self._until(seconds)
            if self._is_done():
                return
            task = held[0]
            body = {"data": self.answer(task["task"]["input_data"], self.chance), "assign_new_task": True}
            try:
                done = await self._call(f"assignments/{task['id']}/finalize/", body)
            except Refused as no:
                if no.problem == "budget-used-up":
                    return
                raise
            self.tally.answers += 1
            held = (done["next"] or {}).get("assignments", [])

    async def _look(self) -> list[Any]:
        for _ in range(LOOKS):
            if self._is_done():
                return []
            try:
                found = (await self._call("grab/"))["assignments"]
            except Refused as no:
                if no.problem == "budget-used-up":
                    return []
                raise
            if found:
                return found
            await self._until(LOOK_EVERY)
        return []

    async def _leave(self, how: Leaving) -> None:
        if self.ended.is_set():
            return
        self.leaving = True
        if how == Leaving.SILENCE:
            self.tally.silences += 1
            return
        try:
            await self._call("return/" if how == Leaving.RETURN else "submit/")
        except Over:
            # The site was faster.
            self.leaving = False
            raise
        if how == Leaving.RETURN:
            self.tally.returns += 1
        else:
            self.tally.submits += 1

    def _is_done(self) -> bool:
        return self.ended.is_set() or self.over.is_set()

    async def _call(self, path: str, body: Any = None) -> Any:
        """A call to the seat's API, again with a new token where the old one is over."""
        try:
            return await self.site.call(self.window, path, body)
        except Refused as no:
            if no.status != 401:
                raise
        self.window = await self.site.enter(self.window.room, self.window.connection)
        return await self.site.call(self.window, path, body)

    async def _until(self, seconds: float, *things: asyncio.Event | asyncio.Task[None]) -> None:
        """Wait for so long, or until one of these happens, the seat ends, or the simulation does."""
        waits = [
            thing if isinstance(thing, asyncio.Task) else asyncio.create_task(thing.wait())
            for thing in (*things, self.ended, self.over)
        ]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                if wait not in things:
                    wait.cancel()

    # What the socket says.

    async def _listen(self) -> None:
        """Read the room's socket until the seat ends, and open it again where it is lost. Raises Refused, PASSING."""
        pause, most = RECONNECT
        while not self.ended.is_set():
            try:
                self._socket = await self.site.socket(self.window)
                code = await self._read(self._socket)
            except PASSING:
                if not self.known.is_set():
                    raise
                code = None
            if self.ended.is_set() or self.leaving:
                return
            if code == ELSEWHERE:
                raise Refused("the socket", code, "", "is used in another window")
            await asyncio.sleep(pause)
            pause = min(most, 2 * pause)
            self.tally.reconnects += 1
            try:
                self.window = await self.site.enter(self.window.room, self.window.connection)
            except Over:
                self._end()
            except PASSING:
                continue

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> int | None:
        """Take frames until the socket is closed; the code with which it was."""
        async for message in socket:
            if message.type == aiohttp.WSMsgType.TEXT:
                heard = time.time()
                await self._hear(json.loads(message.data), heard, socket)
        return socket.close_code

    async def _hear(self, frame: Any, heard: float, socket: aiohttp.ClientWebSocketResponse) -> None:
        kind = frame["type"]
        if kind == "beat":
            await socket.send_json({"type": "alive"})
        elif kind in {"state", "promoted", "confirmed", "ended"}:
            if kind == "promoted" and not self.promoted.is_set():
                self.tally.latencies.append(heard - datetime.fromisoformat(frame["active_at"]).timestamp())
            self._take(frame)
        elif kind == "error":
            raise Refused("the socket", 0, str(frame.get("code", "")), str(frame.get("detail", "")))

    def _take(self, state: Any) -> None:
        """Take note of how the seat is."""
        self.known.set()
        self._see(state["status"])
        if state["status"] == "ACTIVE" and not self.promoted.is_set():
            self.tally.promotions += 1
            self.promoted.set()
        if state["confirmed_at"] is not None:
            self.confirmed.set()
        if state["status"] not in LIVE:
            self._end()

    def _end(self) -> None:
        """The seat has ended; unless the worker is about to leave it was the site that ended it."""
        if not self.leaving and not self.counted:
            self.counted = True
            self.tally.ended_by_site += 1
        self._see("")
        self.ended.set()

    def _see(self, status: str) -> None:
        """Count this seat where it is now."""
        for number, name in ((-1, self.status), (1, status)):
            if name == "WAITING":
                self.tally.waiting += number
            elif name == "ACTIVE":
                self.tally.active += number
        self.status = status
