"""The API of the claim and of assignments: each view checks shape and permission, makes one call, and renders."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from assignments import claims, lifecycle, metrics, statistics
from assignments.api import problems  # noqa: F401  (registers this app's problem types)
from assignments.api.filters import AssignmentFilter, ReviewerFilter
from assignments.api.serializers import (
    AssignmentSerializer,
    AssignSerializer,
    ExtendSerializer,
    FinalizedSerializer,
    FinalizeSerializer,
    GrabSerializer,
    JudgmentSerializer,
    MetricsQuerySerializer,
    MetricsSerializer,
    OneAssignmentSerializer,
    ReviewerSerializer,
    SkipSerializer,
    StatsSerializer,
)
from assignments.models import Assignment, Reviewer
from queues.api.base import ApiView, ApiViewSet, forbid, validated
from queues.api.permissions import has_role
from queues.api.serializers.queues import CallStrategySerializer
from queues.exceptions import InvalidInput
from queues.models import Membership, Queue, Task
from queues.states import Role


def reviewing(user: Any) -> QuerySet[Membership]:
    """The user's review memberships, as the claim takes them."""
    return Membership.objects.reviewers().select_related("queue", "user").filter(user=user)


def review_membership(user: Any, queue: Queue) -> Membership:
    """The user's review access to a queue that they see. Raises PermissionDenied."""
    membership = reviewing(user).filter(queue=queue).first()
    if membership is None:
        raise PermissionDenied("You are not a reviewer of this queue.")
    return membership


class QueueView(ApiView):
    """A view of one queue that the user can see."""

    queryset = Queue.objects.none()
    filter_backends = []
    pagination_class = None

    def queue(self) -> Queue:
        return get_object_or_404(Queue.objects.visible_to(self.request.user), name=self.kwargs["queue_name"])


class GrabView(QueueView):
    serializer_class = CallStrategySerializer

    @extend_schema(request=CallStrategySerializer, responses=GrabSerializer, operation_id="queues_grab")
    def post(self, request: Request, queue_name: str) -> Response:
        """Get work: what you hold comes back, new tasks fill up to `multitask_index`."""
        # A reviewer, as nearly every caller is one, is found without asking what else they may see.
        membership = reviewing(request.user).filter(queue__name=queue_name, queue__archived_at__isnull=True).first()
        if membership is None:
            membership = review_membership(request.user, self.queue())
        call = validated(CallStrategySerializer(data=request.data))
        return Response(GrabSerializer(claims.grab(membership=membership, call=call)).data)


class StatsView(QueueView):
    serializer_class = StatsSerializer

    @extend_schema(responses=StatsSerializer, operation_id="queues_stats")
    def get(self, request: Request, queue_name: str) -> Response:
        """The queue in numbers, for its managers and requesters."""
        queue = self.queue()
        forbid(
            has_role(request.user, queue, Role.MANAGER, Role.REQUESTER),
            "Only the queue's managers and requesters see its numbers.",
        )
        return Response(StatsSerializer(statistics.of_queue(queue)).data)


class AssignView(ApiView):
    queryset = Task.objects.none()
    serializer_class = AssignSerializer
    filter_backends = []
    pagination_class = None

    @extend_schema(request=AssignSerializer, responses=OneAssignmentSerializer, operation_id="tasks_assign")
    def post(self, request: Request, pk: int) -> Response:
        """Take a chosen task, one that a grab could hand to you."""
        reviewed = Queue.objects.alive().filter(
            memberships__in=Membership.objects.reviewers().filter(user=request.user.pk)
        )
        seen = Task.objects.visible_to(request.user) | Task.objects.filter(queue__in=reviewed)
        task = get_object_or_404(seen.select_related("queue"), pk=pk)
        membership = review_membership(request.user, task.queue)
        call = validated(AssignSerializer(data=request.data))
        assignment = claims.assign(membership=membership, task_id=task.pk, call=call)
        return Response(OneAssignmentSerializer({"assignment": assignment}).data)


class JudgmentsView(ApiView):
    queryset = Assignment.objects.none()
    serializer_class = JudgmentSerializer

    @extend_schema(operation_id="tasks_judgments", responses=JudgmentSerializer(many=True), filters=False)
    def get(self, request: Request, pk: int) -> Response:
        """The answers to a task, for its requester and its queue's managers."""
        task = get_object_or_404(Task.objects.visible_to(request.user), pk=pk)
        judgments = Assignment.objects.filter(task=task).judgments().select_related("reviewer__user")
        page = self.paginate_queryset(self.filter_queryset(judgments))
        return self.get_paginated_response(JudgmentSerializer(page, many=True).data)


class AssignmentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """One's own assignments, and those of queues one manages. Only the holder answers, skips and extends."""

    queryset = Assignment.objects.none()
    serializer_class = AssignmentSerializer
    filterset_class = AssignmentFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self, among: QuerySet[Assignment] | None = None) -> Any:
        seen = Assignment.objects.visible_to(self.request.user) if among is None else among
        return seen.select_related("task__target_reviewer", "task__queue", "queue", "reviewer__user")

    def held(self) -> Assignment:
        """The assignment, for the one it was handed to. Raises Http404, PermissionDenied."""
        mine = self.get_queryset(Assignment.objects.filter(reviewer__user=self.request.user.pk))
        assignment = mine.filter(pk=self.kwargs["pk"]).first()
        if assignment is None:
            self.get_object()
            raise PermissionDenied("This assignment is somebody else's.")
        return assignment

    @extend_schema(request=FinalizeSerializer, responses=FinalizedSerializer)
    @action(detail=True, methods=["post"])
    def finalize(self, request: Request, pk: str) -> Response:
        """Answer; with `assign_new_task` the next task comes along. Repeating it with equal data changes nothing."""
        assignment = self.held()
        said = validated(FinalizeSerializer(data=request.data))
        done, grab = claims.finalize_and_grab(
            assignment=assignment,
            data=said["data"],
            user=request.user,
            grab_next=said["assign_new_task"],
            call=said.get("strategy"),
        )
        return Response(FinalizedSerializer({"assignment": done.assignment, "next": grab}).data)

    @extend_schema(request=SkipSerializer, responses=OneAssignmentSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: str) -> Response:
        """Hand the task back, not to get it again for a while or ever."""
        assignment = self.held()
        said = validated(SkipSerializer(data=request.data))
        skipped = lifecycle.skip(assignment_id=assignment.pk, actor=request.user, **said)
        return Response(OneAssignmentSerializer({"assignment": skipped}).data)

    @extend_schema(request=ExtendSerializer, responses=OneAssignmentSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Move the end of the lease away from now. It never moves nearer."""
        assignment = self.held()
        said = validated(ExtendSerializer(data=request.data))
        extended = lifecycle.extend(assignment_id=assignment.pk, actor=request.user, **said)
        return Response(OneAssignmentSerializer({"assignment": extended}).data)


class ReviewerViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Oneself, and the reviewers of queues one manages."""

    queryset = Reviewer.objects.none()
    serializer_class = ReviewerSerializer
    filterset_class = ReviewerFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        return Reviewer.objects.visible_to(self.request.user).select_related("user")

    @extend_schema(parameters=[MetricsQuerySerializer], responses=MetricsSerializer, filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def metrics(self, request: Request, pk: str) -> Response:
        """What the reviewer did, by day, week or month in UTC. Of others one sees the queues that one manages."""
        reviewer = self.get_object()
        asked = validated(MetricsQuerySerializer(data=request.query_params.dict()))
        queues = metrics.queues_seen(reviewer, by=request.user)
        if (name := asked.pop("queue", None)) is not None:
            queues = queues.filter(name=name)
            if not queues.exists():
                raise InvalidInput.at("/queue", "There is no such queue, or none whose numbers you may see.")
        return Response(MetricsSerializer(metrics.of_reviewer(reviewer, among=queues, **asked)).data)
