"""The routers of the site, what they counted, and the workflows that one may start.

None of these are rows: what there is stands in the code of the site.
"""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response

from queues.api.base import ApiView, ApiViewSet, forbid
from queues.api.pagination import Pages
from queues.querysets import is_operator
from routing import registry
from routing.api.serializers import RouterSerializer, StatisticsSerializer, WorkflowSerializer
from routing.api.workflows import described, startable_by
from routing.router import AbstractCrowdRouter

ONLY_OPERATORS = "Routers, and what they count, are for operators to look at."


class OnePage(Pages):
    """A list of what is never many: all of it, as the one page of a list like every other."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """All of it."""
        self.has_next = self.has_previous = False
        return list(queryset)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """None."""
        return []


@extend_schema_view(list=extend_schema(filters=False))
class WorkflowView(mixins.ListModelMixin, ApiViewSet):
    """The workflows that the user may start."""

    serializer_class = WorkflowSerializer
    pagination_class = OnePage

    def get_queryset(self) -> Any:
        return [described(flow) for flow in startable_by(self.request.user, registry.workflows().values())]


@extend_schema_view(list=extend_schema(filters=False))
class RouterView(mixins.ListModelMixin, ApiViewSet):
    """The routers of the site, with their workflows; for operators."""

    serializer_class = RouterSerializer
    pagination_class = OnePage

    def get_queryset(self) -> Any:
        forbid(is_operator(self.request.user), ONLY_OPERATORS)
        return [_shown(router) for router in registry.routers().values()]


class StatisticsView(ApiView):
    """How often the tasks of a router were asked for and answered, in sessions; for operators."""

    serializer_class = StatisticsSerializer
    pagination_class = None
    filter_backends = []

    def _router(self) -> AbstractCrowdRouter:
        """Raises PermissionDenied, Http404."""
        forbid(is_operator(self.request.user), ONLY_OPERATORS)
        router = registry.routers().get(self.kwargs["name"])
        if router is None:
            raise Http404
        return router

    def get(self, request: Request, name: str) -> Response:
        """All that the router has, zeros too, and what it had when it was counted."""
        return Response(StatisticsSerializer(self._router().report_crowd_statistics()).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, name: str) -> Response:
        """Count from zero again, and let in as many requests as at the beginning."""
        self._router().clear_crowd_statistics()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _shown(router: AbstractCrowdRouter) -> dict[str, Any]:
    return {
        "name": router.get_name(),
        "workflows": [described(router.workflow_of(kind)) for kind in router.workflows],
        "num_allowable_requests": router.num_allowable_requests,
        "crowd_statistics": router.crowd_statistics,
    }
