"""The feed on the wire."""

from math import isnan
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from queues import events, feed
from queues.api.fields import AwareDateTimeField, StrictFields

WAIT_MAX = 30
"""Seconds."""

DIGITS_MAX = 18
"""Of a position. The databases take a few more numbers of one digit more, which nobody will live to see."""


class After(serializers.Field[Any, Any, Any, Any]):
    """A position, or `latest` for what happens from now on."""

    def to_internal_value(self, data: Any) -> int | str:
        if data == feed.LATEST:
            return feed.LATEST
        if not (isinstance(data, str) and data.isascii() and data.isdigit() and len(data) <= DIGITS_MAX):
            raise serializers.ValidationError(f"Must be a position (a whole number from 0), or {feed.LATEST}.")
        return int(data)


class Types(serializers.Field[Any, Any, Any, Any]):
    """Event types with commas between them."""

    def to_internal_value(self, data: Any) -> list[str]:
        types = [one.strip() for one in str(data).split(",")]
        if unknown := [one for one in types if not events.is_registered(one)]:
            raise serializers.ValidationError([f"There is no event type {one[:60]!r}." for one in unknown])
        return types


class Wait(serializers.FloatField):
    """Seconds. `nan` is neither too small nor too large, so it is refused by name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=WAIT_MAX, **kwargs)

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if isnan(value):
            self.fail("invalid")
        return value


class FeedQuerySerializer(StrictFields, serializers.Serializer[Any]):
    """What is asked of the feed."""

    queue = serializers.CharField(required=False, help_text="A queue's name.")
    type = Types(required=False, help_text="Event types, with commas between them.")
    after = After(required=False, help_text="The position behind which to begin; without it, at the first event kept.")
    wait = Wait(required=False, default=0, help_text="Seconds.")
    limit = serializers.IntegerField(required=False, default=feed.PAGE, min_value=1, max_value=feed.PAGE_MAX)

    def to_internal_value(self, data: QueryDict) -> Any:
        """Each once, and what is empty is not taken for what is not there, as that of a form would be."""
        if twice := {name: ["Must be given once."] for name, values in data.lists() if len(values) > 1}:
            raise serializers.ValidationError(twice)
        return super().to_internal_value(data.dict())


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
