"""Answering, skipping and extending in one statement each.

The task is locked first (behind the membership, where a next task is wanted), which guards all that is live under it.
Then the assignment's row is changed where it is live and in time by the clock as it is after the lock. Where no row
was, nothing is done, and the portable way says why.
"""

from functools import cache
from typing import Any

from assignments.models import Assignment, Exclusion
from assignments.statements.claiming import (
    CREATED,
    Way,
    access,
    answer,
    choose,
    door,
    held,
    may,
    moment,
    take,
    tell,
)
from queues.models import Task
from queues.rows import table
from queues.statements import Statement
from queues.states import TaskStatus

ENDED = ("status", "expire_at", "ended_at", "sequence")
"""The fields of an assignment with which the statements of this module answer."""


def _locked(also: str, after: str = "") -> str:
    """CTEs: the assignment's task, `locked` (after `after`, a condition), and the time from then on."""
    return f"""
locked AS MATERIALIZED (
  SELECT task.id, task.expire_at, task.status, task.open_slots FROM {table(Task)} task
  WHERE task.id = (SELECT task_id FROM {table(Assignment)} WHERE id = %(assignment)s::bigint)
    AND task.status IN ('AVAILABLE', 'ASSIGNED') {also} {after}
  FOR NO KEY UPDATE OF task
),
clock AS MATERIALIZED (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now FROM locked)"""


_LIVE = "coalesce(own.status = 'CREATED', false)"
"""Said so that no index of live rows fits: it looks shorter than that of all rows, and has an entry of each that was
live since somebody holds a transaction open.
"""


def _end(status: str, data: str, counted: str) -> str:
    """A CTE that ends the assignment, `ended`, where it is live and in time."""
    return f"""
ended AS (
  UPDATE {table(Assignment)} own SET status = '{status}', ended_at = clock.now, data = {data}, live_slot = NULL,
    counted = {counted}, sequence = own.sequence + 1
  FROM clock WHERE own.id = %(assignment)s::bigint AND {_LIVE}
    AND (own.expire_at IS NULL OR own.expire_at > clock.now)
  RETURNING own.id, own.task_id, own.reviewer_id, {", ".join(f"own.{name}" for name in ENDED)}
)"""


_FINISH = f"""{_end("FINISHED", "%(data)s::jsonb", "true")},
closed AS (
  UPDATE {table(Task)} task SET status = 'FINISHED', output_data = %(data)s::jsonb, reviewer_id = %(user)s,
    open_slots = 0, updated_at = ended.ended_at, sequence = task.sequence + 1
  FROM ended WHERE task.id = ended.task_id RETURNING task.id, task.sequence, task.topic, task.updated_at
)"""


def closes_alone(assignment: Assignment) -> bool:
    """Whether its answer is the only one that its task needs, and nobody above waits for it. That never changes."""
    return assignment.task.judgments_required == 1 and not assignment.task.has_hook


def note_answer(assignment: Assignment, data: Any, ended: tuple[Any, ...]) -> None:
    """Bring objects in line with what the statement wrote; `ended` has the values of ENDED."""
    note_end(assignment, ended)
    assignment.data, assignment.counted = data, True
    task = assignment.task
    task.status, task.output_data, task.open_slots, task.sequence = TaskStatus.FINISHED, data, 0, task.sequence + 1
    task.reviewer, task.updated_at = assignment.reviewer.user, ended[ENDED.index("ended_at")]


def note_end(assignment: Assignment, ended: tuple[Any, ...]) -> None:
    """The same for any end."""
    assignment.status, assignment.expire_at, assignment.ended_at, assignment.sequence = ended
    assignment.live_slot = assignment.counted = None


_ALONE = "AND task.judgments_required = 1 AND NOT task.has_hook"
"""The tasks that one answer closes, and that nobody above waits for."""

_FINISHED = """
  SELECT 1 AS n, 'ASSIGNMENT_FINISHED' AS type, 'assignment' AS object_type, id AS object_id, task_id, sequence,
    '{"status": "FINISHED", "task_status": "FINISHED", "open_slots": 0}'::jsonb AS delta, ended_at AS at
  FROM ended
  UNION ALL SELECT 2, 'TASK_FINISHED', 'task', id, id, sequence,
    jsonb_build_object('status', 'FINISHED', 'was', 'ASSIGNED', 'topic', topic), updated_at
  FROM closed"""

_OF_ENDED = ", ".join(f"ended.{name}" for name in ENDED)


@cache
def finalize() -> Statement:
    """An answer that is the only one its task needs. No row: nothing was done."""
    return Statement(f"WITH {_locked(_ALONE)}, {_FINISH}, {tell(_FINISHED)} SELECT {_OF_ENDED} FROM ended")


@cache
def finalize_and_grab(way: Way) -> Statement:
    """The same, and the next work of that queue. In the last columns null: nothing was done."""
    parts = (
        access(),
        _locked(_ALONE, "AND (SELECT count(*) FROM access) >= 0"),
        _FINISH,
        door(),
        held("AND live.id <> (SELECT id FROM ended)"),
        may(way, "AND EXISTS (SELECT FROM ended)"),
        choose(way),
        take(),
        tell(f"{_FINISHED} UNION ALL {CREATED}"),
    )
    return Statement(f"WITH {', '.join(parts)} {answer(way, f', {_OF_ENDED}')}")


@cache
def skip() -> Statement:
    """Hand a task back for so many `seconds`, or for ever. No row: nothing was done."""
    until = "ended.ended_at + %(seconds)s::int * interval '1 second'"
    history = f"""
  SELECT 1 AS n, 'ASSIGNMENT_SKIPPED' AS type, 'assignment' AS object_type, ended.id AS object_id, ended.task_id,
    ended.sequence, jsonb_build_object('status', 'SKIPPED', 'task_status', reopened.status,
      'open_slots', reopened.open_slots, 'until', {moment(until)}) AS delta, ended.ended_at AS at
  FROM ended CROSS JOIN reopened
  UNION ALL SELECT 2, 'TASK_AVAILABLE', 'task', id, id, sequence,
    jsonb_build_object('status', status, 'open_slots', open_slots, 'was', 'ASSIGNED', 'topic', topic), updated_at
  FROM reopened WHERE open_slots = 1"""
    return Statement(f"""WITH {_locked("")}, {_end("SKIPPED", "NULL", "NULL")},
kept_away AS (
  INSERT INTO {table(Exclusion)} (task_id, reviewer_id, until)
  SELECT ended.task_id, ended.reviewer_id, {until} FROM ended
  ON CONFLICT (task_id, reviewer_id) DO UPDATE SET until = excluded.until
),
reopened AS (
  UPDATE {table(Task)} task SET status = 'AVAILABLE', open_slots = task.open_slots + 1, updated_at = ended.ended_at,
    sequence = task.sequence + CASE WHEN task.open_slots = 0 THEN 1 ELSE 0 END
  FROM ended WHERE task.id = ended.task_id
  RETURNING task.id, task.status, task.open_slots, task.sequence, task.topic, task.updated_at
),
{tell(history)}
SELECT {_OF_ENDED}, reopened.status, reopened.open_slots, reopened.sequence
FROM ended CROSS JOIN reopened""")


@cache
def extend() -> Statement:
    """Move the end of a lease to so many `seconds` from now. No row: nothing was done, as where it would end sooner."""
    history = f"""
  SELECT 1 AS n, 'ASSIGNMENT_EXTENDED' AS type, 'assignment' AS object_type, moved.id AS object_id, moved.task_id,
    moved.sequence, jsonb_build_object('status', 'CREATED', 'task_status', locked.status,
      'open_slots', locked.open_slots, 'reviewer', moved.reviewer_id, 'expire_at', {moment("moved.expire_at")})
      AS delta, clock.now AS at
  FROM moved CROSS JOIN locked CROSS JOIN clock"""
    return Statement(f"""WITH {_locked("")},
ending AS MATERIALIZED (
  SELECT least(locked.expire_at, clock.now + %(seconds)s::int * interval '1 second') AS at
  FROM locked CROSS JOIN clock
),
moved AS (
  UPDATE {table(Assignment)} own SET expire_at = ending.at, sequence = own.sequence + 1
  FROM clock, ending WHERE own.id = %(assignment)s::bigint AND {_LIVE} AND own.expire_at > clock.now
    AND own.expire_at < ending.at
  RETURNING own.id, own.task_id, own.reviewer_id, own.expire_at, own.sequence
),
{tell(history)}
SELECT expire_at, sequence FROM moved""")
