"""Changes of many assignments: the kind of batch that the admin plans over assignment ids."""

from datetime import datetime

from django.utils.translation import gettext as _

from assignments import lifecycle
from assignments.models import Assignment
from queues import batches
from queues.batches import Outcome
from queues.models import Batch

RELEASE = "release"


def release(batch: Batch, items: list[int], now: datetime | None) -> Outcome:
    """Take assignments back; the parameter is the `reason` that their reviewers are shown.

    They are taken in the order of their tasks, which is the order in which tasks are locked.
    """
    by_task = Assignment.objects.filter(pk__in=items).order_by("task_id", "id")
    ordered = list(by_task.values_list("pk", flat=True))
    outcome = batches.each(ordered, lambda pk: _release(pk, batch, now))
    gone = [
        {"item": pk, "detail": _("There is no assignment %(id)s.") % {"id": pk}}
        for pk in sorted(set(items) - set(ordered))
    ]
    return Outcome(outcome.changed, outcome.faults + gone)


def _release(assignment_id: int, batch: Batch, now: datetime | None) -> None:
    lifecycle.release(assignment_id=assignment_id, reason=batch.parameters["reason"], actor=batch.created_by, now=now)


def register() -> None:
    """Called once, when the apps are ready."""
    batches.register(RELEASE, release)
