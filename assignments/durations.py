"""Histograms of durations: small, added up bucket by bucket, and good for percentiles of any span.

Bucket i counts durations in (GAMMA^(i-1), GAMMA^i] seconds, so whatever is read from it is within ERROR of a duration
that was there, relative to its size, however long it is. The idea is DDSketch's (Masson, Rim, Lee: "DDSketch: a fast
and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019), without its bound on the number of
buckets: from a millisecond to ten years there are fewer than 1,400. A histogram is a dict of numbers by the bucket's
number as text, as JSON keeps it.
"""

import math
from collections.abc import Mapping

GAMMA = 1.02
ERROR = (GAMMA - 1) / (GAMMA + 1)
"""The relative error of a percentile: just under 1 %."""

SHORTEST = 0.001
"""Durations below a millisecond, which no clock of ours tells apart, count as one."""

_LOG_GAMMA = math.log(GAMMA)

Histogram = dict[str, int]


def bucket(seconds: float) -> int:
    """The number of the bucket in which a duration is counted."""
    return math.ceil(math.log(max(seconds, SHORTEST)) / _LOG_GAMMA)


def add(histogram: Histogram, other: Mapping[str, int]) -> None:
    """Count what is in `other` in the histogram as well."""
    for key, number in other.items():
        histogram[key] = histogram.get(key, 0) + number


def percentile(histogram: Mapping[str, int], share: float) -> float | None:
    """The duration, in seconds, that stands at `share` (0–1) of all of them in order; None where there are none.

    It is within ERROR of the one at place floor(share × (n - 1)), counted from 0.
    """
    rank = math.floor(share * (sum(histogram.values()) - 1))
    seen = 0
    for index in sorted(map(int, histogram)):
        seen += histogram[str(index)]
        if seen > rank:
            return 2 * GAMMA**index / (GAMMA + 1)
    return None
