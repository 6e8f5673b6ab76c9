"""The outbox: what happened, what of it has no place in the feed yet, and the feed."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from queues.querysets import EventQuerySet


class Event(models.Model):
    """Something that happened, written in the transaction that made it happen. No foreign keys: it outlives its object.

    `sequence` counts the events of one object from 1 without gaps; `delta` holds the values that changed, small.
    """

    type = models.CharField(max_length=40)
    object_type = models.CharField(max_length=20)
    object_id = models.BigIntegerField()
    queue_id = models.BigIntegerField(null=True)
    task_id = models.BigIntegerField(null=True)
    actor = models.CharField(max_length=64, blank=True, default="")
    sequence = models.PositiveIntegerField()
    delta = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(name="event_sequence", fields=["object_type", "object_id", "sequence"]),
            models.CheckConstraint(name="event_sequence_from_one", condition=Q(sequence__gte=1)),
        ]
        indexes = [
            models.Index(name="event_by_task", fields=["task_id", "id"], condition=Q(task_id__isnull=False)),
            # What was going on in a span of time, for statistics. It grows at its end only.
            models.Index(name="event_by_time", fields=["created_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.object_type} {self.object_id}"


class EventPending(models.Model):
    """An event that the sequencer has not yet given its place in the feed.

    The database does not check that the event is there: both are written by `events.record` and its like alone, and
    the check would be one for every event, at every commit (see docs/decisions/0009).
    """

    event = models.OneToOneField(
        Event, on_delete=models.CASCADE, primary_key=True, related_name="pending", db_constraint=False
    )

    class Meta:
        verbose_name = _("pending event")
        verbose_name_plural = _("pending events")

    def __str__(self) -> str:
        return f"{self.event_id}"


class FeedMark(models.Model):
    """One row: who holds its lock gives places in the feed, or purges it; and how far it was purged.

    `purged_to`: the last position that was. `purged_until`: when that was given. Histories that began later are whole.
    """

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    purged_to = models.BigIntegerField(default=0)
    purged_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("mark of the feed")
        verbose_name_plural = _("marks of the feed")
        constraints = [
            models.CheckConstraint(name="feedmark_alone", condition=Q(id=1)),
            models.CheckConstraint(
                name="feedmark_says_until_when",
                condition=Q(purged_to=0, purged_until__isnull=True) | Q(purged_to__gt=0, purged_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purged_to}"


class FeedEntry(models.Model):
    """An event's place in the feed: whoever sees a position has seen, or can see, every one below it.

    `sequenced_at` never falls as positions rise.
    """

    position = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(Event, on_delete=models.CASCADE, related_name="place")
    queue_id = models.BigIntegerField(null=True)
    sequenced_at = models.DateTimeField()

    class Meta:
        ordering = ["position"]
        verbose_name = _("entry of the feed")
        verbose_name_plural = _("entries of the feed")
        indexes = [models.Index(name="feedentry_by_queue", fields=["queue_id", "position"])]

    def __str__(self) -> str:
        return f"{self.position}"
