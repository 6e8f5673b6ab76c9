"""Notification settings, their endpoints, and what was sent."""

from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
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
    SecretSerializer,
    as_notification,
)
from queues.exceptions import InvalidInput
from queues.models import Delivery, Notification, Queue, Task
from queues.querysets import is_operator
from queues.states import Level, Role

WHOLE_NUMBER = r"[0-9]{1,18}"


class NotificationViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, ApiViewSet):
    """Who is told of which events. Operators set it for the site, managers for queues, requesters for their tasks."""

    queryset = Notification.objects.none()
    serializer_class = NotificationSerializer
    filterset_class = NotificationFilter
    lookup_value_regex = WHOLE_NUMBER
    keeps_answers = False

    def get_queryset(self) -> Any:
        seen = Notification.objects.visible_to(self.request.user)
        return seen.select_related("queue", "endpoint__owner")

    @extend_schema(request=NotificationSerializer, responses={201: NewNotificationSerializer})
    def create(self, request: Request) -> Response:
        """Make a setting. The endpoint is looked up, and its secret, where it is new, is shown this once."""
        data = validated(NotificationSerializer(data=request.data))
        made = notifications.create(draft=as_notification(data), owner=request.user, **self.place(data))
        shown = NewNotificationSerializer(made.notification).data
        return Response({**shown, "secret": made.secret}, status=status.HTTP_201_CREATED)

    def place(self, data: dict[str, Any]) -> dict[str, Any]:
        """The level, and the queue or task, if the user may set something there. Raises InvalidInput, Http404."""
        user, level = self.request.user, Level(data["level"])
        for name in (Level.QUEUE, Level.TASK):
            if (data.get(name.value) is None) == (level == name):
                needed = "Needed at this level." if level == name else f"Only at the level of {name.value}s."
                raise InvalidInput.at(f"/{name.value}", needed)
        if level == Level.SITE:
            forbid(is_operator(user), "Only operators set what the whole site sends.")
            return {"level": level}
        if level == Level.QUEUE:
            queue = get_object_or_404(Queue.objects.visible_to(user), name=data["queue"])
            forbid(has_role(user, queue, Role.MANAGER), "Only the queue's managers set what it sends.")
            return {"level": level, "queue": queue}
        return {"level": level, "task": get_object_or_404(Task.objects.visible_to(user), pk=data["task"])}

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
        """The setting, for whom its endpoint belongs to: others share it. Raises Http404, PermissionDenied."""
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

    @extend_schema(request=None, responses=SecretSerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, pk: str) -> Response:
        """A new secret for the endpoint, shown this once. The old one signs as well for 24 hours more."""
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

    @extend_schema(request=ReplaySerializer, responses=ReplayedSerializer, operation_id="deliveries_replay_failed")
    def post(self, request: Request) -> Response:
        """All that were given up since a time, at most 500: ask again until it is none."""
        asked = validated(ReplaySerializer(data=request.data))
        among = Delivery.objects.visible_to(request.user)
        if (wanted := asked.get("notification")) is not None:
            setting = get_object_or_404(Notification.objects.visible_to(request.user), pk=wanted)
            among = among.filter(endpoint=setting.endpoint_id)
        return Response({"replayed": deliveries.replay_failed(since=asked["since"], among=among)})
