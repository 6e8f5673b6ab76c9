"""What the clock does to assignments: Celery functions, each safe to run twice at once."""

from time import monotonic

from celery import shared_task

from assignments import census, lifecycle, rollup
from queues.jobs import drain

ROLL_UP_SECONDS = 5


@shared_task(name="assignments.jobs.expire_assignments")
def expire_assignments() -> int:
    return drain(lifecycle.expire_assignments)


@shared_task(name="assignments.jobs.roll_up_metrics")
def roll_up_metrics() -> int:
    """Where much is to be caught up with, some of it: the other jobs are waiting, and the next tick goes on."""
    stop = monotonic() + ROLL_UP_SECONDS
    return drain(lambda: monotonic() < stop and rollup.roll_up())


@shared_task(name="assignments.jobs.keep_census")
def keep_census() -> int:
    return drain(census.catch_up)
