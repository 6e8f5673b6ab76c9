"""What waits to be delivered, and for whom: the rows that the measures of webhooks begin with, made by SQL."""

import time
from collections.abc import Sequence
from typing import Any

import psycopg

HANGING, HANGING_ROWS = 100, 1000

_ROWS = """
INSERT INTO crowd_queues_delivery
  (endpoint_id, type, queue_id, task_id, headers, body, status, tries, tries_before, next_try_at, give_up_at,
   created_at)
SELECT endpoint, 'TASK_FINISHED', %(queue)s, %(task)s, '', %(body)s, 'WAITING', 0, 0,
  now() - interval '1 minute', now() + interval '71 hours', now() - interval '1 minute'
FROM generate_series(1, %(rows)s), unnest(%(endpoints)s::bigint[]) endpoint
"""


class Outbox:
    """The deliveries of one database, and what is switched on and off between two measures."""

    def __init__(self, database: str, *, queue: int, task: int, body: str) -> None:
        self.connection = psycopg.connect(database, autocommit=True)
        self.row = {"queue": queue, "task": task, "body": body}

    def execute(self, statement: str, **given: Any) -> Sequence[Any]:
        done = self.connection.execute(statement, given)
        return done.fetchall() if done.description else []

    def fill(self, endpoints: Sequence[int], rows: int) -> None:
        """So many deliveries that are due for each of these endpoints, of which nothing is taken before `start`."""
        self.execute(_ROWS, rows=rows, endpoints=list(endpoints), **self.row)

    def settle(self) -> None:
        """What autovacuum does after a while, and nothing of the filling left for the disk to do."""
        self.execute("VACUUM ANALYZE crowd_queues_delivery")
        self.execute("CHECKPOINT")

    def start(self, endpoints: Sequence[int], *, proven: bool) -> float:
        """Let the courier find what waits for these endpoints; the time just before."""
        at = time.time()
        self.execute(
            "UPDATE crowd_queues_endpoint SET due_at = now(), proven = %(proven)s, disabled_at = NULL,"
            " disabled_reason = '', failing_since = NULL, rests_until = NULL WHERE id = ANY(%(endpoints)s)",
            endpoints=list(endpoints),
            proven=proven,
        )
        return at

    def stop(self, endpoints: Sequence[int]) -> None:
        """Switch endpoints off."""
        self.execute(
            "UPDATE crowd_queues_endpoint SET disabled_at = now(), disabled_reason = 'operator', told_at = now()"
            " WHERE id = ANY(%(endpoints)s)",
            endpoints=list(endpoints),
        )

    def undelivered(self, endpoints: Sequence[int]) -> bool:
        """Whether anything is not written down as delivered yet."""
        ((waiting,),) = self.execute(
            "SELECT EXISTS (SELECT FROM crowd_queues_delivery WHERE endpoint_id = ANY(%(endpoints)s)"
            " AND status IN ('WAITING', 'FIRST_TRY', 'RETRY'))",
            endpoints=list(endpoints),
        )
        return waiting

    def commits(self, type_: str, queue: int, *, since: float) -> dict[int, float]:
        """Task → when the transaction with its event of this type was committed, by the database's own record."""
        rows = self.execute(
            "SELECT task_id, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM crowd_queues_event"
            " WHERE type = %(type)s AND queue_id = %(queue)s AND created_at >= to_timestamp(%(since)s)",
            type=type_,
            queue=queue,
            since=since,
        )
        return dict(rows)
