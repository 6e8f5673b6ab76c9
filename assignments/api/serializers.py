"""The shapes of assignments, grabs, judgments, reviewers and statistics on the wire."""

from typing import Any

from rest_framework import serializers

from assignments.metrics import COUNT_MAX, PERIODS
from assignments.states import AssignmentStatus, Reason
from queues.api.fields import (
    AwareDateTimeField,
    JSONValueField,
    StrictBooleanField,
    StrictFields,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers.people import EmailOf
from queues.api.serializers.queues import CallStrategySerializer
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


class MetricsQuerySerializer(StrictFields, serializers.Serializer[Any]):
    """Which numbers of a reviewer are asked for."""

    period = serializers.ChoiceField(choices=list(PERIODS), default="day")
    queue = serializers.CharField(required=False, help_text="A queue's name: what was done in it, instead of in all.")
    count = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=COUNT_MAX,
        help_text="How many periods; 14 days, 8 weeks, 6 months unless given.",
    )


class MetricsRowSerializer(serializers.Serializer[Any]):
    """What a reviewer did from `start` until before `end`. Times are seconds; what there is none of is null."""

    start = AwareDateTimeField()
    end = AwareDateTimeField()
    completed = serializers.IntegerField()
    skipped = serializers.IntegerField()
    expired = serializers.IntegerField(help_text="Assignments whose lease ended.")
    canceled = serializers.IntegerField(help_text="Assignments that were closed under the reviewer or taken back.")
    handling_median = serializers.FloatField(allow_null=True, help_text="From the hand-out to the answer.")
    handling_p95 = serializers.FloatField(allow_null=True)
    response_median = serializers.FloatField(
        allow_null=True, help_text="From when the task first became available to the answer."
    )
    response_p95 = serializers.FloatField(allow_null=True)
    skip_rate = serializers.FloatField(allow_null=True, help_text="skipped ÷ (completed + skipped + expired)")
    active_seconds = serializers.FloatField(help_text="While something was held.")
    slack_seconds = serializers.FloatField(help_text="Gaps of at most half an hour between spells of work.")


class MetricsSerializer(serializers.Serializer[Any]):
    """A reviewer's numbers, newest period first, and of all these periods together."""

    as_of = AwareDateTimeField(
        allow_null=True, help_text="What happened until then is counted; null before anything is."
    )
    results = MetricsRowSerializer(many=True, source="rows")
    total = MetricsRowSerializer()
