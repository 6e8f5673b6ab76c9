"""The addresses of this app's sockets, for the host's URLRouter."""

from django.urls import path

from pavilion.consumers import ConsoleSocket, SeatSocket

urlpatterns = [
    path("ws/pool/<int:session>/", SeatSocket.as_asgi()),
    path("ws/pool/<int:session>/console/", ConsoleSocket.as_asgi()),
]
