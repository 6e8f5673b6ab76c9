"""What goes wrong on demand with calls: n of an operation's next, each in one of three ways."""

from collections import defaultdict, deque
from threading import Lock

from tests.mturk.wire import Refusal

THROTTLED = Refusal("ThrottlingException", "Rate exceeded")
FAULTY = Refusal("ServiceFault", "Amazon Mechanical Turk is temporarily unable to process your request.", status=500)


class Dropped(Exception):
    """The connection closes without an answer."""


class CallFaults:
    """Faults that wait for an operation's next calls, first come first served; `"*"` is for any operation."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[Exception]] = defaultdict(deque)
        self.lock = Lock()

    def throttle(self, operation: str = "*", times: int = 1) -> None:
        """ThrottlingException, "Rate exceeded" (allenai/amti, pull request 12); nothing is done."""
        self._add(operation, times, THROTTLED)

    def fail(self, operation: str = "*", times: int = 1) -> None:
        """ServiceFault, with status 500; nothing is done."""
        self._add(operation, times, FAULTY)

    def drop(self, operation: str = "*", times: int = 1) -> None:
        """The work is done, and the caller never hears of it."""
        self._add(operation, times, Dropped())

    def next(self, operation: str) -> Exception | None:
        """What happens to this call."""
        with self.lock:
            for name in (operation, "*"):
                if self.waiting[name]:
                    return self.waiting[name].popleft()
        return None

    def _add(self, operation: str, times: int, fault: Exception) -> None:
        with self.lock:
            self.waiting[operation].extend([fault] * times)
