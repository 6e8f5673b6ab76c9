"""What the pool asks does not take longer the longer a session has gone on."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments.models import Reviewer
from pavilion import errands, hiring, paying, pool
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session, Worker
from queues.models import Event
from tests import pools
from tests.plans import explain
from tests.pools import after

pytestmark = pytest.mark.django_db

ENDED, BESIDE, WAITING = 200_000, 20_000, 300
"""Seats that have ended in the session; hires that are spent, and payments that were sent; those who wait."""

CHEAP = 200
"""What a statement may cost, in the planner's units: some rows along an index do, a look through all seats costs
thousands.
"""

OURS = re.compile(r"\"crowd_pavilion_(seat|hire|payment|seattransition)\"")

DEPARTURE = 16
"""Statements of a departure that promotes and hires one, savepoints left out."""


def session() -> Session:
    """Ann is active, ben and cyd wait."""
    session = pools.post(now=after(0), min_waiting=1, max_waiting=WAITING + 5, max_active=1)
    for name in ("ann", "ben", "cyd"):
        pools.join(session, name, now=after(0))
    return session


def crowd(session: Session) -> None:
    """Many more wait."""
    users = get_user_model()._default_manager.bulk_create(
        get_user_model()(username=f"worker{n}") for n in range(WAITING)
    )
    reviewers = Reviewer.objects.bulk_create(Reviewer(user=user, created_at=after(0)) for user in users)
    workers = Worker.objects.bulk_create(
        Worker(marketplace="local", external_id=f"w{n}", reviewer=reviewer, created_at=after(0))
        for n, reviewer in enumerate(reviewers)
    )
    hires = Hire.objects.bulk_create(Hire(session=session, status="TAKEN", created_at=after(0)) for _ in workers)
    seat = {"session": session, "joined_at": after(0.5), "heard_at": after(30), "ends_at": after(3600)}
    Seat.objects.bulk_create(
        Seat(worker=worker, hire=hire, **seat) for worker, hire in zip(workers, hires, strict=True)
    )


def have_ended(session: Session) -> None:
    """Many have come and gone in the session."""
    ann = Seat.objects.get(worker__name="ann")
    now = after(0).isoformat()
    values = {"session": session.pk, "worker": ann.worker_id, "hire": ann.hire_id, "now": now}
    seats = """
        INSERT INTO crowd_pavilion_seat (session_id, worker_id, hire_id, external_id, submit_url, status, live,
            joined_at, heard_at, ends_at, ended_at, paid_until, "left", reason, connection, answers, answers_allowed,
            backlog_answers, reserved, to_release, sequence)
        SELECT %(session)s, %(worker)s, %(hire)s, '', '', 'SUBMITTED', null, moment, moment, moment, moment, moment,
            'submit', '', 0, 0, 0, 0, 0, false, 2
        FROM (SELECT %(now)s::timestamptz - n * interval '1 second' AS moment FROM generate_series(1, %(n)s) n) times
    """
    hires = """
        INSERT INTO crowd_pavilion_hire (session_id, status, request_token, external_id, reserved, created_at, tries,
            error)
        SELECT %(session)s, 'SPENT', gen_random_uuid(), '', 0, %(now)s, 1, '' FROM generate_series(1, %(n)s) n
    """
    payments = """
        INSERT INTO crowd_pavilion_payment (seat_id, session_id, kind, amount, status, request_token, reference, error,
            created_at, sent_at, tries)
        SELECT id, %(session)s, 'base', 0.05, 'SENT', gen_random_uuid(), '', '', %(now)s, %(now)s, 1
        FROM crowd_pavilion_seat WHERE live IS NULL ORDER BY id LIMIT %(n)s
    """
    with connection.cursor() as cursor:
        for statement, count in ((seats, ENDED), (hires, BESIDE), (payments, BESIDE)):
            cursor.execute(statement, {**values, "n": count})
        for model in (Seat, Hire, Payment):
            cursor.execute(f"ANALYZE {model._meta.db_table}")


def asked(what: Callable[[], Any]) -> Iterator[str]:
    """The statements that something made, savepoints left out."""
    with CaptureQueriesContext(connection) as seen:
        what()
    return (query["sql"] for query in seen if "SAVEPOINT" not in query["sql"])


def plans(what: Callable[[], Any]) -> list[str]:
    """How PostgreSQL goes about each of its statements on our large tables."""
    statements = [sql for sql in asked(what) if OURS.search(sql) and not sql.startswith("INSERT")]
    assert statements
    return [f"{sql}\n{explain(sql)}" for sql in statements]


def check(found: list[str], *indexes: str) -> None:
    """No statement looks through a large table, each is cheap, and these indexes serve one at least."""
    for plan in found:
        assert not re.search("Seq Scan on crowd_pavilion_(seat|hire|payment)", plan), plan
        assert float(re.search(r"cost=\S+?\.\.(\S+) ", plan)[1]) < CHEAP, plan
    for index in indexes:
        assert any(index in plan for plan in found), f"{index} serves none of these:\n" + "\n\n".join(found)


@pytest.mark.only("postgresql")
def test_nothing_costs_more_the_longer_a_session_has_gone_on():
    its = session()
    crowd(its)
    have_ended(its)
    ann, ben = (Seat.objects.get(worker__name=name, live=True) for name in ("ann", "ben"))

    check(plans(lambda: pool.submit(seat_id=ann.pk, now=after(1))), "seat_live on")
    assert pools.fresh(ben).status == "ACTIVE"
    check(plans(lambda: pools.join(its, "dan", now=after(2))), "hire_open")
    check(plans(lambda: pool.heard(connections={ben.pk: 0}, now=after(2))))
    check(plans(lambda: pool.late_sessions(now=after(3))))
    check(plans(lambda: pool.sweep(now=after(40))), "seat_live on")
    assert Seat.objects.get(worker__name="cyd").status == "ACTIVE"

    check(plans(lambda: errands.take(Hire.objects.all(), limit=20, now=after(50))), "hire_due")
    check(plans(lambda: errands.take(Payment.objects.all(), limit=20, now=after(50))), "payment_due")
    check(plans(lambda: paying.work(now=after(50) + errands.LEASE)), "payment_due")
    check(plans(lambda: hiring.work(now=after(50) + errands.LEASE)), "hire_due")


def test_a_departure_with_a_promotion_takes_so_many_statements():
    session()
    ann = Seat.objects.get(worker__name="ann")
    moves, events = SeatTransition.objects.count(), Event.objects.count()
    seen = list(asked(lambda: pool.submit(seat_id=ann.pk, now=after(1))))
    assert SeatTransition.objects.count() == moves + 2
    assert Event.objects.count() == events + 2
    assert len(seen) == DEPARTURE, "\n".join(seen)
