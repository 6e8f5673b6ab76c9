"""How PostgreSQL is to look after tables whose rows change often, for migrations.

Its defaults wait until a fifth of a table has changed: of ten million tasks that is two million, whose entries every
look for the next one has to pass by.
"""

from collections.abc import Callable
from typing import Any

from django.db.migrations import RunPython

LARGE = {
    "autovacuum_vacuum_scale_factor": 0.01,
    "autovacuum_vacuum_threshold": 2000,
    "autovacuum_analyze_scale_factor": 0.02,
    "autovacuum_analyze_threshold": 500,
    "autovacuum_vacuum_cost_limit": 2000,
}
"""For tables that keep what they get, of which a part changes all the time."""

SMALL = {
    "autovacuum_vacuum_scale_factor": 0,
    "autovacuum_vacuum_threshold": 1000,
    "autovacuum_vacuum_cost_limit": 2000,
}
"""For tables that stay small, however often their rows change or go."""


def looked_after(parameters: dict[str, dict[str, float]]) -> RunPython:
    """The operation that sets the storage parameters of tables, by name. It does nothing but on PostgreSQL."""
    settings = {
        table: ", ".join(f"{name} = {value}" for name, value in given.items()) for table, given in parameters.items()
    }
    names = {table: ", ".join(given) for table, given in parameters.items()}
    return RunPython(_altering("SET", settings), _altering("RESET", names))


def _altering(verb: str, what: dict[str, str]) -> Callable[[Any, Any], None]:
    def alter(_apps: Any, editor: Any) -> None:
        if editor.connection.vendor == "postgresql":
            for table, parameters in what.items():
                editor.execute(f'ALTER TABLE "{table}" {verb} ({parameters})', None)

    return alter
