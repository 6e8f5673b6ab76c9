"""What the worker of a seat is shown of it."""

from decimal import Decimal

import pytest

from pavilion import pool, standing
from tests import pools

pytestmark = pytest.mark.django_db


def at(seat, seconds):
    return standing.of(seat.pk, now=pools.after(seconds))


@pytest.fixture
def session():
    """Paid 6.00 an hour; the second who waits is needed."""
    terms = {"waiting_wage": "0.10", "base_reward": "0.50", "answer_reward": "0.20", "heartbeat_seconds": 600}
    return pools.post(min_active=1, min_waiting=1, max_active=1, now=pools.after(0), **terms)


def test_waiting_earns_by_the_second(session):
    ann = pools.join(session, "ann", now=pools.after(0))
    assert at(ann, 0).earned == Decimal("0.50")
    assert at(ann, 90).earned == Decimal("0.65")


def test_what_was_earned_stays_as_it_was_paid(session):
    ann = pools.join(session, "ann", now=pools.after(0))
    pool.give_back(seat_id=ann.pk, now=pools.after(60))
    shown = at(ann, 3000)
    assert (shown.status, shown.left, shown.earned, shown.place) == ("RETURNED", "return", Decimal("0.10"), None)


def test_places_are_by_the_time_of_coming(session):
    ann, ben, cyd = (pools.join(session, name, now=pools.after(0)) for name in ("ann", "ben", "cyd"))
    assert [(at(seat, 1).status, at(seat, 1).place) for seat in (ann, ben, cyd)] == [
        ("ACTIVE", None),
        ("WAITING", 1),
        ("WAITING", 2),
    ]
    assert (at(ann, 1).waiting, at(ann, 1).active) == (2, 1)
    assert standing.there(session.pk) == standing.There(1, {ben.pk: 1, cyd.pk: 2})


def test_money_for_the_first_answers_is_kept_for_who_waits(session):
    ann = pools.join(session, "ann", now=pools.after(0))
    session.refresh_from_db()
    type(session).objects.filter(pk=session.pk).update(budget=session.committed)
    assert at(ann, 1).budget_left


def test_it_takes_few_queries(session, django_assert_max_num_queries):
    ann = pools.join(session, "ann", now=pools.after(0))
    with django_assert_max_num_queries(3):
        standing.of(ann.pk)
