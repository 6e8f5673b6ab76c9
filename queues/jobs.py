"""What the clock does: Celery functions, each safe to run twice at once, each a loop over small transactions."""

from collections.abc import Callable

from celery import shared_task

from queues import batches, deliveries, feed, idempotency, lifecycle, owners

BATCHES = 20
"""The most batches one tick works through; the next tick goes on."""


def drain(sweep: Callable[[], int]) -> int:
    """Run a sweep until it finds nothing more or its share of the tick is used; how many rows it changed."""
    changed = 0
    for _ in range(BATCHES):
        batch = sweep()
        changed += batch
        if not batch:
            break
    return changed


@shared_task(name="queues.jobs.release_scheduled")
def release_scheduled() -> int:
    return drain(lifecycle.release_scheduled)


@shared_task(name="queues.jobs.expire_tasks")
def expire_tasks() -> int:
    return drain(lifecycle.expire_tasks)


@shared_task(name="queues.jobs.drain_archived")
def drain_archived() -> int:
    return drain(lifecycle.cancel_archived)


@shared_task(name="queues.jobs.purge_idempotency")
def purge_idempotency() -> int:
    return drain(idempotency.purge)


@shared_task(name="queues.jobs.give_up_deliveries")
def give_up_deliveries() -> int:
    return drain(deliveries.give_up)


@shared_task(name="queues.jobs.tell_owners")
def tell_owners() -> int:
    return drain(owners.tell)


@shared_task(name="queues.jobs.purge_feed")
def purge_feed() -> int:
    return drain(feed.purge)


@shared_task(name="queues.jobs.purge_deliveries")
def purge_deliveries() -> int:
    return drain(deliveries.purge)


@shared_task(name="queues.jobs.run_batches")
def run_batches() -> int:
    return drain(batches.work)


@shared_task(name="queues.jobs.purge_batches")
def purge_batches() -> int:
    return drain(batches.purge)
