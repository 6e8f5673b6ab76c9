"""What this floor tells the floors above, inside the transaction that makes it so.

A receiver that raises undoes the transition. Receivers live in the `receivers.py` of the app that listens.
"""

from django.dispatch import Signal

tasks_created = Signal()
"""`tasks` and their `drafts` (same order), `now`: rows exist, nothing else happened yet."""

tasks_closed = Signal()
"""`tasks` that were open and have just become `status`, `reason`, `actor`, `now`: end what is live under them."""

task_changed = Signal()
"""`task` whose `fields` (a set of names) have new values, `actor`, `now`: bring what is live under it in line."""

review_revoked = Signal()
"""`queue`, `user`, `actor`, `now`: the user may no longer review there; take back what they hold."""

own_work_forbidden = Signal()
"""`queue_id`, `actor`, `now`: requesters may no longer review their own tasks there; take back what they hold."""

tasks_hooked = Signal()
"""`tasks`, `now`: tasks with `has_hook` closed. Sent last, in a savepoint of its own: host code may run here.

All that one transaction closed together come together, so that a receiver can lock its rows in an order of its own.
"""
