"""Model instances out of the rows that statements answer with (see queues.statements)."""

import json
from collections.abc import Callable, Collection, Sequence
from functools import cache
from inspect import getattr_static
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import JSONField, Model
from django.db.models.base import ModelState
from django.db.models.fields.files import FileDescriptor
from django.db.models.fields.related_descriptors import ForeignKeyDeferredAttribute
from django.db.models.query_utils import DeferredAttribute
from django.db.models.signals import post_init, pre_init

M = TypeVar("M", bound=Model)

PLAIN = (DeferredAttribute, ForeignKeyDeferredAttribute, FileDescriptor)
"""How fields keep what they are given: as it is. Others may make something of it first."""


def table(model: type[Model]) -> str:
    """The name of a model's table, as SQL has it."""
    return f'"{model._meta.db_table}"'


def stored(model: type[M], values: dict[str, Any], **related: Any) -> M:
    """The instance of a row that is in the database, by `attname`; a field without a value is deferred. `related`: what
    its foreign keys lead to, by name.

    As `Model.from_db` makes it, which takes three times as long, for it looks each value over and tells of each
    instance. Where somebody listens, it is asked.
    """
    if _is_told_of_instances(model):
        names = [field.attname for field in model._meta.concrete_fields if field.attname in values]
        instance = model.from_db(DEFAULT_DB_ALIAS, names, [values[name] for name in names])
    else:
        instance = model.__new__(model)
        known = instance.__dict__
        known["_state"] = state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        known.update(values)
    relate(instance, **related)
    return instance


def relate(instance: Model, **related: Any) -> None:
    """Say what foreign keys lead to that lead there already: without an assignment's checks."""
    instance._state.fields_cache.update(related)


def read_json(text: str | None) -> Any:
    """The value of a JSON column, of which most are empty."""
    if text == "{}":
        return {}
    if text == "[]":
        return []
    return None if text is None else json.loads(text)


@cache
def _is_told_of_instances(model: type[Model]) -> bool:
    """Whether each instance has to be made in the usual way: a host's model may have its own, or may listen."""
    made: Any = model
    is_usual = (
        made.__init__ is Model.__init__
        and made.__setattr__ is Model.__setattr__
        and made.from_db.__func__ is Model.__dict__["from_db"].__func__
        and all(type(getattr_static(made, field.attname)) in PLAIN for field in made._meta.concrete_fields)
    )
    return not is_usual or pre_init.has_listeners(model) or post_init.has_listeners(model)


def _conversions(field: Any) -> list[Callable[[Any], Any]]:
    """What makes a field's value of what the driver read. Of a foreign key's it is what it leads to that counts."""
    if type(field) is JSONField and field.decoder is None:
        return [read_json]
    converted = field.target_field if field.is_relation else field
    return [
        lambda value, convert=convert: convert(value, field.cached_col, connection)  # type: ignore[misc]
        for convert in converted.get_db_converters(connection)
    ]


class Columns(Generic[M]):
    """A model's columns as a statement selects them, from the table that it calls `alias`: `only` some, or all
    `without` some. A field that is left out is deferred.

    `has_all`: whether the model's own table has them all; where a parent's has some, only the ORM can ask.
    """

    def __init__(
        self, model: type[M], alias: str, *, only: Collection[str] = (), without: Collection[str] = ()
    ) -> None:
        fields = [
            field
            for field in model._meta.concrete_fields
            if field.name not in without and (not only or field.name in only)
        ]
        self.has_all = all(field in model._meta.local_concrete_fields for field in fields)
        self.text = ", ".join(f'{alias}."{field.column}"' for field in fields)
        self._model, self._count = model, len(fields)
        self._names = [field.attname for field in fields]
        self._key = next(place for place, field in enumerate(fields) if field.primary_key)
        self._conversions = [(place, convert) for place, field in enumerate(fields) for convert in _conversions(field)]

    def __len__(self) -> int:
        return self._count

    def read(self, values: Sequence[Any]) -> M:
        """The instance with these values, in the order of the columns."""
        if self._conversions:
            values = list(values)
            for place, convert in self._conversions:
                values[place] = convert(values[place])
        return stored(self._model, dict(zip(self._names, values, strict=True)))

    def read_outer(self, values: Sequence[Any]) -> M | None:
        """The same for an outer join: None where there was no row."""
        return None if values[self._key] is None else self.read(values)
