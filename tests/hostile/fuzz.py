"""How much is tried: a little, and always the same, in each run of the tests; CROWDSITE_FUZZ times as much, and each
time something else, where that is set (`make fuzz`).
"""

import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("CROWDSITE_FUZZ", "0"))


def examples(count: int) -> Callable[[Any], Any]:
    """So many examples of a test in a usual run."""
    return settings(
        max_examples=count * max(1, TIMES),
        derandomize=not TIMES,
        deadline=None,
        # What fails is small enough to be read as it is; making it smaller takes a hundred times as long.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    )


NASTY_TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udc00\ud800",
    "\ufeff",
    "\u202e",
    "é" * 300,
    "x" * 20_000,
    "'; DROP TABLE crowd_queues_task; --",
    "../../../etc/passwd",
    "${7*7}{{7*7}}",
    "%00",
    "=HYPERLINK(1)",
    "NaN",
    "null",
    "2999-02-30T00:00:00Z",
    "2027-01-01T00:00:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "http://127.0.0.1/",
    "https://[::1]/",
    "~ANYONE",
]

NASTY_NUMBERS = [0, -1, 1.0, 0.5, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, -(2**63), 10**400, 1e300, -0.0]
NASTY_NUMBERS += [float("nan"), float("inf")]

texts = st.sampled_from(NASTY_TEXTS) | st.text(st.characters(), max_size=20)

scalars = st.none() | st.booleans() | st.sampled_from(NASTY_NUMBERS) | st.integers() | st.floats() | texts

values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def doubled(text: str) -> str:
    """A JSON text whose first object has its first key twice."""
    return text.replace("{", '{"data": 1, "data": 2, ', 1)


_DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda raw: raw,
    lambda raw: raw[: len(raw) // 2],
    lambda raw: raw + b"{}",
    lambda raw: b"\xef\xbb\xbf" + raw,
    lambda raw: doubled(raw.decode()).encode(),
    lambda raw: raw.decode().encode("utf-16"),
    lambda raw: raw.decode().encode("utf-32-le"),
    lambda raw: raw.replace(b'"', b"'"),
    lambda raw: b"[" * 5000 + raw + b"]" * 5000,
    lambda raw: b'{"a":' * 200 + raw + b"}" * 200,
    lambda raw: raw + b" " * (1024 * 1024 + 1),
    lambda raw: raw.replace(b"}", b"\xff}", 1),
]

damages = st.sampled_from(_DAMAGES)

raw_json = st.builds(lambda value, damage: damage(json.dumps(value).encode()), values, damages)
"""Bytes that are JSON, or were."""
