"""The feed on the wire."""

from typing import Any

from rest_framework import serializers

from queues import events, feed
from queues.api.fields import AwareDateTimeField, StrictFields

LATEST = "latest"
WAIT_MAX = 30
"""Seconds."""


class After(serializers.Field[Any, Any, Any, Any]):
    """A position, or `latest` for what happens from now on."""

    def to_internal_value(self, data: Any) -> int | str:
        if data == LATEST:
            return LATEST
        if not (isinstance(data, str) and data.isascii() and data.isdigit() and len(data) <= 18):
            raise serializers.ValidationError(f"Must be a position (a whole number from 0), or {LATEST}.")
        return int(data)


class Types(serializers.Field[Any, Any, Any, Any]):
    """Event types with commas between them."""

    def to_internal_value(self, data: Any) -> list[str]:
        types = [one.strip() for one in str(data).split(",")]
        if unknown := [one for one in types if not events.is_registered(one)]:
            raise serializers.ValidationError([f"There is no event type {one[:60]!r}." for one in unknown])
        return types


class FeedQuerySerializer(StrictFields, serializers.Serializer[Any]):
    """What is asked of the feed."""

    queue = serializers.CharField(required=False, help_text="A queue's name.")
    type = Types(required=False, help_text="Event types, with commas between them.")
    after = After(required=False, help_text="The position behind which to begin; without it, at the first event kept.")
    wait = serializers.FloatField(required=False, default=0, min_value=0, max_value=WAIT_MAX, help_text="Seconds.")
    limit = serializers.IntegerField(required=False, default=feed.PAGE, min_value=1, max_value=feed.PAGE_MAX)


class EventSerializer(serializers.Serializer[Any]):
    """An event at its place in the feed."""

    position = serializers.IntegerField()
    id = serializers.IntegerField(source="event.id")
    type = serializers.CharField(source="event.type")
    timestamp = AwareDateTimeField(source="event.created_at")
    object_type = serializers.CharField(source="event.object_type")
    object_id = serializers.IntegerField(source="event.object_id")
    queue = serializers.SerializerMethodField()
    task = serializers.IntegerField(source="event.task_id", allow_null=True)
    sequence = serializers.IntegerField(source="event.sequence", help_text="Counts the events of one object from 1.")
    actor = serializers.CharField(source="event.actor", help_text="The id of the user who acted; empty for nobody.")
    delta = serializers.DictField(source="event.delta", help_text="Values that changed.")

    def get_queue(self, entry: Any) -> str | None:
        """The queue's name; the context has those of all that are shown."""
        return self.context["queues"].get(entry.queue_id)


class FeedSerializer(serializers.Serializer[Any]):
    """Events in their order. Keep `position`, also where there is nothing: the next look goes on there, as `next` does.

    `more`: there is more behind it already.
    """

    results = EventSerializer(many=True)
    position = serializers.IntegerField()
    more = serializers.BooleanField()
    next = serializers.URLField()
    previous = serializers.URLField(allow_null=True)
