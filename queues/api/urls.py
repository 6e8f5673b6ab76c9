"""The API's addresses of this app, to be included below a version such as `api/v1/`."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from queues.api import views

router = SimpleRouter()
router.register("queues", views.QueueViewSet, basename="crowd-queue")
router.register("tasks", views.TaskViewSet, basename="crowd-task")
router.register("tokens", views.TokenViewSet, basename="crowd-token")

urlpatterns = [
    path("", include(router.urls)),
    path(
        "queues/<str:queue_name>/tasks/",
        views.QueueTasksView.as_view({"get": "list", "post": "create"}),
        name="crowd-queue-tasks",
    ),
    path(
        "queues/<str:queue_name>/members/",
        views.MemberViewSet.as_view({"get": "list", "post": "create"}),
        name="crowd-queue-members",
    ),
    path(
        "queues/<str:queue_name>/members/<int:pk>/",
        views.MemberViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="crowd-queue-member",
    ),
]
