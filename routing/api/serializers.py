"""Runs, their steps, and the routers and workflows of the site on the wire."""

from typing import Any

from rest_framework import serializers

from queues.api.fields import (
    AwareDateTimeField,
    JSONObjectField,
    JSONValueField,
    StrictCharField,
    StrictIntegerField,
    StrictSerializer,
)
from queues.api.serializers.people import EmailOf
from routing.states import NAME_MAX, RunStatus, StepKind, StepStatus


class StepCountsSerializer(serializers.Serializer[Any]):
    """How many steps of a run there are in each status."""

    WAITING = serializers.IntegerField()
    DONE = serializers.IntegerField()
    FAILED_RETRYABLE = serializers.IntegerField()
    CANCELED = serializers.IntegerField()


class RunSerializer(serializers.Serializer[Any]):
    """A run. `workflow` is where its class is found, `name` what the class is called."""

    id = serializers.IntegerField()
    workflow = serializers.CharField()
    name = serializers.CharField()
    version = serializers.CharField()
    status = serializers.ChoiceField(choices=RunStatus.choices)
    reason = serializers.CharField()
    input = JSONObjectField()
    data = JSONValueField(  # type: ignore[assignment]
        allow_null=True, help_text="What the run came to; null until it is FINISHED."
    )
    started_by = EmailOf()
    created_at = AwareDateTimeField()
    ended_at = AwareDateTimeField(allow_null=True)
    steps = StepCountsSerializer(source="step_counts")


class StartSerializer(StrictSerializer):
    """A run to start."""

    workflow = StrictCharField(max_length=NAME_MAX, help_text="The name of one that you may start: see `workflows/`.")
    input = JSONObjectField(help_text="What the run begins with.")


class RetrySerializer(StrictSerializer):
    step = StrictIntegerField(required=False, min_value=1, max_value=10**18 - 1, help_text="Without it: all that wait.")


class ResumeSerializer(StrictSerializer):
    """A body without members."""


class StepSerializer(serializers.Serializer[Any]):
    """A step of a run. `number` counts the steps of its lane.

    `lane` is the way to its lane: nothing for the run's own, else the number of the item in each fan on the way;
    `fan_out` is the step that fanned out into it. `data` is the pipe data as the step found it.
    """

    id = serializers.IntegerField()
    lane = serializers.ListField(child=serializers.IntegerField(), source="lane_path")
    fan_out = serializers.IntegerField(source="lane.parent_id", allow_null=True)
    number = serializers.IntegerField()
    element = serializers.CharField(help_text="What stands in the workflow's order: a task, a choice, a loop, a fan.")
    name = serializers.CharField(help_text="The task: of a choice the branch that it took.")
    kind = serializers.ChoiceField(choices=StepKind.choices)
    status = serializers.ChoiceField(choices=StepStatus.choices)
    task = serializers.IntegerField(source="task_id", allow_null=True)
    data = JSONValueField()  # type: ignore[assignment]
    output = JSONValueField(allow_null=True)
    reason = serializers.CharField(help_text="Of an error that was not meant for people its name; operators see all.")
    traceback = serializers.CharField(allow_null=True, help_text="Of the code that raised; null but for operators.")
    attempts = serializers.IntegerField()
    created_at = AwareDateTimeField()
    ended_at = AwareDateTimeField(allow_null=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not self.context["shows_tracebacks"]:
            shown["traceback"] = None
            if instance.internal:
                shown["reason"] = instance.reason.partition(":")[0]
        return shown


class TaskOfWorkflowSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    queue = serializers.CharField(allow_null=True, help_text="Whose people answer it; null where it asks nobody.")


class WorkflowSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.CharField()
    tasks = TaskOfWorkflowSerializer(many=True)


class RouterSerializer(serializers.Serializer[Any]):
    """A router. `num_allowable_requests`: how many it lets in until its statistics are cleared; null: all."""

    name = serializers.CharField()
    workflows = WorkflowSerializer(many=True)
    num_allowable_requests = serializers.IntegerField(allow_null=True)
    crowd_statistics = serializers.BooleanField(help_text="Whether it counts.")


class MethodCountsSerializer(serializers.Serializer[Any]):
    GET = serializers.IntegerField()
    POST = serializers.IntegerField()


class StatisticsSerializer(serializers.Serializer[Any]):
    """Workflow → task → method → how often, since the last clearing."""

    task_counts = serializers.DictField(child=serializers.DictField(child=MethodCountsSerializer()))
