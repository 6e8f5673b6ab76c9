"""Handing tasks out in one statement.

What holds it together:

- The membership is locked first, then tasks, then what is inserted: the lock order of claims.py. A revocation waits.
- Rows are locked in a CTE of their own, which is read once, and lazily: no more is locked than is taken.
- LIMIT is a literal, for an unknown one is planned as a tenth of the table. Whether somebody judged or skipped a task
  is asked for each task that is looked at: as an anti-join it may become a hash of all that they skipped. And what is
  planned as if nearly nothing were left, such as IS NULL, or <> where one person posts all, has everything sorted:
  coalesce() leaves half.
- Nothing is decided by a count: what another request of the same reviewer did meanwhile is met by a unique violation.
- The time is asked for after what is waited for is locked.
- It does nothing where a lease has lapsed or a scheduled task is due, and says that it is behind.

A look begins at a place (see queues.places); the row comparison makes it a condition of the index.
"""

from dataclasses import dataclass
from functools import cache

from django.contrib.auth import get_user_model

from assignments.models import Assignment, Exclusion, Reviewer
from queues.models import Event, EventPending, Membership, Queue, Task
from queues.places import Rank
from queues.rows import table
from queues.statements import Statement
from queues.strategy import Policy

TASK = tuple(field for field in Task._meta.concrete_fields if field.name not in ("output_data", "reviewer"))
"""The fields of an open task that are read: the others are null."""

OWN = ("id", "task_id", "status", "created_at", "expire_at", "live_slot", "sequence")
"""The columns of a live assignment that are read."""


@dataclass(frozen=True)
class Way:
    """In which order tasks are looked at. `several`: whether more than one may be held."""

    order: str
    priority_order: str
    has_topic: bool
    own_too: bool
    several: bool

    @classmethod
    def of(cls, policy: Policy, *, own_too: bool) -> "Way":
        """`own_too`: whether reviewers may judge what they posted."""
        return cls(policy.order, policy.priority_order, policy.topic is not None, own_too, policy.multitask_index > 1)

    @property
    def key(self) -> tuple[str, ...]:
        """What the index is ordered by, behind the queue."""
        if self.priority_order == "no":
            return ("task.id",)
        is_plain = (self.order == "fifo") == (self.priority_order == "important_first")
        return ("task.priority", "task.id" if is_plain else "(0 - task.id)")

    @property
    def is_backward(self) -> bool:
        """Whether the index is read from its end."""
        return self.order == "lifo" if self.priority_order == "no" else self.priority_order == "important_last"

    def ordering(self) -> str:
        direction = " DESC" if self.is_backward else ""
        return ", ".join(f"{part}{direction}" for part in self.key)

    def from_place(self, name: str) -> str:
        """The condition of what is at a place or behind it; `place` has its values."""
        kinds = ("int", "bigint")[-len(self.key) :]
        values = [f"%({name}_{number})s::{kind}" for number, kind in enumerate(kinds)]
        return f"({', '.join(self.key)}) {'<=' if self.is_backward else '>='} ({', '.join(values)})"

    def place(self, name: str, rank: Rank) -> dict[str, int]:
        """The values that `from_place` asks for."""
        sign = -1 if self.is_backward else 1
        return {f"{name}_{number}": sign * part for number, part in enumerate(rank[-len(self.key) :])}

    def rank(self, key: list[int]) -> Rank:
        """The rank of what has these values of `key`."""
        sign = -1 if self.is_backward else 1
        return (sign * key[0] if len(key) == 2 else 0, sign * key[-1])


def moment(value: str) -> str:
    """A time as an event's delta has it: as Python's isoformat() writes it in UTC."""
    text = f"""to_char(({value}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24":"MI":"SS.US')"""
    return f"replace({text}, '.000000', '') || '+00:00'"


def tell(history: str) -> str:
    """CTEs that write rows (n, type, object_type, object_id, task_id, sequence, delta, at) as events."""
    return f"""
told AS (
  INSERT INTO {table(Event)}
    (type, object_type, object_id, queue_id, task_id, actor, sequence, delta, created_at)
  SELECT type, object_type, object_id, %(queue)s::bigint, task_id, %(actor)s::text, sequence, delta, at
  FROM ({history}) history ORDER BY n, object_id RETURNING id
),
pending AS (INSERT INTO {table(EventPending)} (event_id) SELECT id FROM told)"""


def access() -> str:
    """A CTE of who asks: a row with the reviewer where this user may review, locked until the end."""
    is_active = get_user_model()._meta.get_field("is_active")
    # A user model may have it from a parent with a table of its own, whose key is the same.
    person = is_active.model
    return f"""
access AS MATERIALIZED (
  SELECT reviewer.id AS reviewer, reviewer.created_at AS since
  FROM {table(Membership)} member JOIN {table(person)} person ON person."{person._meta.pk.column}" = member.user_id
    LEFT JOIN {table(Reviewer)} reviewer ON reviewer.user_id = member.user_id
  WHERE member.queue_id = %(queue)s::bigint AND member.user_id = %(user)s AND member.role = 'reviewer'
    AND person."{is_active.column}"
  FOR KEY SHARE OF member
)"""


CLOCK = "clock AS MATERIALIZED (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now FROM access)"
"""The CTE of the time at which the reviewer came in."""


def door() -> str:
    """CTEs: how the queue is at the time of `clock` (`door`, if somebody may come in), whether sweeps are `behind`."""
    return f"""
door AS MATERIALIZED (
  SELECT queue.is_paused, queue.archived_at IS NOT NULL AS is_archived, clock.now, access.reviewer, access.since
  FROM access CROSS JOIN clock CROSS JOIN {table(Queue)} queue WHERE queue.id = %(queue)s::bigint
),
behind AS MATERIALIZED (
  SELECT EXISTS (
    SELECT FROM {table(Assignment)} lapsed WHERE lapsed.queue_id = %(queue)s::bigint AND lapsed.status = 'CREATED'
      AND lapsed.expire_at > %(swept_to)s::timestamptz AND lapsed.expire_at <= (SELECT now FROM door)
  ) OR EXISTS (
    SELECT FROM {table(Task)} due WHERE due.queue_id = %(queue)s::bigint AND due.status = 'SCHEDULED'
      AND due.schedule_to > %(swept_to)s::timestamptz AND due.schedule_to <= (SELECT now FROM door)
      AND (due.expire_at IS NULL OR due.expire_at > (SELECT now FROM door))
  ) AS yes FROM door
)"""


def held(but: str = "") -> str:
    """A CTE of what the reviewer holds of the queue."""
    return f"""
held AS MATERIALIZED (
  SELECT live.id, live.task_id, live.live_slot FROM {table(Assignment)} live
  WHERE live.queue_id = %(queue)s::bigint AND live.reviewer_id = (SELECT reviewer FROM door)
    AND live.live_slot IS NOT NULL {but}
)"""


def _fits(way: Way) -> str:
    own = "" if way.own_too else "AND coalesce(task.requester_id <> %(user)s, true)"
    return f"""
    AND (task.expire_at IS NULL OR task.expire_at > (SELECT now FROM door)) {own}
    AND coalesce((SELECT false FROM {table(Assignment)} judged
      WHERE judged.task_id = task.id AND judged.reviewer_id = (SELECT reviewer FROM door) AND judged.counted), true)
    AND coalesce((SELECT excluded.until <= (SELECT now FROM door) IS TRUE FROM {table(Exclusion)} excluded
      WHERE excluded.task_id = task.id AND excluded.reviewer_id = (SELECT reviewer FROM door)), true)"""


def _available(whose: str, *more: str) -> str:
    conditions = ["task.queue_id = %(queue)s::bigint", "task.status = 'AVAILABLE'", whose, *filter(None, more)]
    return f"FROM {table(Task)} task WHERE {' AND '.join(conditions)}"


_ANYONES = "task.target_reviewer_id IS NULL"
_MINE = "task.target_reviewer_id IS NOT NULL AND task.target_reviewer_id = %(user)s"


def _topic(way: Way) -> str:
    return "task.topic = %(topic)s::text" if way.has_topic else ""


def may(way: Way, gate: str = "") -> str:
    """CTEs: a row where any task may be taken (`may`), and the slots that are free for them, numbered (`free`)."""
    most = "%(most)s::int" if way.several else "1"
    return f"""
may AS MATERIALIZED (
  SELECT FROM door, behind WHERE reviewer IS NOT NULL AND NOT is_paused AND NOT is_archived AND NOT behind.yes
    AND (SELECT count(*) FROM held) < {most} {gate}
),
free AS MATERIALIZED (
  SELECT slot, row_number() OVER (ORDER BY slot) AS n FROM generate_series(1, {most}) slot
  WHERE slot NOT IN (SELECT live_slot FROM held) ORDER BY slot LIMIT greatest(0, {most} - (SELECT count(*) FROM held))
)"""


def choose(way: Way) -> str:
    """CTEs: the tasks to take (`chosen`, locked, numbered), and where the first available one is (`head`)."""
    limit = 10 if way.several else 1
    gate, topic = "EXISTS (SELECT FROM may)", _topic(way)
    order = f"ORDER BY {way.ordering()} LIMIT {limit} FOR NO KEY UPDATE OF task SKIP LOCKED"
    keys = ", ".join(f"{part}::bigint AS key_{number}" for number, part in enumerate(way.key))
    return f"""
mine AS MATERIALIZED (SELECT task.id {_available(_MINE, topic, gate)} {_fits(way)} {order}),
anyones AS MATERIALIZED (
  SELECT task.id {_available(_ANYONES, topic, gate, way.from_place("own"))} {_fits(way)} {order}
),
chosen AS MATERIALIZED (
  SELECT id, row_number() OVER () AS n
  FROM (SELECT id FROM mine UNION ALL SELECT id FROM anyones) both_kinds LIMIT (SELECT count(*) FROM free)
),
head AS MATERIALIZED (
  SELECT {keys} {_available(_ANYONES, topic, way.from_place("head"))} ORDER BY {way.ordering()} LIMIT 1
)"""


def chosen_one(way: Way) -> str:
    """The same for one task that was named."""
    named, whose = "task.id = %(task)s::bigint", f"({_ANYONES} OR {_MINE})"
    return f"""
chosen AS MATERIALIZED (
  SELECT task.id, 1 AS n {_available(named, whose, "EXISTS (SELECT FROM may)")} {_fits(way)}
  FOR NO KEY UPDATE OF task SKIP LOCKED
),
head AS (SELECT NULL::bigint AS key_0, NULL::bigint AS key_1)"""


def take() -> str:
    """CTEs that hand the chosen tasks out: `took` (tasks), `made` (assignments)."""
    columns = ", ".join(f'task."{field.column}"' for field in TASK)
    return f"""
took AS (
  UPDATE {table(Task)} task SET open_slots = task.open_slots - 1, updated_at = door.now,
    status = CASE WHEN task.open_slots = 1 THEN 'ASSIGNED' ELSE 'AVAILABLE' END
  FROM chosen, door WHERE task.id = chosen.id RETURNING chosen.n AS taken_as, {columns}
),
made AS (
  INSERT INTO {table(Assignment)}
    (task_id, queue_id, reviewer_id, status, created_at, expire_at, reason, live_slot, counted, sequence)
  SELECT took.id, %(queue)s::bigint, door.reviewer, 'CREATED', door.now,
    least(took.expire_at, coalesce(%(lease_until)s::timestamptz, door.now + %(lease)s::int * interval '1 second')),
    '', free.slot, true, 1
  FROM took JOIN free ON free.n = took.taken_as CROSS JOIN door ORDER BY free.slot
  RETURNING {", ".join(OWN)}
)"""


CREATED = f"""
  SELECT 3 AS n, 'ASSIGNMENT_CREATED' AS type, 'assignment' AS object_type, made.id AS object_id, made.task_id,
    1 AS sequence,
    jsonb_build_object('status', 'CREATED', 'task_status', took.status, 'open_slots', took.open_slots,
      'reviewer', door.reviewer, 'expire_at', {moment("made.expire_at")}, 'topic', took.topic) AS delta,
    made.created_at AS at
  FROM made JOIN took ON took.id = made.task_id CROSS JOIN door"""
"""The history of what `made` holds."""


def answer(way: Way, more: str = "") -> str:
    """What the statement answers with: a row for each assignment that the reviewer holds now, at least one.

    `more`: further columns, of a row of `ended`.
    """
    tasks = ", ".join(f'task."{field.column}"' for field in TASK)
    own = ", ".join(f"own.{column} AS own_{column}" for column in OWN)
    keys = ", ".join(f"head.key_{number}" for number, _part in enumerate(way.key))
    return f"""
SELECT door.is_paused, door.is_archived, behind.yes, door.reviewer, door.since, door.now, ARRAY[{keys}],
  extract(epoch FROM clock_timestamp() - door.now)::float8, given.* {more}
FROM (SELECT) one LEFT JOIN door ON true LEFT JOIN behind ON true LEFT JOIN head ON true LEFT JOIN (
  SELECT true AS is_new, {own}, {tasks} FROM made own JOIN took task ON task.id = own.task_id
  UNION ALL SELECT false, {own}, {tasks} FROM held JOIN {table(Assignment)} own ON own.id = held.id
    JOIN {table(Task)} task ON task.id = own.task_id
  WHERE own.expire_at IS NULL OR own.expire_at > (SELECT now FROM door)
) given ON true {"LEFT JOIN ended ON true" if more else ""}"""


def _together(*parts: str) -> Statement:
    *ctes, ending = parts
    return Statement(f"WITH {', '.join(ctes)} {ending}")


@cache
def grab(way: Way) -> Statement:
    """What a reviewer holds comes back, new tasks fill up."""
    return _together(access(), CLOCK, door(), held(), may(way), choose(way), take(), tell(CREATED), answer(way))


@cache
def assign(way: Way) -> Statement:
    """The same with one task that was named."""
    return _together(access(), CLOCK, door(), held(), may(way), chosen_one(way), take(), tell(CREATED), answer(way))
