"""What a session's past says about how many should wait, and pools that follow it."""

import pytest

from pavilion import following, hiring, pool, sessions
from tests import pools
from tests.pools import after

pytestmark = pytest.mark.django_db

ROUNDS = 8
EACH = 30
"""Seconds between two departures."""


def busy(**fields):
    """A session in which somebody leaves each half minute, and a minute passes until an offer is taken."""
    limits = {"min_waiting": 1, "min_active": 1, "max_waiting": 3, "max_active": 1}
    session = pools.post(now=after(0), **{**limits, "heartbeat_seconds": 600, "confirm_seconds": 600, **fields})
    hiring.work(now=after(0))
    for name in ("a", "b"):
        pools.join(session, name, now=after(60))
    for number in range(ROUNDS):
        moment = 60 + (number + 1) * EACH
        (active,) = session.seats.active()
        pool.submit(seat_id=active.pk, now=after(moment))
        hiring.work(now=after(moment))
        pools.join(session, f"more {number}", now=after(moment))
    return pools.fresh(session)


def test_a_quiet_session_says_nothing(db):
    assert following.advice(pools.post(now=after(0)), now=after(60)) is None


def test_the_demand_is_what_was_seen(db):
    seen = following.measured(busy(), now=after(300))
    assert seen.promotions == ROUNDS + 1
    assert seen.demand.rate == pytest.approx((ROUNDS + 1) / 240)
    assert seen.demand.hire_seconds > 60
    assert seen.demand.quit_rate == 0


def test_the_advice_keeps_the_miss_rate_of_the_pool(db):
    found = following.advice(busy(miss_rate=0.05), now=after(300))
    assert found.target > 3
    assert found.miss_rate <= 0.05
    assert not found.bound


def test_the_budget_bounds_the_advice(db):
    session = busy(miss_rate=0.01)
    sessions.change(session_id=session.pk, changes={"budget": session.committed}, now=after(299))
    found = following.advice(pools.fresh(session), now=after(300))
    assert (found.target, found.bound) == (3, True)


def test_a_pool_that_follows_the_advice_lets_more_wait(db):
    session = busy(follows_advice=True)
    assert following.follow(now=after(300)) == 1
    wanted = following.advice(pools.fresh(session), now=after(300)).target
    assert pools.fresh(session).max_waiting == wanted > 3
    assert following.follow(now=after(301)) == 0


def test_other_pools_stay_as_they_are(db):
    session = busy()
    assert following.follow(now=after(300)) == 0
    assert pools.fresh(session).max_waiting == 3
