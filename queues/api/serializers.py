"""The shapes of queues, members, tasks and tokens on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from queues import priority
from queues.api.fields import (
    AwareDateTimeField,
    JSONObjectField,
    JSONValueField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from queues.intake import GLOBAL_KEY_LENGTH, TOPIC_LENGTH, TaskDraft
from queues.people import ANYONE, email_of
from queues.states import (
    EXCLUDED_MAX,
    GLOBAL_KEYS_MAX,
    JUDGMENTS_MAX,
    LEASE_MIN_SECONDS,
    LIVE_MAX,
    PRIORITY_MAX,
    PRIORITY_MIN,
    SECONDS_MAX,
    Role,
    TaskStatus,
)
from queues.strategy import ORDERS, PRIORITY_ORDERS

EMAIL_LENGTH = 254


class EmailOf(serializers.Field[Any, Any, Any, Any]):
    """Shows a user as their e-mail; `absent` stands for no user."""

    def __init__(self, absent: str | None = None, **kwargs: Any) -> None:
        self.absent = absent
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> Any:
        user = super().get_attribute(instance)
        return _Absent(self.absent) if user is None else user

    def to_representation(self, value: Any) -> str | None:
        return value.shown if isinstance(value, _Absent) else email_of(value)


class _Absent:
    """REST framework shows None without asking the field; this asks."""

    def __init__(self, shown: str | None) -> None:
        self.shown = shown


extend_schema_field({"type": "string", "nullable": True})(EmailOf)


class StrategySerializer(StrictSerializer):
    """What a reviewer is handed; the rules between the fields are those of queues.strategy."""

    seconds_to_expire = StrictIntegerField(
        required=False, allow_null=True, min_value=LEASE_MIN_SECONDS, max_value=SECONDS_MAX
    )
    order = serializers.ChoiceField(required=False, choices=ORDERS)
    priority_order = serializers.ChoiceField(required=False, choices=PRIORITY_ORDERS)
    topic = StrictCharField(required=False, allow_null=True, allow_blank=True, max_length=TOPIC_LENGTH)
    multitask_index = StrictIntegerField(required=False, min_value=1, max_value=LIVE_MAX)


class CallStrategySerializer(StrategySerializer):
    """The strategy of a call, which may also name the moment at which the lease ends."""

    expire_at = AwareDateTimeField(required=False, allow_null=True)


class QueueSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    name = StrictCharField(max_length=100)
    alias = StrictCharField(required=False, allow_blank=True, max_length=200)
    description = StrictCharField(required=False, allow_blank=True, max_length=10_000)
    instructions = StrictCharField(required=False, allow_blank=True, max_length=100_000)
    reviewer_frontend_url = StrictCharField(required=False, allow_blank=True, max_length=500)
    input_schema = JSONObjectField(required=False, allow_null=True)
    output_schema = JSONObjectField(required=False, allow_null=True)
    default_assignment_strategy = StrategySerializer(required=False)
    judgments_per_task = StrictIntegerField(required=False, min_value=1, max_value=JUDGMENTS_MAX)
    max_lease_seconds = StrictIntegerField(
        required=False, allow_null=True, min_value=LEASE_MIN_SECONDS, max_value=SECONDS_MAX
    )
    max_multitask = StrictIntegerField(required=False, min_value=1, max_value=LIVE_MAX)
    requester_may_review = StrictBooleanField(required=False)
    is_paused = StrictBooleanField(required=False)
    created_at = AwareDateTimeField(read_only=True)
    updated_at = AwareDateTimeField(read_only=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        # A stored strategy is shown as it was given, without the fields that it leaves open.
        shown = super().to_representation(instance)
        return {**shown, "default_assignment_strategy": instance.default_assignment_strategy}


class QueuePatchSerializer(QueueSerializer):
    """A queue's name is for ever."""

    name = StrictCharField(read_only=True)


class MemberSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    user = StrictCharField(max_length=EMAIL_LENGTH, help_text="E-mail of an active user.")
    role = serializers.ChoiceField(choices=Role.choices)
    strategy = StrategySerializer(required=False, allow_null=True)
    max_live = StrictIntegerField(required=False, allow_null=True, min_value=1, max_value=LIVE_MAX)
    created_at = AwareDateTimeField(read_only=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "user": email_of(instance.user), "strategy": instance.strategy}


class MemberPatchSerializer(MemberSerializer):
    user = StrictCharField(read_only=True)
    role = serializers.ChoiceField(choices=Role.choices, read_only=True)


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


def as_draft(data: dict[str, Any]) -> TaskDraft:
    """One validated new task as the writers take it."""
    fields: dict[str, Any] = dict(data)
    for key in fields.keys() & {"exclude_reviewers", "global_keys"}:
        fields[key] = tuple(fields[key])
    return TaskDraft(**fields)


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": priority.MAX_LENGTH}]})
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


class TokenSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    name = StrictCharField(max_length=100)
    prefix = serializers.CharField(read_only=True)
    created_at = AwareDateTimeField(read_only=True)
    expires_at = AwareDateTimeField(required=False, allow_null=True)
    last_used_at = AwareDateTimeField(read_only=True, allow_null=True)


class NewTokenSerializer(TokenSerializer):
    """A token just made; its text is shown this once."""

    token = serializers.CharField(read_only=True)
