"""Databases with very many tasks, open and closed, which they make themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

QUEUE = "work"
TOPICS = 10
TARGETED = 5
"""One in so many open tasks is for the first reviewer, where a backlog has targets."""

PEOPLE = """
INSERT INTO auth_user (username, email, password, is_superuser, is_staff, is_active, first_name, last_name, date_joined)
SELECT 'reviewer' || i, 'reviewer' || i || '@example.org', '', false, false, true, '', '', now()
FROM generate_series(1, %(people)s) i ORDER BY i;
INSERT INTO crowd_assignments_reviewer (user_id, created_at)
SELECT id, now() FROM auth_user WHERE username LIKE 'reviewer%%' ORDER BY id;
INSERT INTO crowd_queues_membership (queue_id, user_id, role, strategy, created_at)
SELECT %(queue)s, id, 'reviewer', '{}', now() FROM auth_user WHERE username LIKE 'reviewer%%' ORDER BY id
"""

CLOSED = """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, reviewer_id, input_data, output_data, status, created_at, updated_at, topic, priority,
   global_keys, judgments_required, open_slots, has_hook, sequence)
SELECT %(queue)s, %(requester)s, %(first)s + i %% %(people)s, jsonb_build_object('n', i), '"cat"', 'FINISHED',
  now() - interval '30 days', now() - interval '30 days', 'topic-' || i %% %(topics)s,
  CASE WHEN i %% 7 = 0 THEN 100 ELSE 500 END, '[]', 1, 0, false, 3
FROM generate_series(1, %(count)s) i ORDER BY i;
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, expire_at, ended_at, data, reason, live_slot, counted, sequence)
SELECT task.id, task.queue_id, reviewer.id, 'FINISHED', task.created_at, task.created_at + interval '1 hour',
  task.created_at + interval '1 minute', '"cat"', '', NULL, true, 2
FROM crowd_queues_task task JOIN crowd_assignments_reviewer reviewer ON reviewer.user_id = task.reviewer_id
ORDER BY task.id
"""

OPEN = """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, input_data, status, created_at, updated_at, topic, priority, target_reviewer_id,
   global_keys, judgments_required, open_slots, has_hook, sequence)
SELECT %(queue)s, %(requester)s, jsonb_build_object('n', i, 'text', 'Task number ' || i), 'AVAILABLE', now(), now(),
  'topic-' || i / %(every)s %% %(topics)s, CASE WHEN i %% 7 = 0 THEN 100 ELSE 500 END,
  CASE WHEN %(targets)s AND i %% %(every)s = 0 THEN %(first)s::bigint END, '[]', 1, 1, false, 2
FROM generate_series(1, %(count)s) i ORDER BY i
"""

EXCLUDE = """
INSERT INTO crowd_assignments_exclusion (task_id, reviewer_id, until)
SELECT id, %(reviewer)s, NULL FROM crowd_queues_task
WHERE queue_id = %(queue)s AND status = 'AVAILABLE' AND target_reviewer_id IS NULL ORDER BY priority, id LIMIT %(count)s
ON CONFLICT DO NOTHING
"""

SIZES = """
SELECT relname, pg_relation_size(oid) FROM pg_class
WHERE relname LIKE 'crowd%%' AND relkind = 'r' AND pg_relation_size(oid) > 0
UNION ALL SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes
WHERE relname LIKE 'crowd%%' AND pg_relation_size(indexrelid) > 8192
"""


@dataclass(frozen=True)
class Backlog:
    """A database with one queue and its reviewers, whose ids follow one another from the first."""

    url: str
    queue: int
    requester: int
    user: int
    reviewer: int
    membership: int
    people: int

    def execute(self, text: str, **values: Any) -> list[tuple[Any, ...]]:
        """The rows of the last statement of a text, which does not wait for the disk."""
        known = {
            "queue": self.queue,
            "requester": self.requester,
            "first": self.user,
            "people": self.people,
            "topics": TOPICS,
            "every": TARGETED,
        }
        with psycopg.connect(self.url, autocommit=True) as connection:
            # Filling skips what checks each row's foreign keys: they come from these statements.
            connection.execute("SET synchronous_commit = off")
            connection.execute("SET session_replication_role = replica")
            for statement in text.split(";"):
                found = connection.execute(statement, known | values)
            return found.fetchall() if found.description else []

    @property
    def open(self) -> int:
        """How many tasks are available."""
        ((number,),) = self.execute(
            "SELECT count(*) FROM crowd_queues_task WHERE queue_id = %(queue)s AND status = 'AVAILABLE'"
        )
        return number

    def close(self, count: int) -> None:
        """Put so many closed tasks, each with its answer, behind those that are open."""
        self.execute(CLOSED, count=count)

    def fill(self, count: int, *, targets: bool = False) -> None:
        """Bring the available tasks up to so many, and leave nothing to do for autovacuum and the disk."""
        missing = count - self.open
        if missing > 0:
            self.execute(OPEN, count=missing, targets=targets)
        self.settle()

    def settle(self) -> None:
        """What autovacuum and the checkpointer do after a while."""
        self.execute("VACUUM ANALYZE; CHECKPOINT")

    def exclude(self, reviewer: int, count: int) -> None:
        """Make the first tasks, in the site's order, none of this reviewer's."""
        self.execute(EXCLUDE, reviewer=reviewer, count=count)

    def sizes(self) -> dict[str, int]:
        """Table or index → its bytes."""
        return dict(self.execute(SIZES))


def prepare(url: str, people: int) -> Backlog:
    """Make the queue and its reviewers in the database that this process's Django is set to."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    from assignments.models import Reviewer
    from benchmarks.crowd import SCHEMA
    from queues import administration
    from queues.models import Membership

    call_command("migrate", verbosity=0)
    operator = get_user_model()._default_manager.create_superuser("operator", "operator@example.org", "secret")
    queue = administration.create_queue(name=QUEUE, actor=operator, fields={"output_schema": SCHEMA})
    with connection.cursor() as cursor:
        for statement in PEOPLE.split(";"):
            cursor.execute(statement, {"people": people, "queue": queue.pk})
    first = Membership.objects.reviewers().filter(queue=queue).order_by("pk")[0]
    reviewer = Reviewer.objects.get(user=first.user_id)
    connection.close()
    return Backlog(url, queue.pk, operator.pk, first.user_id, reviewer.pk, first.pk, people)


def address(url: str, name: str) -> str:
    """The address of another database of the same server."""
    return url.rsplit("/", 1)[0] + "/" + name


@contextmanager
def copied(backlog: Backlog, name: str) -> Iterator[Backlog]:
    """A copy of a database that nobody is connected to; it is dropped at the end."""
    with psycopg.connect(address(backlog.url, "template1"), autocommit=True) as server:
        source = backlog.url.rsplit("/", 1)[1]
        server.execute(f"CREATE DATABASE {name} TEMPLATE {source}".encode())
        try:
            yield Backlog(**{**vars(backlog), "url": address(backlog.url, name)})
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
