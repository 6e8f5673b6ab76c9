"""The problem types of this app (see queues.api.problems)."""

from queues.api.problems import register

register("assignment-closed", 409, "The assignment is not live any more")
register("lease-expired", 409, "The lease has ended")
register("task-not-available", 409, "The task cannot be handed to you")
register("own-task", 403, "Others judge what you posted")
register("capacity-reached", 409, "You hold as many tasks as you may")
register("queue-paused", 409, "The queue is paused")
register("review-access-lost", 403, "You may not review here any more")
