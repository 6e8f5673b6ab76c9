"""`ws/operator/`: the numbers of the queues, as they change."""

from collections.abc import Collection
from typing import Any

from assignments import dashboard, pushes
from assignments.consumers.counting import Counting
from queues.consumers.base import Socket
from queues.consumers.endings import Closed, Code


class OperatorSocket(Socket):
    """For whoever may watch the dashboard: operators, and staff who may view queues."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._counting = Counting.here()

    def admit(self, user: Any) -> None:
        if not dashboard.may_watch(user):
            raise Closed(Code.NOT_ALLOWED, "You may not watch the queues.")

    def groups(self, admission: None) -> Collection[str]:
        return {pushes.OPERATORS}

    def snapshot(self, admission: None) -> None:
        """Nothing of one's own: numbers are counted for all together."""

    def show(self, type_: str, snapshot: None) -> None:
        if type_ == "welcome":
            self._counting.join(self)
            self.say("welcome")
        if type_:
            self._counting.count_all()

    def heard(self, message: dict[str, Any]) -> None:
        self._counting.changed(message["queues"])

    def ended(self) -> None:
        self._counting.leave(self)
