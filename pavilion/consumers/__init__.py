"""The sockets of this app: a worker's, and that of operators who watch a session."""

from pavilion.consumers.console import ConsoleSocket
from pavilion.consumers.seat import SeatSocket

__all__ = ["ConsoleSocket", "SeatSocket"]
