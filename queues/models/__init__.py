"""Queue, Membership, Task and its keys, the event outbox and its feed, notifications and their deliveries, batches, API
tokens and idempotency records.

Rows are changed by the writers of this app alone (lifecycle, intake, administration, members, sequencer, feed,
notifications, deliveries, owners, resealing, batches, tokens, idempotency).
"""

from queues.models.batch import Batch, BatchPart
from queues.models.event import Event, EventPending, FeedEntry, FeedMark
from queues.models.notification import Delivery, DeliveryTry, Endpoint, Notification
from queues.models.queue import QUEUE_NAME, Membership, Queue
from queues.models.request import IdempotencyRecord, Token
from queues.models.task import GlobalKey, Task

__all__ = [
    "QUEUE_NAME",
    "Batch",
    "BatchPart",
    "Delivery",
    "DeliveryTry",
    "Endpoint",
    "Event",
    "EventPending",
    "FeedEntry",
    "FeedMark",
    "GlobalKey",
    "IdempotencyRecord",
    "Membership",
    "Notification",
    "Queue",
    "Task",
    "Token",
]
