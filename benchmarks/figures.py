"""Timing something often enough, and telling what came out as a table."""

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """How long something took, in milliseconds, each time; `limit` is what it may take."""

    what: str
    times: list[float]
    limit: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        return percentile(self.times, 0.95)

    @property
    def verdict(self) -> str:
        if self.limit is None:
            return ""
        return "within" if self.p95 <= self.limit else "p95 over" if self.median <= self.limit else "**over**"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least this share of them does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def timed(function: Callable[[], Any]) -> float:
    """How many milliseconds a call takes."""
    begin = time.perf_counter()
    function()
    return (time.perf_counter() - begin) * 1000


def table(figures: Sequence[Figure]) -> str:
    """The figures as a table in Markdown."""
    head = "| what | median, ms | p95, ms | times | limit, ms | |\n|---|---:|---:|---:|---:|---|"
    return "\n".join([head, *map(_row, figures)])


def _row(figure: Figure) -> str:
    cells = (figure.what, f"{figure.median:.0f}", f"{figure.p95:.0f}", len(figure.times), figure.limit or "")
    return "| " + " | ".join(map(str, (*cells, figure.verdict))) + " |"


def machine(database: str) -> str:
    """Where this was measured, in a sentence without names. `database` is the server's version."""
    return (
        f"{os.cpu_count()} cores, PostgreSQL {database} with fsync on and its other settings as they come, on the same"
        f" machine, Python {platform.python_version()}."
    )
