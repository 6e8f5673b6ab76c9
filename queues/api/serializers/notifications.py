"""Notification settings, their endpoints and deliveries on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
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
    """Headers that are sent along. They may hold secrets, so they are not shown again."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "Sent along with each message; not shown again.")
        super().__init__(child=StrictCharField(allow_blank=True), write_only=True, **kwargs)


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class HeaderNamesField(serializers.Field[Any, Any, Any, Any]):
    """The names of the headers that a setting has."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(source="headers", read_only=True, **kwargs)

    def to_representation(self, value: str) -> list[str]:
        return list(headers_of(value))


class EventTypesField(serializers.ListField):
    """Types of events, each once; queues.notifications says which there are."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=StrictCharField(max_length=40), max_length=EVENTS_MAX, **kwargs)


class SecretField(serializers.CharField):
    """The endpoint's secret, the one time that it is shown."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs["help_text"] = "Signs the messages; shown this once. Null where the owner has used the endpoint before."
        super().__init__(read_only=True, allow_null=True, **kwargs)


class QueueNameField(StrictCharField):
    """A queue by its name."""

    def to_representation(self, value: Any) -> str:
        return value.name


class TaskNotificationSerializer(StrictSerializer):
    """A setting that a new task brings along. The rules of its fields are those of queues.notifications."""

    id = serializers.IntegerField(read_only=True)
    endpoint = StrictCharField(max_length=URL_LENGTH, help_text="An https address.")
    headers = HeadersField(required=False)
    header_names = HeaderNamesField()
    events_to_notify = EventTypesField()
    strategy = serializers.ChoiceField(required=False, choices=Merging.choices)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {**super().to_representation(instance), "endpoint": instance.endpoint.url}


class NewTaskNotificationSerializer(TaskNotificationSerializer):
    """A setting that a new task brought along. `secret` is as with any new setting."""

    secret = SecretField()


def as_notification(data: dict[str, Any]) -> NotificationDraft:
    """One validated new setting as the writers take it."""
    names = ("endpoint", "headers", "strategy")
    given = {name: data[name] for name in names if name in data}
    return NotificationDraft(events_to_notify=tuple(data["events_to_notify"]), **given)


class NotificationSerializer(TaskNotificationSerializer):
    """A setting. Its endpoint is shared by all settings of its owner for the same address."""

    level = serializers.ChoiceField(choices=Level.choices)
    queue = QueueNameField(required=False, allow_null=True, help_text="A queue's name, at the level of queues.")
    task = StrictIntegerField(
        source="task_id",
        required=False,
        allow_null=True,
        min_value=1,
        help_text="Its id, at the level of tasks.",
    )
    owner = EmailOf(source="endpoint.owner")
    disabled_at = AwareDateTimeField(source="endpoint.disabled_at", read_only=True, allow_null=True)
    disabled_reason = serializers.CharField(source="endpoint.disabled_reason", read_only=True)
    failing_since = AwareDateTimeField(source="endpoint.failing_since", read_only=True, allow_null=True)
    created_at = AwareDateTimeField(read_only=True)
    updated_at = AwareDateTimeField(read_only=True)


class NotificationPatchSerializer(StrictSerializer):
    """What of a setting may change; another endpoint is another setting."""

    headers = HeadersField(required=False)
    events_to_notify = EventTypesField(required=False)
    strategy = serializers.ChoiceField(required=False, choices=Merging.choices)


class NewNotificationSerializer(NotificationSerializer):
    """A setting just made."""

    secret = SecretField()


class RotatedSerializer(serializers.Serializer[Any]):
    """The secret that signs from now on. It is shown this once."""

    secret = serializers.CharField(help_text="Begins with whsec_.")


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
