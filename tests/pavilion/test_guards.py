"""What keeps the pool exact, each guard where it alone decides. `make guards` takes them away in turn."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from assignments import lifecycle
from assignments.exceptions import AssignmentClosed
from assignments.models import Assignment
from pavilion import errands, paying, pool, sessions, work
from pavilion.exceptions import (
    AlreadySeated,
    BudgetUsedUp,
    NobodyToPromote,
    OfferClosed,
    PoolFull,
    SeatElsewhere,
    SeatNotActive,
    SeatOver,
    SessionOver,
    WorkerBlocked,
)
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session
from pavilion.states import OFFERED, HireStatus, Left, PaymentStatus
from queues import invariants
from queues.exceptions import InvalidInput
from tests import cast, pools
from tests.assignments.test_guards import in_turn  # noqa: F401
from tests.pools import after

pytestmark = pytest.mark.django_db

on_threads = pytest.mark.threads
on_postgresql = pytest.mark.only("postgresql")

TERMS = {"base_reward": "0.10", "answer_reward": "0.03", "waiting_wage": "0.60", "heartbeat_seconds": 600}


def confirmed(session: Session, name: str, **how: Any) -> Seat:
    """The seat of somebody who joins, is promoted and says so, for the window 0."""
    seat = pools.join(session, name, **how)
    return pool.confirm(seat_id=seat.pk, **how)


def at_work(seat: Seat) -> Seat:
    return work.seat_of(seat_id=seat.pk, connection=0)


def handed(seat: Seat, **how: Any) -> Assignment:
    """A task of the pool's queue in the hands of whoever has the seat."""
    known = at_work(seat)
    cast.post(work.queue_for(known), **how)
    return work.grab(seat=known, **how).assignments[0]


def paid(seat: Seat) -> dict[str, Decimal]:
    return {payment.kind: payment.amount for payment in Payment.objects.filter(seat=seat)}


def offered(session: Session) -> int:
    return Hire.objects.filter(session=session, status__in=OFFERED).count()


@pytest.fixture
def session(db: None) -> Session:
    """One may be active, at once; two may wait."""
    return pools.post(now=after(0), **TERMS, min_active=1, max_active=1, min_waiting=0, max_waiting=2)


# Limits.


def test_no_more_join_than_may_wait_and_be_active(session):
    for name in ("ann", "ben", "cyd"):
        pools.join(session, name, now=after(0))
    pool.hire(session_id=session.pk, count=1, now=after(0))
    with pytest.raises(PoolFull):
        pools.join(session, "dan", now=after(0))
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "WAITING", "cyd": "WAITING"}


def test_no_more_are_migrated_than_may_be_active(session):
    for name in ("ann", "ben"):
        pools.join(session, name, now=after(0))
    with pytest.raises(NobodyToPromote):
        pool.migrate(session_id=session.pk, count=5, now=after(1))
    assert pools.statuses(session) == {"ann": "ACTIVE", "ben": "WAITING"}


def test_a_limit_that_was_lowered_comes_to_hold_as_people_leave():
    session = pools.post(now=after(0), min_active=2, max_active=2, min_waiting=0, max_waiting=3)
    ann, *_others = [pools.join(session, name, now=after(0)) for name in ("ann", "ben", "cyd")]
    sessions.change(session_id=session.pk, changes={"min_active": 1, "max_active": 1}, now=after(1))
    pool.submit(seat_id=ann.pk, now=after(2))
    assert pools.statuses(session) == {"ann": "SUBMITTED", "ben": "ACTIVE", "cyd": "WAITING"}


def test_one_offer_is_taken_once(session):
    hire = Hire.objects.filter(session=session).first()
    pools.join(session, "ann", hire_id=hire.pk, now=after(0))
    with pytest.raises(OfferClosed):
        pools.join(session, "ben", hire_id=hire.pk, now=after(0))


# Windows.


def test_an_older_window_cannot_leave(session):
    ann = pools.join(session, "ann", now=after(0))
    first, second = (pool.enter(seat_id=ann.pk, now=after(0)).connection for _ in range(2))
    with pytest.raises(SeatElsewhere):
        pool.submit(seat_id=ann.pk, connection=first, now=after(1))
    assert pool.submit(seat_id=ann.pk, connection=second, now=after(1)).left == Left.SUBMIT


def test_an_older_window_is_no_sign_of_life(session):
    ann = pools.join(session, "ann", now=after(0))
    pool.enter(seat_id=ann.pk, now=after(0))
    assert pool.heard(connections={ann.pk: 0}, now=after(500)) == set()
    assert pools.fresh(ann).heard_at == after(0)


def test_an_older_window_cannot_answer(session):
    ann = confirmed(session, "ann", now=after(0))
    known, held = at_work(ann), handed(ann, now=after(0))
    pool.enter(seat_id=ann.pk, now=after(1))
    with pytest.raises(SeatElsewhere):
        work.finalize(seat=known, assignment=held, data=1, now=after(2))
    assert pools.fresh(held).status == "CREATED"


# Workers.


def test_a_worker_has_one_seat_anywhere(session):
    pools.join(session, "ann", now=after(0))
    other = pools.post(pools.make("other"), now=after(0))
    with pytest.raises(AlreadySeated):
        pools.join(other, "ann", now=after(0))


def test_a_second_live_seat_is_refused_by_the_database(session):
    ann = pools.join(session, "ann", now=after(0))
    other = Hire.objects.filter(session=session).offered().first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Seat.objects.create(
            session=session, worker=ann.worker, hire=other, joined_at=after(0), heard_at=after(0), ends_at=after(9)
        )


@on_threads
@on_postgresql
def test_a_worker_who_is_blocked_while_joining_keeps_no_seat(in_turn):  # noqa: F811
    session = pools.post()
    ann = pools.worker("ann", session)
    in_turn(
        lambda: pool.join(session_id=session.pk, worker=ann),
        lambda: pool.block(worker_id=ann.pk),
    )
    assert pools.statuses(session) == {"ann": "DISMISSED"}


def test_a_blocked_worker_takes_no_seat(session):
    pool.block(worker_id=pools.worker("ann", session).pk)
    with pytest.raises(WorkerBlocked):
        pools.join(session, "ann", now=after(0))


# Time.


def test_who_waited_and_has_gone_is_not_promoted(session):
    for name in ("ann", "ben", "cyd"):
        pools.join(session, name, now=after(0))
    pool.enter(seat_id=Seat.objects.get(worker__name="cyd").pk, now=after(300))
    pool.tick(session_id=session.pk, now=after(600))
    assert pools.statuses(session) == {"ann": "DISMISSED", "ben": "ABANDONED", "cyd": "ACTIVE"}
    assert not SeatTransition.objects.filter(seat__worker__name="ben", to_status="ACTIVE").exists()


def test_what_is_overdue_is_done_though_the_call_is_refused(session):
    ann = confirmed(session, "ann", now=after(0))
    ben = pools.join(session, "ben", now=after(300))
    with pytest.raises(SeatOver):
        pool.submit(seat_id=ann.pk, now=after(600))
    assert pools.statuses(session) == {"ann": "ABANDONED", "ben": "ACTIVE"}
    assert pools.fresh(ben).active_at == after(600)


def test_a_session_whose_time_is_over_takes_nobody_in(session):
    with pytest.raises(SessionOver):
        pools.join(session, "ann", now=pools.fresh(session).expires_at)
    assert pools.fresh(session).status == "EXPIRED"


def test_who_fell_silent_before_the_session_ended_has_abandoned():
    session = pools.post(now=after(0), **TERMS, posting_seconds=900)
    ann, ben = (pools.join(session, name, now=after(0)) for name in ("ann", "ben"))
    pool.confirm(seat_id=ann.pk, now=after(1))
    pool.enter(seat_id=ann.pk, now=after(500))
    pool.sweep(now=after(1000))
    assert pools.statuses(session) == {"ann": "SUBMITTED", "ben": "ABANDONED"}
    assert paid(ben) == {"waiting": Decimal("6.00")}
    assert not Hire.objects.filter(session=session, status__in=[*OFFERED, HireStatus.TAKEN]).exists()


# Money.


@pytest.mark.parametrize("column", ["committed", "owed"])
def test_the_database_refuses_more_than_the_budget(column):
    session = pools.post(now=after(0), budget="10.00")
    with pytest.raises(IntegrityError), transaction.atomic():
        Session.objects.filter(pk=session.pk).update(**{column: Decimal("10.01")})


def test_no_more_places_are_offered_than_the_budget_has_room_for():
    session = pools.post(now=after(0), **TERMS, budget="40.00")
    # 0.10, 30 minutes at 0.60, and ten answers at 0.03: 18.40 each.
    assert offered(session) == 2
    with pytest.raises(BudgetUsedUp):
        pool.hire(session_id=session.pk, now=after(1))


def test_a_place_that_was_returned_is_not_open_again_where_there_is_no_room():
    session = pools.post(now=after(0), **TERMS, budget="36.80")
    ann = pools.join(session, "ann", now=after(0))
    pool.give_back(seat_id=ann.pk, now=after(60))
    assert paid(ann) == {"waiting": Decimal("0.60")}
    assert pools.fresh(ann.hire).status == HireStatus.WITHDRAWING
    assert offered(session) == 1


def test_a_budget_is_not_set_below_what_is_committed(session):
    committed = pools.fresh(session).committed
    with pytest.raises(InvalidInput):
        sessions.change(session_id=session.pk, changes={"budget": committed - Decimal("0.01")}, now=after(1))


def test_an_answer_for_which_no_money_is_put_aside_is_refused(session):
    ann = confirmed(session, "ann", now=after(0))
    known, held = at_work(ann), handed(ann, now=after(0))
    Seat.objects.filter(pk=ann.pk).update(answers_allowed=0)
    with pytest.raises(BudgetUsedUp):
        work.finalize(seat=known, assignment=held, data=1, now=after(1))
    assert pools.fresh(held).status == "CREATED"


@on_threads
@on_postgresql
def test_an_answer_that_is_under_way_is_paid(in_turn):  # noqa: F811
    session = pools.post(**TERMS, min_waiting=0)
    ann = confirmed(session, "ann")
    known, held = at_work(ann), handed(ann)
    in_turn(
        lambda: work.finalize(seat=known, assignment=held, data=1),
        lambda: pool.submit(seat_id=ann.pk),
    )
    assert paid(ann) == {"base": Decimal("0.10"), "answers": Decimal("0.03")}


@on_threads
@on_postgresql
def test_an_answer_that_comes_after_the_departure_is_refused(in_turn):  # noqa: F811
    session = pools.post(**TERMS, min_waiting=0)
    ann = confirmed(session, "ann")
    known, held = at_work(ann), handed(ann)
    _left, answered = in_turn(
        lambda: pool.submit(seat_id=ann.pk),
        lambda: work.finalize(seat=known, assignment=held, data=1),
    )
    assert isinstance(answered, SeatOver)
    assert pools.fresh(held).status == "CREATED"
    assert paid(ann) == {"base": Decimal("0.10")}


def test_who_has_not_confirmed_does_not_answer(session):
    ann = pools.join(session, "ann", now=after(0))
    with pytest.raises(SeatNotActive):
        work.grab(seat=at_work(ann), now=after(1))


def test_a_kind_of_pay_is_written_once(session):
    ann = pools.join(session, "ann", now=after(0))
    pool.submit(seat_id=ann.pk, now=after(1))
    base = Payment.objects.get(seat=ann)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(seat=ann, session=session, kind="base", amount=1, created_at=after(1), due_at=after(1))
    assert base.status == PaymentStatus.OWED


def test_what_somebody_sends_nobody_else_sends(session):
    ann = pools.join(session, "ann", now=after(0))
    pool.submit(seat_id=ann.pk, now=after(1))
    taken = errands.take(Payment.objects.all(), limit=9, now=after(2), status=PaymentStatus.SENDING)
    assert len(taken) == 1
    assert paying.work(now=after(2)) == 0
    assert paying.work(now=after(2) + errands.LEASE) == 1
    assert Payment.objects.get(seat=ann).status == PaymentStatus.SENT


# What was promised to be taken back.


@pytest.fixture
def with_backlog(db: None) -> Session:
    """One may be active; those who wait may answer the backlog."""
    made = pools.make(backlog_queue=cast.queue("old"), min_active=1, max_active=1, min_waiting=0, **TERMS)
    return pools.post(made, now=after(0))


def test_a_promoted_worker_loses_what_they_hold_of_the_backlog(with_backlog):
    ann, ben = (pools.join(with_backlog, name, now=after(0)) for name in ("ann", "ben"))
    held = handed(ben, now=after(1))
    pool.submit(seat_id=ann.pk, now=after(2))
    assert pools.fresh(ben).to_release
    work.release(now=after(3))
    assert pools.fresh(held).status == "CANCELED"
    with pytest.raises(AssignmentClosed):
        lifecycle.finalize(assignment_id=held.pk, data=1, now=after(4))


def test_who_leaves_loses_what_they_hold(session):
    ann = confirmed(session, "ann", now=after(0))
    held = handed(ann, now=after(1))
    pool.submit(seat_id=ann.pk, now=after(2))
    work.release(now=after(3))
    assert pools.fresh(held).status == "CANCELED"
    assert invariants.broken() == {}


def test_who_leaves_and_comes_back_at_once_has_lost_what_they_held(session):
    ann = confirmed(session, "ann", now=after(0))
    held = handed(ann, now=after(1))
    pool.submit(seat_id=ann.pk, now=after(2))
    again = confirmed(session, "ann", now=after(3))
    new = handed(again, now=after(4))
    work.release(now=after(5))
    # What is held is what comes first with the next look; it is of the seat that is over all the same.
    assert new.pk == held.pk
    assert pools.fresh(held).status == "CANCELED"


def test_a_task_that_came_when_the_seat_was_over_is_given_up(session):
    ann = confirmed(session, "ann", now=after(0))
    known = at_work(ann)
    cast.post(session.pool.queue, now=after(0))
    pool.submit(seat_id=ann.pk, now=after(1))
    work.release(now=after(1))
    with pytest.raises(SeatOver):
        work.grab(seat=known, now=after(2))
    assert not Assignment.objects.filter(status="CREATED").exists()
