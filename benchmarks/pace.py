"""Cycles that were timed one by one, by whoever ran them."""

import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.figures import percentile

Cycle = tuple[float, float]
"""When a cycle ended, by time.time(), and how many milliseconds it took."""


@dataclass(frozen=True)
class Pace:
    """Cycles between two moments, in seconds of time.time(): when each ended (ascending), its milliseconds.

    `python`: milliseconds of processor time that the app's processes took a cycle, beside those of the database.
    """

    begin: float
    end: float
    ends: list[float]
    times: list[float]
    python: float | None = None

    @classmethod
    def of(cls, begin: float, end: float, cycles: Sequence[Cycle], busy: float | None = None) -> "Pace":
        """Of cycles in any order; what ended outside the time does not count. `busy`: seconds that all of them took."""
        counted = sorted(cycle for cycle in cycles if begin <= cycle[0] < end)
        if not counted:
            raise SystemExit("Nothing was done in the time that was measured.")
        python = None if busy is None else busy / len(cycles) * 1000
        return cls(begin, end, [end for end, _time in counted], [time for _end, time in counted], python)

    @property
    def rate(self) -> float:
        """Cycles a second."""
        return len(self.ends) / (self.end - self.begin)

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p99(self) -> float:
        return percentile(self.times, 0.99)

    def between(self, begin: float, end: float) -> "Pace":
        """The cycles that ended in a part of the time."""
        first, behind = bisect_left(self.ends, begin), bisect_left(self.ends, end)
        return Pace.of(begin, end, list(zip(self.ends[first:behind], self.times[first:behind], strict=True)))

    def curve(self, seconds: float) -> list[tuple[float, float]]:
        """(the middle of the time, cycles a second) for one part of so many seconds after the other."""
        found, begin = [], self.begin
        while begin + seconds <= self.end + 0.001:
            count = bisect_left(self.ends, begin + seconds) - bisect_left(self.ends, begin)
            found.append((begin + seconds / 2, count / seconds))
            begin += seconds
        return found

    @property
    def figures(self) -> dict[str, float]:
        python = {} if self.python is None else {"python": self.python}
        return {"rate": self.rate, "p50": self.p50, "p99": self.p99, **python}
