"""What must always be true of the outbox, the feed, and who is told."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import Coalesce, Lag

from queues import conf
from queues.invariants.registry import invariant
from queues.invariants.telling import purged_until
from queues.models import Delivery, Endpoint, Event, EventPending, FeedEntry, FeedMark, Membership, Notification, Task
from queues.querysets import is_operator
from queues.rows import table
from queues.states import UNDELIVERED, Level, Merging, Role
from queues.transactions import database_now


@invariant
def every_event_is_pending_or_has_its_place() -> QuerySet[Any, Any]:
    """An event is pending, or has its place in the feed, or had it and was purged from there."""
    pending = Exists(EventPending.objects.filter(event=OuterRef("pk")))
    placed = Exists(FeedEntry.objects.filter(event=OuterRef("pk")))
    lost = ~pending & ~placed & Q(created_at__gt=purged_until())
    return Event.objects.filter(Q(pending, placed) | lost)


@invariant
def what_is_pending_happened() -> QuerySet[Any, Any]:
    """A pending row is an event's."""
    return EventPending.objects.filter(~Exists(Event.objects.filter(pk=OuterRef("event_id"))))


@invariant
def the_feed_has_no_gap() -> QuerySet[Any, Any]:
    """Positions rise by one, from the last that was purged."""
    purged_to = Coalesce(Subquery(FeedMark.objects.values("purged_to")[:1]), 0)
    before = Window(Lag("position"), order_by="position")
    return FeedEntry.objects.annotate(before=Coalesce(before, purged_to)).exclude(position=F("before") + 1)


@invariant
def the_feed_keeps_the_order_of_a_task() -> QuerySet[Any, Any]:
    """The events of a task have their places in the order in which they happened."""
    before = Window(Lag("event_id"), partition_by=F("event__task_id"), order_by="position")
    return (
        FeedEntry.objects.filter(event__task_id__isnull=False).annotate(before=before).filter(before__gt=F("event_id"))
    )


@invariant
def no_delivery_is_due_before_its_endpoint() -> QuerySet[Any, Any]:
    """While something waits for an endpoint, that knows when the first of it is due, or an earlier time."""
    unknown = Q(endpoint__due_at__isnull=True) | Q(endpoint__due_at__gt=F("next_try_at"))
    return Delivery.objects.filter(unknown, status__in=UNDELIVERED)


COUNTED = 1000
"""How many events that nobody was told of are counted."""

_ARMS = {
    # Whose setting it is; what of the settings nearer to the task may have silenced it; who may see what it tells.
    Level.TASK: ("setting.task_id = event.task_id", "false", "own OR manages"),
    Level.QUEUE: ("setting.queue_id = event.queue_id", "nearer.task_id = event.task_id", "manages OR operates"),
    Level.SITE: ("true", "nearer.task_id = event.task_id OR nearer.queue_id = event.queue_id", "operates"),
}


@invariant
def every_event_was_told() -> Any:
    """An event that was asked for has its delivery, which is delivered, was given up, or waits.

    That can be said of events whose place was given a minute or more after the setting, and those that may silence it,
    were last changed, and the endpoint was switched on; and after the first end of a delivery that is still kept. Who
    is active, and whom a permission lets operate, is known as of now.
    """
    old = database_now() - timedelta(days=conf.deliveries_kept_days())
    operators = _operators() or [0]
    values: dict[str, Any] = {"old": connection.ops.adapt_datetimefield_value(old)}
    values |= {f"operator{number}": pk for number, pk in enumerate(operators)}
    operates = f"endpoint.id IN ({', '.join(f'%(operator{number})s' for number in range(len(operators)))})"
    arms = [_untold(level, *arm, operates=operates) for level, arm in _ARMS.items()]
    return Event.objects.raw(f"{' UNION '.join(arms)} LIMIT {COUNTED}", values)


def _operators() -> list[int]:
    """The endpoints of the site's and of queues' settings whose owners operate the site."""
    settings = Notification.objects.exclude(level=Level.TASK).values("endpoint")
    endpoints = list(Endpoint.objects.filter(pk__in=settings).select_related("owner"))
    operating = {owner.pk: is_operator(owner) for owner in {endpoint.owner for endpoint in endpoints}}
    return [endpoint.pk for endpoint in endpoints if operating[endpoint.owner_id]]


def _untold(level: Level, of: str, silencing: str, seen_by: str, *, operates: str) -> str:
    """Events of which an endpoint was not told that a setting of this level asks for."""
    if connection.vendor == "postgresql":
        lately = "place.sequenced_at - interval '1 minute'"
        asked = "setting.events_to_notify @> to_jsonb(event.type)"
    else:
        lately = "datetime(place.sequenced_at, '-1 minute')"
        asked = "EXISTS (SELECT 1 FROM json_each(setting.events_to_notify) asked WHERE asked.value = event.type)"
    users: Any = get_user_model()._meta
    try:
        active = f"owner.{connection.ops.quote_name(users.get_field('is_active').column)}"
    except FieldDoesNotExist:
        active = "true"
    own = f"""event.object_type = 'task' AND endpoint.owner_id = (
      SELECT requester_id FROM {table(Task)} task WHERE task.id = event.task_id)"""
    manages = f"""EXISTS (SELECT 1 FROM {table(Membership)} member WHERE member.queue_id = event.queue_id
      AND member.user_id = endpoint.owner_id AND member.role = '{Role.MANAGER}' AND member.created_at < {lately})"""
    ways = {"own": own, "manages": manages, "operates": operates}
    may_see = " OR ".join(f"({ways[way]})" for way in seen_by.split(" OR "))
    return f"""
SELECT event.* FROM {table(Notification)} setting
JOIN {table(Endpoint)} endpoint ON endpoint.id = setting.endpoint_id
JOIN {connection.ops.quote_name(users.db_table)} owner
  ON owner.{connection.ops.quote_name(users.pk.column)} = endpoint.owner_id
JOIN {table(Event)} event ON {of}
JOIN {table(FeedEntry)} place ON place.event_id = event.id
WHERE setting.level = '{level}' AND {asked} AND {active}
  AND endpoint.disabled_at IS NULL AND coalesce(endpoint.told_at < {lately}, true)
  AND setting.updated_at < {lately} AND place.sequenced_at > %(old)s
  AND place.sequenced_at > coalesce((SELECT min(ended_at) FROM {table(Delivery)}), %(old)s)
  AND ({may_see})
  AND NOT EXISTS (SELECT 1 FROM {table(Notification)} nearer WHERE ({silencing})
    AND (nearer.strategy = '{Merging.ONLY}' OR nearer.updated_at >= {lately}))
  AND NOT EXISTS (SELECT 1 FROM {table(Delivery)} told
    WHERE told.event_id = event.id AND told.endpoint_id = endpoint.id)"""
