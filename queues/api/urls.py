"""The API's addresses of this app, to be included below a version such as `api/v1/`."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from queues.api import views

IN_QUEUE = rf"^queues/(?P<queue_name>{views.NAME_IN_PATH})/"
"""How the address of what belongs to a queue begins."""

router = SimpleRouter()
router.register("queues", views.QueueViewSet, basename="crowd-queue")
router.register("tasks", views.TaskViewSet, basename="crowd-task")
router.register("tokens", views.TokenViewSet, basename="crowd-token")

urlpatterns = [
    path("", include(router.urls)),
    re_path(
        rf"{IN_QUEUE}tasks/$",
        views.QueueTasksView.as_view({"get": "list", "post": "create"}),
        name="crowd-queue-tasks",
    ),
    re_path(
        rf"{IN_QUEUE}members/$",
        views.MemberViewSet.as_view({"get": "list", "post": "create"}),
        name="crowd-queue-members",
    ),
    re_path(
        rf"{IN_QUEUE}members/(?P<pk>[0-9]{{1,18}})/$",
        views.MemberViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="crowd-queue-member",
    ),
]
