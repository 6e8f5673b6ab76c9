"""What must always be true of the database: that it has the constraints on which the others stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection

from queues.invariants.registry import invariant, rules

_SOUND = """
SELECT conname FROM pg_constraint WHERE conrelid = %(table)s::regclass AND convalidated
UNION ALL SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE indrelid = %(table)s::regclass AND indisvalid"""
"""The names of a table's constraints and indexes that PostgreSQL has checked all rows for."""


@dataclass(frozen=True)
class Missing:
    """A constraint that a model has and its table has not, or not for all rows."""

    table: str
    constraint: str

    def __str__(self) -> str:
        return f"{self.table} {self.constraint}"


@invariant
def every_constraint_is_in_the_database() -> list[Missing]:
    """Each constraint, unique field and foreign key of a model is one of its table, and was checked for all rows."""
    with connection.cursor() as cursor:
        return [missing for model in _models() for missing in _missing(cursor, model)]


def _models() -> Iterator[Any]:
    """The models of the apps that have rules."""
    found = {apps.get_containing_app_config(rule.broken.__module__) for rule in rules().values()}
    for app in sorted((app for app in found if app is not None), key=lambda app: app.label):
        yield from (model for model in app.get_models() if model._meta.managed and not model._meta.proxy)


def _missing(cursor: Any, model: Any) -> Iterator[Missing]:
    table = model._meta.db_table
    there = connection.introspection.get_constraints(cursor, table)
    if connection.vendor == "postgresql":
        cursor.execute(_SOUND, {"table": connection.ops.quote_name(table)})
        sound = {name for (name,) in cursor.fetchall()}
        there = {name: about for name, about in there.items() if name in sound}
    unique = [about["columns"] for about in there.values() if about["unique"] or about["primary_key"]]
    referring = [about["columns"] for about in there.values() if about["foreign_key"]]
    yield from (Missing(table, one.name) for one in model._meta.constraints if one.name not in there)
    for field in model._meta.local_concrete_fields:
        if field.unique and [field.column] not in unique:
            yield Missing(table, f"unique ({field.column})")
        if field.is_relation and field.db_constraint and [field.column] not in referring:
            yield Missing(table, f"foreign key ({field.column})")
