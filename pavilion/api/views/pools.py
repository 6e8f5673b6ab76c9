"""Projects and pools."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from pavilion import pools, sessions
from pavilion.api import problems  # noqa: F401  (registers this app's problem types)
from pavilion.api.filters import PoolFilter
from pavilion.api.serializers import (
    CloneSerializer,
    NoFields,
    PoolPatchSerializer,
    PoolSerializer,
    ProjectSerializer,
    SessionSerializer,
)
from pavilion.models import Pool, Project, Session
from queues.api.base import ApiViewSet, forbid, validated
from queues.api.permissions import has_role, may_create_queues
from queues.exceptions import InvalidInput
from queues.querysets import is_operator
from queues.states import Role


class ProjectViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """One's own projects, and those with pools for queues that one manages; operators see all."""

    queryset = Project.objects.none()
    serializer_class = ProjectSerializer
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        return Project.objects.visible_to(self.request.user)

    def create(self, request: Request) -> Response:
        forbid(may_create_queues(request.user), "You may not create projects.")
        fields = validated(ProjectSerializer(data=request.data))
        project = pools.create_project(actor=request.user, **fields)
        return Response(ProjectSerializer(project).data, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        project = self.get_object()
        mine = project.owner_id == request.user.pk or is_operator(request.user)
        forbid(mine, "Only its owner changes a project.")
        changes = validated(ProjectSerializer(data=request.data, partial=True))
        return Response(ProjectSerializer(pools.update_project(project_id=project.pk, changes=changes)).data)


class PoolViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Pools for queues that one manages; operators see all."""

    queryset = Pool.objects.none()
    serializer_class = PoolSerializer
    filterset_class = PoolFilter
    lookup_value_regex = r"[0-9]{1,18}"

    def get_queryset(self) -> Any:
        return Pool.objects.visible_to(self.request.user).select_related("queue", "backlog_queue")

    def create(self, request: Request) -> Response:
        fields = validated(PoolSerializer(data=request.data, context=self.get_serializer_context()))
        self._require_managed(fields)
        projects = Project.objects.visible_to(request.user)
        project = projects.filter(pk=fields.pop("project_id")).first()
        if project is None:
            raise InvalidInput.at("/project", "There is no such project, or none that you may see.")
        pool = pools.create_pool(project=project, queue=fields.pop("queue"), fields=fields)
        return Response(self.get_serializer(pool).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=PoolPatchSerializer, responses=PoolSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        pool = self.get_object()
        context = self.get_serializer_context()
        changes = validated(PoolPatchSerializer(data=request.data, partial=True, context=context))
        self._require_managed(changes)
        pool = pools.update_pool(pool_id=pool.pk, changes=changes)
        return Response(self.get_serializer(pool).data)

    def destroy(self, request: Request, pk: str) -> Response:
        pools.delete_pool(pool_id=self.get_object().pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=CloneSerializer, responses={201: PoolSerializer})
    @action(detail=True, methods=["post"])
    def clone(self, request: Request, pk: str) -> Response:
        """Another pool like this one."""
        pool = self.get_object()
        said = validated(CloneSerializer(data=request.data))
        clone = pools.clone_pool(pool_id=pool.pk, name=said["name"])
        return Response(self.get_serializer(clone).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=NoFields, responses={201: SessionSerializer})
    @action(detail=True, methods=["post"], url_path="post", url_name="post")
    def put_to_work(self, request: Request, pk: str) -> Response:
        """Put the pool to work: as many places are offered as may wait and be active in all."""
        pool = self.get_object()
        validated(NoFields(data=request.data))
        session = sessions.post(pool_id=pool.pk, actor=request.user)
        shown = get_object_or_404(Session.objects.with_counts(), pk=session.pk)
        return Response(SessionSerializer(shown).data, status=status.HTTP_201_CREATED)

    def _require_managed(self, fields: dict[str, Any]) -> None:
        """Workers become reviewers of the queues, which is for their managers to grant. Raises PermissionDenied."""
        for name in ("queue", "backlog_queue"):
            if (queue := fields.get(name)) is not None:
                forbid(has_role(self.request.user, queue, Role.MANAGER), "Only a queue's managers set up pools for it.")
