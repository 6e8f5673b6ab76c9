"""The feed."""

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils.decorators import method_decorator
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from queues import bell, feed
from queues.api.base import ApiView, validated
from queues.api.serializers.feed import DIGITS_MAX, WAIT_MAX, FeedQuerySerializer, FeedSerializer
from queues.models import Event, Queue

TEXT = {"type": "string", "minLength": 1}
POSITION = {"type": "integer", "minimum": 0, "maximum": 10**DIGITS_MAX - 1}


# Not in a transaction of the request, whatever the host says: it would hold the feed's lock while it waits.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class FeedView(ApiView):
    """Every committed event exactly once, in an order to which nothing is added behind a reader's position."""

    queryset = Event.objects.none()
    serializer_class = FeedSerializer
    filter_backends = []
    pagination_class = None

    @extend_schema(
        parameters=[
            OpenApiParameter("after", {"oneOf": [POSITION, {"type": "string", "enum": [feed.LATEST]}]}),
            OpenApiParameter("type", TEXT, description="Event types, with commas between them."),
            OpenApiParameter("queue", TEXT),
            OpenApiParameter(
                "wait",
                {"type": "number", "minimum": 0, "maximum": WAIT_MAX},
                description=f"Seconds to wait for something to happen, up to {WAIT_MAX}.",
            ),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": feed.PAGE_MAX}),
        ],
        operation_id="events",
    )
    def get(self, request: Request) -> Response:
        """What happened behind a position; with `wait`, as soon as something does."""
        query = validated(FeedQuerySerializer(data=request.query_params))
        queue = None
        if "queue" in query:
            queue = get_object_or_404(Queue.objects.known_to(request.user), name=query["queue"])
        found, seated = bell.follow(
            request.user,
            wait=query["wait"],
            after=query.get("after"),
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
