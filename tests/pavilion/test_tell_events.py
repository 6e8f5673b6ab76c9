"""The pool's table of docs/events.md: what happens, and the events that it writes."""

from pathlib import Path

import pytest

from pavilion import pool, sessions
from pavilion.models import Seat
from pavilion.states import EventType
from queues.models import Event
from tests import pools
from tests.pools import after

pytestmark = pytest.mark.django_db

LIMITS = {"min_waiting": 1, "min_active": 1, "max_waiting": 3, "max_active": 1, "confirm_seconds": 600}


def table():
    """What happens → the events."""
    text = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    rows = text.partition("| what happens in a pool | events |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {what: told.split(", ") for what, told in cells}


def seat(status):
    return Seat.objects.filter(status=status).latest("pk").pk


def silence():
    Seat.objects.filter(status="ACTIVE").update(heard_at=after(1000), confirmed_at=after(0))
    pool.sweep(now=after(1000))


def waiting_one(session):
    """One waits in a session that has not begun."""
    pools.join(session, "ann", now=after(0))


def at_work(session):
    """One is active, one waits."""
    for name in ("ann", "ben"):
        pools.join(session, name, now=after(0))


HAPPENINGS = {
    "a session is posted": (None, lambda session: [lambda: pools.post(pools.make("other"))]),
    "somebody joins, and waits": (None, lambda session: [lambda: pools.join(session, "ann", now=after(0))]),
    "enough wait, or an operator starts it": (
        waiting_one,
        lambda session: [lambda: sessions.start(session_id=session.pk, now=after(1))],
    ),
    "somebody says that they are there": (
        at_work,
        lambda session: [lambda: pool.confirm(seat_id=seat("ACTIVE"), now=after(1))],
    ),
    "somebody active submits, and the next is promoted": (
        at_work,
        lambda session: [lambda: pool.submit(seat_id=seat("ACTIVE"), now=after(1))],
    ),
    "somebody who waits gives it back": (
        waiting_one,
        lambda session: [lambda: pool.give_back(seat_id=seat("WAITING"), now=after(1))],
    ),
    "somebody who waits is silent for too long": (at_work, lambda session: [silence]),
    "somebody who waits is dismissed or blocked": (
        waiting_one,
        lambda session: [lambda: pool.dismiss(seat_id=seat("WAITING"), now=after(1))],
    ),
    "limits are changed, or places offered by hand": (
        None,
        lambda session: [
            lambda: sessions.change(session_id=session.pk, changes={"max_waiting": 4}, now=after(1)),
            lambda: pool.hire(session_id=session.pk, now=after(1)),
        ],
    ),
    "a session is stopped (then for each who is there)": (
        waiting_one,
        lambda session: [lambda: sessions.stop(session_id=session.pk, now=after(1))],
    ),
    "a session ends": (None, lambda session: [lambda: sessions.expire(session_id=session.pk, now=after(1))]),
}


@pytest.mark.parametrize("what", HAPPENINGS)
def test_what_happens_writes_what_the_table_says(what):
    session = pools.post(now=after(0), **LIMITS)
    before, happenings = HAPPENINGS[what]
    if before is not None:
        before(session)
    for happen in happenings(session):
        last = Event.objects.latest("pk").pk
        happen()
        told = list(Event.objects.filter(pk__gt=last, type__in=EventType).order_by("pk").values_list("type", flat=True))
        assert told == table()[what]


def test_the_table_is_whole():
    assert set(table()) == set(HAPPENINGS)
    assert {type_ for told in table().values() for type_ in told} == set(EventType)
