"""Sockets for pages in a browser: they are beside the live server, and can be away for a while."""

from contextlib import ExitStack
from typing import Any

from csp.constants import SELF

from crowdsite.environment import socket_sources
from queues.models import EventPending
from tests.servers import free_port
from tests.site.serving import until
from tests.sockets import serving, telling


class Sockets:
    """A server of sockets, and of pages too, that can be stopped and started again at the same port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.running = ExitStack()

    def lead_pages_here(self, settings: Any) -> None:
        """Have the pages of the live server know of these sockets, and be allowed to open them."""
        settings.CROWDSITE_SOCKETS = f":{self.port}"
        policy = settings.CONTENT_SECURITY_POLICY["DIRECTIVES"]
        sources = socket_sources(settings.CROWDSITE_SOCKETS, ["localhost"])
        settings.CONTENT_SECURITY_POLICY = {"DIRECTIVES": {**policy, "connect-src": [SELF, *sources]}}

    def start(self, *, courier: bool = True) -> None:
        """Serve; with the courier, tell of what happens from now on."""
        site = self.running.enter_context(serving(self.port))
        if not courier:
            return
        self.running.enter_context(telling(site))
        # Of what is older than its first look the courier tells nobody.
        until(lambda: not EventPending.objects.exists())

    def stop(self) -> None:
        """End both, if they run; what is open is closed."""
        self.running.close()
