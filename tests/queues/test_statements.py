"""Statements that PostgreSQL is sent as they are."""

import pytest
from django.db import OperationalError, connection

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
