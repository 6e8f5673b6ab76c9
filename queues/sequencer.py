"""Giving events their places in the feed, and writing down who is to be told of them.

Events commit in any order: ids and times are given out before, so neither tells a reader what may still come. Each
event therefore commits with a pending row. The sequencer, alone under the lock of the feed's mark, moves the pending
rows that it can see into the feed, at positions that rise by one, and commits. What commits later, under however low
an id, gets a later position; a transaction that is left open anywhere holds up nothing but its own events. Within one
task, and one object, events keep their order, for its row was locked from one event to the next.

It may run anywhere and as often as one likes: a courier does it all the time, a read of the feed does it too.
"""

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connection, transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from queues import bodies, copying, moments
from queues.merging import Settings
from queues.models import Delivery, Endpoint, Event, EventPending, FeedEntry, FeedMark, Notification
from queues.transactions import database_now, writer

logger = logging.getLogger(__name__)

BATCH = 2_000
GIVE_UP_AFTER = timedelta(hours=72)

LATE = 2.0
"""Seconds that a transaction may take without being late for a process that does not look from the head."""

HEAD_SHARE = 0.05
"""The share of its time that a process spends on looks from the head, where they are slow."""

HEAD_PAUSE = 5.0
"""Seconds after which it looks from the head however slow that is."""


@dataclass(frozen=True)
class Sequenced:
    """How many events got their places, the highest id among them (0: none), whether there were as many as allowed."""

    count: int = 0
    highest: int = 0
    full: bool = False


def sequence(*, above: int = 0, limit: int = BATCH, now: datetime | None = None) -> Sequenced:
    """Give up to `limit` pending events their places; nothing where somebody else is at it.

    `above`: pass by events up to this id, but for those that come before one that is taken.
    """
    return _begin(_first(above), limit=limit, now=now)


class Outlook:
    """From where this process looks for what is pending.

    Mostly from the head. But while PostgreSQL keeps a transaction open that began long ago, in whatever database of
    the cluster, rows that are gone stay in the index, and a look from its head reads them all: 300 ms for a million.
    Where such looks get slow they become rare, and those between them pass by what this process sequenced LATE seconds
    ago. Only an event whose transaction took longer may then wait for the next look from the head.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._above = self._soon_above = self._highest = 0
        self._raised = self._head_at = float("-inf")

    def keep_up(self) -> Sequenced:
        """Sequence what is there."""
        began = monotonic()
        from_the_head = connection.vendor != "postgresql" or began >= self._head_at
        above = 0 if from_the_head else self._above
        first = _first(above)
        if from_the_head:
            took = monotonic() - began
            self._head_at = began + took + min(HEAD_PAUSE, took / HEAD_SHARE)
        done = _begin(first)
        with self._lock:
            self._highest = max(self._highest, done.highest)
            if monotonic() - self._raised >= LATE:
                self._above, self._soon_above, self._raised = self._soon_above, self._highest, monotonic()
        return done


outlook = Outlook()
"""That of this process."""


def _pending(since: int) -> QuerySet[EventPending, int]:
    """The ids of pending events from one on."""
    return EventPending.objects.filter(event_id__gte=since).order_by("event_id").values_list("pk", flat=True)


def _first(above: int) -> int | None:
    return _pending(above + 1).first()


def _begin(first: int | None, *, limit: int = BATCH, now: datetime | None = None) -> Sequenced:
    """Sequence from the first pending event on: what is gone before it was read once, without the lock."""
    if first is None:
        return Sequenced()
    if not FeedMark.objects.exists():
        FeedMark.objects.get_or_create(pk=FeedMark.ONLY)
    return _sequence(since=first, limit=limit, now=now)


@writer
def _sequence(*, since: int, limit: int, now: datetime | None) -> Sequenced:
    mark = FeedMark.objects.select_for_update(no_key=True, skip_locked=True).first()
    if mark is None:
        return Sequenced()
    events = _next(since, limit)
    if _pass_by_earlier(events):
        events = _next(0, limit)
    if not events:
        return Sequenced()
    now = database_now(now)
    last = FeedEntry.objects.order_by("-position").values_list("position", flat=True).first() or mark.purged_to
    _place(events, after=last, now=now)
    _address(events, now=now)
    EventPending.objects.filter(pk__in=[event.pk for event in events]).delete()
    return Sequenced(len(events), events[-1].pk, len(events) == limit)


def _place(events: Sequence[Event], *, after: int, now: datetime) -> None:
    places = [
        {"position": position, "event_id": event.pk, "queue_id": event.queue_id, "sequenced_at": now}
        for position, event in enumerate(events, after + 1)
    ]
    if copying.is_worth(len(places)):
        copying.copy(FeedEntry, list(places[0]), places)
    else:
        FeedEntry.objects.bulk_create([FeedEntry(**place) for place in places])


def _next(since: int, limit: int) -> list[Event]:
    # Two statements: joined, PostgreSQL may go through all events along their ids beside a few that are pending.
    ids = list(_pending(since)[:limit])
    found = Event.objects.defer("delta").in_bulk(ids)
    return [found[pk] for pk in ids]


def _pass_by_earlier(events: Sequence[Event]) -> bool:
    """Whether one that is pending comes before one of these in its task, or in its object: its transaction was late.

    It is enough to ask of each task's last event before: had it a place, so had all before it. They are looked up one
    by one, first among the events and then among the pending ones, so that no row that is gone is read in passing.
    """
    suspects = {pk for pk in _before(events) if pk is not None}
    return bool(suspects) and EventPending.objects.filter(pk__in=suspects).exists()


def _before(events: Sequence[Event]) -> Iterable[int | None]:
    """The ids of the last events before these in their tasks; of those without a task, in their objects."""
    tasks = {event.task_id: event.pk for event in reversed(events) if event.task_id is not None}
    objects = {(event.object_type, event.object_id): event.pk for event in reversed(events) if event.task_id is None}
    in_task = Event.objects.filter(task_id=OuterRef("task_id"), id__lt=OuterRef("id")).order_by("-id")
    in_object = Event.objects.filter(
        object_type=OuterRef("object_type"), object_id=OuterRef("object_id"), sequence__lt=OuterRef("sequence")
    ).order_by("-sequence")
    for firsts, earlier in ((tasks, in_task), (objects, in_object)):
        if firsts:
            rows = Event.objects.filter(pk__in=firsts.values()).order_by()
            yield from rows.values_list(Subquery(earlier.values("pk")[:1]), flat=True)


def _address(events: Sequence[Event], *, now: datetime) -> None:
    """Write the deliveries of these events."""
    settings = Settings(events)
    told = [(event, setting) for event in events for setting in settings.wanting(event)]
    if not told:
        return
    rendered = _bodies({event.pk: event for event, _setting in told}.values())
    # The row lock makes whoever takes deliveries of this endpoint wait for these, or us for the end of their look.
    endpoints = Endpoint.objects.filter(pk__in={setting.endpoint_id for _event, setting in told})
    list(endpoints.order_by("pk").select_for_update(no_key=True).values_list("pk"))
    Delivery.objects.bulk_create([delivery(setting, event, rendered[event.pk], now=now) for event, setting in told])
    endpoints.filter(Q(due_at__isnull=True) | Q(due_at__gt=now)).update(due_at=now)


def delivery(setting: Notification, event: Event, body: str, *, now: datetime) -> Delivery:
    """A delivery that is due at once; nothing is saved."""
    return Delivery(
        event_id=event.pk,
        endpoint=setting.endpoint,
        notification_id=setting.pk,
        type=event.type,
        queue_id=event.queue_id,
        task_id=event.task_id,
        headers=setting.headers,
        body=body,
        next_try_at=now,
        give_up_at=now + GIVE_UP_AFTER,
        created_at=now,
    )


def _bodies(events: Collection[Event]) -> dict[int, str]:
    """Event id → the text that is sent: the objects as the API shows them now."""
    ids: dict[str, set[int]] = defaultdict(set)
    for event in events:
        ids[event.object_type].add(event.object_id)
    shown = {object_type: _shown(object_type, wanted) for object_type, wanted in ids.items()}
    return {
        event.pk: message(
            event.type,
            {**shown[event.object_type].get(event.object_id, {"id": event.object_id}), "sequence": event.sequence},
            at=event.created_at,
        )
        for event in events
    }


def message(type_: str, data: dict[str, Any], *, at: datetime) -> str:
    """The text of a webhook: `{"type", "timestamp", "data"}`, as the Standard Webhooks specification has it."""
    whole = {"type": type_, "timestamp": moments.show(at), "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def _shown(object_type: str, ids: set[int]) -> dict[int, dict[str, Any]]:
    """Objects as the API shows them. Where that fails, the message says only which object: the feed must go on."""
    try:
        with transaction.atomic():
            return bodies.render(object_type, ids)
    except Exception:
        logger.exception("Objects of type %s could not be rendered; their notifications name them only.", object_type)
        return {}
