"""What the clock does to the pool: Celery functions, each safe to run twice at once."""

from celery import shared_task

from pavilion import following, hiring, paying, pool, telling, work
from queues.jobs import drain


@shared_task(name="pavilion.jobs.sweep")
def sweep() -> int:
    return pool.sweep()


@shared_task(name="pavilion.jobs.release")
def release() -> int:
    return drain(work.release)


@shared_task(name="pavilion.jobs.hire")
def hire() -> int:
    return drain(hiring.work)


@shared_task(name="pavilion.jobs.pay")
def pay() -> int:
    return drain(paying.work)


@shared_task(name="pavilion.jobs.poll")
def poll() -> int:
    return hiring.poll()


@shared_task(name="pavilion.jobs.reconcile")
def reconcile() -> int:
    return hiring.reconcile()


@shared_task(name="pavilion.jobs.tell")
def tell() -> int:
    return telling.work()


@shared_task(name="pavilion.jobs.follow")
def follow() -> int:
    return following.follow()
