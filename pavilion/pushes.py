"""What sockets are told of a lot of events: each seat of its own moves, and all of a session of who is there."""

from collections.abc import Iterator, Sequence

from queues.models import Event
from queues.pushes import Push


def of_seat(seat_id: int) -> str:
    """The group of the windows of a seat."""
    return f"seat.{seat_id}"


def of_session(session_id: int) -> str:
    """The group of all who wait or work in a session."""
    return f"session.{session_id}"


def of_console(session_id: int) -> str:
    """The group of operators who watch a session."""
    return f"console.{session_id}"


def told(events: Sequence[Event]) -> Iterator[Push]:
    """All pushes of these events: first to whose seat it is."""
    sessions = set()
    for event in events:
        if event.object_type == "seat":
            yield Push(of_seat(event.object_id), {"type": "seat", "status": event.delta.get("status")})
            sessions.add(event.delta["session"])
        elif event.object_type == "session":
            sessions.add(event.object_id)
    for session_id in sorted(sessions):
        yield Push(of_session(session_id), {"type": "session"})
        yield Push(of_console(session_id), {"type": "session"})
