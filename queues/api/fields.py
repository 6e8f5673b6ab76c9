"""Serializer fields that take a value of their own type and nothing that merely looks like one.

REST framework's own turn 5 into "5", "yes" into true and "1.0" into 1, and pass over fields that they do not
know; a client that sends these has a mistake that it should hear of.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.settings import api_settings

from queues import moments


class StrictCharField(serializers.CharField):
    """Text, kept as it is (no trimming); never a number. NUL and halves of surrogate pairs are refused."""

    default_error_messages = {"invalid": "Must be text."}

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        if not kwargs.get("allow_blank") and not kwargs.get("read_only"):
            # So that the API's schema says it, too.
            kwargs.setdefault("min_length", 1)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictIntegerField(serializers.IntegerField):
    """A whole number; never true, 1.0 or "1"."""

    default_error_messages = {"invalid": "Must be a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictBooleanField(serializers.BooleanField):
    """true or false; never 1, "yes" or an empty text."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class AwareDateTimeField(serializers.DateTimeField):
    """A time with its offset (RFC 3339), from 1970 to the end of 8999; read and shown in UTC.

    Digits beyond the microsecond are dropped, as neither database keeps them.
    """

    default_error_messages = {
        "invalid": moments.INVALID,
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=UTC, **kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str):
            self.fail("invalid")
        try:
            return moments.parse(value)
        except ValueError as refused:
            raise serializers.ValidationError(str(refused), code="invalid") from None


_ANYTHING = ({"type": "object", "additionalProperties": {}}, {"type": "array", "items": {}})
_ANYTHING += tuple({"type": scalar} for scalar in ("string", "number", "boolean"))  # type: ignore[assignment]


@extend_schema_field({"anyOf": list(_ANYTHING)})
class JSONValueField(serializers.JSONField):
    """Any JSON value, null where it may be. The parser has checked it (`queues.strictjson`)."""

    def to_internal_value(self, data: Any) -> Any:
        return data


@extend_schema_field({"type": "object", "additionalProperties": {}})
class JSONObjectField(JSONValueField):
    """A JSON object. The parser has checked what is in it."""

    default_error_messages = {"invalid": "Must be an object."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        return data


class StrictFields:
    """Mixed into a serializer, refuses what is not an object, unknown fields and fields that cannot be set."""

    def to_internal_value(self: Any, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({api_settings.NON_FIELD_ERRORS_KEY: ["Must be an object."]})
        settable = {field.field_name for field in self._writable_fields}
        errors = {
            name: ["This field cannot be set." if name in self.fields else "Unknown field."]
            for name in data
            if name not in settable
        }
        try:
            value = super().to_internal_value(data)  # type: ignore[misc]
        except serializers.ValidationError as invalid:
            # What a serializer says of an object is always a dict.
            raise serializers.ValidationError(cast(dict[str, Any], invalid.detail) | errors) from None
        if errors:
            raise serializers.ValidationError(errors)
        return value


class StrictSerializer(StrictFields, serializers.Serializer[Any]):
    """A serializer that takes the fields it has and nothing else."""
