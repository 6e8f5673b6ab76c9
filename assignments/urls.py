"""The addresses of the reviewers' pages, to be included below a path such as `desk/`.

They need the API of `queues` and `assignments` beside them: the workbench speaks it.
"""

from django.urls import path, re_path

from assignments.views import desk, metrics, workbench
from queues.models import QUEUE_NAME

NAME = QUEUE_NAME.removeprefix(r"\A").removesuffix(r"\Z")

urlpatterns = [
    path("", desk.desk, name="crowd-desk"),
    re_path(rf"^queues/(?P<queue_name>{NAME})/$", workbench.workbench, name="crowd-workbench"),
    path("done/", desk.done, name="crowd-done"),
    path("done/<int:pk>/", desk.done_detail, name="crowd-done-detail"),
    path("metrics/", metrics.metrics, name="crowd-metrics"),
]
