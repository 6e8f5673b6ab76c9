"""What must always be true of the database: that it has the constraints on which the others stand."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import connection

from queues.invariants.registry import invariant, rules

_POSTGRESQL = """
SELECT owner.relname, conname, contype::text, ARRAY(
  SELECT attname::text FROM unnest(conkey) number JOIN pg_attribute ON attrelid = conrelid AND attnum = number)
FROM pg_constraint JOIN pg_class owner ON owner.oid = conrelid
WHERE convalidated AND pg_table_is_visible(owner.oid)
UNION ALL SELECT owner.relname, own.relname, 'i', '{}'
FROM pg_index JOIN pg_class own ON own.oid = indexrelid JOIN pg_class owner ON owner.oid = indrelid
WHERE indisunique AND indisvalid AND pg_table_is_visible(owner.oid)"""
"""(table, name, kind, columns) of all constraints and unique indexes that PostgreSQL has checked all rows for."""

_SQLITE = """
SELECT tbl_name, name, 'i', NULL FROM sqlite_master WHERE type = 'index'
UNION ALL SELECT owner.name, own.name, 'u', part.name
FROM sqlite_master owner, pragma_index_list(owner.name) own, pragma_index_info(own.name) part
WHERE owner.type = 'table' AND own."unique" AND NOT own.partial
  AND (SELECT count(*) FROM pragma_index_info(own.name)) = 1
UNION ALL SELECT owner.name, '', 'p', part.name FROM sqlite_master owner, pragma_table_info(owner.name) part
WHERE owner.type = 'table' AND part.pk
UNION ALL SELECT owner.name, '', 'f', part."from" FROM sqlite_master owner, pragma_foreign_key_list(owner.name) part
WHERE owner.type = 'table'"""
"""The same of SQLite: of what has one column, that. Constraints that are no index stand in the text of their table."""

_IN_TEXT = re.compile(r'CONSTRAINT "(\w+)"')


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
    names, of_columns = _there()
    return [missing for model in _models() for missing in _missing(model, names, of_columns)]


def _models() -> Iterator[Any]:
    """The models of the apps that have rules."""
    found = {apps.get_containing_app_config(rule.broken.__module__) for rule in rules().values()}
    for app in sorted((app for app in found if app is not None), key=lambda app: app.label):
        yield from (model for model in app.get_models() if model._meta.managed and not model._meta.proxy)


def _there() -> tuple[set[tuple[str, str]], set[tuple[str, str, str]]]:
    """(table, name) of constraints; (table, kind, column) of those of one column: u unique, p primary, f foreign."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(_POSTGRESQL)
            rows = cursor.fetchall()
            columns = {(table, kind, of[0]) for table, _name, kind, of in rows if len(of) == 1}
            return {(table, name) for table, name, _kind, _of in rows}, columns
        cursor.execute(_SQLITE)
        rows = cursor.fetchall()
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'")
        names = {(table, name) for table, text in cursor.fetchall() for name in _IN_TEXT.findall(text)}
    return names | {(table, name) for table, name, *_of in rows}, {(table, kind, of) for table, _, kind, of in rows}


def _missing(model: Any, names: set[tuple[str, str]], of_columns: set[tuple[str, str, str]]) -> Iterator[Missing]:
    table = model._meta.db_table
    yield from (Missing(table, one.name) for one in model._meta.constraints if (table, one.name) not in names)
    for field in model._meta.local_concrete_fields:
        if field.unique and not of_columns & {(table, "u", field.column), (table, "p", field.column)}:
            yield Missing(table, f"unique ({field.column})")
        if field.is_relation and field.db_constraint and (table, "f", field.column) not in of_columns:
            yield Missing(table, f"foreign key ({field.column})")
