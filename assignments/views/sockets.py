"""Where the pages find their sockets."""

from django.http import HttpRequest
from django.http.request import split_domain_port

from queues import conf
from queues.models import Queue


def of_queue(request: HttpRequest, queue: Queue) -> str:
    """The address for live.js of a queue's socket; "" where there are none."""
    return address(request, f"/ws/queues/{queue.name}/")


def of_operator(request: HttpRequest) -> str:
    """The address for live.js of the operators' socket; "" where there are none."""
    return address(request, "/ws/operator/")


def address(request: HttpRequest, path: str) -> str:
    """The address for live.js of the socket at a path; "" where there are none."""
    at = conf.sockets()
    if at is None:
        return ""
    if at.startswith(":"):
        return f"//{split_domain_port(request.get_host())[0]}{at}{path}"
    return f"{at.rstrip('/')}{path}"
