"""How many tasks a queue has of each topic and status, how many were handed out and how that ended: counted once, then
kept by events.

Each committed event has its place in the feed, or is pending, and one snapshot sees each exactly once. So what was
counted up to a position, with what the events behind that position and the pending ones say, is exact at every moment,
and no writer pays for it. The roll-up moves the position on; it may run anywhere, and twice at once.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Subquery, Sum
from django.db.models.functions import Coalesce

from assignments.models import Assignment, Census, CensusMark
from assignments.states import ENDING_EVENT, AssignmentStatus, EventType
from queues.models import Event, EventPending, FeedEntry, FeedMark, Queue, Task
from queues.rows import table
from queues.sequencer import outlook
from queues.states import MOVING_EVENT, TaskStatus
from queues.states import EventType as TaskEventType
from queues.transactions import writer

BATCH = 5000
"""How many places of the feed one transaction counts."""

LONG = 2000
"""Who finds so many changes that are not rolled up rolls some up."""

HANDS = (EventType.ASSIGNMENT_CREATED, *ENDING_EVENT.values())
"""What is counted of assignments: that they were handed out, and how they ended."""


@dataclass(frozen=True)
class Counts:
    """Topic → status → tasks, of which there are any; the type of an event in HANDS → assignments of which it tells."""

    tasks: dict[str, dict[str, int]] = field(default_factory=dict)
    hands: dict[str, int] = field(default_factory=dict)

    def by_status(self) -> dict[str, int]:
        """Status → tasks, for every status."""
        rows = self.tasks.values()
        return {status: sum(row.get(status, 0) for row in rows) for status in TaskStatus.values}


def of_queue(queue: Queue) -> Counts:
    """The numbers of one queue, exact at one moment. Looks at every row of it only while nothing is counted yet."""
    counted_to, rows = position(), []
    if counted_to is None:
        rows = _ask(_counted(), queue=queue.pk)
    else:
        rows = _ask(_kept(), queue=queue.pk, least=counted_to)
        if _purged_to() > counted_to:
            # Between the two statements: places that they needed may have been among what was purged.
            rows = _ask(_counted(), queue=queue.pk)
        if sum(changes for *_row, changes in rows) >= LONG:
            catch_up()
    counts = Counts()
    for topic, what, n, _changes in rows:
        if what in HANDS:
            counts.hands[what] = int(n)
        elif n:
            counts.tasks.setdefault(topic, {})[what] = int(n)
    return Counts(dict(sorted(counts.tasks.items())), counts.hands)


@dataclass(frozen=True)
class Kept:
    """The census as it was rolled up last: queue id → status, or type in HANDS → how many; and how many places of the
    feed came since, of which it does not know yet.
    """

    counts: dict[int, dict[str, int]]
    behind: int


def kept() -> Kept | None:
    """All queues as the roll-up left them, with one look at the few rows of the census; None before the first roll-up.

    No number of what is counted of assignments ever falls from one look to the next.
    """
    position = CensusMark.objects.values_list("position", flat=True).first()
    if position is None:
        return None
    last = FeedEntry.objects.order_by("-position").values_list("position", flat=True).first() or position
    counts: dict[int, dict[str, int]] = {}
    for queue_id, what, n in Census.objects.order_by().values_list("queue_id", "what").annotate(Sum("n")):
        counts.setdefault(queue_id, {})[what] = int(n)
    return Kept(counts, max(0, last - position))


def catch_up() -> int:
    """Give what is pending its places, and roll up; how many places it was."""
    outlook.keep_up()
    return roll_up()


def count_anew() -> None:
    """Count all rows, whatever was counted before. Who asks meanwhile waits for nobody, and counts for themselves."""
    CensusMark.objects.update(position=None)
    roll_up()


def roll_up(*, limit: int = BATCH) -> int:
    """Count up to `limit` further places of the feed; the first time, all rows. How many places it was.

    0 as well where somebody else is at it.
    """
    if not CensusMark.objects.exists():
        CensusMark.objects.get_or_create(pk=CensusMark.ONLY)
    return _roll_up(limit=limit)


@writer
def _roll_up(*, limit: int) -> int:
    mark = CensusMark.objects.select_for_update(no_key=True, skip_locked=True).first()
    if mark is None:
        return 0
    last = FeedEntry.objects.order_by("-position").values_list("position", flat=True).first() or _purged_to()
    if mark.position is None:
        _count_anew(last)
        return 0
    first, end = mark.position, min(last, mark.position + limit)
    if first < end:
        _add(_effects(_placed("<= %(end)s")), least=first, end=end)
        CensusMark.objects.update(position=end)
    # Asked last: what was purged before, the places above may have lacked.
    if _purged_to() > first:
        _count_anew(last)
    return max(0, end - first)


def _count_anew(position: int) -> None:
    """Let the census be what all rows say, less what events behind this position and pending ones will add to it."""
    Census.objects.all().delete()
    later = f"{_effects(_placed())} UNION ALL {_effects(_PENDING)}"
    _add(f"{_rows('')} UNION ALL SELECT queue_id, topic, what, -n FROM ({later}) later", least=position)
    CensusMark.objects.update(position=position)


def position() -> int | None:
    """How far the census counts; None where it does not, or where places were purged before they were counted."""
    purged_to = Coalesce(Subquery(FeedMark.objects.values("purged_to")[:1]), 0)
    return CensusMark.objects.filter(position__gte=purged_to).values_list("position", flat=True).first()


def _purged_to() -> int:
    return FeedMark.objects.values_list("purged_to", flat=True).first() or 0


def _ask(text: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, values)
        return cursor.fetchall()


def _add(numbers: str, **values: Any) -> None:
    """Add rows (queue_id, topic, what, n) to the census."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
INSERT INTO {table(Census)} (queue_id, topic, what, n)
SELECT queue_id, topic, what, sum(n) FROM ({numbers}) numbers GROUP BY queue_id, topic, what HAVING sum(n) <> 0
ON CONFLICT (queue_id, topic, what) DO UPDATE SET n = {table(Census)}.n + excluded.n""",
            values,
        )


def _rows(of: str) -> str:
    """(queue_id, topic, what, n) as the rows of tasks and assignments have it. `of`: a condition on queue_id.

    What ended and what is live has an index each, and none has both.
    """
    return f"""
SELECT queue_id, topic, status AS what, count(*) AS n FROM {table(Task)} WHERE true {of}
GROUP BY queue_id, topic, status
UNION ALL SELECT queue_id, '', 'ASSIGNMENT_' || status, count(*) FROM {table(Assignment)}
WHERE status <> '{AssignmentStatus.CREATED}' {of} GROUP BY queue_id, status
UNION ALL SELECT queue_id, '', '{EventType.ASSIGNMENT_CREATED}', count(*) FROM (
  SELECT queue_id FROM {table(Assignment)} WHERE status <> '{AssignmentStatus.CREATED}' {of}
  UNION ALL SELECT queue_id FROM {table(Assignment)} WHERE status = '{AssignmentStatus.CREATED}' {of}
) handed_out GROUP BY queue_id"""


_PENDING = f"{table(EventPending)} pending", "pending", "true"
"""Events that are pending: rows with their ids, the name of these rows, a condition."""


def _placed(until: str = "> 0", more: str = "") -> tuple[str, str, str]:
    """The same of events in the feed, behind the position `least`."""
    return f"{table(FeedEntry)} place", "place", f"place.position > %(least)s AND place.position {until} {more}"


def _effects(source: tuple[str, str, str], of: str = "") -> str:
    """(queue_id, topic, what, n) of what each of these events adds, and takes away. `of`: a condition on queue_id.

    Events from before they told so much (their `was` and `topic`) have no effect, now and ever.
    """
    rows, name, condition = source
    moving, hands = (", ".join(f"'{type_}'" for type_ in types) for types in (MOVING_EVENT.values(), HANDS))
    if connection.vendor == "postgresql":
        # Each by its id: joined, all events may be gone through beside the few that are pending.
        events = f"CROSS JOIN LATERAL (SELECT * FROM {table(Event)} WHERE id = {name}.event_id OFFSET 0) event"
        said = "(event.delta ->> '{}')"
    else:
        events = f"JOIN {table(Event)} event ON event.id = {name}.event_id"
        said = "json_extract(event.delta, '$.{}')"
    names = ("status", "was", "topic", "topic_was", "task_status")
    status, was, topic, topic_was, task_status = map(said.format, names)
    taken, updated = EventType.ASSIGNMENT_CREATED, TaskEventType.TASK_UPDATED
    return f"""
SELECT queue_id, topic, what, n FROM (
  SELECT event.queue_id, way.n,
    CASE WHEN way.hand = 1 THEN '' WHEN event.type = '{updated}' AND way.n < 0 THEN {topic_was} ELSE {topic} END
      AS topic,
    CASE WHEN way.hand = 1 THEN event.type
      WHEN event.type = '{taken}' THEN
        CASE WHEN {task_status} = '{TaskStatus.ASSIGNED}'
          THEN CASE WHEN way.n > 0 THEN '{TaskStatus.ASSIGNED}' ELSE '{TaskStatus.AVAILABLE}' END END
      WHEN event.type = '{updated}' OR way.n > 0 THEN {status} ELSE {was} END AS what
  FROM {rows} {events}
    JOIN (SELECT 1 AS n, 0 AS hand UNION ALL SELECT -1, 0 UNION ALL SELECT 1, 1) way
      ON CASE WHEN way.hand = 1 THEN event.type IN ({hands})
        ELSE event.type IN ({moving}, '{taken}', '{updated}') END
  WHERE {condition}
) effects WHERE topic IS NOT NULL AND what IS NOT NULL {of}"""


_OF_ONE = "AND queue_id = %(queue)s"
_BEHIND_THE_MARK = f"> (SELECT position FROM {table(CensusMark)})"
"""Between two statements the mark may move on, so it is read again; but a plan is made for the place known before."""


@cache
def _kept() -> str:
    """(topic, what, n, changes) of one queue: the census and what events say since; of how many changes."""
    census = f"SELECT queue_id, topic, what, n, 0 AS change FROM {table(Census)} WHERE true {_OF_ONE}"
    places = _placed(_BEHIND_THE_MARK, "AND place.queue_id = %(queue)s")
    later = f"{_effects(places)} UNION ALL {_effects(_PENDING, _OF_ONE)}"
    return f"""
SELECT topic, what, sum(n), sum(change) FROM ({census} UNION ALL SELECT later.*, 1 FROM ({later}) later) numbers
GROUP BY topic, what"""


@cache
def _counted() -> str:
    """The same by all rows of the queue."""
    return f"SELECT topic, what, n, 0 FROM ({_rows(_OF_ONE)}) numbers"


def differing() -> Any:
    """Where the census, with what events say since, is not what all rows say."""
    kept = f"""SELECT queue_id, topic, what, n FROM {table(Census)}
UNION ALL {_effects(_placed(_BEHIND_THE_MARK))} UNION ALL {_effects(_PENDING)}
UNION ALL SELECT queue_id, topic, what, -n FROM ({_rows("")}) counted"""
    return Census.objects.raw(
        f"""
SELECT min(queue_id) AS id, queue_id, topic, what, sum(n) AS n FROM ({kept}) numbers
WHERE EXISTS (SELECT 1 FROM {table(CensusMark)} WHERE position IS NOT NULL)
GROUP BY queue_id, topic, what HAVING sum(n) <> 0""",
        {"least": 0},
    )
