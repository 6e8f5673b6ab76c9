"""The API's addresses of this app, to be included beside those of the floors below, under `api/v1/` or so."""

from django.urls import include, path, re_path
from rest_framework.routers import SimpleRouter

from routing.api.views.routers import RouterView, StatisticsView, WorkflowView
from routing.api.views.runs import RunStepsView, RunViewSet

router = SimpleRouter()
router.register("runs", RunViewSet, basename="crowd-run")
router.register("routers", RouterView, basename="crowd-router")
router.register("workflows", WorkflowView, basename="crowd-workflow")

urlpatterns = [
    path("", include(router.urls)),
    re_path(r"^runs/(?P<run_pk>[0-9]{1,18})/steps/$", RunStepsView.as_view({"get": "list"}), name="crowd-run-steps"),
    re_path(r"^routers/(?P<name>[^/]{1,100})/statistics/$", StatisticsView.as_view(), name="crowd-router-statistics"),
]
