"""Taking the usual body without a serializer's machinery, which takes longer than the rest of a hot request.

What is plainly good is taken as it is; whatever else, a fault above all, is the serializer's to judge.
"""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers

from queues.api.base import validated
from queues.api.fields import JSONValueField, StrictBooleanField, StrictCharField, StrictIntegerField, StrictSerializer

Check = Callable[[Any], bool]


class Acceptance:
    """Bodies as a serializer without rules of its own between fields validates them: one may ask it, or this."""

    def __init__(self, serializer: type[StrictSerializer]) -> None:
        self._serializer = serializer
        fields = serializer().fields
        self._checks = {name: _check(field) for name, field in fields.items()}
        self.defaults = {
            name: field.default for name, field in fields.items() if field.default is not serializers.empty
        }
        self._required = [name for name, field in fields.items() if field.required]

    def __call__(self, data: Any) -> dict[str, Any]:
        """The validated data. Raises ValidationError."""
        if not self.is_plain(data):
            return validated(self._serializer(data=data))
        return {**self.defaults, **data}

    def is_plain(self, data: Any) -> bool:
        """Whether the data is good as it stands; False means that one has to ask."""
        checks = self._checks
        return (
            data.__class__ is dict
            and all(name in data for name in self._required)
            and all(name in checks and checks[name](value) for name, value in data.items())
        )


def _check(field: serializers.Field[Any, Any, Any, Any]) -> Check:
    check = _check_of_value(field)
    return (lambda value: value is None or check(value)) if field.allow_null else check


def _check_of_value(field: Any) -> Check:
    if isinstance(field, StrictIntegerField) and field.min_value is not None and field.max_value is not None:
        low, high = field.min_value, field.max_value
        return lambda value: value.__class__ is int and low <= value <= high
    if isinstance(field, StrictCharField) and field.max_length is not None:
        longest = field.max_length
        return lambda value: (
            value.__class__ is str and value.isascii() and value.isprintable() and 0 < len(value) <= longest
        )
    if isinstance(field, StrictBooleanField):
        return lambda value: value.__class__ is bool
    if isinstance(field, serializers.ChoiceField):
        choices = frozenset(choice for choice in field.choices if isinstance(choice, str) and choice)
        return lambda value: value.__class__ is str and value in choices
    if field.__class__ is JSONValueField:
        return lambda value: value is not None
    if isinstance(field, StrictSerializer) and not (below := Acceptance(type(field))).defaults:
        return below.is_plain
    return lambda value: False
