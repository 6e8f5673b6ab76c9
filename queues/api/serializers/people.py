"""People on the wire."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from queues.people import email_of

EMAIL_LENGTH = 254


class EmailOf(serializers.Field[Any, Any, Any, Any]):
    """Shows a user as their e-mail; `absent` stands for no user."""

    def __init__(self, absent: str | None = None, **kwargs: Any) -> None:
        self.absent = absent
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> Any:
        user = super().get_attribute(instance)
        return _Absent(self.absent) if user is None else user

    def to_representation(self, value: Any) -> str | None:
        return value.shown if isinstance(value, _Absent) else email_of(value)


class _Absent:
    """REST framework shows None without asking the field; this asks."""

    def __init__(self, shown: str | None) -> None:
        self.shown = shown


extend_schema_field({"type": "string", "nullable": True})(EmailOf)
