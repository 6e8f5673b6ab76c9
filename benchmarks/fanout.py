"""What telling 500 sockets costs: ours, with one group of the channel layer a process, beside Channels' own consumers.

    python -m benchmarks.fanout

Each socket's server side alone, on both layers: the frames are counted where they would leave for the network. Prints
medians of the process's CPU time and of the time to the last frame, and their ratios. About a minute.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

SOCKETS, TELLINGS, ROUNDS = 500, 15, 2
OPENED_AT_ONCE = 20
PATIENCE = 30.0
FRAME = '{"type":"available"}'


class Counter:
    """Counts frames, and knows when all have come."""

    def __init__(self) -> None:
        self.count = 0
        self.all = asyncio.Event()

    def reset(self) -> None:
        self.count = 0
        self.all.clear()

    async def send(self, message: dict[str, Any]) -> None:
        """What an ASGI server offers its applications."""
        if message["type"] in ("websocket.accept", "websocket.send"):
            self.count += 1
            if self.count == SOCKETS:
                self.all.set()


async def measured(counter: Counter, tell: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """The medians, in ms, of CPU time and of the time to the last frame."""
    cpu, wall = [], []
    for _telling in range(TELLINGS):
        counter.reset()
        used, began = time.process_time(), time.perf_counter()
        await tell()
        await asyncio.wait_for(counter.all.wait(), PATIENCE)
        cpu.append((time.process_time() - used) * 1000)
        wall.append((time.perf_counter() - began) * 1000)
    return statistics.median(cpu), statistics.median(wall)


async def by_channels() -> tuple[float, float]:
    """Channels' consumers: each has a channel of its own in the layer, and is told by a group of them."""
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.layers import get_channel_layer

    class Consumer(AsyncWebsocketConsumer):
        groups = ["bench"]

        async def available(self, message: dict[str, Any]) -> None:
            await self.send(text_data=FRAME)

    counter, application = Counter(), Consumer.as_asgi()

    async def open_one() -> None:
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        inbox.put_nowait({"type": "websocket.connect"})
        await application({"type": "websocket", "path": "/", "headers": []}, inbox.get, counter.send)

    # A few at a time: 500 at once ask redis-py for more connections than its pool may have.
    open_ = []
    for number in range(SOCKETS):
        open_.append(asyncio.create_task(open_one()))
        if number % OPENED_AT_ONCE == 0:
            await asyncio.sleep(0.05)
    await asyncio.wait_for(counter.all.wait(), PATIENCE)
    layer = get_channel_layer()
    try:
        return await measured(counter, lambda: layer.group_send("bench", {"type": "available"}))
    finally:
        for task in open_:
            task.cancel()
        await asyncio.gather(*open_, return_exceptions=True)


async def by_switchboard() -> tuple[float, float]:
    """Ours: the process has one channel, and knows its sockets."""
    from queues.consumers.base import Socket
    from queues.consumers.switchboard import Switchboard, tell
    from queues.pushes import Push

    class Listening(Socket):
        def heard(self, message: dict[str, Any]) -> None:
            self.say_text(FRAME, key="available")

    counter, board = Counter(), Switchboard.here()
    assert board is not None
    sockets, writing = [], []
    for _socket in range(SOCKETS):
        socket = Listening({"headers": []}, None, counter.send)
        socket._early = None
        await board.enter(socket, {"bench"})
        sockets.append(socket)
        writing.append(asyncio.create_task(socket._write()))
    try:
        return await measured(counter, lambda: tell([Push("bench", {"type": "available"})]))
    finally:
        for task in writing:
            task.cancel()
        for socket in sockets:
            board.leave(socket, {"bench"})
        await asyncio.gather(*writing, return_exceptions=True)


def main() -> None:
    """Measure on both layers and print."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowdsite-bench-")))
        os.environ.update(DJANGO_SETTINGS_MODULE="crowdsite.settings", CROWDSITE_DATA_DIR=str(folder))
        import django

        django.setup()
        from django.test.utils import override_settings

        from tests.servers import valkey

        # Channels' own layer for Redis, as crowdsite/settings.py has it.
        hosts = [{"address": stack.enter_context(valkey(folder)), "socket_timeout": None}]
        redis = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": hosts, "capacity": 1000}}
        print(f"{SOCKETS} sockets, one frame to each: ms of CPU, ms to the last frame")
        for name, layer in (("in memory", {"BACKEND": "channels.layers.InMemoryChannelLayer"}), ("Valkey", redis)):
            with override_settings(CHANNEL_LAYERS={"default": layer}):
                for _round in range(ROUNDS):
                    theirs, ours = asyncio.run(by_channels()), asyncio.run(by_switchboard())
                    print(
                        f"{name:9}  Channels {theirs[0]:7.1f} {theirs[1]:7.1f}   ours {ours[0]:6.1f} {ours[1]:6.1f}"
                        f"   ratio {theirs[0] / ours[0]:5.1f} {theirs[1] / ours[1]:5.1f}"
                    )


if __name__ == "__main__":
    main()
