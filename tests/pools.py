"""Pools, sessions and workers that tests are about. Operators are mia, who manages the queue, and olga, who may all."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from pavilion import pool, pools, sessions, workers
from pavilion.models import Pool, Project, Seat, Session, Worker
from queues.models import Queue
from tests import cast

LIMITS = {"min_waiting": 1, "min_active": 1, "max_waiting": 3, "max_active": 2}

NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0)
"""A time to reckon from in tests that pass the time in."""


def after(seconds: float) -> Any:
    """So many seconds after NOON."""
    return NOON + timedelta(seconds=seconds)


def make(name: str = "pool", *, queue: Queue | None = None, **fields: Any) -> Pool:
    """A pool of mia's for the queue `digits`, made where there is none."""
    queue = queue or Queue.objects.filter(name="digits").first() or cast.queue("digits")
    mia = cast.person("mia")
    project = Project.objects.first() or pools.create_project(name="Study", actor=mia)
    given = {"name": name, "title": "Read digits", **LIMITS, **fields}
    return pools.create_pool(project=project, queue=queue, fields=given)


def post(pool: Pool | None = None, *, now: Any = None, **fields: Any) -> Session:
    """A live session of this pool, or of a new one with these fields."""
    return sessions.post(pool_id=(pool or make(**fields)).pk, actor=cast.person("mia"), now=now)


def worker(name: str, session: Session) -> Worker:
    """The worker `name`, who may work in the session's queues."""
    of = session.pool
    queues = [queue for queue in (of.queue, of.backlog_queue) if queue is not None]
    return workers.admit(marketplace=of.marketplace, external_id=name, name=name, queues=queues)


def join(session: Session, name: str, *, now: Any = None, **how: Any) -> Seat:
    """The seat of the worker `name`, who joins."""
    return pool.join(session_id=session.pk, worker=worker(name, session), now=now, **how)


def fresh(row: Any) -> Any:
    """The row as it is in the database now."""
    return type(row).objects.get(pk=row.pk)


def statuses(session: Session) -> dict[str, str]:
    """Worker's name → the status of their latest seat in the session."""
    rows = Seat.objects.filter(session=session).order_by("pk").values_list("worker__name", "status")
    return dict(rows)
