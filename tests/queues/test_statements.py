"""Statements that PostgreSQL is sent as they are."""

from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import pytest
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection, transaction
from django.db.transaction import TransactionManagementError

from queues import prepared
from queues.statements import Statement
from queues.transactions import sqlstate

pytestmark = [pytest.mark.only("postgresql"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(params=["by a call", "by a cursor"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each holds in both ways of sending them, on a connection that knows of none."""
    connection.close()
    if request.param == "by a cursor":
        monkeypatch.setattr(prepared, "_waits_in_libpq", lambda: False)
    return request.param


def known() -> int:
    """How many statements this connection has prepared."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements")
        return cursor.fetchone()[0]


PID = "SELECT pg_backend_pid(), %(number)s::int"


def test_values_of_every_size_share_one_prepared_statement() -> None:
    statement = Statement("SELECT %(number)s::bigint, %(text)s::text")
    for number, text in ((1, "a"), (10**6, None), (10**12, "b"), (-5, "c")):
        assert statement.ask(number=number, text=text) == [(number, text)]
    assert known() == 1


def test_values_are_read_as_django_reads_them() -> None:
    moment = datetime(2026, 11, 28, 12, 30, 0, 250, tzinfo=UTC)
    texts = ("timestamptz", "jsonb", "bool", "float8", "bigint[]", "numeric", "uuid", "inet")
    text = "SELECT " + ", ".join(f"%({name})s::{kind}" for name, kind in zip("abcdefgh", texts, strict=True))
    values = (moment, '{"a": [1]}', True, 1.5, "{1,NULL}", "2.50", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "10.0.0.1")
    found = Statement(text).ask(**dict(zip("abcdefgh", values, strict=True)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(f"%s::{kind}" for kind in texts), [str(value) for value in values])
        assert found == cursor.fetchall()
    assert found[0][0].isoformat() == moment.isoformat()


def test_where_nothing_may_be_prepared_nothing_is(settings: Any) -> None:
    settings.CROWDSITE_PREPARE_STATEMENTS = False
    assert Statement("SELECT %(number)s::int").ask(number=3) == [(3,)]
    assert known() == 0


def test_a_connection_prepares_so_many_and_sends_the_others_whole(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "by a cursor":
        # How many those are is psycopg's to say.
        connection.ensure_connection()
        connection.connection.prepared_max = 2
    monkeypatch.setattr(prepared, "MOST", 2)
    statements = [Statement(f"SELECT {number}, %(text)s::text") for number in range(4)]
    for _time in range(2):
        assert [one.ask(text="a") for one in statements] == [[(number, "a")] for number in range(4)]
    assert known() == 2


def test_what_the_database_refuses_is_told_as_django_tells_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE refusing (id int CONSTRAINT refusing_once PRIMARY KEY)")
    try:
        insert = Statement("INSERT INTO refusing VALUES (%(number)s::int) RETURNING id")
        assert insert.ask(number=1) == [(1,)]
        with pytest.raises(IntegrityError) as told:
            insert.ask(number=1)
        assert sqlstate(told.value) == "23505"
        assert told.value.__cause__.diag.constraint_name == "refusing_once"  # type: ignore[union-attr]
        with pytest.raises(DataError):
            Statement("SELECT 1 / %(number)s::int").ask(number=0)
        assert insert.ask(number=2) == [(2,)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE refusing")


def test_a_statement_that_the_connection_was_made_to_forget_is_prepared_anew() -> None:
    statement = Statement("SELECT %(number)s::int")
    assert statement.ask(number=1) == [(1,)]
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    assert statement.ask(number=2) == [(2,)]


def test_what_was_forgotten_fails_one_transaction_at_the_most() -> None:
    statement = Statement("SELECT %(number)s::int")
    assert statement.ask(number=1) == [(1,)]
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with suppress(ProgrammingError), transaction.atomic():
        statement.ask(number=2)
    with transaction.atomic():
        assert statement.ask(number=3) == [(3,)]


@pytest.mark.parametrize("way", ["by a call"], indirect=True)
def test_whoever_is_interrupted_while_preparing_leaves_no_name_behind_that_is_taken(way: str) -> None:
    assert Statement("SELECT %(number)s::int").ask(number=1) == [(1,)]
    connection.connection.crowdsite_prepared._names.clear()
    assert Statement("SELECT %(number)s::int + 1").ask(number=1) == [(2,)]


def test_text_that_no_row_can_have_is_refused_and_not_cut() -> None:
    with pytest.raises(DataError):
        Statement("SELECT %(text)s::text").ask(text="a\0b")


def test_nothing_is_asked_in_a_transaction_that_is_to_be_rolled_back() -> None:
    statement = Statement("SELECT %(number)s::int")
    with transaction.atomic():
        statement.ask(number=1)
        transaction.set_rollback(True)
        with pytest.raises(TransactionManagementError):
            statement.ask(number=2)


def test_where_times_are_not_in_utc_psycopg_reads_them() -> None:
    other = connection.copy()
    other.settings_dict = {**other.settings_dict, "TIME_ZONE": "Europe/Berlin"}
    try:
        other.ensure_connection()
        assert not prepared.takes_calls(other.connection)
    finally:
        other.close()


def test_what_psycopg_has_forgotten_is_not_counted_on() -> None:
    statement = Statement("SELECT %(number)s::int", writes=False)
    assert statement.ask(number=1) == [(1,)]
    with connection.execute_wrapper(lambda execute, *call: execute(*call)):
        assert statement.ask(number=2) == [(2,)]
    with transaction.atomic(), connection.cursor() as cursor:
        # After this psycopg has all be forgotten that is prepared, if it prepared anything.
        cursor.execute("CREATE TABLE forgotten (id int)")
        cursor.execute("DROP TABLE forgotten")
        cursor.execute("SELECT 1")
        assert statement.ask(number=3) == [(3,)]
        assert statement.ask(number=4) == [(4,)]


def test_what_is_read_first_in_a_transaction_is_read_in_it() -> None:
    began = Statement("SELECT now()", writes=False)
    with transaction.atomic():
        assert began.ask() == began.ask()


def test_what_is_written_in_a_transaction_goes_with_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE going (id int)")
    try:
        with transaction.atomic():
            Statement("INSERT INTO going VALUES (1) RETURNING id").ask()
            transaction.set_rollback(True)
        assert Statement("SELECT count(*) FROM going", writes=False).ask() == [(0,)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE going")


def test_a_host_that_looks_at_what_is_executed_sees_them() -> None:
    seen: list[str] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        assert Statement("SELECT %(number)s::int + 1").ask(number=1) == [(2,)]
    assert seen == ["SELECT $1::int + 1"]


def test_a_statement_whose_columns_have_changed_is_prepared_anew() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE outdated AS SELECT 'a'::varchar(5) AS text")
    try:
        statement = Statement("SELECT text FROM outdated")
        assert statement.ask() == [("a",)]
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE outdated ALTER COLUMN text TYPE char(3)")
        assert statement.ask() == [("a  ",)]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE outdated")


def plan() -> str:
    """Of the statement about `grown` that is prepared here."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'SELECT id FROM grown WHERE%'")
        ((name,),) = cursor.fetchall()
        cursor.execute(f"EXPLAIN EXECUTE {name} ('1')")
        return "\n".join(line for (line,) in cursor.fetchall())


def test_what_was_planned_for_a_small_table_is_planned_anew_when_it_has_grown(monkeypatch: pytest.MonkeyPatch) -> None:
    statement = Statement("SELECT id FROM grown WHERE id = %(number)s::int")
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE grown (id int PRIMARY KEY)")
        cursor.execute("INSERT INTO grown VALUES (1)")
        cursor.execute("ANALYZE grown")
        assert statement.ask(number=1) == [(1,)]
        cursor.execute("INSERT INTO grown SELECT generate_series(2, 20000)")
        assert statement.ask(number=2) == [(2,)]
        assert "Seq Scan" in plan()
        monkeypatch.setattr(prepared, "monotonic", lambda: monotonic() + prepared.REPLAN)
        assert statement.ask(number=3) == [(3,)]
        assert "Index" in plan()
        transaction.set_rollback(True)


def cut_off() -> int:
    """End the connection at its other end; the answer is the number it had."""
    ((pid, _number),) = Statement(PID).ask(number=1)
    with connection.copy().cursor() as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
        other.connection.close()
    return pid


def test_a_look_on_a_connection_that_was_cut_off_is_made_on_a_new_one() -> None:
    before = cut_off()
    ((pid, number),) = Statement(PID, writes=False).ask(number=3)
    assert number == 3
    assert pid != before


def test_what_may_have_been_written_is_not_sent_again() -> None:
    cut_off()
    with pytest.raises(OperationalError):
        Statement(PID).ask(number=3)
    connection.close()
