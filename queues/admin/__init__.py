"""The operators' pages of queues, members, tasks, batches and tokens, in the stock Django admin."""

from queues.admin import batch, imports, member, queue, task, token

__all__ = ["batch", "imports", "member", "queue", "task", "token"]
