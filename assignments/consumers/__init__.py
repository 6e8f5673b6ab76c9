"""The sockets of this app: a queue's, for those who work in it, and the operators'."""

from assignments.consumers.operator import OperatorSocket
from assignments.consumers.queue import QueueSocket

__all__ = ["OperatorSocket", "QueueSocket"]
