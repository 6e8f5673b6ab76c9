"""The API's addresses of this app, to be included below a version such as `api/v1/`, beside those of queues."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from assignments.api import views
from queues.api.urls import IN_QUEUE

router = SimpleRouter()
router.register("assignments", views.AssignmentViewSet, basename="crowd-assignment")
router.register("reviewers", views.ReviewerViewSet, basename="crowd-reviewer")

urlpatterns = [
    re_path(rf"{IN_QUEUE}grab/$", views.GrabView.as_view(), name="crowd-queue-grab"),
    path("", include(router.urls)),
    re_path(rf"{IN_QUEUE}stats/$", views.StatsView.as_view(), name="crowd-queue-stats"),
    path("tasks/<int:pk>/assign/", views.AssignView.as_view(), name="crowd-task-assign"),
    path("tasks/<int:pk>/judgments/", views.JudgmentsView.as_view(), name="crowd-task-judgments"),
]
