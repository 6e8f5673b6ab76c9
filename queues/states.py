"""The states of a task and the moves between them; the roles of a queue's members; the event types of this floor."""

from enum import StrEnum

from django.db import models
from django.utils.translation import gettext_lazy as _


class TaskStatus(models.TextChoices):
    """SCHEDULED waits for its time; AVAILABLE has an open slot; ASSIGNED is open with every slot taken."""

    SCHEDULED = "SCHEDULED", _("scheduled")
    AVAILABLE = "AVAILABLE", _("available")
    ASSIGNED = "ASSIGNED", _("assigned")
    FINISHED = "FINISHED", _("finished")
    CANCELED = "CANCELED", _("canceled")
    EXPIRED = "EXPIRED", _("expired")


OPEN = (TaskStatus.SCHEDULED, TaskStatus.AVAILABLE, TaskStatus.ASSIGNED)
CLOSED = (TaskStatus.FINISHED, TaskStatus.CANCELED, TaskStatus.EXPIRED)

TRANSITIONS: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.SCHEDULED: frozenset({TaskStatus.AVAILABLE, TaskStatus.CANCELED, TaskStatus.EXPIRED}),
    TaskStatus.AVAILABLE: frozenset({*OPEN, *CLOSED}),
    TaskStatus.ASSIGNED: frozenset({TaskStatus.AVAILABLE, *CLOSED}),
    TaskStatus.FINISHED: frozenset(),
    TaskStatus.CANCELED: frozenset(),
    TaskStatus.EXPIRED: frozenset(),
}


class Role(models.TextChoices):
    """What a member may do: managers run the queue, requesters post tasks to it, reviewers answer them."""

    MANAGER = "manager", _("manager")
    REQUESTER = "requester", _("requester")
    REVIEWER = "reviewer", _("reviewer")


class BatchStatus(models.TextChoices):
    """DRAFT: planned and checked; STOPPED goes on when it is started again; the last three are ends."""

    DRAFT = "DRAFT", _("planned")
    RUNNING = "RUNNING", _("running")
    STOPPED = "STOPPED", _("stopped")
    FINISHED = "FINISHED", _("finished")
    FAILED = "FAILED", _("failed")
    CANCELED = "CANCELED", _("canceled")

    @classmethod
    def ended(cls) -> list["BatchStatus"]:
        return [cls.FINISHED, cls.FAILED, cls.CANCELED]


BATCH_TRANSITIONS: dict[BatchStatus, frozenset[BatchStatus]] = {
    BatchStatus.DRAFT: frozenset({BatchStatus.RUNNING, BatchStatus.CANCELED}),
    BatchStatus.RUNNING: frozenset({BatchStatus.STOPPED, BatchStatus.FINISHED, BatchStatus.FAILED}),
    BatchStatus.STOPPED: frozenset({BatchStatus.RUNNING, BatchStatus.CANCELED}),
    BatchStatus.FINISHED: frozenset(),
    BatchStatus.FAILED: frozenset(),
    BatchStatus.CANCELED: frozenset(),
}


class Level(models.TextChoices):
    """What a notification is set for: everything, the tasks of a queue, or one task."""

    SITE = "site", _("site")
    QUEUE = "queue", _("queue")
    TASK = "task", _("task")


class Merging(models.TextChoices):
    """ONLY: the levels above are silent about this task or queue; UNION: they speak too."""

    ONLY = "ONLY", _("only these")
    UNION = "UNION", _("these too")


class Disabled(models.TextChoices):
    """Why nothing is sent to an endpoint any more."""

    GONE = "gone", _("it said that it is gone (410)")
    FAILING = "failing", _("it failed for three days")
    OPERATOR = "operator", _("it was switched off")


class DeliveryStatus(models.TextChoices):
    """WAITING: not tried yet; FIRST_TRY: the first try is under way; RETRY: one failed, another is due or under way."""

    WAITING = "WAITING", _("waiting")
    FIRST_TRY = "FIRST_TRY", _("first try")
    RETRY = "RETRY", _("to be tried again")
    FAILED = "FAILED", _("failed")
    FINISHED = "FINISHED", _("delivered")


UNDELIVERED = (DeliveryStatus.WAITING, DeliveryStatus.FIRST_TRY, DeliveryStatus.RETRY)

DELIVERY_TRANSITIONS: dict[DeliveryStatus, frozenset[DeliveryStatus]] = {
    # Back to WAITING: a delivery that was taken and not sent after all.
    DeliveryStatus.WAITING: frozenset({DeliveryStatus.FIRST_TRY, DeliveryStatus.FAILED}),
    DeliveryStatus.FIRST_TRY: frozenset({*DeliveryStatus} - {DeliveryStatus.FIRST_TRY}),
    DeliveryStatus.RETRY: frozenset({DeliveryStatus.RETRY, DeliveryStatus.FAILED, DeliveryStatus.FINISHED}),
    # Replayed by hand; or given up while a try was under way, which succeeded.
    DeliveryStatus.FAILED: frozenset({DeliveryStatus.RETRY, DeliveryStatus.FINISHED}),
    DeliveryStatus.FINISHED: frozenset({DeliveryStatus.RETRY}),
}


class EventType(StrEnum):
    """The event types that this floor writes."""

    QUEUE_CREATED = "QUEUE_CREATED"
    QUEUE_UPDATED = "QUEUE_UPDATED"
    QUEUE_DELETED = "QUEUE_DELETED"
    TASK_CREATED = "TASK_CREATED"
    TASK_SCHEDULED = "TASK_SCHEDULED"
    TASK_AVAILABLE = "TASK_AVAILABLE"
    TASK_UPDATED = "TASK_UPDATED"
    TASK_FINISHED = "TASK_FINISHED"
    TASK_EXPIRED = "TASK_EXPIRED"
    TASK_CANCELED = "TASK_CANCELED"


CLOSING_EVENT = {
    TaskStatus.FINISHED: EventType.TASK_FINISHED,
    TaskStatus.CANCELED: EventType.TASK_CANCELED,
    TaskStatus.EXPIRED: EventType.TASK_EXPIRED,
}

MOVING_EVENT = {
    TaskStatus.SCHEDULED: EventType.TASK_SCHEDULED,
    TaskStatus.AVAILABLE: EventType.TASK_AVAILABLE,
    **CLOSING_EVENT,
}
"""The event of a task's own that tells of its new status."""


PRIORITY_MIN, PRIORITY_DEFAULT, PRIORITY_MAX = 5, 500, 995
JUDGMENTS_MAX = 100
LIVE_MAX = 10
GLOBAL_KEYS_MAX = 10
EXCLUDED_MAX = 100
"""How many reviewers a new task may exclude by name."""

LEASE_MIN_SECONDS = 10
LEASE_DEFAULT_SECONDS = 3600
SECONDS_MAX = 10 * 366 * 24 * 3600
"""The longest span a client may ask for, about ten years: what is computed from it stays within the calendars."""
