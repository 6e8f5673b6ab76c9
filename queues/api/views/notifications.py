"""Notification settings, their endpoints, and what was sent."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from queues import deliveries, notifications
from queues.api.base import ApiView, ApiViewSet, forbid, validated
from queues.api.filters import DeliveryFilter, NotificationFilter
from queues.api.permissions import has_role
from queues.api.serializers.notifications import (
    DeliveryDetailSerializer,
    DeliverySerializer,
    NewNotificationSerializer,
    NotificationPatchSerializer,
    NotificationSerializer,
    ReplayedSerializer,
    ReplaySerializer,
    RotatedSerializer,
    as_notification,
)
from queues.exceptions import InvalidInput
from queues.models import Delivery, Notification, Queue, Task
from queues.querysets import is_operator
from queues.states import Level, Role
from queues.throttles import Kind

WHOLE_NUMBER = r"[0-9]{1,18}"


EXAMPLE_OF_QUEUE = OpenApiExample(
    "The finished tasks of a queue",
    {
        "level": "queue",
        "queue": "digits",
        "endpoint": "https://example.org/crowdsite",
        "headers": {"Authorization": "Bearer abc"},
        "events_to_notify": ["TASK_FINISHED", "TASK_EXPIRED", "TASK_CANCELED"],
    },
    request_only=True,
)
EXAMPLE_OF_TASK = OpenApiExample(
    "One task, and nobody else is told of it",
    {
        "level": "task",
        "task": 4711,
        "endpoint": "https://example.org/urgent",
        "events_to_notify": ["TASK_FINISHED"],
        "strategy": "ONLY",
    },
    request_only=True,
)


class NotificationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Who is told of which events. Operators set it for the site, managers for queues, requesters for their tasks."""

    queryset = Notification.objects.none()
    serializer_class = NotificationSerializer
    filterset_class = NotificationFilter
    lookup_value_regex = WHOLE_NUMBER
    throttled_as = Kind.CREATE

    @property
    def keeps_answers(self) -> bool:  # type: ignore[override]
        """Not those that hold secrets."""
        return self.action not in ("create", "rotate")

    def get_queryset(self) -> Any:
        seen = Notification.objects.visible_to(self.request.user)
        if self.action == "list" and "task" not in self.request.query_params:
            # Those of tasks may be as many as there are tasks, and are listed task by task.
            seen = seen.filter(task__isnull=True)
        return seen.select_related("queue", "endpoint__owner")

    @extend_schema(
        request=NotificationSerializer,
        responses={201: NewNotificationSerializer},
        examples=[EXAMPLE_OF_QUEUE, EXAMPLE_OF_TASK],
    )
    def create(self, request: Request) -> Response:
        """Make a setting. The endpoint is looked up, and its secret, where it is new, is shown this once.

        A second one for the same endpoint at the same place is refused (409), with the first one's id.
        """
        data = validated(NotificationSerializer(data=request.data))
        made = notifications.create(draft=as_notification(data), owner=request.user, **self.place(data))
        shown = NewNotificationSerializer(made.notification).data
        return Response({**shown, "secret": made.secret}, status=status.HTTP_201_CREATED)

    def place(self, data: dict[str, Any]) -> dict[str, Any]:
        """The level, and the queue or task, if the user may set something there. Raises InvalidInput, Http404."""
        user, level = self.request.user, Level(data["level"])
        wrong = [
            {
                "pointer": f"/{name}",
                "detail": "Needed at this level." if level == name else f"Only at the level of {name}s.",
            }
            for name, given in (("queue", data.get("queue")), ("task", data.get("task_id")))
            if (given is None) == (level == name)
        ]
        if wrong:
            raise InvalidInput(wrong)
        if level == Level.SITE:
            forbid(is_operator(user), "Only operators set what the whole site sends.")
            return {"level": level}
        if level == Level.QUEUE:
            queue = get_object_or_404(Queue.objects.visible_to(user), name=data["queue"])
            forbid(has_role(user, queue, Role.MANAGER), "Only the queue's managers set what it sends.")
            return {"level": level, "queue": queue}
        return {"level": level, "task": get_object_or_404(Task.objects.visible_to(user), pk=data["task_id"])}

    @extend_schema(request=NotificationPatchSerializer, responses=NotificationSerializer)
    def partial_update(self, request: Request, pk: str) -> Response:
        setting = self.get_object()
        changes = validated(NotificationPatchSerializer(data=request.data, partial=True))
        notifications.change(notification_id=setting.pk, changes=changes)
        return Response(NotificationSerializer(self.get_object()).data)

    def destroy(self, request: Request, pk: str) -> Response:
        notifications.remove(notification_id=self.get_object().pk)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def owned(self) -> Notification:
        """The setting, for its endpoint's owner, whose other settings share it. Raises Http404, PermissionDenied."""
        setting = self.get_object()
        mine = setting.endpoint.owner_id == self.request.user.pk or is_operator(self.request.user)
        forbid(mine, "Only the endpoint's owner may do this.")
        return setting

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send a test event."""
        delivery = notifications.send_test(notification_id=self.get_object().pk)
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=RotatedSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """Give the endpoint a new secret, shown this once. The old one signs as well for 24 hours more."""
        return Response({"secret": notifications.rotate(endpoint_id=self.owned().endpoint_id)})

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: str) -> Response:
        """Send to the endpoint again."""
        notifications.enable(endpoint_id=self.owned().endpoint_id)
        return Response(NotificationSerializer(self.get_object()).data)

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: str) -> Response:
        """Send nothing to the endpoint until it is enabled again."""
        notifications.disable(endpoint_id=self.owned().endpoint_id)
        return Response(NotificationSerializer(self.get_object()).data)


class DeliveriesView(mixins.ListModelMixin, ApiViewSet):
    """What was, and is to be, sent to the endpoint of a setting."""

    queryset = Delivery.objects.none()
    serializer_class = DeliverySerializer
    filterset_class = DeliveryFilter

    def get_queryset(self) -> Any:
        seen = Notification.objects.visible_to(self.request.user)
        setting = get_object_or_404(seen, pk=self.kwargs["notification_pk"])
        sent = Delivery.objects.filter(endpoint=setting.endpoint_id).visible_to(self.request.user)
        return sent.select_related("endpoint").defer("body", "headers")


class DeliveryViewSet(mixins.RetrieveModelMixin, ApiViewSet):
    """One delivery, with its body and its tries."""

    queryset = Delivery.objects.none()
    serializer_class = DeliveryDetailSerializer
    lookup_value_regex = WHOLE_NUMBER
    throttled_as = Kind.CREATE

    def get_queryset(self) -> QuerySet[Delivery]:
        return Delivery.objects.visible_to(self.request.user).select_related("endpoint")

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send it once more: the same id and body."""
        delivery = deliveries.replay(delivery_id=self.get_object().pk)
        return Response(DeliverySerializer(delivery).data)


class ReplayView(ApiView):
    """Failed deliveries, sent once more."""

    queryset = Delivery.objects.none()
    serializer_class = ReplaySerializer
    filter_backends = []
    pagination_class = None
    throttled_as = Kind.CREATE

    @extend_schema(request=ReplaySerializer, responses=ReplayedSerializer, operation_id="deliveries_replay_failed")
    def post(self, request: Request) -> Response:
        """All that were given up since a time, at most 500: ask again until it is none."""
        asked = validated(ReplaySerializer(data=request.data))
        among = Delivery.objects.visible_to(request.user)
        if (wanted := asked.get("notification")) is not None:
            setting = get_object_or_404(Notification.objects.visible_to(request.user), pk=wanted)
            among = among.filter(endpoint=setting.endpoint_id)
        elif not is_operator(request.user):
            among = Delivery.objects.filter(endpoint__owner=request.user.pk)
        return Response({"replayed": deliveries.replay_failed(since=asked["since"], among=among)})
