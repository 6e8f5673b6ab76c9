"""The table of departures, row by row: who is promoted, who is hired, who is paid."""

from decimal import Decimal

import pytest

from pavilion import pool, sessions, work
from pavilion.models import Hire, Payment, Seat, SeatTransition
from pavilion.states import OFFERED, Left, SeatStatus
from queues.models import Event
from tests import cast, pools
from tests.pools import after

pytestmark = pytest.mark.django_db

TERMS = {"base_reward": "0.10", "answer_reward": "0.03", "waiting_wage": "0.60", "heartbeat_seconds": 600}


@pytest.fixture
def session(db):
    """Ann is active, and has said so; Ben and Cyd wait."""
    session = pools.post(now=after(0), **TERMS, max_waiting=3, min_waiting=2, max_active=1)
    for name in ("ann", "ben", "cyd"):
        pools.join(session, name, now=after(0))
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "WAITING", "cyd": "WAITING"}
    pool.confirm(seat_id=seat("ann").pk, now=after(1))
    return session


def seat(name):
    return Seat.objects.filter(worker__name=name).latest("pk")


def paid(name):
    return {payment.kind: payment.amount for payment in Payment.objects.filter(seat=seat(name))}


def offered(session):
    return Hire.objects.filter(session=session, status__in=OFFERED).count()


def test_submitting_from_waiting_pays_base_and_waiting_and_hires_one(session):
    before = offered(session)
    pool.submit(seat_id=seat("ben").pk, now=after(90))
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "SUBMITTED", "cyd": "WAITING"}
    assert paid("ben") == {"base": Decimal("0.10"), "waiting": Decimal("0.90")}
    assert offered(session) == before + 1


def test_submitting_from_active_promotes_one_and_hires_one(session):
    before = offered(session)
    pool.submit(seat_id=seat("ann").pk, now=after(90))
    assert pools.statuses(session) == {"ann": "SUBMITTED", "ben": "ACTIVE", "cyd": "WAITING"}
    assert paid("ann") == {"base": Decimal("0.10")}
    assert offered(session) == before + 1


def test_returning_from_active_promotes_one_and_opens_its_offer_again(session):
    before = offered(session)
    pool.give_back(seat_id=seat("ann").pk, now=after(90))
    assert pools.statuses(session) == {"ann": "RETURNED", "ben": "ACTIVE", "cyd": "WAITING"}
    assert paid("ann") == {}
    assert offered(session) == before + 1
    assert Hire.objects.count() == 4


def test_returning_from_waiting_promotes_nobody(session):
    pool.give_back(seat_id=seat("ben").pk, now=after(60))
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "RETURNED", "cyd": "WAITING"}
    assert paid("ben") == {"waiting": Decimal("0.60")}


def test_being_dismissed_pays_waiting_and_answers_and_hires_one(session):
    before = offered(session)
    pool.dismiss(seat_id=seat("ben").pk, now=after(60))
    assert paid("ben") == {"waiting": Decimal("0.60")}
    assert offered(session) == before + 1


def test_stopping_submits_everybody_and_pays_them(session):
    sessions.stop(session_id=session.pk, now=after(60))
    assert set(pools.statuses(session).values()) == {"SUBMITTED"}
    assert paid("cyd") == {"base": Decimal("0.10"), "waiting": Decimal("0.60")}
    assert paid("ann") == {"base": Decimal("0.10")}
    assert offered(session) == 0


def test_whoever_does_not_confirm_is_dismissed_and_the_next_is_promoted(session):
    pool.submit(seat_id=seat("ann").pk, now=after(10))
    assert pool.sweep(now=after(39)) == 0
    assert pool.sweep(now=after(40)) == 1
    assert pools.statuses(session) == {"ann": "SUBMITTED", "ben": "DISMISSED", "cyd": "ACTIVE"}
    assert seat("ben").left == Left.UNCONFIRMED


def test_whoever_is_silent_has_abandoned_and_is_paid_until_then(session):
    for name in ("ann", "cyd"):
        pool.enter(seat_id=seat(name).pk, now=after(500))
    pool.sweep(now=after(700))
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "ABANDONED", "cyd": "WAITING"}
    assert paid("ben") == {"waiting": Decimal("6.00")}


def test_answers_of_an_active_worker_are_paid(session):
    cast.post(session.pool.queue, 2)
    at_work = work.seat_of(seat_id=seat("ann").pk, connection=0)
    (first,) = work.grab(seat=at_work, now=after(20)).assignments
    done = work.finalize(seat=at_work, assignment=first, data={"digit": 1}, grab_next=True, now=after(30))
    assert done.next is not None
    work.finalize(seat=at_work, assignment=done.next.assignments[0], data={"digit": 1}, now=after(40))
    pool.submit(seat_id=at_work.pk, now=after(50))
    assert paid("ann") == {"base": Decimal("0.10"), "answers": Decimal("0.06")}


def test_money_that_was_put_aside_is_free_again(session):
    sessions.stop(session_id=session.pk, now=after(60))
    session.refresh_from_db()
    owed = sum(Payment.objects.values_list("amount", flat=True))
    assert session.owed == session.committed == owed
    assert Seat.objects.filter(status=SeatStatus.SUBMITTED).count() == 3


def test_who_promotes_and_who_hires_is_written_down(session):
    mia = cast.person("mia")
    sessions.change(session_id=session.pk, changes={"max_active": 2}, now=after(2))
    pool.migrate(session_id=session.pk, actor=mia, now=after(3))
    pool.hire(session_id=session.pk, count=2, actor=mia, now=after(4))
    assert SeatTransition.objects.filter(actor=mia).get().to_status == SeatStatus.ACTIVE
    assert Event.objects.filter(actor=str(mia.pk), delta__hired=2).exists()
