"""Why a writer refused. Each class names its problem by `slug`; the API turns it into problem+json."""

from typing import Any


class CrowdError(Exception):
    """Something the caller asked for cannot be done.

    `detail` is a sentence for a person; `extra` holds further members for a machine.
    """

    slug = "crowd-error"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidInput(CrowdError):
    """The input breaks a rule. `errors` is a list of `{"pointer": JSON pointer, "detail": sentence}`."""

    slug = "invalid-input"

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(f"{error['pointer'] or '/'}: {error['detail']}" for error in errors[:5]))
        self.errors = errors
        self.extra = {"errors": errors}

    @classmethod
    def at(cls, pointer: str, detail: str) -> "InvalidInput":
        return cls([{"pointer": pointer, "detail": detail}])


class Throttled(CrowdError):
    """The caller asks for too much in too short a time; after `retry_after` seconds they may ask again."""

    slug = "throttled"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class QueueArchived(CrowdError):
    """The queue was deleted: nothing can be added to it or taken from it."""

    slug = "queue-archived"


class QueueNameTaken(CrowdError):
    """A queue, perhaps a deleted one, has this name already; names are never given twice."""

    slug = "queue-name-taken"


class MembershipExists(CrowdError):
    """The user has this role in the queue already."""

    slug = "membership-exists"


class TaskClosed(CrowdError):
    """The task is finished, canceled or expired, and never changes again."""

    slug = "task-closed"


class TaskInHands(CrowdError):
    """The task has been handed to somebody, and this change is for tasks that have not."""

    slug = "task-in-hands"


class BatchClosed(CrowdError):
    """The batch is in a state from which it cannot be started, stopped or given up."""

    slug = "batch-closed"


class NotificationExists(CrowdError):
    """The endpoint has a setting in this place already; `notification` is its id."""

    slug = "notification-exists"


class NotificationLimit(CrowdError):
    """The site, the queue or the task has as many settings as it may have."""

    slug = "notification-limit"


class EndpointEnabled(CrowdError):
    """The endpoint is not disabled."""

    slug = "endpoint-enabled"


class EndpointDisabled(CrowdError):
    """Nothing is sent to the endpoint until it is switched on again."""

    slug = "endpoint-disabled"


class DeliveryOpen(CrowdError):
    """The delivery is still on its way, so there is nothing to replay."""

    slug = "delivery-open"


class FeedPurged(CrowdError):
    """What came after this position is not kept any more; `oldest` is the first position from which one can go on."""

    slug = "feed-purged"


class FeedAhead(CrowdError):
    """The feed has not come to this position, `after`; `newest` is the last that it has."""

    slug = "feed-ahead"


class IdempotencyMismatch(CrowdError):
    """The Idempotency-Key was used before with another body."""

    slug = "idempotency-mismatch"


class IdempotencyBusy(CrowdError):
    """The first request with this Idempotency-Key is still under way."""

    slug = "idempotency-busy"


class IdempotencyLost(CrowdError):
    """Another request took this key over while this one dawdled past its lease; nothing was done."""

    slug = "idempotency-lost"
