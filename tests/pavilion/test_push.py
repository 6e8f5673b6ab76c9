"""What a worker's window hears by its socket, and what it may say."""

import asyncio
from contextlib import contextmanager

import pytest

from pavilion import links, pool, sessions
from pavilion.consumers import rooms
from pavilion.models import Seat, Session
from queues import tokens
from queues.consumers.limits import FRAMES_AT_ONCE
from tests import cast, pools
from tests.site.serving import until
from tests.sockets import LONG, serving, telling

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module")
def server():
    with serving() as running:
        yield running


@pytest.fixture
def site(server, transactional_db):
    with telling(server):
        yield server


@pytest.fixture
def session(transactional_db):
    """A session with room for one active and three who wait, which starts when two are there."""
    return pools.post(min_waiting=1, min_active=1, max_active=1, max_waiting=3, confirm_seconds=600)


@contextmanager
def window(site, seat, connection=None):
    """A window of a seat, with its first state."""
    if connection is None:
        connection = pool.enter(seat_id=seat.pk).connection
    with site.socket(f"pool/{seat.session_id}/") as client:
        client.send({"type": "authenticate", "token": links.token(seat_id=seat.pk, connection=connection)})
        client.state = client.next()
        yield client


def test_whoever_waits_is_told_how_they_stand(site, session):
    ann = pools.join(session, "ann")
    with window(site, ann) as client:
        state = client.state
        assert (state["type"], state["status"], state["place"], state["waiting"]) == ("state", "WAITING", 1, 1)
        assert state["wage"] == "0.0500"


def test_a_promotion_arrives_as_a_frame_and_is_confirmed(site, session):
    ann = pools.join(session, "ann")
    with window(site, ann) as client:
        pools.join(session, "ben")
        promoted = client.until("promoted")
        assert (promoted["status"], promoted["confirmed_at"]) == ("ACTIVE", None)
        client.send({"type": "confirm"})
        assert client.until("confirmed")["confirmed_at"] is not None
    assert pools.fresh(ann).confirmed_at is not None


def test_confirming_again_is_answered_again(site, session):
    ann = pools.join(session, "ann")
    pools.join(session, "ben")
    with window(site, ann) as client:
        for _time in range(2):
            client.send({"type": "confirm"})
            assert client.until("confirmed")["status"] == "ACTIVE"


def test_who_comes_back_hears_what_has_happened_meanwhile(site, session):
    ann = pools.join(session, "ann")
    with window(site, ann):
        connection = pools.fresh(ann).connection
    pools.join(session, "ben")
    with window(site, ann, connection) as client:
        assert (client.state["type"], client.state["status"]) == ("state", "ACTIVE")


def test_who_comes_is_counted_for_those_who_wait(site, session):
    sessions.change(session_id=session.pk, changes={"max_waiting": 5, "min_waiting": 4})
    ann, ben = pools.join(session, "ann"), pools.join(session, "ben")
    with window(site, ben) as client:
        pools.join(session, "cyd")
        assert client.until("counts") == {"type": "counts", "waiting": 3, "active": 0, "place": 2}
        pool.give_back(seat_id=ann.pk)
        assert client.until("counts") == {"type": "counts", "waiting": 2, "active": 0, "place": 1}


def test_counts_are_told_so_often_and_no_oftener(session, monkeypatch):
    monkeypatch.setattr(rooms, "EVERY", 1000)
    told = []

    class Member:
        def count(self, there):
            told.append(there)

    async def change_twice():
        room, member = rooms.Room.of(session.pk), Member()
        room.join(member)
        room.changed()
        while not told:
            await asyncio.sleep(0.01)
        room.changed()
        for _turn in range(10):
            await asyncio.sleep(0)
        room.leave(member)

    asyncio.run(asyncio.wait_for(change_twice(), LONG))
    assert len(told) == 1


def test_work_is_announced_to_who_may_do_it(site, session):
    ann, ben = pools.join(session, "ann"), pools.join(session, "ben")
    pool.confirm(seat_id=ann.pk)
    with window(site, ann) as active, window(site, ben) as waiting:
        cast.post(session.pool.queue)
        assert active.until("available") == {"type": "available"}
        assert "available" not in [frame["type"] for frame in waiting.quiet()]


def test_a_newer_window_closes_the_older_one(site, session):
    ann = pools.join(session, "ann")
    with window(site, ann) as old, window(site, ann):
        assert old.closed() == 4409


def test_an_older_window_does_not_come_in_any_more(site, session):
    ann = pools.join(session, "ann")
    first = pool.enter(seat_id=ann.pk).connection
    pool.enter(seat_id=ann.pk)
    with site.socket(f"pool/{session.pk}/") as client:
        client.send({"type": "authenticate", "token": links.token(seat_id=ann.pk, connection=first)})
        assert client.closed() == 4409


@pytest.mark.parametrize("how", ["stop", "expire"])
def test_the_end_of_the_session_is_told(site, session, how):
    ann = pools.join(session, "ann")
    with window(site, ann) as client:
        getattr(sessions, how)(session_id=session.pk)
        ended = client.until("ended")
        assert (ended["status"], ended["left"]) == ("SUBMITTED", "stop")
        assert ended["session_status"] == pools.fresh(session).status
        assert client.closed() == 1000


def test_being_dismissed_is_told_with_the_reason(site, session):
    ann = pools.join(session, "ann")
    with window(site, ann) as client:
        pool.dismiss(seat_id=ann.pk, reason="Asleep")
        assert client.until("ended")["reason"] == "Asleep"


def test_a_seat_that_has_ended_is_told_so(site, session):
    ann = pools.join(session, "ann")
    connection = pool.enter(seat_id=ann.pk).connection
    pool.submit(seat_id=ann.pk)
    with window(site, ann, connection) as client:
        assert client.state["type"] == "ended"


def test_who_does_not_confirm_in_time_is_told_that_it_is_over(site, session):
    ann = pools.join(session, "ann")
    pools.join(session, "ben")
    with window(site, ann) as client:
        Seat.objects.filter(pk=ann.pk).update(confirm_by=pools.after(-100_000))
        client.send({"type": "alive"})
        assert client.until("ended")["left"] == "unconfirmed"


def test_saying_that_one_is_there_counts(site, session):
    ann = pools.join(session, "ann")
    with window(site, ann) as client:
        before = pools.fresh(ann).heard_at
        client.until("beat")
        client.send({"type": "alive"})
        until(lambda: pools.fresh(ann).heard_at > before)


def test_an_open_socket_alone_is_no_sign_of_life(site, session):
    Session.objects.update(heartbeat_seconds=10)
    ann = pools.join(session, "ann")
    with window(site, ann) as client:
        Seat.objects.filter(pk=ann.pk).update(heard_at=pools.after(-100_000))
        pool.sweep()
        assert client.until("ended")["status"] == "ABANDONED"


def test_a_sign_of_life_ends_those_who_give_none(site, session):
    ann, ben = pools.join(session, "ann"), pools.join(session, "ben")
    with window(site, ben) as client:
        Seat.objects.filter(pk=ann.pk).update(heard_at=pools.after(-100_000))
        client.send({"type": "alive"})
        assert client.until("promoted")["status"] == "ACTIVE"
    assert pools.fresh(ann).status == "ABANDONED"


def test_confirming_before_one_is_promoted_is_an_error(site, session):
    with window(site, pools.join(session, "ann")) as client:
        client.send({"type": "confirm"})
        assert client.until("error")["code"] == "not-active"


def test_another_token_does_not_open_it(site, session):
    _token, secret = tokens.issue(user=cast.person("mia"), name="socket")
    for wrong in (secret, "nonsense"):
        with site.socket(f"pool/{session.pk}/") as client:
            client.send({"type": "authenticate", "token": wrong})
            assert client.closed() == 4401


def test_an_old_token_does_not_open_it(site, session, monkeypatch):
    ann = pools.join(session, "ann")
    connection = pool.enter(seat_id=ann.pk).connection
    monkeypatch.setattr(links, "TOKEN_SECONDS", -1)
    with site.socket(f"pool/{session.pk}/") as client:
        client.send({"type": "authenticate", "token": links.token(seat_id=ann.pk, connection=connection)})
        assert client.closed() == 4401


def test_a_frame_that_is_no_json_is_an_error(site, session):
    with window(site, pools.join(session, "ann")) as client:
        client.send("alive")
        assert client.until("error")["code"] == "malformed"


def test_who_sends_too_much_is_sent_away(site, session):
    with window(site, pools.join(session, "ann")) as client:
        client.flood({"type": "alive"}, times=FRAMES_AT_ONCE + 10)
        assert client.closed() == 1008


def test_a_seat_is_of_one_session(site, session):
    ann = pools.join(session, "ann")
    connection = pool.enter(seat_id=ann.pk).connection
    with site.socket(f"pool/{session.pk + 1}/") as client:
        client.send({"type": "authenticate", "token": links.token(seat_id=ann.pk, connection=connection)})
        assert client.closed() == 4404


def test_managers_hear_that_something_has_changed(site, session):
    with site.of("mia", f"pool/{session.pk}/console/") as mia:
        pools.join(session, "ann")
        assert mia.until("changed") == {"type": "changed"}


def test_others_do_not_watch(site, session):
    cast.person("rick")
    with site.socket(f"pool/{session.pk}/console/") as client:
        client.authenticate("rick")
        assert client.closed() == 4404
