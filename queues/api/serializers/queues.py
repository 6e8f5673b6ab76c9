"""Queues, their members and strategies on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from queues.api.fields import (
    AwareDateTimeField,
    JSONObjectField,
    StrictBooleanField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers.people import EMAIL_LENGTH
from queues.drafts import TOPIC_LENGTH
from queues.models import QUEUE_NAME
from queues.people import email_of
from queues.states import (
    JUDGMENTS_MAX,
    LEASE_MIN_SECONDS,
    LIVE_MAX,
    SECONDS_MAX,
    Role,
)
from queues.strategy import ORDERS, PRIORITY_ORDERS

NAME_PATTERN = QUEUE_NAME.replace(r"\A", "^").replace(r"\Z", "$")
"""A queue's name, as the API's schema writes patterns."""


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


@extend_schema_field({"type": "string", "pattern": NAME_PATTERN})
class NewNameField(StrictCharField):
    """The name of a queue to be."""


class QueueSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    name = NewNameField(max_length=100)
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

    name = NewNameField(read_only=True)


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
