"""Why a writer of the pool refused."""

from queues.exceptions import CrowdError


class SessionOver(CrowdError):
    """The session was stopped or has ended: it takes nobody in and promotes nobody. `status` says which of the two."""

    slug = "session-over"


class SessionLive(CrowdError):
    """The pool has a live session already; `session` is its id."""

    slug = "session-live"


class SessionNotStarted(CrowdError):
    """Nobody has gone active yet: too few wait, and no operator has started the session."""

    slug = "session-not-started"


class SessionStarted(CrowdError):
    """The session was started before."""

    slug = "session-started"


class PoolFull(CrowdError):
    """As many wait, and as many are active, as may; or every offer is taken."""

    slug = "pool-full"


class NobodyToPromote(CrowdError):
    """Nobody waits, or as many are active as may."""

    slug = "nobody-to-promote"


class OfferClosed(CrowdError):
    """The offer was withdrawn, or somebody else has taken it."""

    slug = "offer-closed"


class WorkerBlocked(CrowdError):
    """The worker was blocked and takes no seat any more."""

    slug = "worker-blocked"


class AlreadySeated(CrowdError):
    """The worker has a live seat in another session, and one at most."""

    slug = "already-seated"


class SeatOver(CrowdError):
    """The seat has ended; `status` says how."""

    slug = "seat-over"


class SeatElsewhere(CrowdError):
    """The seat is used in another window by now."""

    slug = "seat-elsewhere"


class SeatNotActive(CrowdError):
    """Only an active worker, who has confirmed it, works on the pool's tasks; only a waiting one on its backlog."""

    slug = "seat-not-active"


class BudgetUsedUp(CrowdError):
    """The session's budget has no room for it."""

    slug = "budget-used-up"


class PoolInUse(CrowdError):
    """The pool has sessions, so it stays."""

    slug = "pool-in-use"


class NameTaken(CrowdError):
    """A project, or a pool of the project, has this name already."""

    slug = "name-taken"


class PaymentNotFailed(CrowdError):
    """Only a payment that failed can be sent again."""

    slug = "payment-not-failed"
