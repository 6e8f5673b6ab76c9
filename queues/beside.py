"""Asking the database on a thread beside an event loop, on which nothing but the network may be waited for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import Error, connections

P = ParamSpec("P")
R = TypeVar("R")


class DatabaseThread:
    """One thread, whose connections stay open from one question to the next."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def ask(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """What the function answers; it raises what the function raises."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(_asked, function, *args, **kwargs))

    async def close(self) -> None:
        """Close the connections and end the thread."""
        await self.ask(connections.close_all)
        self._thread.shutdown()


def _asked(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    try:
        return function(*args, **kwargs)
    except Error:
        # Whatever is wrong with a connection, the next question has a new one.
        connections.close_all()
        raise
