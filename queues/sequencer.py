"""Giving events their places in the feed, and writing down who is to be told of them.

Events commit in any order: ids and times are given out before, so neither tells a reader what may still come. Each
event therefore commits with a pending row. The sequencer, alone under the lock of the feed's mark, moves the pending
rows that it can see into the feed, at positions that rise by one, and commits. What commits later, under however low
an id, gets a later position; a transaction that is left open anywhere holds up nothing but its own events. Within one
object events keep their order, for its row was locked from one event to the next.

It may run anywhere and as often as one likes: a courier does it all the time, a read of the feed does it too.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Least

from queues import bodies
from queues.merging import Settings
from queues.models import Delivery, Endpoint, Event, EventPending, FeedEntry, FeedMark, Notification
from queues.transactions import database_now, writer

logger = logging.getLogger(__name__)

BATCH = 500
GIVE_UP_AFTER = timedelta(hours=72)


@dataclass(frozen=True)
class Sequenced:
    """How many events got their places, the highest id among them (0: none), whether there were as many as allowed."""

    count: int = 0
    highest: int = 0
    full: bool = False


def sequence(*, above: int = 0, limit: int = BATCH, now: datetime | None = None) -> Sequenced:
    """Give up to `limit` pending events their places; nothing where somebody else is at it.

    `above`: pass by events up to this id. Behind a transaction that is open elsewhere the rows that are gone stay in
    the index, and a look from its beginning reads them all; a caller that looks all the time looks from where it was,
    and from the beginning now and then.
    """
    if not EventPending.objects.filter(event_id__gt=above).exists():
        return Sequenced()
    if not FeedMark.objects.exists():
        FeedMark.objects.get_or_create(pk=FeedMark.ONLY)
    return _sequence(above=above, limit=limit, now=now)


@writer
def _sequence(*, above: int, limit: int, now: datetime | None) -> Sequenced:
    mark = FeedMark.objects.select_for_update(no_key=True, skip_locked=True).first()
    if mark is None:
        return Sequenced()
    pending = EventPending.objects.filter(event_id__gt=above).select_related("event").order_by("event_id")[:limit]
    events = [row.event for row in pending]
    if not events:
        return Sequenced()
    now = database_now(now)
    FeedEntry.objects.bulk_create(
        [
            FeedEntry(position=position, event=event, queue_id=event.queue_id, sequenced_at=now)
            for position, event in enumerate(events, mark.position + 1)
        ]
    )
    FeedMark.objects.update(position=mark.position + len(events))
    _address(events, now=now)
    EventPending.objects.filter(pk__in=[event.pk for event in events]).delete()
    return Sequenced(len(events), events[-1].pk, len(events) == limit)


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
    endpoints.filter(due_at__isnull=False).update(due_at=Least("due_at", now))
    endpoints.filter(due_at__isnull=True).update(due_at=now)


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
    moment = at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": type_, "timestamp": moment, "data": data}, ensure_ascii=False, separators=(",", ":"))


def _shown(object_type: str, ids: set[int]) -> dict[int, dict[str, Any]]:
    """Objects as the API shows them. Where that fails, the message says only which object: the feed must go on."""
    try:
        with transaction.atomic():
            return bodies.render(object_type, ids)
    except Exception:
        logger.exception("Objects of type %s could not be rendered; their notifications name them only.", object_type)
        return {}
