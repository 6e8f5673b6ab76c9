"""A site as it is after weeks of work: one queue with very many tasks, and others. The database makes it itself."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection

from queues import administration
from queues.models import Queue, Task
from queues.states import Role

BIG = "million"
SCHEMA = {"title": "Which animal is it?", "enum": ["cat", "dog", "bird", "fish", "horse", "other"]}
REVIEWERS = 200
OTHER_QUEUES = 40
DAYS = 30

_PEOPLE = """
INSERT INTO auth_user (username, email, password, is_superuser, is_staff, is_active, first_name, last_name, date_joined)
SELECT 'reviewer' || i, 'reviewer' || i || '@example.org', '', false, false, true, '', '', now()
FROM generate_series(1, %(reviewers)s) i;
INSERT INTO crowd_assignments_reviewer (user_id, created_at)
SELECT id, now() FROM auth_user WHERE username LIKE 'reviewer%%';
INSERT INTO crowd_queues_membership (queue_id, user_id, role, strategy, created_at)
SELECT q.id, u.id, 'reviewer', '{}', now()
FROM crowd_queues_queue q, auth_user u WHERE u.username LIKE 'reviewer%%';
"""

# Of a hundred tasks one was canceled, one is scheduled and twelve were answered, one in ten of them after a skip and
# one in fifty after a lease that ended; nearly as many as there are reviewers are in somebody's hands.
_TASKS = """
INSERT INTO crowd_queues_task
  (queue_id, requester_id, reviewer_id, input_data, output_data, status, created_at, updated_at, schedule_to, topic,
   priority, global_keys, judgments_required, open_slots, has_hook, sequence)
SELECT %(queue)s, %(requester)s, CASE WHEN status = 'FINISHED' THEN person END,
  jsonb_build_object('n', i, 'text', 'Task number ' || i), CASE WHEN status = 'FINISHED' THEN '"cat"'::jsonb END,
  status, made, made, CASE WHEN status = 'SCHEDULED' THEN now() + interval '30 days' END, 'topic-' || i %% 20,
  CASE WHEN i %% 7 = 0 THEN 100 ELSE 500 END, jsonb_build_array(%(queue)s || '-' || i), 1,
  CASE WHEN status IN ('AVAILABLE', 'SCHEDULED') THEN 1 ELSE 0 END, false, 3
FROM (
  SELECT i, now() - %(days)s * interval '1 day' * (1 - i / (%(tasks)s + 1.0)) AS made, users.id AS person,
    CASE WHEN i %% 100 = 0 THEN 'CANCELED' WHEN i %% 100 = 1 THEN 'SCHEDULED' WHEN i %% 100 < 14 THEN 'FINISHED'
      ELSE 'AVAILABLE' END AS status
  FROM generate_series(1, %(tasks)s) i
  JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM auth_user WHERE username LIKE 'reviewer%%') users
    ON users.place = i %% %(reviewers)s
  ORDER BY i
) tasks;
"""

_KEYS = """
INSERT INTO crowd_queues_globalkey (task_id, key) SELECT id, global_keys ->> 0 FROM crowd_queues_task ORDER BY id;
"""

_ENDED = """
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, expire_at, ended_at, data, reason, live_slot, counted, sequence)
SELECT task.id, task.queue_id, reviewer.id, made.status, made.handed, made.handed + interval '1 hour',
  made.handed + CASE made.status WHEN 'EXPIRED' THEN interval '1 hour'
    ELSE (5 + task.id %% 60) * interval '1 second' END,
  CASE made.status WHEN 'FINISHED' THEN '"cat"'::jsonb END, '', NULL, CASE made.status WHEN 'FINISHED' THEN true END, 2
FROM crowd_queues_task task
JOIN crowd_assignments_reviewer reviewer ON reviewer.user_id = task.reviewer_id
CROSS JOIN LATERAL (
  SELECT 'SKIPPED' AS status, task.created_at + interval '1 minute' AS handed WHERE task.id %% 10 = 0
  UNION ALL SELECT 'EXPIRED', task.created_at + interval '3 minutes' WHERE task.id %% 50 = 7
  UNION ALL SELECT 'FINISHED', task.created_at + interval '64 minutes'
) made
WHERE task.status = 'FINISHED' ORDER BY made.handed;
"""

_HELD = """
WITH held AS (
  SELECT task.id, reviewer.id AS reviewer_id, task.queue_id FROM (
    SELECT id, queue_id, row_number() OVER () AS place FROM (
      SELECT id, queue_id FROM crowd_queues_task WHERE queue_id = %(queue)s AND status = 'AVAILABLE'
      ORDER BY priority, id LIMIT %(reviewers)s - 10) first
  ) task
  JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM crowd_assignments_reviewer) reviewer USING (place)
), taken AS (
  UPDATE crowd_queues_task SET status = 'ASSIGNED', open_slots = 0 WHERE id IN (SELECT id FROM held) RETURNING id
)
INSERT INTO crowd_assignments_assignment
  (task_id, queue_id, reviewer_id, status, created_at, expire_at, reason, live_slot, counted, sequence)
SELECT id, queue_id, reviewer_id, 'CREATED', now(), now() + interval '1 hour', '', 1, true, 1 FROM held;
"""

_EVENTS = """
INSERT INTO crowd_queues_event (type, object_type, object_id, queue_id, task_id, actor, sequence, delta, created_at)
SELECT type, object, id, queue_id, task_id, '', sequence, '{"status": "AVAILABLE"}', at FROM (
  SELECT 'TASK_CREATED' AS type, 'task' AS object, id, queue_id, id AS task_id, 1 AS sequence, created_at AS at
  FROM crowd_queues_task
  UNION ALL SELECT 'ASSIGNMENT_CREATED', 'assignment', id, queue_id, task_id, 1, created_at
  FROM crowd_assignments_assignment
  UNION ALL SELECT 'ASSIGNMENT_' || status, 'assignment', id, queue_id, task_id, 2, ended_at
  FROM crowd_assignments_assignment WHERE ended_at IS NOT NULL
) happened ORDER BY at;
"""


@dataclass(frozen=True)
class Crowd:
    """What was made: the operator (a superuser who manages every queue), the big queue, and its `tasks`."""

    operator: Any
    big: Queue
    tasks: int


def fill(*, tasks: int, reviewers: int = REVIEWERS) -> Crowd:
    """Fill an empty PostgreSQL database with a queue of so many tasks and forty others with a thousandth each."""
    users = get_user_model()._default_manager
    operator = users.create_superuser("operator", "operator@example.org", "secret")
    big, others = (
        administration.create_queue(name=BIG, actor=operator, fields={"output_schema": SCHEMA}),
        [administration.create_queue(name=f"queue-{n}", actor=operator, fields={}) for n in range(OTHER_QUEUES)],
    )
    given = {"requester": operator.pk, "reviewers": reviewers, "days": DAYS, "role": Role.REVIEWER}
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for statement in filter(str.strip, _PEOPLE.split(";")):
            cursor.execute(statement, given)
        for queue, count in ((big, tasks), *((queue, tasks // 1000) for queue in others)):
            cursor.execute(_TASKS, {**given, "queue": queue.pk, "tasks": count})
        cursor.execute(_KEYS)
        cursor.execute(_ENDED, [])
        cursor.execute(_HELD, {**given, "queue": big.pk})
        cursor.execute(_EVENTS, [])
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SET synchronous_commit = on")
    return Crowd(operator=operator, big=big, tasks=Task.objects.count())
