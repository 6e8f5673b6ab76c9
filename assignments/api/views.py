"""The API of the claim and of assignments: each view checks shape and permission, makes one call, and renders."""

from typing import Any

from django.db.models import BigIntegerField
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSetMixin

from assignments import claims, holding, lifecycle, metrics, statistics
from assignments.api import problems, rendering  # noqa: F401  (problems registers this app's problem types)
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
from queues.api.acceptance import Acceptance
from queues.api.base import ApiView, ApiViewSet, forbid, validated
from queues.api.hot import HotView
from queues.api.permissions import has_role
from queues.api.serializers.queues import CallStrategySerializer
from queues.exceptions import InvalidInput
from queues.models import Membership, Queue, Task
from queues.states import Role
from queues.throttles import Kind

call_strategy = Acceptance(CallStrategySerializer)
assigning = Acceptance(AssignSerializer)
finalizing = Acceptance(FinalizeSerializer)
skipping = Acceptance(SkipSerializer)
extending = Acceptance(ExtendSerializer)


def review_membership(user: Any, queue: Queue) -> Membership:
    """The user's review access to a queue that they see. Raises PermissionDenied."""
    reviewers = Membership.objects.reviewers().select_related("queue", "user")
    membership = reviewers.filter(user=user, queue=queue).first()
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


class GrabView(HotView, QueueView):
    serializer_class = CallStrategySerializer
    throttled_as = Kind.GRAB

    def look(self) -> Any:
        return holding.ACCESS_TO_QUEUE, {"queue": self.kwargs["queue_name"]}

    @extend_schema(request=CallStrategySerializer, responses=GrabSerializer, operation_id="queues_grab")
    def post(self, request: Request, queue_name: str) -> Response:
        """Get work: what you hold comes back, new tasks fill up to `multitask_index`."""
        # A reviewer, as nearly every caller is one, is found without asking what else they may see.
        membership = self.seen() or review_membership(request.user, self.queue())
        return Response(rendering.grab(claims.grab(membership=membership, call=call_strategy(request.data))))


class StatsView(QueueView):
    serializer_class = StatsSerializer

    @extend_schema(responses=StatsSerializer, operation_id="queues_stats")
    def get(self, request: Request, queue_name: str) -> Response:
        """The queue in numbers, for its managers and requesters."""
        # One of the team, as nearly every caller is, is found without asking what else they may see.
        team = Membership.objects.filter(role__in=(Role.MANAGER, Role.REQUESTER), user=request.user.pk)
        member = team.filter(queue__name=queue_name, queue__archived_at=None).select_related("queue").first()
        queue = self.queue() if member is None else member.queue
        forbid(
            member is not None or has_role(request.user, queue, Role.MANAGER, Role.REQUESTER),
            "Only the queue's managers and requesters see its numbers.",
        )
        return Response(StatsSerializer(statistics.of_queue(queue)).data)


class AssignView(HotView):
    queryset = Task.objects.none()
    throttled_as = Kind.GRAB
    serializer_class = AssignSerializer
    filter_backends = []
    pagination_class = None

    def look(self) -> Any:
        pk = self.kwargs["pk"]
        return (holding.ACCESS_TO_TASK, {"task": pk}) if pk <= BigIntegerField.MAX_BIGINT else None

    @extend_schema(request=AssignSerializer, responses=OneAssignmentSerializer, operation_id="tasks_assign")
    def post(self, request: Request, pk: int) -> Response:
        """Take a chosen task, one that a grab could hand to you."""
        membership = self.seen()
        if membership is None:
            task = get_object_or_404(Task.objects.visible_to(request.user).select_related("queue"), pk=pk)
            membership = review_membership(request.user, task.queue)
        assignment = claims.assign(membership=membership, task_id=pk, call=assigning(request.data))
        return Response(rendering.one(assignment))


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


class AssignmentViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ViewSetMixin, HotView):
    """One's own assignments, and those of queues one manages. Only the holder answers, skips and extends."""

    queryset = Assignment.objects.none()
    serializer_class = AssignmentSerializer
    filterset_class = AssignmentFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        seen = Assignment.objects.visible_to(self.request.user)
        return seen.select_related("task__target_reviewer", "task__queue", "queue", "reviewer__user")

    def look(self) -> Any:
        return holding.HELD, {"assignment": int(self.kwargs["pk"])}

    def held(self) -> holding.Held:
        """The assignment and access to its queue, for the one it was handed to. Raises Http404, PermissionDenied."""
        held = self.seen()
        if held is None:
            self.get_object()
            raise PermissionDenied("This assignment is somebody else's.")
        return held

    @extend_schema(request=FinalizeSerializer, responses=FinalizedSerializer)
    @action(detail=True, methods=["post"])
    def finalize(self, request: Request, pk: str) -> Response:
        """Answer; with `assign_new_task` the next task comes along. Repeating it with equal data changes nothing."""
        held, said = self.held(), finalizing(request.data)
        done, grab = claims.finalize_and_grab(
            assignment=held.assignment,
            membership=held.membership,
            data=said["data"],
            user=request.user,
            grab_next=said["assign_new_task"],
            call=said.get("strategy"),
        )
        return Response(rendering.finalized(done.assignment, grab))

    @extend_schema(request=SkipSerializer, responses=OneAssignmentSerializer)
    @action(detail=True, methods=["post"])
    def skip(self, request: Request, pk: str) -> Response:
        """Hand the task back, not to get it again for a while or ever."""
        assignment, said = self.held().assignment, skipping(request.data)
        skipped = lifecycle.skip(assignment_id=assignment.pk, actor=request.user, known=assignment, **said)
        return Response(rendering.one(skipped))

    @extend_schema(request=ExtendSerializer, responses=OneAssignmentSerializer)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, pk: str) -> Response:
        """Move the end of the lease away from now. It never moves nearer."""
        assignment, said = self.held().assignment, extending(request.data)
        extended = lifecycle.extend(assignment_id=assignment.pk, actor=request.user, known=assignment, **said)
        return Response(rendering.one(extended))


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
