"""Why a claim or a transition of an assignment was refused."""

from queues.exceptions import CrowdError


class AssignmentClosed(CrowdError):
    """The assignment is not live any more: finished, skipped, expired or taken back."""

    slug = "assignment-closed"


class LeaseExpired(CrowdError):
    """The lease ended before the call came; somebody else may have the task by now."""

    slug = "lease-expired"


class NotAvailable(CrowdError):
    """The chosen task cannot be handed to this reviewer now."""

    slug = "task-not-available"


class OwnTask(CrowdError):
    """The reviewer posted this task themselves, and the queue has others judge it."""

    slug = "own-task"


class CapacityReached(CrowdError):
    """The reviewer holds as many tasks of the queue as they may."""

    slug = "capacity-reached"


class QueuePaused(CrowdError):
    """The queue hands nothing out for now."""

    slug = "queue-paused"


class ReviewAccessLost(CrowdError):
    """The reviewer's membership was revoked while they asked for work."""

    slug = "review-access-lost"
