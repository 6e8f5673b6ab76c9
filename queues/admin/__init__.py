"""The operators' pages of queues, members, tasks, batches, tokens, events and webhooks, in the stock Django admin."""

from queues.admin import batch, delivery, endpoint, feed, imports, member, notification, queue, task, token

__all__ = [
    "batch",
    "delivery",
    "endpoint",
    "feed",
    "imports",
    "member",
    "notification",
    "queue",
    "task",
    "token",
]
