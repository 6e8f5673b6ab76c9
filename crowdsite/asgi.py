"""The ASGI application, which uvicorn serves: pages and the API, and sockets beside them."""

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crowdsite.settings")

# Django has to be set up before anything that may import models.
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import re_path  # noqa: E402

from assignments.ws_urls import urlpatterns as of_queues  # noqa: E402
from crowdsite import requestids  # noqa: E402
from crowdsite.uploads import bounded  # noqa: E402
from pavilion.ws_urls import urlpatterns as of_pools  # noqa: E402
from queues.consumers import nowhere  # noqa: E402

# WhiteNoise streams files from synchronous iterators. Django reads them on a thread, correctly, but warns of
# each one.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators")

sockets = URLRouter([*of_queues, *of_pools, re_path("", nowhere)])  # type: ignore[arg-type]

application = ProtocolTypeRouter(
    {
        "http": bounded(django_application),
        # The sockets check Origin, session and token themselves.
        "websocket": requestids.sockets(sockets),
    }
)
