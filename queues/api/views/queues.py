"""Queues and their members."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from queues import administration, members
from queues.api.base import ApiViewSet, forbid, validated
from queues.api.filters import QueueFilter
from queues.api.permissions import has_role, may_create_queues
from queues.api.serializers.queues import MemberPatchSerializer, MemberSerializer, QueuePatchSerializer, QueueSerializer
from queues.exceptions import InvalidInput
from queues.models import QUEUE_NAME, Membership, Queue
from queues.people import users_by_email
from queues.states import Role

NAME_IN_PATH = QUEUE_NAME.removeprefix(r"\A").removesuffix(r"\Z")
"""What a queue's name looks like in an address. Nothing else reaches the database: PostgreSQL cannot look up a NUL."""


def named_user(email: str, pointer: str) -> Any:
    """The one active user with this e-mail. Raises InvalidInput."""
    found = users_by_email([email])[email.lower()]
    if len(found) != 1:
        raise InvalidInput.at(pointer, f"{email} is not exactly one active user.")
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
