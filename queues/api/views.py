"""The API of queues, members, tasks and tokens: each view checks shape and permission, makes one call, and renders."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from queues import administration, intake, lifecycle, members, tokens
from queues.api.base import ApiViewSet, forbid
from queues.api.filters import QueueFilter, TaskFilter
from queues.api.permissions import has_role, may_create_queues
from queues.api.serializers import (
    CancelSerializer,
    MemberPatchSerializer,
    MemberSerializer,
    NewTokenSerializer,
    QueuePatchSerializer,
    QueueSerializer,
    TaskDraftSerializer,
    TaskPatchSerializer,
    TaskSerializer,
    TokenSerializer,
    as_draft,
)
from queues.exceptions import InvalidInput
from queues.models import QUEUE_NAME, Membership, Queue, Task, Token
from queues.people import ANYONE, users_by_email
from queues.states import Role

NAME_IN_PATH = QUEUE_NAME.removeprefix(r"\A").removesuffix(r"\Z")
"""What a queue's name looks like in an address. Nothing else reaches the database: PostgreSQL cannot look up a NUL."""

LIST_MAX = 1000
"""How many tasks one request may create."""


def validated(serializer: serializers.BaseSerializer[Any]) -> Any:
    """The data of a serializer. Raises ValidationError."""
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def named_user(email: str, pointer: str) -> Any:
    """The one active user with this e-mail. Raises InvalidInput."""
    found = users_by_email([email])[email.lower()]
    if len(found) != 1:
        raise InvalidInput.at(pointer, f"{email} is not exactly one active user.")
    return found[0]


def named_reviewer(email: str, queue: Queue, pointer: str) -> Any:
    """The one active reviewer of a queue with this e-mail. Raises InvalidInput."""
    found = [user for user in users_by_email([email])[email.lower()] if has_role(user, queue, Role.REVIEWER)]
    if len(found) != 1:
        raise InvalidInput.at(pointer, f"{email} is not exactly one active reviewer of this queue.")
    return found[0]


class QueueViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Queues of which the user is a member; operators see all. Managers change theirs."""

    queryset = Queue.objects.none()
    serializer_class = QueueSerializer
    filterset_class = QueueFilter
    lookup_field = "name"
    lookup_value_regex = NAME_IN_PATH

    def get_queryset(self) -> Any:
        return Queue.objects.visible_to(self.request.user)

    def create(self, request: Request) -> Response:
        forbid(may_create_queues(request.user), "You may not create queues.")
        fields = validated(QueueSerializer(data=request.data))
        queue = administration.create_queue(name=fields.pop("name"), fields=fields, actor=request.user)
        return Response(QueueSerializer(queue).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=QueuePatchSerializer, responses=QueueSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        queue = self.managed()
        changes = validated(QueuePatchSerializer(data=request.data, partial=True))
        queue = administration.update_queue(queue_id=queue.pk, changes=changes, actor=request.user)
        return Response(QueueSerializer(queue).data)

    def destroy(self, request: Request, name: str) -> Response:
        administration.archive_queue(queue_id=self.managed().pk, actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def managed(self) -> Queue:
        """The queue, for its managers. Raises Http404, PermissionDenied."""
        queue = self.get_object()
        forbid(has_role(self.request.user, queue, Role.MANAGER), "Only the queue's managers may do this.")
        return queue


def one_or_many(name: str, serializer: type[serializers.Serializer[Any]]) -> PolymorphicProxySerializer:
    """In the API's schema: one of these, or a list of them."""
    both: list[Any] = [serializer, serializer(many=True)]
    return PolymorphicProxySerializer(name, both, resource_type_field_name=None, many=False)


class QueueTasksView(mixins.ListModelMixin, ApiViewSet):
    """The tasks of a queue: those one may see, and a way to post more."""

    queryset = Task.objects.none()
    serializer_class = TaskSerializer
    filterset_class = TaskFilter

    def queue(self) -> Queue:
        return get_object_or_404(Queue.objects.visible_to(self.request.user), name=self.kwargs["queue_name"])

    def get_queryset(self) -> Any:
        seen = Task.objects.filter(queue=self.queue()).visible_to(self.request.user)
        return seen.select_related("queue", "requester", "target_reviewer", "reviewer")

    @extend_schema(
        request=one_or_many("OneNewTaskOrMany", TaskDraftSerializer),
        responses={201: one_or_many("OneTaskOrMany", TaskSerializer)},
    )
    def create(self, request: Request, queue_name: str) -> Response:
        """Post one task, or a list of up to 1,000: all or none. The answer is the task, or the list of them."""
        queue = self.queue()
        forbid(
            has_role(request.user, queue, Role.REQUESTER, Role.MANAGER),
            "Only requesters and managers post tasks.",
        )
        if isinstance(request.data, list):
            if not 1 <= len(request.data) <= LIST_MAX:
                raise InvalidInput.at("", f"A list has 1 to {LIST_MAX} tasks.")
            drafts = [as_draft(data) for data in validated(TaskDraftSerializer(data=request.data, many=True))]
            tasks = intake.create_tasks(queue=queue, requester=request.user, drafts=drafts)
            return Response(TaskSerializer(tasks, many=True).data, status=status.HTTP_201_CREATED)
        draft = as_draft(validated(TaskDraftSerializer(data=request.data)))
        task = intake.create_task(queue=queue, requester=request.user, draft=draft)
        return Response(TaskSerializer(task).data, status=status.HTTP_201_CREATED)


class MemberViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """The members of a queue, for its managers. Revoking a reviewer releases what they hold."""

    queryset = Membership.objects.none()
    serializer_class = MemberSerializer
    filterset_fields = ["role"]

    def queue(self) -> Queue:
        queue = get_object_or_404(Queue.objects.visible_to(self.request.user), name=self.kwargs["queue_name"])
        forbid(has_role(self.request.user, queue, Role.MANAGER), "Only the queue's managers see its members.")
        return queue

    def get_queryset(self) -> Any:
        return Membership.objects.filter(queue=self.queue()).select_related("user", "queue")

    def create(self, request: Request, queue_name: str) -> Response:
        queue = self.queue()
        fields = validated(MemberSerializer(data=request.data))
        user = named_user(fields.pop("user"), "/user")
        membership = members.grant(queue=queue, user=user, actor=request.user, **fields)
        return Response(MemberSerializer(membership).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=MemberPatchSerializer, responses=MemberSerializer)
    def partial_update(self, request: Request, queue_name: str, pk: str) -> Response:
        membership = self.get_object()
        changes = validated(MemberPatchSerializer(data=request.data, partial=True))
        membership = members.change(membership=membership, changes=changes, actor=request.user)
        return Response(MemberSerializer(membership).data)

    def destroy(self, request: Request, queue_name: str, pk: str) -> Response:
        members.revoke(membership=self.get_object(), actor=request.user)
        return Response(status=status.HTTP_204_NO_CONTENT)


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


class TokenViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """One's own API tokens. A token's text is shown once, when it is made; deleting a token ends it at once."""

    queryset = Token.objects.none()
    serializer_class = TokenSerializer
    filterset_fields: list[str] = []
    lookup_value_regex = r"[0-9]{1,18}"
    keeps_answers = False

    def get_queryset(self) -> Any:
        return Token.objects.filter(user=self.request.user.pk, revoked_at__isnull=True)

    @extend_schema(request=TokenSerializer, responses={201: NewTokenSerializer})
    def create(self, request: Request) -> Response:
        fields = validated(TokenSerializer(data=request.data))
        token, secret = tokens.issue(user=request.user, **fields)
        return Response({**TokenSerializer(token).data, "token": secret}, status=status.HTTP_201_CREATED)

    def destroy(self, request: Request, pk: str) -> Response:
        tokens.revoke(token=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)
