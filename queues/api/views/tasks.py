"""Tasks: posting, looking at and changing them."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from queues import intake, lifecycle
from queues.api.base import ApiViewSet, forbid, validated
from queues.api.filters import TaskFilter
from queues.api.permissions import has_role
from queues.api.serializers.tasks import (
    CancelSerializer,
    NewTaskSerializer,
    TaskDraftSerializer,
    TaskPatchSerializer,
    TaskSerializer,
    as_draft,
    new_tasks,
)
from queues.exceptions import InvalidInput
from queues.models import Queue, Task
from queues.people import ANYONE, users_by_email
from queues.states import Role
from queues.throttles import Kind

LIST_MAX = 1000
"""How many tasks one request may create."""


def named_reviewer(email: str, queue: Queue, pointer: str) -> Any:
    """The one active reviewer of a queue with this e-mail. Raises InvalidInput."""
    found = [user for user in users_by_email([email])[email.lower()] if has_role(user, queue, Role.REVIEWER)]
    if len(found) != 1:
        raise InvalidInput.at(pointer, f"{email} is not exactly one active reviewer of this queue.")
    return found[0]


def one_or_many(name: str, serializer: type[serializers.Serializer[Any]]) -> PolymorphicProxySerializer:
    """In the API's schema: one of these, or a list of them."""
    both: list[Any] = [serializer, serializer(many=True)]
    return PolymorphicProxySerializer(name, both, resource_type_field_name=None, many=False)


class QueueTasksView(mixins.ListModelMixin, ApiViewSet):
    """The tasks of a queue: those one may see, and a way to post more."""

    queryset = Task.objects.none()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    throttled_as = Kind.CREATE

    def queue(self) -> Queue:
        return get_object_or_404(Queue.objects.visible_to(self.request.user), name=self.kwargs["queue_name"])

    def get_queryset(self) -> Any:
        seen = Task.objects.filter(queue=self.queue()).visible_to(self.request.user)
        return seen.select_related("queue", "requester", "target_reviewer", "reviewer")

    def prepare(self, request: Request, queue_name: str) -> None:
        """The drafts of a POST, with their endpoints looked up."""
        if self.action != "create":
            return
        self.into = self.queue()
        forbid(
            has_role(request.user, self.into, Role.REQUESTER, Role.MANAGER),
            "Only requesters and managers post tasks.",
        )
        if isinstance(request.data, list):
            if not 1 <= len(request.data) <= LIST_MAX:
                raise InvalidInput.at("", f"A list has 1 to {LIST_MAX} tasks.")
            self.drafts = [as_draft(data) for data in validated(TaskDraftSerializer(data=request.data, many=True))]
            intake.look_up(self.drafts)
        else:
            self.drafts = [as_draft(validated(TaskDraftSerializer(data=request.data)))]
            with intake.of_one():
                intake.look_up(self.drafts)

    @extend_schema(
        request=one_or_many("OneNewTaskOrMany", TaskDraftSerializer),
        responses={201: one_or_many("OneTaskOrMany", NewTaskSerializer)},
    )
    def create(self, request: Request, queue_name: str) -> Response:
        """Post one task, or a list of up to 1,000: all or none. The answer is the task, or the list of them.

        The secrets of endpoints that are new with them are in the first answer, and null in the repeated one.
        """
        if isinstance(request.data, list):
            return created(intake.create(queue=self.into, requester=request.user, drafts=self.drafts), one=False)
        return created(intake.create_one(queue=self.into, requester=request.user, draft=self.drafts[0]), one=True)


def created(made: intake.Created, *, one: bool) -> Response:
    """New tasks, each with the settings that it brought along; secrets are in this answer and in no stored one."""
    shown = new_tasks(made, secrets=True)
    response = Response(shown[0] if one else shown, status=status.HTTP_201_CREATED)
    if any(each.secret for each in made.settings):
        kept = new_tasks(made, secrets=False)
        response.kept = kept[0] if one else kept  # type: ignore[attr-defined]
    return response


class TaskViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Tasks that the user posted, or manages; operators see all. Who sees a task may change it while it is open."""

    queryset = Task.objects.none()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        seen = Task.objects.visible_to(self.request.user)
        return seen.select_related("queue", "requester", "target_reviewer", "reviewer")

    @extend_schema(request=TaskPatchSerializer, responses=TaskSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        changes = validated(TaskPatchSerializer(data=request.data, partial=True))
        if changes.get("target_reviewer") == ANYONE:
            changes["target_reviewer"] = None
        if changes.get("target_reviewer") is not None:
            changes["target_reviewer"] = named_reviewer(changes["target_reviewer"], task.queue, "/target_reviewer")
        lifecycle.update_task(task_id=task.pk, changes=changes, actor=request.user)
        return Response(TaskSerializer(self.get_object()).data)

    @extend_schema(request=CancelSerializer, responses=TaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        task = self.get_object()
        reason = validated(CancelSerializer(data=request.data)).get("reason", "")
        lifecycle.cancel_task(task_id=task.pk, reason=reason, actor=request.user)
        return Response(TaskSerializer(self.get_object()).data)
