"""Statements that PostgreSQL is sent as they are."""

from time import monotonic

import pytest
from django.db import OperationalError, connection, transaction

from queues import statements
from queues.statements import Statement

pytestmark = [pytest.mark.only("postgresql"), pytest.mark.django_db(transaction=True)]

PID = "SELECT pg_backend_pid(), %(number)s::int"


def test_values_of_every_size_share_one_prepared_statement() -> None:
    statement = Statement("SELECT %(number)s::bigint, %(text)s::text")
    for number, text in ((1, "a"), (10**6, None), (10**12, "b"), (-5, "c")):
        assert statement.ask(number=number, text=text) == [(number, text)]
    assert Statement("SELECT count(*) FROM pg_prepared_statements").ask()[0][0] == 2


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
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE '%FROM grown WHERE%'")
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
        monkeypatch.setattr(statements, "monotonic", lambda: monotonic() + statements.REPLAN)
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
