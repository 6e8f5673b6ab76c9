"""The feed."""

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from queues import bell, feed
from queues.api.base import ApiView, validated
from queues.api.serializers.feed import LATEST, WAIT_MAX, FeedQuerySerializer, FeedSerializer
from queues.models import Event, Queue


class FeedView(ApiView):
    """Every committed event exactly once, in an order to which nothing is added behind a reader's position."""

    queryset = Event.objects.none()
    serializer_class = FeedSerializer
    filter_backends = []
    pagination_class = None

    @extend_schema(
        parameters=[
            OpenApiParameter("after", {"oneOf": [{"type": "integer"}, {"const": LATEST}]}),
            OpenApiParameter("type", str, description="Event types, with commas between them."),
            OpenApiParameter("queue", str),
            OpenApiParameter("wait", float, description=f"Seconds to wait for something to happen, up to {WAIT_MAX}."),
            OpenApiParameter("limit", int),
        ],
        operation_id="events",
    )
    def get(self, request: Request) -> Response:
        """What happened behind a position; with `wait`, as soon as something does."""
        query = validated(FeedQuerySerializer(data=request.query_params))
        queue = None
        if "queue" in query:
            queue = get_object_or_404(Queue.objects.visible_to(request.user), name=query["queue"])
        after = feed.mark().position if query.get("after") == LATEST else query.get("after")
        found, seated = bell.follow(
            request.user,
            wait=query["wait"],
            after=after,
            queue=queue,
            types=query.get("type", ()),
            limit=query["limit"],
        )
        shown = Queue.objects.filter(pk__in={one.queue_id for one in found.entries})
        names = {"queues": dict(shown.values_list("pk", "name"))}
        further = request.query_params.copy()
        further["after"] = str(found.position)
        body = {
            "results": found.entries,
            "position": found.position,
            "more": found.more,
            "next": request.build_absolute_uri(f"{request.path}?{further.urlencode()}"),
            "previous": None,
        }
        headers = {} if seated else {"Retry-After": "1"}
        return Response(FeedSerializer(body, context=names).data, headers=headers)
