"""Waiting for the feed to grow: one thread of a process looks, however many of its requests wait.

A request that waits keeps its thread, so not all of them may. It keeps no database connection, of which there are few.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from django.db import Error, connection

from queues import feed
from queues.sequencer import outlook

EVERY = 0.1
"""Seconds between two looks while somebody waits."""

LINGER = 2.0
"""Seconds without anybody waiting after which the looking ends."""


class Bell:
    """Rings when the feed has grown. `seats`: how many may wait at once."""

    def __init__(self, seats: int) -> None:
        self.seats = seats
        self._rings = threading.Condition()
        self._waiting = 0
        self._position = 0
        self._looking = False

    @contextmanager
    def seat(self) -> Iterator[bool]:
        """Whether there is room to wait, for as long as the context lasts."""
        with self._rings:
            free = self._waiting < self.seats
            self._waiting += free
        try:
            yield free
        finally:
            with self._rings:
                self._waiting -= free

    def wait(self, *, beyond: int, seconds: float) -> None:
        """Wait until the feed has grown beyond a position, at most so long. The database connection is given back."""
        if not connection.in_atomic_block:
            connection.close()
        with self._rings:
            if not self._looking:
                self._looking, self._position = True, 0
                threading.Thread(target=self._look, name="bell", daemon=True).start()
            self._rings.wait_for(lambda: self._position > beyond, timeout=seconds)

    def _look(self) -> None:
        needed = time.monotonic()
        try:
            while True:
                position = self._ask()
                with self._rings:
                    if self._waiting:
                        needed = time.monotonic()
                    elif time.monotonic() - needed > LINGER:
                        return
                    if position is not None and position != self._position:
                        self._position = position
                        self._rings.notify_all()
                time.sleep(EVERY)
        finally:
            # Whatever ended it: who comes next starts it anew.
            with self._rings:
                self._looking = False
            connection.close()

    @staticmethod
    def _ask() -> int | None:
        try:
            outlook.keep_up()
            return feed.mark().position
        except Error:
            # Whoever waits finds out for themselves.
            connection.close()
            return None


bell = Bell(seats=2)
"""The bell of this process. Two seats suit a server with four threads; who has more sets `bell.seats`."""


def follow(
    user: Any, *, wait: float = 0, after: int | Literal["latest"] | None = None, **asked: Any
) -> tuple[feed.Look, bool]:
    """What `feed.look` finds, waiting up to `wait` seconds for something to show; whether there was room to wait.

    Takes what `look` takes, and raises the same.
    """
    ends = time.monotonic() + wait
    found = feed.look(user, after=after, **asked)
    if found.entries or not wait:
        return found, True
    with bell.seat() as free:
        while free and not found.entries and (left := ends - time.monotonic()) > 0:
            if not found.more:
                bell.wait(beyond=found.position, seconds=left)
            found = feed.look(user, after=found.position, **asked)
        return found, free
