"""Tasks on the wire."""

from collections import defaultdict
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from queues import priority
from queues.api.fields import (
    AwareDateTimeField,
    JSONValueField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers.notifications import (
    NewTaskNotificationSerializer,
    TaskNotificationSerializer,
    as_notification,
)
from queues.api.serializers.people import EMAIL_LENGTH, EmailOf
from queues.drafts import GLOBAL_KEY_LENGTH, NOTIFICATIONS_MAX, TOPIC_LENGTH, TaskDraft
from queues.intake import Created
from queues.people import ANYONE
from queues.states import (
    EXCLUDED_MAX,
    GLOBAL_KEYS_MAX,
    JUDGMENTS_MAX,
    PRIORITY_MAX,
    PRIORITY_MIN,
    SECONDS_MAX,
    TaskStatus,
)


class TaskSerializer(serializers.Serializer[Any]):
    """A task as its requester and its queue's managers see it."""

    id = serializers.IntegerField()
    queue = serializers.CharField(source="queue.name")
    requester = EmailOf()
    input_data = JSONValueField()
    output_data = JSONValueField(allow_null=True)
    status = serializers.ChoiceField(choices=TaskStatus.choices)
    created_at = AwareDateTimeField()
    updated_at = AwareDateTimeField()
    schedule_to = AwareDateTimeField(allow_null=True)
    expire_at = AwareDateTimeField(allow_null=True)
    seconds_to_expire = serializers.IntegerField(allow_null=True)
    topic = serializers.CharField()
    priority = serializers.IntegerField()
    target_reviewer = EmailOf(absent=ANYONE)
    global_keys = serializers.ListField(child=serializers.CharField())
    judgments_required = serializers.IntegerField()
    open_slots = serializers.IntegerField()
    reviewer = EmailOf()


class NewTaskSerializer(TaskSerializer):
    """A new task, with the settings that it brought along, where it did."""

    notifications = NewTaskNotificationSerializer(many=True, required=False)


def new_tasks(made: Created, *, secrets: bool) -> list[dict[str, Any]]:
    """New tasks in their order, with or without the secrets of their endpoints."""
    settings: dict[int | None, list[Any]] = defaultdict(list)
    for each in made.settings:
        secret = each.secret if secrets else None
        shown = NewTaskNotificationSerializer(each.notification).data
        settings[each.notification.task_id].append({**shown, "secret": secret})
    # All by one serializer: one of its own for each task takes longer than to create them.
    return [
        {**shown, **({"notifications": settings[task.pk]} if task.pk in settings else {})}
        for task, shown in zip(made.tasks, TaskSerializer(made.tasks, many=True).data, strict=True)
    ]


class TaskDraftSerializer(StrictSerializer):
    """A new task. The rules between its fields are those of queues.intake."""

    input_data = JSONValueField()
    output_data = JSONValueField(required=False, allow_null=True)
    topic = StrictCharField(required=False, allow_blank=True, max_length=TOPIC_LENGTH)
    priority = StrictIntegerField(required=False, min_value=PRIORITY_MIN, max_value=PRIORITY_MAX)
    target_reviewer = StrictCharField(required=False, allow_null=True, max_length=EMAIL_LENGTH)
    exclude_reviewers = serializers.ListField(
        required=False, child=StrictCharField(max_length=EMAIL_LENGTH), max_length=EXCLUDED_MAX
    )
    global_keys = serializers.ListField(
        required=False, child=StrictCharField(max_length=GLOBAL_KEY_LENGTH), max_length=GLOBAL_KEYS_MAX
    )
    judgments_required = StrictIntegerField(required=False, allow_null=True, min_value=1, max_value=JUDGMENTS_MAX)
    schedule_to = AwareDateTimeField(required=False, allow_null=True)
    expire_at = AwareDateTimeField(required=False, allow_null=True)
    seconds_to_expire = StrictIntegerField(required=False, allow_null=True, min_value=1, max_value=SECONDS_MAX)
    notifications = serializers.ListField(
        required=False, child=TaskNotificationSerializer(), max_length=NOTIFICATIONS_MAX
    )


def as_draft(data: dict[str, Any]) -> TaskDraft:
    """One validated new task as the writers take it."""
    fields: dict[str, Any] = dict(data)
    for key in fields.keys() & {"exclude_reviewers", "global_keys"}:
        fields[key] = tuple(fields[key])
    if "notifications" in fields:
        fields["notifications"] = tuple(map(as_notification, fields["notifications"]))
    return TaskDraft(**fields)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "integer", "minimum": PRIORITY_MIN, "maximum": PRIORITY_MAX},
            {"type": "string", "minLength": 1, "maxLength": priority.MAX_LENGTH},
        ]
    }
)
class PriorityChangeField(serializers.Field[Any, Any, Any, Any]):
    """`120`, `"+10"`, `"-10"`, or an expression of N such as `"(N*2)+12"`."""

    def to_internal_value(self, data: Any) -> priority.Change:
        try:
            return priority.parse(data)
        except priority.PriorityError as error:
            raise serializers.ValidationError(error.sentence) from None


class TaskPatchSerializer(StrictSerializer):
    """What of an open task may change."""

    priority = PriorityChangeField(required=False)
    topic = StrictCharField(required=False, allow_blank=True, max_length=TOPIC_LENGTH)
    target_reviewer = StrictCharField(required=False, allow_null=True, max_length=EMAIL_LENGTH)
    schedule_to = AwareDateTimeField(required=False, allow_null=True)
    expire_at = AwareDateTimeField(required=False, allow_null=True)


class CancelSerializer(StrictSerializer):
    reason = StrictCharField(required=False, allow_blank=True, max_length=200)
