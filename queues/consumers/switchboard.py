"""How pushes come to sockets: one message to every process for a lot of them, and in each process to those who hear.

A process joins one group of the channel layer, once, however many sockets it has and whatever they hear; which of them
hears what is known here. So the layer's work does not grow with the sockets, and nothing is lost in their channels.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer

from queues.pushes import Push

logger = logging.getLogger(__name__)

GROUP = "crowd_queues.live"
"""Every process with open sockets."""

TELLING, ENTERING = 1.5, 5.0
"""Seconds that the layer may take to pass pushes on, and to take the process into the group."""

AWAY = 2.0
"""Seconds after which sockets are cut off from a layer that fails."""

SILENCE = 5.0
"""Seconds for which nothing is told after the layer has failed."""

STAY_EVERY = 30.0
"""Seconds between two times of joining the group, of which a layer that was restarted knows nothing."""

SHARE = 2
"""How many times longer than a telling the pause behind it is: a third of the loop's time, at most, goes into it."""

LOTS_MAX = 1000
"""So many lots may wait to be passed on; of more the oldest are forgotten."""


class Hearer(Protocol):
    """What hears pushes, quickly and on the loop."""

    def hear(self, message: dict[str, Any]) -> None: ...

    def cut_off(self) -> None:
        """Nothing will be heard any more."""


def _for_one_loop(layer: Any) -> Any:
    """The layer to receive by: one of its own, for that of the process receives for whichever loop came first."""
    own = channel_layers.backends.get(DEFAULT_CHANNEL_LAYER) is layer and not isinstance(layer, InMemoryChannelLayer)
    return channel_layers.make_backend(DEFAULT_CHANNEL_LAYER) if own else layer


class _Teller:
    deaf_until = 0.0


async def tell(pushes: Sequence[Push]) -> None:
    """Send pushes to the sockets of every process. To be called on the loop that the channel layer belongs to.

    Without a layer nobody is told. Raises what the layer does, and TimeoutError; then nobody is told for SILENCE.
    """
    layer = get_channel_layer()
    if layer is None or not pushes or time.monotonic() < _Teller.deaf_until:
        return
    message = {"type": "pushes", "pushes": [[push.group, push.message] for push in pushes]}
    try:
        async with asyncio.timeout(TELLING):
            await layer.group_send(GROUP, message)
    except Exception:
        _Teller.deaf_until = time.monotonic() + SILENCE
        raise


class Switchboard:
    """The sockets of one loop, by the groups that they hear."""

    _here: WeakKeyDictionary[asyncio.AbstractEventLoop, "Switchboard"] = WeakKeyDictionary()

    def __init__(self, layer: Any) -> None:
        self._shared = layer
        self._layer = _for_one_loop(layer)
        self._groups: dict[str, dict[Hearer, None]] = {}
        self._lots: deque[dict[str, Any]] = deque(maxlen=LOTS_MAX)
        self._something = asyncio.Event()
        self._connected = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    @classmethod
    def here(cls) -> "Switchboard | None":
        """That of the running loop; None where the host has no channel layer."""
        layer = get_channel_layer()
        if layer is None:
            return None
        loop = asyncio.get_running_loop()
        board = cls._here.get(loop)
        if board is None or board._shared is not layer:
            board = cls._here[loop] = cls(layer)
        return board

    async def enter(self, hearer: Hearer, groups: Collection[str]) -> None:
        """Have it hear what is told to these groups from now on. Raises TimeoutError where the layer is away."""
        for group in groups:
            self._groups.setdefault(group, {})[hearer] = None
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name="switchboard")
        async with asyncio.timeout(ENTERING):
            await self._connected.wait()

    def leave(self, hearer: Hearer, groups: Iterable[str]) -> None:
        """Have it hear no more of these groups."""
        for group in groups:
            members = self._groups.get(group, {})
            members.pop(hearer, None)
            if not members:
                self._groups.pop(group, None)
        if not self._groups and self._work is not None:
            self._work.cancel()
            self._work = None
            self._connected = asyncio.Event()

    async def _run(self) -> None:
        """Listen as long as anybody hears. Where the layer stays away the sockets are cut off: they would only seem
        to be live.
        """
        failing_since = None
        while True:
            began = time.monotonic()
            try:
                await self._listen()
            except* Exception:
                now = time.monotonic()
                # One that has held for a while has only begun to fail.
                if failing_since is None or now - began >= AWAY:
                    failing_since = now
                self._connected.clear()
                if now - failing_since >= AWAY:
                    logger.exception("The channel layer does not answer, so open sockets are closed.")
                    self._cut_off()
            await asyncio.sleep(AWAY / 4)

    async def _listen(self) -> None:
        channel = await self._layer.new_channel()
        await self._layer.group_add(GROUP, channel)
        self._connected.set()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay(channel))
                group.create_task(self._pass_on())
                while True:
                    self._lots.append(await self._layer.receive(channel))
                    self._something.set()
        finally:
            async with asyncio.timeout(TELLING):
                await self._layer.group_discard(GROUP, channel)

    async def _stay(self, channel: str) -> None:
        while True:
            await asyncio.sleep(STAY_EVERY)
            await self._layer.group_add(GROUP, channel)

    async def _pass_on(self) -> None:
        """Bring what has come to those who hear it, all of it together: of equal frames a socket sends one."""
        while True:
            await self._something.wait()
            self._something.clear()
            began = time.thread_time()
            while self._lots:
                for group, message in self._lots.popleft()["pushes"]:
                    self._say(group, message)
            # Those who have something to send get their turns before this one is at it again.
            for _turn in range(3):
                await asyncio.sleep(0)
            await asyncio.sleep(SHARE * (time.thread_time() - began))

    def _say(self, group: str, message: dict[str, Any]) -> None:
        for hearer in list(self._groups.get(group, ())):
            try:
                hearer.hear(message)
            except Exception:
                logger.exception("A socket could not make out what it was told.")

    def _cut_off(self) -> None:
        for hearer in {hearer: None for members in self._groups.values() for hearer in members}:
            hearer.cut_off()
