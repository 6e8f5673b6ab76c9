"""Statements that are written for PostgreSQL: prepared once a connection, and one round trip each.

Django's own cursors put values into the text and have it planned each time, which takes longer than most of these
statements do.
"""

import re
from functools import cache
from time import monotonic, perf_counter
from typing import Any

from django.db import NotSupportedError, OperationalError, connection, transaction

from queues import conf
from queues.transactions import ATTEMPTS, is_passing, sqlstate

OUTDATED = "0A000"
"""feature_not_supported: among others, what a prepared statement answers with has other types since a migration."""

REPLAN = 10.0
"""Seconds after which a connection plans its statements anew. What was planned while a table had ten rows reads it
whole, or along any index of it, and PostgreSQL keeps that plan until somebody analyses the table: a minute later at
best, in which a new site may have got a hundred thousand. Planned anew, it sees how big the table is by now.
"""

ONLY_WHEN_TOLD = 10**9
"""How often a text must come before psycopg prepares it by itself: never."""

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")


@cache
def _prepared() -> type[Any]:
    """The cursor: it takes numbered placeholders as they are, and prepares what it is given.

    psycopg is looked for when it is needed: a site on SQLite has none.
    """
    from psycopg import RawCursor

    class Prepared(RawCursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            return super().execute(query, params, prepare=conf.prepares_statements(), **options)

    return Prepared


def _lets_plans_go(raw: Any) -> bool:
    """Whether a connection's plans are to go, and from now on for REPLAN seconds no more."""
    now = monotonic()
    due = getattr(raw, "crowdsite_plans_until", now + REPLAN)
    is_due = conf.prepares_statements() and now >= due
    raw.crowdsite_plans_until = now + REPLAN if is_due else due
    return is_due


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

        In its own it is run up to three times: where the database asks for it, after a migration has changed what it
        answers with, and, where it only reads, on a new connection if the old one was broken. JSON comes as text.
        Raises the errors of django.db.
        """
        attempt = 1
        while True:
            try:
                if not (self.writes and connection.in_atomic_block):
                    return self._execute(values)
                with transaction.atomic():
                    return self._execute(values)
            except (OperationalError, NotSupportedError) as error:
                if attempt == ATTEMPTS or connection.in_atomic_block or not self._may_be_run_again(error):
                    raise
            attempt += 1

    def _may_be_run_again(self, error: Exception) -> bool:
        """Whether it may well succeed then. A connection that is of no use any more is closed."""
        if is_passing(error):
            return True
        is_outdated = sqlstate(error) == OUTDATED
        if is_outdated or (not self.writes and not connection.is_usable()):
            connection.close()
            return True
        return False

    def _execute(self, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        connection.close_if_health_check_failed()
        connection.ensure_connection()
        raw: Any = connection.connection
        if raw.prepare_threshold is None:
            raw.prepare_threshold = ONLY_WHEN_TOLD
        began = perf_counter()
        with connection.make_cursor(_prepared()(raw)) as cursor:
            if _lets_plans_go(raw):
                cursor.execute("DISCARD PLANS")
            cursor.execute(self.numbered, [_as_text(values[name]) for name in self.names])
            rows = cursor.fetchall()
        if connection.queries_logged:
            connection.queries_log.append({"sql": self.text, "time": f"{perf_counter() - began:.3f}"})
        return rows
