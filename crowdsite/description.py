"""The description of the API by OpenAPI: the same for everybody, so each process makes it once."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request


class DescriptionView(SpectacularAPIView):
    """In the form that is asked for, YAML or JSON. Making it takes a quarter of a second, and anybody may ask."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = request.accepted_renderer
        content_type = f"{renderer.media_type}; charset={renderer.charset or 'utf-8'}"
        return HttpResponse(_rendered(renderer.__class__), content_type=content_type)


@cache
def _rendered(renderer: Any) -> bytes:
    return renderer().render(_described(), renderer_context={})


@cache
def _described() -> dict[str, Any]:
    return SchemaGenerator().get_schema(public=True)
