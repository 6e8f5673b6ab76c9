"""`ws/pool/{session}/console/`: says that something has changed in a session; the page then looks for itself."""

import asyncio
from collections.abc import Collection
from typing import Any

from pavilion import pushes
from pavilion.models import Session
from queues.consumers.base import Socket
from queues.consumers.endings import Closed, Code

EVERY = 0.5
"""Seconds, at least, between two frames."""

CHANGED = '{"type":"changed"}'


class ConsoleSocket(Socket):
    """For operators, and managers of the pool's queue."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._session_id: int = self.scope["url_route"]["kwargs"]["session"]
        self._planned: asyncio.TimerHandle | None = None

    def admit(self, user: Any) -> None:
        if not Session.objects.visible_to(user).filter(pk=self._session_id).exists():
            raise Closed(Code.MISSING, "There is no such session, or none that you may see.")

    def groups(self, admission: None) -> Collection[str]:
        return {pushes.of_console(self._session_id)}

    def snapshot(self, admission: None) -> None:
        return None

    def show(self, type_: str, snapshot: None) -> None:
        if type_:
            self.say(type_, key="state")

    def heard(self, message: dict[str, Any]) -> None:
        if self._planned is None:
            self._planned = self._loop.call_later(EVERY, self._changed)

    def ended(self) -> None:
        if self._planned is not None:
            self._planned.cancel()

    def _changed(self) -> None:
        self._planned = None
        self.say_text(CHANGED, key="changed")
