"""Writing many rows at once by PostgreSQL's COPY: they are a stream, and no statement has to be planned for them.

The rows are those that the ORM would write; what is written here is only how they get there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter
from typing import Any

from django.db import connection, models

from queues.statements import are_supported

WORTH = 10
"""From so many rows on COPY is quicker than INSERT, although their ids are asked for first."""

BLOCK = 250
"""Rows that are handed to the driver together: the server is at work on them while the next are made."""

Row = Mapping[str, Any]

_ESCAPED = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_NULL = "\\N"


def is_worth(rows: int) -> bool:
    """Whether so many rows are better copied, and can be."""
    return rows >= WORTH and are_supported()


def take_ids(model: type[models.Model], count: int) -> list[int]:
    """As many new ids of a model, ascending. Others take theirs meanwhile, so there may be gaps."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [connection.ops.quote_name(model._meta.db_table), model._meta.pk.column, count],
        )
        return sorted(number for (number,) in cursor.fetchall())


def copy(model: type[models.Model], names: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert rows, in order, in the present transaction. `names`: the attributes that are written; a row has them all.

    `rows` may be made while they are read, as long as that does not ask the database. Raises the errors of django.db.
    """
    fields: dict[str, Any] = {field.attname: field for field in model._meta.concrete_fields}
    quote = connection.ops.quote_name
    columns = ", ".join(quote(fields[name].column) for name in names)
    text = f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN"
    writes = [(name, _as_text(fields[name])) for name in names]
    began = perf_counter()
    raw: Any = connection.connection
    with connection.wrap_database_errors, raw.cursor() as cursor, cursor.copy(text) as stream:
        for block in _blocks(writes, rows):
            stream.write(block)
    if connection.queries_logged:
        connection.queries_log.append({"sql": text, "time": f"{perf_counter() - began:.3f}"})


def _blocks(columns: list[tuple[str, Callable[[Any], str]]], rows: Iterable[Row]) -> Iterator[str]:
    """Lines of the text format: a row each, its columns between tabs."""
    remaining = iter(rows)
    while lines := [
        "\t".join([write(row[name]) for name, write in columns]) + "\n" for row in islice(remaining, BLOCK)
    ]:
        yield "".join(lines)


class _Texts(dict[Any, str]):
    """The values of a column as they are written, each made once: most are the same in many rows."""

    def __init__(self, field: Any) -> None:
        super().__init__({None: _NULL})
        self._field = field

    def __missing__(self, value: Any) -> str:
        stored = self._field.get_db_prep_save(value, connection)
        found = self[value] = str(stored).translate(_ESCAPED)
        return found


def _as_text(field: Any) -> Callable[[Any], str]:
    if isinstance(field, models.JSONField):
        return _json
    return str if isinstance(field, models.AutoField) else _Texts(field).__getitem__


def _json(value: Any) -> str:
    if value is None:
        return _NULL
    # All other characters that would have to be escaped are so already.
    return json.dumps(value).replace("\\", "\\\\")
