"""A savepoint around code of the host that costs nothing unless that code asks the database."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, IntegrityError, connection
from django.db.transaction import TransactionManagementError

CAUGHT = "A database error was caught outside a transaction.atomic() of its own."


@contextmanager
def undone_on_error() -> Iterator[None]:
    """Undo what the block did to the database if it raises. In a transaction.

    Most code of hosts only computes, and a savepoint is two statements: it is made before the block's first query.
    Raises TransactionManagementError at its end for a database error that the block caught without a savepoint of its
    own: what was done before that is lost.
    """
    savepoint: str | None = None
    making = wrote = False
    promised = len(connection.run_on_commit)

    def before(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        nonlocal savepoint, making, wrote
        wrote = wrote or not sql.lstrip()[:6].upper().startswith("SELECT")
        if not making:
            making = True
            # Not an atomic(): the host may be within one that has no savepoint, and its end would be taken for ours.
            savepoint = connection.savepoint()
            wrote = not sql.lstrip()[:6].upper().startswith("SELECT")
        return execute(sql, params, many, context)

    try:
        with connection.execute_wrapper(before):
            yield
        if connection.needs_rollback:
            raise TransactionManagementError(CAUGHT)
        if savepoint is not None:
            _end(savepoint, wrote=wrote)
    except BaseException:
        # What was to be done after the commit is undone, too, also where no savepoint knows of it.
        del connection.run_on_commit[promised:]
        # Django marks the transaction also for errors that came before any statement, as of a text that is no number.
        connection.needs_rollback = False
        if savepoint is not None:
            connection.savepoint_rollback(savepoint)
            connection.savepoint_commit(savepoint)
        raise


def _end(savepoint: str, *, wrote: bool) -> None:
    """Release the savepoint. Raises IntegrityError for rows that lead nowhere: at the commit it would undo all."""
    try:
        if wrote and connection.vendor == "postgresql":
            connection.check_constraints()
        connection.savepoint_commit(savepoint)
    except IntegrityError:
        raise
    except DatabaseError as error:
        raise TransactionManagementError(CAUGHT) from error
