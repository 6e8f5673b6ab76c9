"""Sockets: what they all have in common, and how pushes reach them.

A socket of an app is a `Socket` (base.py); `tell` brings pushes to the sockets of every process.
"""

from queues.consumers.base import nowhere
from queues.consumers.switchboard import tell

__all__ = ["nowhere", "tell"]
