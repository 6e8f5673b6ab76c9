"""How writers run: in one transaction, by the database's clock, again when the database asks for it."""

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction
from django.db.models import Model
from django.utils import timezone

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 3
RETRIED = frozenset({"40001", "40P01"})
"""serialization_failure and deadlock_detected: PostgreSQL undid the transaction and asks for it again."""


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE behind a Django database error, or "" where the driver gave none (SQLite)."""
    return getattr(error.__cause__, "sqlstate", None) or ""


def is_unique_violation(error: BaseException, model: type[Model]) -> bool:
    """Whether an IntegrityError says that a row of `model` met one of its unique constraints."""
    table = model._meta.db_table
    if sqlstate(error) == "23505":
        return error.__cause__.diag.table_name == table  # type: ignore[union-attr]
    return f"UNIQUE constraint failed: {table}." in str(error)


def is_passing(error: BaseException) -> bool:
    """Whether the transaction may well succeed when it is run again."""
    return sqlstate(error) in RETRIED or "database is locked" in str(error)


def writer(function: Callable[P, R]) -> Callable[P, R]:
    """Run `function` in a transaction; up to three times in all, where the database asks for it.

    That is after a deadlock, a serialization failure, or a wait for SQLite's lock that was too long.

    Inside somebody else's transaction only the savepoint is ours, so the failure goes to whoever began it.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        attempt = 1
        while True:
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError as error:
                if attempt == ATTEMPTS or connection.in_atomic_block or not is_passing(error):
                    raise
            attempt += 1

    return run


def database_now(given: datetime | None = None) -> datetime:
    """The database's present time, or `given` (tests only).

    Ask after taking locks: waiting for one may outlast a lease. SQLite lives in this process, so its clock is ours.
    """
    if given is not None:
        return given
    if connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]
