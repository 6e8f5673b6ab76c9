"""Statements that are written for PostgreSQL: prepared once a connection, and one round trip each.

Django's own cursors put values into the text and have it planned each time, which takes longer than most of these
statements do.
"""

import re
from time import perf_counter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db.utils import DatabaseError

from queues import conf, prepared
from queues.prepared import Prepared
from queues.transactions import ATTEMPTS, is_passing, sqlstate

OUTDATED = frozenset({"0A000", "26000"})
"""feature_not_supported: among others, what a prepared statement answers with has other types since a migration.
invalid_sql_statement_name: somebody had the connection forget what was prepared on it.
"""

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


def _as_text(value: Any) -> str | None:
    """A value whose type the text says: told by psycopg, each size of integer would be a statement of its own."""
    return None if value is None else str(value)


def are_supported() -> bool:
    """Whether the database is PostgreSQL."""
    return connection.vendor == "postgresql"


class Statement:
    """A text with named placeholders, `%(name)s`, whose types follow from it.

    `numbered`: the same as PostgreSQL takes it; `names`: in the order of their numbers. What only reads (`writes` is
    false) needs no savepoint.
    """

    def __init__(self, text: str, *, writes: bool = True) -> None:
        self.text, self.writes = text, writes
        self.names = tuple(dict.fromkeys(_PLACEHOLDER.findall(text)))
        numbers = {name: f"${number}" for number, name in enumerate(self.names, 1)}
        self.numbered = _PLACEHOLDER.sub(lambda found: numbers[found[1]], text)

    def ask(self, **values: Any) -> list[tuple[Any, ...]]:
        """The rows it answers with: in a transaction of its own, or in a savepoint of the one that is open.

        In its own it is run up to three times: where the database asks for it, where what is prepared is outdated, and,
        where it only reads, on a new connection if the old one was broken. JSON comes as text. Raises the errors of
        django.db.
        """
        here = connections[DEFAULT_DB_ALIAS]
        attempt = 1
        while True:
            try:
                if not (self.writes and here.in_atomic_block):
                    return self._execute(here, values)
                with transaction.atomic():
                    return self._execute(here, values)
            except DatabaseError as error:
                is_outdated = sqlstate(error) in OUTDATED and _prepares_anew(here)
                again = is_outdated or is_passing(error) or self._has_a_new_connection(here, error)
                if attempt == ATTEMPTS or here.in_atomic_block or not again:
                    raise
            attempt += 1

    def _has_a_new_connection(self, here: Any, error: Exception) -> bool:
        """Whether this may well succeed on another connection: the old one was broken, and nothing was written."""
        if self.writes or here.in_atomic_block or not isinstance(error, OperationalError) or here.is_usable():
            return False
        here.close()
        return True

    def _execute(self, here: Any, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        here.close_if_health_check_failed()
        here.ensure_connection()
        sent = [_as_text(values[name]) for name in self.names]
        began = perf_counter()
        # Where a host looks at what is executed, it sees these too.
        is_plain = not here.execute_wrappers and prepared.takes_calls(here.connection)
        rows = self._by_call(here, sent) if is_plain else self._by_cursor(here, sent)
        if here.queries_logged:
            here.queries_log.append({"sql": self.text, "time": f"{perf_counter() - began:.3f}"})
        return rows

    def _by_call(self, here: Any, sent: list[str | None]) -> list[tuple[Any, ...]]:
        raw = here.connection
        values = [None if value is None else value.encode() for value in sent]
        here.validate_no_broken_transaction()
        with here.wrap_database_errors:
            return Prepared.of(raw).run(raw, self.numbered, values, prepare=conf.prepares_statements())

    def _by_cursor(self, here: Any, sent: list[str | None]) -> list[tuple[Any, ...]]:
        # What comes by a cursor for once is not prepared: see queues.prepared.
        prepare = conf.prepares_statements() and (bool(here.execute_wrappers) or prepared.is_psycopgs(here.connection))
        with here.make_cursor(prepared.cursor(here.connection, prepare=prepare)) as cursor:
            if prepare and Prepared.of(here.connection).are_plans_due():
                cursor.execute(prepared.FORGET_PLANS)
            cursor.execute(self.numbered, sent)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _prepares_anew(here: Any) -> bool:
    """Have what is prepared on this connection prepared anew; whether a statement may be run again on it, outside of
    transactions.
    """
    if here.connection is None:
        return False
    if prepared.is_psycopgs(here.connection):
        if here.in_atomic_block or not here.get_autocommit():
            return False
        here.close()
    else:
        Prepared.of(here.connection).forget()
    return bool(here.get_autocommit())
