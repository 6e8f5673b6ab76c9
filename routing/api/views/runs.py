"""Runs: starting them, looking at them, and helping those along that cannot go on by themselves."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from queues.api.base import ApiViewSet, forbid, validated
from queues.api.serializers.tasks import CancelSerializer
from queues.exceptions import InvalidInput
from queues.querysets import is_operator
from queues.throttles import Kind
from routing import registry, runs
from routing.api import problems  # noqa: F401  (registers this app's problem types)
from routing.api.filters import RunFilter, StepFilter
from routing.api.gathering import with_counts, with_lanes
from routing.api.serializers import ResumeSerializer, RetrySerializer, RunSerializer, StartSerializer, StepSerializer
from routing.api.workflows import startable_by
from routing.models import Run, Step


class RunViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Runs that the user started; operators see all. Who sees a run may cancel, retry and resume it."""

    queryset = Run.objects.none()
    serializer_class = RunSerializer
    filterset_class = RunFilter
    lookup_value_regex = r"[0-9]{1,18}"
    throttled_as = Kind.CREATE

    def get_queryset(self) -> Any:
        return Run.objects.visible_to(self.request.user).select_related("started_by")

    def paginate_queryset(self, queryset: Any) -> Any:
        return with_counts(super().paginate_queryset(queryset) or [])

    def get_object(self) -> Run:
        run: Run = super().get_object()
        with_counts([run])
        return run

    @extend_schema(request=StartSerializer, responses={201: RunSerializer})
    def create(self, request: Request) -> Response:
        """Start a run of a workflow: for operators, and for those who may post tasks to every queue that it asks."""
        said = validated(StartSerializer(data=request.data))
        workflow = registry.workflows().get(said["workflow"])
        if workflow is None:
            raise InvalidInput.at("/workflow", "No router of this site has a workflow of this name.")
        forbid(
            bool(startable_by(request.user, [workflow])),
            "A workflow is started by operators, and by those who may post tasks to every queue that it asks.",
        )
        run = runs.start(workflow=workflow, input=said["input"], by=request.user)
        with_counts([run])
        return Response(RunSerializer(run).data, status=status.HTTP_201_CREATED)

    def _seen(self) -> int:
        """The id of the run. Raises Http404."""
        return get_object_or_404(Run.objects.visible_to(self.request.user), pk=self.kwargs["pk"]).pk

    @extend_schema(request=CancelSerializer, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End the run, and cancel the tasks that it waits for."""
        run_id = self._seen()
        reason = validated(CancelSerializer(data=request.data)).get("reason", "")
        runs.cancel(run_id=run_id, reason=reason, actor=request.user)
        return Response(RunSerializer(self.get_object()).data)

    @extend_schema(request=RetrySerializer, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Try a step that failed again, or all of them. The answer tells whether it went well: `status`, `steps`."""
        run_id = self._seen()
        step_id = validated(RetrySerializer(data=request.data)).get("step")
        if step_id is not None and not Step.objects.filter(pk=step_id, run=run_id).exists():
            raise InvalidInput.at("/step", "The run has no such step.")
        runs.retry(run_id=run_id, step_id=step_id, actor=request.user)
        return Response(RunSerializer(self.get_object()).data)

    @extend_schema(request=ResumeSerializer, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Have a run that failed go on from where it was, once its workflow has what was missing."""
        run_id = self._seen()
        validated(ResumeSerializer(data=request.data))
        runs.resume(run_id=run_id, actor=request.user)
        return Response(RunSerializer(self.get_object()).data)


class RunStepsView(mixins.ListModelMixin, ApiViewSet):
    """The steps of a run, the latest first."""

    queryset = Step.objects.none()
    serializer_class = StepSerializer
    filterset_class = StepFilter

    def get_queryset(self) -> Any:
        run = get_object_or_404(Run.objects.visible_to(self.request.user), pk=self.kwargs["run_pk"])
        return Step.objects.filter(run=run).select_related("lane")

    def paginate_queryset(self, queryset: Any) -> Any:
        return with_lanes(super().paginate_queryset(queryset) or [])

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "shows_tracebacks": is_operator(self.request.user)}
