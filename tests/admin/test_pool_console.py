"""The console of a session: what it shows, and what an operator does from it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pavilion import console, pool, sessions
from pavilion.models import Seat, Worker
from tests import pools
from tests.admin.conftest import text
from tests.admin.test_pool_setup import at
from tests.admin.test_pool_setup import house as house
from tests.pools import after

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("house", "nothing_kept")]

TERMS = {"base_reward": "0.10", "answer_reward": "0.03", "waiting_wage": "0.60", "heartbeat_seconds": 600}


@pytest.fixture
def session(db):
    """Ann is active and has not confirmed it; Ben and Cyd wait."""
    made = pools.post(now=after(0), **TERMS, budget="60", max_waiting=3, min_waiting=2, max_active=1)
    for name, late in (("ann", 0), ("ben", 1), ("cyd", 2)):
        pools.join(made, name, now=after(late))
    return made


@pytest.fixture
def fresh(db):
    """A session of this moment, in which Ann is active and Ben and Cyd wait."""
    made = pools.post(**TERMS, budget="200", max_waiting=3, min_waiting=2, max_active=2)
    for name in ("ann", "ben", "cyd"):
        pools.join(made, name)
    return made


def seat(name):
    return Seat.objects.filter(worker__name=name).latest("pk")


def test_those_who_wait_stand_in_line_and_have_earned_so_far(session):
    now = console.now(session.pk, now=after(62))
    assert [(str(each.seat.worker), each.place, each.earned) for each in now.in_line] == [
        ("ben", 1, Decimal("0.71")),
        ("cyd", 2, Decimal("0.70")),
    ]
    assert [(str(each.seat.worker), each.unconfirmed) for each in now.at_work] == [("ann", True)]
    pool.confirm(seat_id=seat("ann").pk, now=after(3))
    assert not console.now(session.pk, now=after(62)).at_work[0].unconfirmed


def test_money_is_told_by_how_far_it_has_come(session):
    pool.confirm(seat_id=seat("ann").pk, now=after(3))
    pool.submit(seat_id=seat("ben").pk, now=after(61))
    money = console.now(session.pk, now=after(62)).money
    assert (money.earned, money.owed, money.sent, money.failed) == (Decimal("0.70"), Decimal("0.70"), 0, 0)
    seat("ben").payments.filter(kind="base").update(status="FAILED", due_at=None)
    seat("ben").payments.filter(kind="waiting").update(status="SENT", due_at=None, sent_at=after(62))
    money = console.now(session.pk, now=after(62)).money
    assert (money.owed, money.sent, money.failed) == (0, Decimal("0.60"), Decimal("0.10"))
    assert money.left == Decimal(60) - money.committed
    assert not money.is_used_up


def test_the_plot_has_the_numbers_at_the_end_of_each_step(session):
    sessions.stop(session_id=session.pk, now=after(35))
    points = console.now(session.pk, now=after(3600)).series.points
    assert [(each.waiting, each.active) for each in points[:4]] == [(2, 1), (2, 1), (2, 1), (0, 0)]
    assert {(each.waiting, each.active) for each in points[4:]} == {(None, None)}
    assert len(points) == console.POINTS


@pytest.mark.parametrize("hours", [0.1, 1, 30, 14 * 24])
def test_the_plot_has_as_many_points_however_long_it_lasts(session, hours):
    moment = after(0) + timedelta(hours=hours)
    found = console.series(session, 2, 1, moment)
    known = [each for each in found.points if each.waiting is not None]
    assert len(found.points) == console.POINTS
    assert len(known) > console.POINTS / 4 or found.step == console.STEPS[0]
    assert known[-1].start <= moment < known[-1].start + timedelta(seconds=found.step)


def test_a_long_session_is_read_once_in_a_while(session):
    late = after(0) + timedelta(hours=30)
    assert console.series(session, 2, 1, late) == console.series(session, 2, 1, late)
    with CaptureQueriesContext(connection) as seen:
        console.series(session, 2, 1, late)
    assert len(seen) == 0


def test_what_happened_last_comes_first_with_who_did_it(session, olga):
    pool.dismiss(seat_id=seat("cyd").pk, actor=olga, reason="Asleep.", now=after(20))
    sessions.change(session_id=session.pk, changes={"max_active": 2}, actor=olga, now=after(30))
    first, second, *_others, last = console.moves(session)
    assert (first.what, first.by, first.delta) == ("SESSION_UPDATED", "olga@example.org", {"max_active": 2})
    assert (second.left, second.by, second.seat.reason) == ("dismiss", "olga@example.org", "Asleep.")
    assert last.what == "SESSION_POSTED"


def test_looking_costs_as_much_with_many_as_with_few(desk, fresh):
    def cost():
        with CaptureQueriesContext(connection) as seen:
            assert desk.get(at("session_now", fresh.pk)).status_code == 200
        return len(seen)

    # Advice is kept from the first look on.
    cost()
    few = cost()
    pools.join(fresh, "dee")
    pools.join(fresh, "eve")
    assert cost() <= few


def test_the_console_shows_people_and_links_to_hand_out(desk, fresh):
    page = text(desk.get(at("session_change", fresh.pk)))
    assert all(name in page for name in ("ann", "ben", "cyd", "not confirmed yet"))
    assert page.count("/pool/offer/") == 3
    data = desk.get(at("session_now", fresh.pk)).json()
    assert (data["texts"]["waiting"], data["texts"]["active"]) == ("2", "1")
    assert "ben" in data["bodies"]["waiting"]


def test_names_of_workers_are_text(desk, fresh):
    pools.join(fresh, "<b>eve</b>")
    data = desk.get(at("session_now", fresh.pk)).json()
    assert "&lt;b&gt;eve" in data["bodies"]["waiting"]


def test_a_session_that_is_not_there_is_said(desk):
    assert desk.get(at("session_now", 99)).status_code == 404
    assert desk.get(at("session_change", 99)).status_code == 302


def test_starting_begins_with_those_who_wait(desk):
    session = pools.post(min_waiting=2)
    pools.join(session, "ann")
    desk.post(at("session_start", session.pk))
    assert pools.statuses(session) == {"ann": "ACTIVE"}
    assert "was started before" in text(desk.post(at("session_start", session.pk), follow=True))


def test_migrating_promotes_so_many(desk, fresh):
    desk.post(at("session_migrate", fresh.pk), {"count": "1"})
    assert pools.statuses(fresh) == {"ann": "ACTIVE", "ben": "ACTIVE", "cyd": "WAITING"}
    refused = desk.post(at("session_migrate", fresh.pk), {"count": "1"}, follow=True)
    assert "2 are active, and no more may be." in text(refused)


def test_hiring_offers_so_many_more(desk, fresh):
    before = console.now(fresh.pk).offers.open
    desk.post(at("session_hire", fresh.pk), {"count": "2"})
    assert console.now(fresh.pk).offers.open == before + 2
    refused = desk.post(at("session_hire", fresh.pk), {"count": "many"}, follow=True)
    assert "must be a number from 1 to 1000" in text(refused)


def test_stopping_is_asked_first(desk, fresh):
    assert "2 who wait and 1 who are active" in text(desk.get(at("session_stop", fresh.pk)))
    assert pools.statuses(fresh)["ann"] == "ACTIVE"
    assert desk.post(at("session_stop", fresh.pk))["Location"] == at("session_change", fresh.pk)
    assert set(pools.statuses(fresh).values()) == {"SUBMITTED"}
    assert "The session is over" in text(desk.post(at("session_stop", fresh.pk)))


def test_ending_withdraws_what_is_open(desk, fresh):
    desk.post(at("session_expire", fresh.pk))
    now = console.now(fresh.pk)
    assert (now.session.status, now.offers.open) == ("EXPIRED", 0)


def test_dismissing_takes_a_reason(desk, fresh):
    desk.post(at("session_dismiss", fresh.pk, seat("ann").pk), {"reason": "Asleep."})
    assert (seat("ann").status, seat("ann").reason) == ("DISMISSED", "Asleep.")
    assert pools.statuses(fresh)["ben"] == "ACTIVE"
    assert "Your seat has ended" in text(desk.post(at("session_dismiss", fresh.pk, seat("ann").pk)))


def test_a_seat_of_another_session_is_not_dismissed_here(desk, fresh):
    other = pools.post(name="other")
    assert desk.post(at("session_dismiss", other.pk, seat("ann").pk)).status_code == 404


def test_blocking_ends_the_seat_and_comes_back_to_the_console(desk, fresh):
    address = at("worker_block", seat("ben").worker_id) + f"?session={fresh.pk}"
    assert desk.post(address, {"reason": "A robot."})["Location"] == at("session_change", fresh.pk)
    assert Worker.objects.get(name="ben").blocked_reason == "A robot."
    assert pools.statuses(fresh)["ben"] == "DISMISSED"
    desk.post(at("worker_unblock", seat("ben").worker_id))
    assert Worker.objects.get(name="ben").blocked_at is None


def test_limits_and_budget_are_changed_and_faults_stand_at_their_fields(desk, fresh):
    given = {"min_active": 1, "min_waiting": 2, "max_active": 2, "max_waiting": 3, "budget": "200.00"}
    before = {f"initial-{name}": value for name, value in given.items()}
    page = text(desk.post(at("session_limits", fresh.pk), before | given | {"max_waiting": 2, "budget": "1"}))
    assert "Must be at least min_active + min_waiting" in page
    desk.post(at("session_limits", fresh.pk), before | given | {"max_active": 1, "budget": ""})
    fresh.refresh_from_db()
    assert (fresh.max_active, fresh.budget) == (1, None)


def test_the_list_tells_how_many_are_there(desk, fresh):
    assert "2 / 1" in text(desk.get(at("session_changelist")))
