"""Filters that take a value of their own type and nothing that merely looks like one, as fields.py does for bodies.

django-filter's own take "1e3" and 1.5 for a whole number (and compute for minutes over -1e999999999), times without an
offset, and anything at all for true or false, and pass over an empty value.
"""

import re
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from queues.api.fields import AwareDateTimeField

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}")


class _WholeNumber(forms.Field):
    def to_python(self, value: str | None) -> int | None:
        if not value:
            return None
        if not _WHOLE_NUMBER.fullmatch(value):
            raise forms.ValidationError("Must be a whole number of at most 15 digits.")
        return int(value)


class _Moment(forms.Field):
    def to_python(self, value: str | None) -> Any:
        try:
            return AwareDateTimeField().run_validation(value) if value else None
        except serializers.ValidationError as invalid:
            raise forms.ValidationError(str(invalid.args[0])) from None


class _Texts(forms.Field):
    widget = forms.MultipleHiddenInput

    def to_python(self, value: list[str] | None) -> list[str]:
        text = forms.CharField(strip=False, required=False)
        return [text.clean(one) for one in value or []]


@extend_schema_field({"type": "string", "minLength": 1})
class NameFilter(filters.CharFilter):
    """A text that is not empty."""


@extend_schema_field({"type": "integer", "minimum": -(10**15) + 1, "maximum": 10**15 - 1})
class WholeNumberFilter(filters.Filter):
    """A whole number of at most 15 digits, which both databases can compare with a column of any size."""

    field_class = _WholeNumber


@extend_schema_field({"type": "string", "format": "date-time"})
class MomentFilter(filters.Filter):
    """A time with its offset (RFC 3339)."""

    field_class = _Moment


@extend_schema_field({"type": "boolean"})
class TruthFilter(filters.TypedChoiceFilter):
    """true or false."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce="true".__eq__, **kwargs)


@extend_schema_field({"type": "string"})
class TextFilter(filters.CharFilter):
    """Text as it is, spaces and all; given and empty, it asks for what is empty. Parameter and field have one name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == "" and self.field_name in self.parent.data:
            return self.get_method(qs)(**{self.field_name: ""})
        return super().filter(qs, value)


@extend_schema_field({"type": "array", "items": {"type": "string", "minLength": 1}})
class TextsFilter(filters.Filter):
    """A parameter that may be repeated; `method` gets the list of its values, as they are."""

    field_class = _Texts


@extend_schema_field({"type": "string", "minLength": 1})
class CommaSeparatedFilter(filters.BaseCSVFilter, filters.CharFilter):
    """Several texts, with commas between them."""
