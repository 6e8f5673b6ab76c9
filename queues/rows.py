"""Model instances out of the rows that statements answer with (see queues.statements)."""

from collections.abc import Collection, Sequence
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


def table(model: type[Model]) -> str:
    """The name of a model's table, as SQL has it."""
    return f'"{model._meta.db_table}"'


def _converted(field: Any) -> Any:
    """The field whose values these are: of a foreign key, what it leads to."""
    return field.target_field if field.is_relation else field


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
        self._names = frozenset(field.attname for field in fields)
        self._key = next(place for place, field in enumerate(fields) if field.primary_key)
        self._conversions = [
            (place, convert, field.cached_col)
            for place, field in enumerate(fields)
            for convert in _converted(field).get_db_converters(connection)
        ]

    def __len__(self) -> int:
        return self._count

    def read(self, values: Sequence[Any]) -> M:
        """The instance with these values, in the order of the columns."""
        if self._conversions:
            values = list(values)
            for place, convert, column in self._conversions:
                values[place] = convert(values[place], column, connection)
        return self._model.from_db(connection.alias, self._names, values)

    def read_outer(self, values: Sequence[Any]) -> M | None:
        """The same for an outer join: None where there was no row."""
        return None if values[self._key] is None else self.read(values)
