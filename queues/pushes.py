"""What is told to open sockets after events were sequenced. Each app says which groups hear what of which events.

A push says "look again" and carries no only copy: it may come twice, or not at all.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from queues.models import Event


@dataclass(frozen=True)
class Push:
    """A message to those sockets that hear a group; its `type` says what it is about. Plain values only."""

    group: str
    message: dict[str, Any]


Listener = Callable[[Sequence[Event]], Iterable[Push]]

_listeners: list[Listener] = []


def register(listener: Listener) -> None:
    """Ask this function what to push of each lot of sequenced events."""
    if listener not in _listeners:
        _listeners.append(listener)


def of(events: Sequence[Event]) -> list[Push]:
    """All that is to be pushed of these events."""
    return [push for listener in _listeners for push in listener(events)]
