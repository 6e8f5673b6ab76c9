"""How much one may ask of a socket, and how many sockets one may have. Counted in this process."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from queues import conf

FRAMES_AT_ONCE, FRAMES_A_SECOND = 20, 1.0
"""So many frames may come at once, and in the long run so many a second. A page sends two a minute."""

WAITING_MAX = 200
"""So many sockets of which nobody knows whose they are may be open at once."""


class Bucket:
    """Tokens to spend on frames, refilled as time goes by."""

    def __init__(self, now: float) -> None:
        self.left = float(FRAMES_AT_ONCE)
        self.at = now

    def take(self, now: float) -> bool:
        """Whether there was one left at this time of the loop's clock."""
        self.left = min(FRAMES_AT_ONCE, self.left + (now - self.at) * FRAMES_A_SECOND)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class Seats:
    """Who has how many sockets in this process, and which of them still have to say whose they are."""

    def __init__(self) -> None:
        self._taken: Counter[Any] = Counter()
        self._waiting: dict[object, Callable[[], None]] = {}

    def wait(self, socket: object, send_away: Callable[[], None]) -> None:
        """A socket has yet to say whose it is. Where too many do, the one that has waited for longest is sent away:
        whoever is honest needs a moment only.
        """
        self._waiting[socket] = send_away
        if len(self._waiting) > WAITING_MAX:
            self._waiting.pop(next(iter(self._waiting)))()

    def stop_waiting(self, socket: object) -> None:
        """It has said so, or is gone."""
        self._waiting.pop(socket, None)

    def take(self, user_id: Any) -> bool:
        """Whether there was a place for one more socket of this user, who has it now."""
        if self._taken[user_id] >= conf.sockets_per_user():
            return False
        self._taken[user_id] += 1
        return True

    def give_back(self, user_id: Any) -> None:
        self._taken[user_id] -= 1
        if not self._taken[user_id]:
            del self._taken[user_id]


seats = Seats()
"""Those of this process."""
