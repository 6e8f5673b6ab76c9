"""The API's addresses of this app, to be included beside those of the floors below, under `api/v1/` or so."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from pavilion.api.views import pools, seat, sessions

router = SimpleRouter()
router.register("projects", pools.ProjectViewSet, basename="crowd-project")
router.register("pools", pools.PoolViewSet, basename="crowd-pool")
router.register("sessions", sessions.SessionViewSet, basename="crowd-session")
router.register("payments", sessions.PaymentViewSet, basename="crowd-payment")

urlpatterns = [
    path("", include(router.urls)),
    path("seat/", seat.StandingView.as_view(), name="crowd-seat"),
    path("seat/confirm/", seat.ConfirmView.as_view(), name="crowd-seat-confirm"),
    path("seat/submit/", seat.SubmitView.as_view(), name="crowd-seat-submit"),
    path("seat/return/", seat.ReturnView.as_view(), name="crowd-seat-return"),
    path("seat/grab/", seat.GrabView.as_view(), name="crowd-seat-grab"),
    path("seat/assignments/<int:pk>/", seat.AssignmentView.as_view(), name="crowd-seat-assignment"),
    path("seat/assignments/<int:pk>/finalize/", seat.FinalizeView.as_view(), name="crowd-seat-finalize"),
    path("seat/assignments/<int:pk>/skip/", seat.SkipView.as_view(), name="crowd-seat-skip"),
    path("seat/assignments/<int:pk>/extend/", seat.ExtendView.as_view(), name="crowd-seat-extend"),
]
