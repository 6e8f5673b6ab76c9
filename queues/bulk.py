"""Changes of many tasks: the kinds of batch that the admin plans over task ids.

A part's tasks are taken in the order of their ids, which is the order in which tasks are locked. A task that cannot
be changed, as one that is closed, is a fault of its batch and leaves the others be.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from queues import batches, lifecycle, priority
from queues.batches import Outcome
from queues.exceptions import TaskClosed
from queues.models import Batch, Task
from queues.people import ANYONE, users_by_email

CANCEL, PRIORITISE, RETARGET = "cancel", "prioritise", "retarget"

ITEMS_MAX = 100_000
"""Tasks of one batch."""


def cancel(batch: Batch, items: list[int], now: datetime | None) -> Outcome:
    """Cancel tasks; the parameter is a `reason`."""
    reason = batch.parameters.get("reason", "")

    def change(task_id: int) -> None:
        lifecycle.cancel_task(task_id=task_id, reason=reason, actor=batch.created_by, now=now)

    return _each(items, change)


def prioritise(batch: Batch, items: list[int], now: datetime | None) -> Outcome:
    """Change priorities; the parameter `change` is what priority.parse takes."""
    step = priority.parse(batch.parameters["change"])

    def change(task_id: int) -> None:
        lifecycle.update_task(task_id=task_id, changes={"priority": step}, actor=batch.created_by, now=now)

    return _each(items, change)


def retarget(batch: Batch, items: list[int], now: datetime | None) -> Outcome:
    """Aim tasks at one person, or at anyone; the parameter `target_reviewer` is an e-mail or ~ANYONE."""
    email = batch.parameters["target_reviewer"]
    found = [] if email == ANYONE else users_by_email([email])[email.lower()]
    if email != ANYONE and len(found) != 1:
        sentence = _("%(email)s is not exactly one active user.") % {"email": email}
        return Outcome(0, [{"item": task_id, "detail": sentence} for task_id in items])
    target = found[0] if found else None

    def change(task_id: int) -> None:
        lifecycle.update_task(task_id=task_id, changes={"target_reviewer": target}, actor=batch.created_by, now=now)

    return _each(items, change)


def _each(items: list[int], change: Callable[[int], Any]) -> Outcome:
    def known(task_id: int) -> None:
        try:
            change(task_id)
        except Task.DoesNotExist:
            raise TaskClosed(_("There is no task %(id)s.") % {"id": task_id}) from None

    return batches.each(sorted(items), known)


def register() -> None:
    """Called once, when the apps are ready."""
    batches.register(CANCEL, cancel)
    batches.register(PRIORITISE, prioritise)
    batches.register(RETARGET, retarget)
