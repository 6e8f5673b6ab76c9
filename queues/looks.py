"""One look at the database for what a request asks before it writes: about a user, or at once with who the user is."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.contrib.auth import get_user_model
from django.db import connection

from queues.models import Token
from queues.rows import Columns, relate, table
from queues.statements import Statement, are_supported

T = TypeVar("T")


class Look(Generic[T]):
    """What is found for a user: in one prepared statement on PostgreSQL, else in the portable way.

    `joins`: what is joined to `who`, which has the `user_id`, so that there is one row whatever is found; `columns`:
    what of it is read, the models in this order; `read(user, *instances)` makes a T of them, None where there was no
    row; `portably(user, **values)` finds the same by the ORM.
    """

    def __init__(
        self,
        columns: Callable[[], Sequence[Columns[Any]]],
        joins: Callable[[], str],
        read: Callable[..., T],
        portably: Callable[..., T],
    ) -> None:
        self._make_columns, self._make_joins, self._read, self._portably = columns, joins, read, portably

    def of(self, user: Any, **values: Any) -> T:
        """What there is for a user who is known."""
        if not are_supported():
            return self._portably(user, **values)
        (row,) = self._by_user.ask(user=user.pk, **values)
        return self._made(user, row)

    def by_token(self, digest: str, **values: Any) -> tuple[Token, datetime, T] | None:
        """The living token with this digest, with its user, who may be inactive; the time; and what there is for them.

        For PostgreSQL, and user models that have a table of their own.
        """
        for now, *row in self._by_token.ask(digest=digest, **values):
            token = self._token.read(row[: len(self._token)])
            del row[: len(self._token)]
            user = self._user.read(row[: len(self._user)])
            relate(token, user=user)
            return token, now, self._made(user, row[len(self._user) :])
        return None

    @property
    def takes_tokens(self) -> bool:
        """Whether `by_token` can be asked."""
        return are_supported() and self._user.has_all

    def _made(self, user: Any, row: Sequence[Any]) -> T:
        instances, start = [], 0
        for columns in self._columns:
            end = start + len(columns)
            instances.append(columns.read_outer(row[start:end]))
            start = end
        return self._read(user, *instances)

    @cached_property
    def _columns(self) -> Sequence[Columns[Any]]:
        return self._make_columns()

    @cached_property
    def _user(self) -> Columns[Any]:
        return Columns(get_user_model(), "person")

    @cached_property
    def _token(self) -> Columns[Token]:
        return Columns(Token, "who", only=("id", "user", "last_used_at"))

    @cached_property
    def _by_user(self) -> Statement:
        found = ", ".join(columns.text for columns in self._columns)
        kind = get_user_model()._meta.pk.rel_db_type(connection)
        joins = self._make_joins()
        return Statement(f"SELECT {found} FROM (SELECT %(user)s::{kind} AS user_id) who {joins}", writes=False)

    @cached_property
    def _by_token(self) -> Statement:
        user = get_user_model()
        found = ", ".join(columns.text for columns in (self._token, self._user, *self._columns))
        text = f"""
SELECT statement_timestamp(), {found}
FROM {table(Token)} who JOIN {table(user)} person ON person."{user._meta.pk.column}" = who.user_id {self._make_joins()}
WHERE who.digest = %(digest)s AND who.revoked_at IS NULL
  AND (who.expires_at IS NULL OR who.expires_at > statement_timestamp())"""
        return Statement(text, writes=False)


NOTHING: Look[None] = Look(lambda: (), lambda: "", lambda user: None, lambda user: None)
"""Who it is, and nothing else."""
