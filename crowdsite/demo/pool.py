"""The demo's pool: a few places for people who stand by to read digits, and a session of it that is live."""

from decimal import Decimal
from typing import Any

from pavilion import pools, sessions
from pavilion.exceptions import SessionLive
from pavilion.models import Pool, Session
from queues.models import Queue

PROJECT = "demo"
POOL = "digits-pool"

WAITING = """\
Thank you for standing by. **You are paid for waiting**, by the second. You may do something else meanwhile: leave this
page open, with the sound on.

As soon as somebody leaves you are called. Say within thirty seconds that you are there.
"""

WORK = """\
Each picture shows **one handwritten digit**. Choose the digit that its writer meant.

Stop whenever you like: **Submit** ends your work, and it is paid.
"""

FIELDS: dict[str, Any] = {
    "title": "Read handwritten digits",
    "description": "Stand by for a few minutes and read digits when you are called. You are paid for both.",
    "keywords": "digits, handwriting, images",
    "waiting_instructions": WAITING,
    "work_instructions": WORK,
    "min_waiting": 1,
    "min_active": 1,
    "max_waiting": 30,
    "max_active": 10,
    # Whoever tries the pool out should see soon what silence leads to.
    "heartbeat_seconds": 30,
    "posting_seconds": 14 * 24 * 3600,
    "budget": Decimal(500),
}


def make(*, queue: Queue, owner: Any) -> Pool:
    """The pool, in a project of this owner's."""
    project = pools.create_project(name=PROJECT, description="For trying the pool out.", actor=owner)
    return pools.create_pool(project=project, queue=queue, fields={"name": POOL, **FIELDS})


def find() -> Pool | None:
    """The demo's pool, where the site has it."""
    return Pool.objects.filter(project__name=PROJECT, name=POOL).first()


def post(pool: Pool) -> Session | None:
    """Put it to work; None: it is at work already.

    By nobody, so that a site without a mail server does not print a letter each time that a place is open.
    """
    try:
        return sessions.post(pool_id=pool.pk)
    except SessionLive:
        return None
