"""Waiting for what must happen, and killing."""

import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.site.serving import LONG, gone


def until(happened: Callable[[], object], what: str, seconds: float = LONG) -> None:
    """Wait until it has happened. Raises TimeoutError with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.05)


def kill(*processes: psutil.Process) -> None:
    """kill -9, and wait until they are gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    until(lambda: all(gone(process) for process in processes), "the end of what was killed")
