"""What a PostgreSQL connection has prepared, and running it there by one call of libpq.

A cursor of psycopg sends, waits and reads in Python, and Django's looks at each of it: of the processor's time that a
look of ours takes beside the database's, two thirds were theirs (decision 9). So what is prepared is run through
psycopg's `pq`, and its rows are read by psycopg's own loaders.
"""

from collections.abc import Sequence
from datetime import UTC
from functools import cache
from time import monotonic
from typing import Any

REPLAN = 10.0
"""Seconds after which a connection plans its statements anew. What was planned while a table had ten rows reads it
whole, or along any index of it, and PostgreSQL keeps that plan until somebody analyses the table: a minute later at
best, in which a new site may have got a hundred thousand. Planned anew, it sees how big the table is by now.
"""

FORGET_PLANS = "DISCARD PLANS"

MOST = 100
"""So many statements are prepared on a connection, each with its plan in the server's memory: as many as psycopg
would. Further ones are sent whole.
"""

ONLY_WHEN_TOLD = 10**9
"""How often a text must come before psycopg prepares it by itself: never."""


@cache
def _driver() -> Any:
    """psycopg, looked for when it is needed: a site on SQLite has none."""
    import psycopg
    import psycopg.adapt
    import psycopg.waiting

    return psycopg


@cache
def _waits_in_libpq() -> bool:
    """Whether a thread that waits in libpq lets the others go on: not so greenlets, for which psycopg waits by itself.

    Without its compiled part, too, psycopg is left to wait.
    """
    waiting = _driver().waiting
    return waiting.wait is getattr(waiting, "wait_c", None)


def is_psycopgs(raw: Any) -> bool:
    """Whether it is psycopg that prepares on this connection: where a host told it to, where `cursor` did, or where
    times are read in another way than in UTC.

    It has all be forgotten that is prepared there when a transaction was rolled back, whoever prepared it.
    """
    return raw.prepare_threshold is not None or not _waits_in_libpq() or not Prepared.of(raw).reads_utc


def takes_calls(raw: Any) -> bool:
    """Whether `Prepared.run` does on this connection what a cursor would: not where psycopg has to begin a transaction
    first, or is in a pipeline.
    """
    line, pq = raw.pgconn, _driver().pq
    begins = not raw.autocommit and line.transaction_status == pq.TransactionStatus.IDLE
    return not is_psycopgs(raw) and not begins and line.pipeline_status == pq.PipelineStatus.OFF


class Prepared:
    """What is prepared on a connection of psycopg, which keeps it (`of`)."""

    def __init__(self, raw: Any) -> None:
        driver = _driver()
        adapters = driver.adapt.AdaptersMap(raw.adapters)
        # Django's loader of times is written in Python, psycopg's own is not: in UTC they differ in its class alone.
        times, text = driver.postgres.types["timestamptz"].oid, driver.pq.Format.TEXT
        self.reads_utc = getattr(adapters.get_loader(times, text), "timezone", None) == UTC
        adapters.register_loader(times, driver.adapters.get_loader(times, text))
        # It knows nothing of the connection, which would end later than its last user if it were in a circle with it.
        self._reader = driver.adapt.Transformer(adapters)
        self._names: dict[str, bytes] = {}
        self._given = 0
        self._plans_until = monotonic() + REPLAN

    @staticmethod
    def of(raw: Any) -> "Prepared":
        """What this connection keeps."""
        try:
            found: Prepared = raw.crowdsite_prepared
        except AttributeError:
            found = raw.crowdsite_prepared = Prepared(raw)
        return found

    def run(self, raw: Any, text: str, values: Sequence[bytes | None], *, prepare: bool) -> list[tuple[Any, ...]]:
        """The rows of a statement with numbered placeholders, by one call. Raises the errors of psycopg."""
        line = raw.pgconn
        if any(value is not None and b"\0" in value for value in values):
            # libpq would take it for the end.
            raise _driver().DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        if prepare and self.are_plans_due():
            _checked(line, line.exec_(FORGET_PLANS.encode()))
        name = self._name(line, text) if prepare else None
        if name is None:
            result = _checked(line, line.exec_params(text.encode(), values))
        else:
            result = _checked(line, line.exec_prepared(name, values))
        self._reader.set_pgresult(result)
        rows: list[tuple[Any, ...]] = self._reader.load_rows(0, result.ntuples, tuple)
        self._reader.set_pgresult(None)
        return rows

    def are_plans_due(self) -> bool:
        """Whether they are to go, and from now on for REPLAN seconds no more."""
        now = monotonic()
        if now < self._plans_until:
            return False
        self._plans_until = now + REPLAN
        return True

    def _name(self, line: Any, text: str) -> bytes | None:
        name = self._names.get(text)
        if name is None and len(self._names) < MOST:
            name = b"crowdsite_%d" % self._given
            # Before it is used: whoever interrupts here leaves a statement behind that nobody asks for.
            self._given += 1
            _checked(line, line.prepare(name, text.encode()))
            self._names[text] = name
        return name

    def forget(self) -> None:
        """Prepare everything anew, under other names."""
        self._names.clear()


def _checked(line: Any, result: Any) -> Any:
    """A result without an error. Raises what psycopg's cursors would."""
    driver = _driver()
    if result.status in (driver.pq.ExecStatus.TUPLES_OK, driver.pq.ExecStatus.COMMAND_OK):
        return result
    error = driver.errors.error_from_result(result)
    if error.sqlstate is None and line.status == driver.pq.ConnStatus.BAD:
        # It is not from the server, which has gone.
        raise driver.OperationalError(str(error))
    raise error


@cache
def _cursor_class() -> type[Any]:
    driver = _driver()

    class Cursor(driver.RawCursor[Any]):  # type: ignore[name-defined]
        """It takes numbered placeholders as they are. `prepares`: what it is given."""

        prepares = False

        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            return super().execute(query, params, prepare=self.prepares, **options)

    return Cursor


def cursor(raw: Any, *, prepare: bool) -> Any:
    """A cursor of psycopg that runs the same statements. From the first that is to `prepare`, it is always psycopg that
    does so on this connection.
    """
    if prepare and raw.prepare_threshold is None:
        raw.prepare_threshold = ONLY_WHEN_TOLD
    made = _cursor_class()(raw)
    made.prepares = prepare
    return made
