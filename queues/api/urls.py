"""The API's addresses of this app, to be included below a version such as `api/v1/`."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from queues.api.views.feed import FeedView
from queues.api.views.notifications import (
    DeliveriesView,
    DeliveryViewSet,
    NotificationViewSet,
    ReplayView,
)
from queues.api.views.queues import NAME_IN_PATH, MemberViewSet, QueueViewSet
from queues.api.views.tasks import QueueTasksView, TaskViewSet
from queues.api.views.tokens import TokenViewSet

IN_QUEUE = rf"^queues/(?P<queue_name>{NAME_IN_PATH})/"
"""How the address of what belongs to a queue begins."""

router = SimpleRouter()
router.register("queues", QueueViewSet, basename="crowd-queue")
router.register("tasks", TaskViewSet, basename="crowd-task")
router.register("notifications", NotificationViewSet, basename="crowd-notification")
router.register("deliveries", DeliveryViewSet, basename="crowd-delivery")
router.register("tokens", TokenViewSet, basename="crowd-token")

urlpatterns = [
    path("events/", FeedView.as_view(), name="crowd-events"),
    path("deliveries/replay/", ReplayView.as_view(), name="crowd-deliveries-replay"),
    path(
        "notifications/<int:notification_pk>/deliveries/",
        DeliveriesView.as_view({"get": "list"}),
        name="crowd-notification-deliveries",
    ),
    path("", include(router.urls)),
    re_path(
        rf"{IN_QUEUE}tasks/$",
        QueueTasksView.as_view({"get": "list", "post": "create"}),
        name="crowd-queue-tasks",
    ),
    re_path(
        rf"{IN_QUEUE}members/$",
        MemberViewSet.as_view({"get": "list", "post": "create"}),
        name="crowd-queue-members",
    ),
    re_path(
        rf"{IN_QUEUE}members/(?P<pk>[0-9]{{1,18}})/$",
        MemberViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="crowd-queue-member",
    ),
]
