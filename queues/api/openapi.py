"""What the API's schema says of every address beyond what its serializers tell: refusals, and the Idempotency-Key."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter

from queues import events
from queues.api import problems

KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="Names this request: sent again within 24 hours, it gets the first one's answer and changes nothing.",
)

PROBLEM = {
    "type": "object",
    "description": "A refusal (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri", "example": f"{problems.URN}invalid-input"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "A sentence for a person."},
        "errors": {
            "type": "array",
            "maxItems": problems.MAX_ERRORS,
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON pointer to the place in the body."},
                    "detail": {"type": "string"},
                    "index": {"type": "integer", "description": "Which item of a list it is about."},
                },
            },
        },
    },
    "additionalProperties": {},
}


class ApiSchema(AutoSchema):
    """The schema of a view of ours."""

    def get_override_parameters(self) -> list[Any]:
        """Every change takes the key, but where the answer holds a secret."""
        keeps_answers = getattr(self.view, "keeps_answers", False)
        return [KEY] if keeps_answers and self.method in ("POST", "PATCH", "DELETE") else []

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        problem = ResolvedComponent(name="Problem", type=ResolvedComponent.SCHEMA, schema=PROBLEM, object=PROBLEM)
        self.registry.register_on_missing(problem)
        refusal = {
            "description": "A refusal; `type` tells which.",
            "content": {problems.CONTENT_TYPE: {"schema": problem.ref}},
        }
        return {**super()._get_response_bodies(direction), "default": refusal}


class EventTypes(OpenApiSerializerFieldExtension):
    """Event types: those that all apps have registered by the time that the schema is asked for."""

    target_class = "queues.api.serializers.notifications.EventTypesField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """A list of them."""
        types = {"type": "string", "enum": events.registered()}
        return {"type": "array", "items": types, "minItems": 1, "maxItems": self.target.max_length, "uniqueItems": True}
