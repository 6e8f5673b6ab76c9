"""Reading the feed: what happened, in an order in which nothing is added behind one's back. And forgetting it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from django.db import router
from django.db.models import Exists, OuterRef, Q

from queues import conf
from queues.exceptions import FeedPurged
from queues.models import Event, FeedEntry, FeedMark, Membership, Queue, Task
from queues.querysets import is_operator
from queues.sequencer import sequence
from queues.states import CLOSING_EVENT
from queues.transactions import database_now, writer

PAGE, PAGE_MAX = 100, 1000
WINDOW = 10_000
"""How many places of the feed one look goes through, whatever it finds there."""

PURGE_BATCH = 1000


@dataclass(frozen=True)
class Look:
    """What was found, and the position behind what was looked through: to go on from, also where nothing was found.

    `more`: there is more behind it already.
    """

    entries: list[FeedEntry]
    position: int
    more: bool


def mark() -> FeedMark:
    """The feed's mark as it is, or as it will be made."""
    return FeedMark.objects.first() or FeedMark()


def look(
    user: Any,
    *,
    after: int | None = None,
    queue: Queue | None = None,
    types: Collection[str] = (),
    limit: int = PAGE,
) -> Look:
    """Events that the user may see behind a position (None: from the first one kept), after sequencing what is there.

    Operators see all, managers those of their queues, requesters those of their tasks. Raises FeedPurged.
    """
    sequence()
    feed = mark()
    if after is None:
        after = feed.purged_to
    elif after < feed.purged_to:
        raise FeedPurged(
            f"Events up to position {feed.purged_to} are not kept any more: read the present state, then go on there.",
            oldest=feed.purged_to,
        )
    after = min(after, feed.position)
    until = min(feed.position, after + WINDOW)
    entries = FeedEntry.objects.filter(position__gt=after, position__lte=until).select_related("event")
    if queue is not None:
        entries = entries.filter(queue_id=queue.pk)
    if types:
        entries = entries.filter(event__type__in=types)
    found = list(_visible(entries, user, queue).order_by("position")[:limit])
    position = found[-1].position if len(found) == limit else until
    return Look(found, position, position < feed.position)


def _visible(entries: Any, user: Any, queue: Queue | None) -> Any:
    if is_operator(user):
        return entries
    managed = Membership.objects.managers().filter(user=user)
    if queue is not None and managed.filter(queue=queue).exists():
        return entries
    own = Task.objects.filter(pk=OuterRef("event__task_id"), requester=user)
    return entries.filter(Q(queue_id__in=managed.values("queue")) | Q(Exists(own)))


@writer
def purge(*, limit: int = PURGE_BATCH, now: datetime | None = None) -> int:
    """Take up to `limit` places out of the feed that are older than events are kept, from its beginning; how many.

    With the event that closed a task, which is its last, the whole history of the task goes. Until then it is kept,
    and so is that of queues.
    """
    old = database_now(now) - timedelta(days=conf.events_kept_days())
    feed = FeedMark.objects.select_for_update(no_key=True, skip_locked=True).first()
    if feed is None:
        return 0
    first = FeedEntry.objects.order_by("position").values_list(
        "position", "sequenced_at", "event__type", "event__task_id"
    )[:limit]
    gone = list(takewhile(lambda place: place[1] < old, first))
    if gone:
        feed.purged_to = gone[-1][0]
        feed.save(update_fields=["purged_to"])
        FeedEntry.objects.filter(position__lte=feed.purged_to)._raw_delete(router.db_for_write(FeedEntry))
        closed = {task for _position, _at, type_, task in gone if type_ in CLOSING_EVENT.values()}
        Event.objects.filter(task_id__in=closed)._raw_delete(router.db_for_write(Event))
    return len(gone)
