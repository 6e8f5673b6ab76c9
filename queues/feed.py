"""Reading the feed: what happened, in an order in which nothing is added behind one's back. And forgetting it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Literal

from django.db import router
from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from queues import conf
from queues.exceptions import FeedAhead, FeedPurged
from queues.models import Event, EventPending, FeedEntry, FeedMark, Membership, Notification, Queue, Task
from queues.querysets import is_operator
from queues.sequencer import outlook
from queues.states import CLOSING_EVENT
from queues.transactions import database_now, writer

LATEST = "latest"
PAGE, PAGE_MAX = 100, 1000
WINDOW = 10_000
"""How many places of the feed, or of a queue's part of it, one look goes through, whatever it finds there."""

PURGE_BATCH = 1000
GRACE = timedelta(days=1)
"""For so long the purge waits for readers of the floors above, who would have to count all rows anew."""

HISTORY_BATCH = 5000
"""How many events one purge forgets."""


@dataclass(frozen=True)
class Mark:
    """The last position that was given, and the last that was purged."""

    position: int
    purged_to: int


@dataclass(frozen=True)
class Look:
    """What was found, and the position behind what was looked through: to go on from, also where nothing was found.

    `more`: there is more behind it already.
    """

    entries: list[FeedEntry]
    position: int
    more: bool


def mark() -> Mark:
    """How far the feed goes."""
    last = FeedEntry.objects.order_by("-position").values_list("position", flat=True).first()
    purged_to = _purged_to()
    return Mark(last or purged_to, purged_to)


def _purged_to() -> int:
    return FeedMark.objects.values_list("purged_to", flat=True).first() or 0


def whole_since() -> datetime | None:
    """The time since which no event was purged; None where none ever was."""
    return FeedMark.objects.values_list("purged_until", flat=True).first()


def look(
    user: Any,
    *,
    after: int | Literal["latest"] | None = None,
    queue: Queue | None = None,
    types: Collection[str] = (),
    limit: int = PAGE,
) -> Look:
    """Events that the user may see behind a position (None: from the first one kept), after sequencing what is there.

    Operators see all, managers those of their queues, requesters those of their tasks. Raises FeedPurged, FeedAhead.
    """
    left_pending = outlook.keep_up().full
    feed = mark()
    start = after if isinstance(after, int) else feed.position if after else feed.purged_to
    if start > feed.position:
        raise FeedAhead(
            f"The feed has come to position {feed.position} only: after={start} is of another one, or of a time that "
            "was taken back. Read the present state, then go on from the newest.",
            newest=feed.position,
        )
    entries = FeedEntry.objects.filter(position__gt=start)
    if queue is not None:
        entries = entries.filter(queue_id=queue.pk)
    until = _end_of_window(entries, start, feed.position, of_queue=queue is not None)
    entries = entries.filter(position__lte=until).select_related("event")
    if types:
        entries = entries.filter(event__type__in=types)
    found = list(_visible(entries, user).order_by("position")[:limit])
    # Asked last: what was purged before, the entries above may have lacked.
    purged_to = _purged_to()
    if start < purged_to:
        if after is None:
            return look(user, queue=queue, types=types, limit=limit)
        raise FeedPurged(
            f"Events up to position {purged_to} are not kept any more: read the present state, then go on there.",
            oldest=purged_to,
        )
    position = found[-1].position if len(found) == limit else until
    return Look(found, position, position < feed.position or left_pending)


def _end_of_window(entries: QuerySet[FeedEntry], start: int, end: int, *, of_queue: bool) -> int:
    """The position up to which one look goes through these entries."""
    if not of_queue:
        return min(end, start + WINDOW)
    if end - start <= WINDOW:
        return end
    last = list(entries.order_by("position").values_list("position", flat=True)[WINDOW - 1 : WINDOW])
    return min(end, last[0]) if last else end


def _visible(entries: QuerySet[FeedEntry], user: Any) -> QuerySet[FeedEntry]:
    if is_operator(user):
        return entries
    managed = Membership.objects.managers().filter(user=user).values("queue")
    # Beside an alternative PostgreSQL asks it of each entry in turn; alone it might begin with all tasks of the user.
    own = Exists(Task.objects.filter(pk=OuterRef("event__task_id"), requester=user))
    return entries.filter(Q(queue_id__in=managed) | Q(own, event__object_type="task"))


_readers: dict[str, Callable[[], int | None]] = {}


def keep_for(name: str, read: Callable[[], int | None]) -> None:
    """Let the purge wait for a reader on a floor above: `read` says up to which position it has come, None for none."""
    _readers[name] = read


def _read() -> int | None:
    """Up to where all readers that there are have come; None where there is none."""
    return min((position for read in _readers.values() if (position := read()) is not None), default=None)


@writer
def purge(*, limit: int = PURGE_BATCH, now: datetime | None = None) -> int:
    """Take up to `limit` places out of the feed that are older than events are kept, from its beginning.

    What a reader on a floor above (`keep_for`) has still to read stays a day longer.

    With the event that closed a task, which is its last, the whole history of the task goes, and so do its settings of
    who is told. Until then it is kept, and so is that of queues. How much was purged; 0: there is nothing more.
    """
    old = database_now(now) - timedelta(days=conf.events_kept_days())
    # Waited for: a busy sequencer would have it each time.
    feed = FeedMark.objects.select_for_update(no_key=True).first()
    if feed is None:
        return 0
    places = FeedEntry.objects.filter(position__gt=feed.purged_to).order_by("position")
    rows = places.values_list("position", "sequenced_at", "event__type", "event__task_id")[:limit]
    read = _read()
    gone = list(takewhile(lambda row: row[1] < (old if read is None or row[0] <= read else old - GRACE), rows))
    if not gone:
        return 0
    fitting, closed = _fitting(gone)
    if not fitting:
        # The history of one task is more than a batch: its beginning goes first.
        return _forget(closed, limit=HISTORY_BATCH)
    first, feed.purged_to = feed.purged_to, fitting[-1][0]
    feed.purged_until = max(at for _position, at, _type, _task in fitting)
    feed.save(update_fields=["purged_to", "purged_until"])
    entries = FeedEntry.objects.filter(position__gt=first, position__lte=feed.purged_to)
    entries._raw_delete(router.db_for_write(FeedEntry))
    Notification.objects.filter(task__in=closed)._raw_delete(router.db_for_write(Notification))
    _forget(closed)
    return len(fitting)


Row = tuple[int, datetime, str, int | None]


def _fitting(rows: list[Row]) -> tuple[list[Row], set[int | None]]:
    """As many of the first rows as one batch can forget the histories of, and the tasks whose they are.

    Where not even those of the first row fit: none, and its task.
    """
    closing = {task for _position, _at, type_, task in rows if type_ in CLOSING_EVENT.values()}
    sizes = dict(Event.objects.filter(task_id__in=closing).order_by().values_list("task_id").annotate(Count("id")))
    room, closed = HISTORY_BATCH, set[int | None]()
    for index, (_position, _at, type_, task) in enumerate(rows):
        if type_ in CLOSING_EVENT.values():
            room -= sizes[task]
            if room < 0:
                return rows[:index], closed if index else {task}
            closed.add(task)
    return rows, closed


def _forget(tasks: Collection[int | None], limit: int | None = None) -> int:
    """Delete the events of these tasks, oldest first; how many it was. None that a reader has still to see."""
    placed = Exists(FeedEntry.objects.filter(event=OuterRef("pk")))
    pending = Exists(EventPending.objects.filter(event=OuterRef("pk")))
    events = Event.objects.filter(~placed, ~pending, task_id__in=tasks)
    if limit is not None:
        events = Event.objects.filter(pk__in=list(events.order_by("id").values_list("pk", flat=True)[:limit]))
    return events._raw_delete(router.db_for_write(Event))
