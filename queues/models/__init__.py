"""Queue, Membership, Task and its keys, the event outbox, batches, API tokens and idempotency records.

Rows are changed by the writers of this app alone (lifecycle, intake, administration, members, batches, tokens,
idempotency).
"""

from queues.models.batch import Batch, BatchPart
from queues.models.event import Event, EventPending
from queues.models.queue import QUEUE_NAME, Membership, Queue
from queues.models.request import IdempotencyRecord, Token
from queues.models.task import GlobalKey, Task

__all__ = [
    "QUEUE_NAME",
    "Batch",
    "BatchPart",
    "Event",
    "EventPending",
    "GlobalKey",
    "IdempotencyRecord",
    "Membership",
    "Queue",
    "Task",
    "Token",
]
