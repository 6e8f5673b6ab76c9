"""What the clock does to assignments: a Celery function, safe to run twice at once."""

from celery import shared_task

from assignments import lifecycle
from queues.jobs import drain


@shared_task(name="assignments.jobs.expire_assignments")
def expire_assignments() -> int:
    return drain(lifecycle.expire_assignments)
