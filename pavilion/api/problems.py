"""The problem types of this app (see queues.api.problems)."""

from queues.api.problems import register

register("session-over", 409, "The session is over")
register("session-live", 409, "The pool has a live session")
register("session-not-started", 409, "The session has not started")
register("session-started", 409, "The session was started before")
register("pool-full", 409, "All places are taken")
register("nobody-to-promote", 409, "Nobody can be promoted")
register("offer-closed", 409, "The offer is closed")
register("worker-blocked", 403, "You cannot take part any more")
register("already-seated", 409, "You have a seat elsewhere")
register("seat-over", 409, "Your seat has ended")
register("seat-elsewhere", 409, "You use another window")
register("seat-not-active", 409, "It is not your turn to work")
register("budget-used-up", 409, "The budget is used up")
register("pool-in-use", 409, "The pool was at work")
register("name-taken", 409, "The name is taken")
register("payment-not-failed", 409, "The payment did not fail")
