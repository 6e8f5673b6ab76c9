"""Running what works on an event loop, beside a test that waits for what it does."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def on_a_loop(work: Callable[[asyncio.Event], Awaitable[Any]]) -> Iterator[None]:
    """`work(stop)` on a thread and a loop of its own for the block; it is to end once `stop` is set."""
    ready, box = threading.Event(), list[Any]()

    async def run() -> None:
        stop = asyncio.Event()
        box.extend([asyncio.get_running_loop(), stop])
        ready.set()
        await work(stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    loop, stop = box
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive()
