"""How often somebody may ask for something: counted for all processes together, in the cache.

No request waits for the database here. A process takes leave for several requests out of the cache at once, the more
the oftener somebody asks, and few near the end; so nearly every request asks nobody. Where the cache is away each
process counts by itself for a while: a throttle is there to keep a site quick, and must not bring it to a stand.

Windows of time are those of the process's own clock, and begin at another moment for everyone, so that not all who
were refused come back together.
"""

import logging
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from threading import Lock
from typing import Any

from django.core.cache import caches
from django.db.models import TextChoices

from queues import conf
from queues.exceptions import Throttled

logger = logging.getLogger(__name__)

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

SHARE = 16
"""At most such a part of what is left in a window is taken out of the cache at once."""

ALONE_SECONDS = 5.0
"""How long the cache is not asked where it did not answer."""

KEPT_MAX = 10_000
"""So many windows are kept in a process."""


class Kind(TextChoices):
    """What is counted, and by whom: each has a rate of its own."""

    GRAB = "grab"
    """Asking for work, by user."""

    CREATE = "create"
    """Posting tasks, starting runs, setting up and sending webhooks: requests by user."""

    TOKENS = "tokens"
    """New tokens, by user."""

    SIGN_IN = "sign_in"
    """Tries to sign in, by name and where they come from."""


@dataclass(frozen=True)
class Rate:
    """So many in so many seconds."""

    count: int
    seconds: int

    def times(self, factor: int) -> "Rate":
        """So many times as many."""
        return Rate(self.count * factor, self.seconds)


@lru_cache
def read_rate(text: str) -> Rate | None:
    """The rate that `3000/m` says (of s, m, h, d); None, which is no limit, for "" and "0".

    Raises ValueError, with a sentence.
    """
    if text in ("", "0"):
        return None
    found = re.fullmatch(r"([1-9][0-9]{0,8})/([smhd])", text)
    if found is None:
        raise ValueError(f"{text!r} is not a rate: say how many, and in what, such as 3000/m (s, m, h or d); or 0.")
    return Rate(int(found[1]), SECONDS[found[2]])


@dataclass(slots=True)
class _Window:
    """What a process knows of one key in one window of time. `left`: how many more may come without asking; `next`: how
    many are asked for then. `was_alone`: it counted by itself, which it does once.
    """

    number: int
    left: int = 0
    next: int = 1
    is_over: bool = False
    was_alone: bool = False


class Throttle:
    """The windows that one process keeps."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._lock = Lock()
        self._alone_until = 0.0

    def require(self, kind: Kind, who: Any, *, rate: Rate | None = None) -> None:
        """Count one more of `kind` by `who`. `rate`: instead of the one that the settings have. Raises Throttled."""
        rate = rate or read_rate(conf.throttles().get(kind, ""))
        if rate is None:
            return
        key = f"{kind}:{who}"
        # The hash of a text differs between processes; its beginning in time must not.
        late = int.from_bytes(blake2b(key.encode(), digest_size=4).digest()) % rate.seconds
        number, into = divmod(self._clock() + late, rate.seconds)
        with self._lock:
            window = self._window(key, int(number))
            if window.left:
                window.left -= 1
                return
            asked = 0 if window.is_over else window.next
        if asked and self._fill(window, self._taken(f"crowd:{key}:{number:.0f}", asked, rate), asked, rate):
            return
        raise Throttled("You ask too often.", retry_after=math.ceil(rate.seconds - into))

    def forget(self) -> None:
        """Begin anew, as in a process that has just started."""
        with self._lock:
            self._windows.clear()
            self._alone_until = 0.0

    def _window(self, key: str, number: int) -> _Window:
        window = self._windows.get(key)
        if window is None or window.number != number:
            if len(self._windows) >= KEPT_MAX:
                # What is forgotten was counted in the cache.
                self._windows.clear()
            window = self._windows[key] = _Window(number)
        return window

    def _fill(self, window: _Window, taken: int | None, asked: int, rate: Rate) -> bool:
        """Note what was found in the cache, where `asked` are part of what was `taken` by all; whether one may come."""
        with self._lock:
            if taken is None:
                granted = 0 if window.was_alone else rate.count
                window.was_alone = True
            else:
                room = rate.count - taken
                granted = min(asked, room + asked)
                window.next = max(1, min(2 * asked, room // SHARE))
                window.is_over = granted <= 0
            window.left += max(0, granted - 1)
        return granted > 0

    def _taken(self, key: str, more: int, rate: Rate) -> int | None:
        """How many all processes have taken with these; None where the cache is away."""
        if time.monotonic() < self._alone_until:
            return None
        try:
            return self._add(key, more, 2 * rate.seconds)
        except Exception as error:
            # Every kind of cache has errors of its own, and none of them is the caller's.
            logger.warning("The cache does not answer, so each process counts by itself: %r", error)
            self._alone_until = time.monotonic() + ALONE_SECONDS
            return None

    @staticmethod
    def _add(key: str, number: int, seconds: int) -> int:
        """Add to a number in the cache that is forgotten after so many seconds; what it is then."""
        cache = caches[conf.throttle_cache()]
        for _attempt in range(2):
            try:
                return int(cache.incr(key, number))
            except ValueError:
                if cache.add(key, number, seconds):
                    break
        return number


_here = Throttle()

require = _here.require
forget = _here.forget
