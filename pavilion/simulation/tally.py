"""What has happened in a simulation, in numbers."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

SAMPLES = 5
"""So many kinds of errors are told of, the most frequent first."""


@dataclass
class Tally:
    """Counts since the beginning; `waiting` and `active` are those of now. `latencies`: from a promotion's time, as
    the server says it, to the frame that told of it, in seconds.
    """

    waiting: int = 0
    active: int = 0
    joins: int = 0
    turned_away: int = 0
    promotions: int = 0
    confirmed: int = 0
    answers: int = 0
    without_task: int = 0
    submits: int = 0
    returns: int = 0
    silences: int = 0
    ended_by_site: int = 0
    reconnects: int = 0
    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def failures(self) -> int:
        return self.errors.total()

    def progress(self) -> dict[str, int]:
        """What is shown while it runs."""
        return {
            "waiting": self.waiting,
            "active": self.active,
            "joins": self.joins,
            "promotions": self.promotions,
            "answers": self.answers,
            "errors": self.failures,
        }

    def summary(self) -> list[str]:
        """What is said at the end, a line each."""
        lines = [
            f"joins {self.joins}, turned away {self.turned_away} (the pool was full)",
            f"promotions {self.promotions}, confirmed {self.confirmed}",
            self._pushes(),
            f"answers {self.answers}, found no task {self.without_task}",
            f"submits {self.submits}, returns {self.returns}, went silent {self.silences}, ended by the site"
            f" {self.ended_by_site}",
            f"sockets opened again {self.reconnects}",
            f"errors {self.failures}",
        ]
        return lines + [f"  {count} × {said}" for said, count in self.errors.most_common(SAMPLES)]

    def _pushes(self) -> str:
        if not self.latencies:
            return "promotion to frame: none was pushed"
        parts = (f"p{share} {1000 * percentile(self.latencies, share):.0f} ms" for share in (50, 95, 99))
        return f"promotion to frame: {', '.join(parts)} ({len(self.latencies)} pushed; by the clocks of both machines)"


def percentile(values: Sequence[float], share: float) -> float:
    """The least of the values that so many percent of them do not exceed (the nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * share / 100) - 1)]
