"""What a notification says of an object: what the API shows of it. Each app names the function that knows."""

from collections.abc import Callable, Collection
from typing import Any

from django.utils.module_loading import import_string

Renderer = Callable[[Collection[int]], dict[int, dict[str, Any]]]
"""Ids → what the API shows of those that exist, by id; plain JSON values."""

_renderers: dict[str, str] = {}


def register(object_type: str, function: str) -> None:
    """Name the Renderer of an object type by its dotted path. It is imported at its first use: it stands in an edge."""
    _renderers[object_type] = function


def render(object_type: str, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """What the API shows of these objects now; without those that are gone. Raises KeyError for an unknown type."""
    renderer: Renderer = import_string(_renderers[object_type])
    return renderer(ids)
