"""Notification settings, their endpoints and deliveries on the wire."""

from typing import Any

from rest_framework import serializers

from queues.api.fields import (
    AwareDateTimeField,
    StrictCharField,
    StrictFields,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers.people import EmailOf
from queues.models.notification import URL_LENGTH
from queues.notifications import NotificationDraft, headers_of
from queues.states import DeliveryStatus, Level, Merging

EVENTS_MAX = 100


class HeadersField(serializers.DictField):
    """Names of headers and their values. They may hold secrets, so only their names are shown."""

    child = StrictCharField(allow_blank=True)

    def to_representation(self, value: Any) -> Any:
        return list(headers_of(value))


class TaskNotificationSerializer(StrictSerializer):
    """A setting that a new task brings along. The rules of its fields are those of queues.notifications."""

    id = serializers.IntegerField(read_only=True)
    endpoint = StrictCharField(max_length=URL_LENGTH)
    headers = HeadersField(required=False)
    events_to_notify = serializers.ListField(child=StrictCharField(max_length=40), max_length=EVENTS_MAX)
    strategy = serializers.ChoiceField(required=False, choices=Merging.values)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {**super().to_representation(instance), "endpoint": instance.endpoint.url}


def as_notification(data: dict[str, Any]) -> NotificationDraft:
    """One validated new setting as the writers take it."""
    names = ("endpoint", "headers", "strategy")
    given = {name: data[name] for name in names if name in data}
    return NotificationDraft(events_to_notify=tuple(data["events_to_notify"]), **given)


class NotificationSerializer(TaskNotificationSerializer):
    """A setting. Its endpoint is shared by all settings of its owner for the same address."""

    level = serializers.ChoiceField(choices=Level.values)
    queue = StrictCharField(required=False, allow_null=True, help_text="A queue's name, at the level of queues.")
    task = StrictIntegerField(required=False, allow_null=True, min_value=1, help_text="At the level of tasks.")
    owner = EmailOf(source="endpoint.owner")
    disabled_at = AwareDateTimeField(source="endpoint.disabled_at", read_only=True, allow_null=True)
    disabled_reason = serializers.CharField(source="endpoint.disabled_reason", read_only=True)
    failing_since = AwareDateTimeField(source="endpoint.failing_since", read_only=True, allow_null=True)
    created_at = AwareDateTimeField(read_only=True)
    updated_at = AwareDateTimeField(read_only=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        names = {"queue": instance.queue.name if instance.queue else None, "task": instance.task_id}
        return {**super().to_representation(instance), **names}


class NotificationPatchSerializer(StrictSerializer):
    """What of a setting may change; another endpoint is another setting."""

    headers = HeadersField(required=False)
    events_to_notify = serializers.ListField(
        required=False, child=StrictCharField(max_length=40), max_length=EVENTS_MAX
    )
    strategy = serializers.ChoiceField(required=False, choices=Merging.values)


class NewNotificationSerializer(NotificationSerializer):
    """A setting just made. `secret` is shown this once; null where the owner has used the endpoint before."""

    secret = serializers.CharField(read_only=True, allow_null=True)


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField()


class TrySerializer(serializers.Serializer[Any]):
    """How one try went."""

    number = serializers.IntegerField()
    started_at = AwareDateTimeField()
    milliseconds = serializers.IntegerField()
    status_code = serializers.IntegerField(allow_null=True)
    excerpt = serializers.CharField(help_text="The first KiB of the answer.")
    error = serializers.CharField()


class DeliverySerializer(serializers.Serializer[Any]):
    """A message to an endpoint. Its id, `msg_…` in the header webhook-id, and its body never change."""

    id = serializers.IntegerField()
    event = serializers.IntegerField(source="event_id", allow_null=True)
    type = serializers.CharField()
    endpoint = serializers.CharField(source="endpoint.url")
    notification = serializers.IntegerField(source="notification_id", allow_null=True)
    task = serializers.IntegerField(source="task_id", allow_null=True)
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    tries = serializers.IntegerField()
    next_try_at = AwareDateTimeField(allow_null=True)
    created_at = AwareDateTimeField()
    ended_at = AwareDateTimeField(allow_null=True)


class DeliveryDetailSerializer(DeliverySerializer):
    """The same with its body as text, and its tries."""

    body = serializers.CharField()
    attempts = TrySerializer(many=True)


class ReplaySerializer(StrictSerializer):
    """Which failed deliveries to send once more."""

    since = AwareDateTimeField(help_text="Those that were given up at this time or later.")
    notification = StrictIntegerField(required=False, min_value=1, help_text="Those of this setting's endpoint only.")


class ReplayedSerializer(StrictFields, serializers.Serializer[Any]):
    replayed = serializers.IntegerField()
