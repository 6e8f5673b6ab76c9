"""What a request asks for: in what form, with what in it, and which addresses belong to its router."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from routing.requests import CrowdRequest

HTML = "text/html"
JSON = ("application/json", "application/problem+json")


def wants_json(request: HttpRequest) -> bool:
    """Whether the client would rather have JSON than a page; whoever takes anything gets a page."""
    return request.get_preferred_type([HTML, *JSON]) in JSON


def brought(crowd_request: CrowdRequest) -> set[str]:
    """All the texts that came with the request: what a response has of them may not be trusted."""
    request = crowd_request.get_request()
    texts = _texts(request.resolver_match.kwargs)
    for values in (request.GET, crowd_request.get_form()):
        lists = values.lists() if hasattr(values, "lists") else values.items()
        texts.update(*(_texts(value) for _name, value in lists))
    return texts


def _texts(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value}
    below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return set().union(*map(_texts, below))


class Addresses:
    """The addresses of the router that serves a request, wherever, and as often, as the host has mounted it."""

    def __init__(self, request: HttpRequest) -> None:
        assert request.resolver_match is not None
        self.match = request.resolver_match

    def _of(self, name: str, **parts: str) -> str:
        ours = {"router_class", "workflow", "task"}
        above = {key: value for key, value in self.match.kwargs.items() if key not in ours}
        return reverse(f"{self.match.namespace}:{name}", kwargs=above | parts, current_app=self.match.namespace)

    def index(self) -> str:
        return self._of("index")

    def workflow(self, name: str) -> str:
        """Of its present task, or else of its first."""
        return self._of("workflow", workflow=name)

    def task(self, workflow: str, name: str) -> str:
        return self._of("task", workflow=workflow, task=name)
