import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kennel.settings")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from assignments.ws_urls import urlpatterns as of_queues  # noqa: E402
from pavilion.ws_urls import urlpatterns as of_pools  # noqa: E402
from queues.consumers import nowhere  # noqa: E402

application = ProtocolTypeRouter(
    {"http": django_application, "websocket": URLRouter([*of_queues, *of_pools, re_path("", nowhere)])}
)
