"""The addresses of the sockets, for the host's URLRouter."""

from django.urls import path, re_path

from assignments.consumers import OperatorSocket, QueueSocket
from assignments.urls import NAME

urlpatterns = [
    re_path(rf"^ws/queues/(?P<name>{NAME})/$", QueueSocket.as_asgi()),
    path("ws/operator/", OperatorSocket.as_asgi()),
]
