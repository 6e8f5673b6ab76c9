"""The shapes of assignments, grabs, judgments, reviewers and statistics on the wire."""

from typing import Any

from rest_framework import serializers

from assignments.states import AssignmentStatus, Reason
from queues.api.fields import (
    AwareDateTimeField,
    JSONValueField,
    StrictBooleanField,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers import CallStrategySerializer, EmailOf
from queues.people import ANYONE
from queues.states import LEASE_MIN_SECONDS, LIVE_MAX, SECONDS_MAX


class HandedTaskSerializer(serializers.Serializer[Any]):
    """A task as its reviewer sees it: what is asked, and nothing of what others answered."""

    id = serializers.IntegerField()
    queue = serializers.CharField(source="queue.name")
    input_data = JSONValueField()
    topic = serializers.CharField()
    priority = serializers.IntegerField()
    target_reviewer = EmailOf(absent=ANYONE)
    global_keys = serializers.ListField(child=serializers.CharField())
    created_at = AwareDateTimeField()
    expire_at = AwareDateTimeField(allow_null=True)


class GrabbedSerializer(serializers.Serializer[Any]):
    """An assignment as a grab hands it over."""

    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=AssignmentStatus.choices)
    created_at = AwareDateTimeField()
    expire_at = AwareDateTimeField(allow_null=True)
    task = HandedTaskSerializer()


class AssignmentSerializer(GrabbedSerializer):
    """An assignment with what became of it."""

    queue = serializers.CharField(source="queue.name")
    reviewer = EmailOf(source="reviewer.user")
    ended_at = AwareDateTimeField(allow_null=True)
    data = JSONValueField(allow_null=True)  # type: ignore[assignment]
    reason = serializers.CharField(allow_blank=True)


class GrabSerializer(serializers.Serializer[Any]):
    """What the reviewer holds; where that is nothing, why, and when to come back."""

    assignments = GrabbedSerializer(many=True)
    reason = serializers.ChoiceField(choices=Reason.choices, allow_null=True)
    retry_at = AwareDateTimeField(allow_null=True)


class OneAssignmentSerializer(serializers.Serializer[Any]):
    assignment = AssignmentSerializer()


class FinalizedSerializer(OneAssignmentSerializer):
    next = GrabSerializer(allow_null=True)


class AssignSerializer(StrictSerializer):
    """How a chosen task is taken."""

    seconds_to_expire = StrictIntegerField(
        required=False, allow_null=True, min_value=LEASE_MIN_SECONDS, max_value=SECONDS_MAX
    )
    expire_at = AwareDateTimeField(required=False, allow_null=True)
    multitask_index = StrictIntegerField(required=False, min_value=1, max_value=LIVE_MAX)


class FinalizeSerializer(StrictSerializer):
    data = JSONValueField()  # type: ignore[assignment]
    assign_new_task = StrictBooleanField(required=False, default=False)
    strategy = CallStrategySerializer(required=False, allow_null=True)


class SkipSerializer(StrictSerializer):
    """For how long the task is not to come back: seconds, or null for ever. It must be said."""

    seconds_to_expire = StrictIntegerField(allow_null=True, min_value=1, max_value=SECONDS_MAX)


class ExtendSerializer(StrictSerializer):
    seconds_to_expire = StrictIntegerField(
        required=False, allow_null=True, min_value=LEASE_MIN_SECONDS, max_value=SECONDS_MAX
    )
    expire_at = AwareDateTimeField(required=False, allow_null=True)


class JudgmentSerializer(serializers.Serializer[Any]):
    """One answer to a task, for its requester and its queue's managers."""

    assignment = serializers.IntegerField(source="id")
    reviewer = EmailOf(source="reviewer.user")
    data = JSONValueField()  # type: ignore[assignment]
    created_at = AwareDateTimeField(help_text="When the task was handed out.")
    finished_at = AwareDateTimeField(source="ended_at")


class ReviewerSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    email = EmailOf(source="user")
    created_at = AwareDateTimeField()


class LiveSerializer(serializers.Serializer[Any]):
    reviewer = serializers.CharField()
    live = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    """A queue in numbers, as of a moment."""

    queue = serializers.CharField()
    as_of = AwareDateTimeField()
    by_status = serializers.DictField(child=serializers.IntegerField())
    by_topic = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
    oldest_available = AwareDateTimeField(allow_null=True)
    live_by_reviewer = LiveSerializer(many=True)
    expired = serializers.IntegerField(help_text="Assignments whose lease ended.")
    skipped = serializers.IntegerField(help_text="Assignments that were skipped.")
    starved = serializers.IntegerField(help_text="Available tasks that no reviewer of the queue may be handed.")
    starved_tasks = serializers.ListField(
        child=serializers.IntegerField(), help_text="The ids of the first hundred of them."
    )
