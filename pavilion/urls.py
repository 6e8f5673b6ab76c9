"""The pages of workers, to be included where the host wants them."""

from django.urls import path

from pavilion import views

urlpatterns = [
    path("offer/<str:link>/", views.offer, name="crowd-pool-offer"),
    path("room/<str:link>/", views.room, name="crowd-pool-room"),
    path("room/<str:link>/enter/", views.enter, name="crowd-pool-enter"),
    path("mturk/events/", views.sns, name="crowd-pool-mturk-events"),
]
