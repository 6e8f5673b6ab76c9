"""What the clock does to routing: Celery functions, each safe to run twice at once."""

from celery import shared_task

from queues.jobs import drain
from routing import pipeline, runs, statistics


@shared_task(name="routing.jobs.cancel_tasks")
def cancel_tasks() -> int:
    return drain(runs.cancel_tasks)


@shared_task(name="routing.jobs.catch_up")
def catch_up() -> int:
    return runs.catch_up()


@shared_task(name="routing.jobs.roll_up_visits")
def roll_up_visits() -> int:
    return drain(statistics.roll_up)


@shared_task(name="routing.jobs.purge_moves")
def purge_moves() -> int:
    return drain(pipeline.purge_moves)
