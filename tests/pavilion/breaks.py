"""A history of the pool, and for each of its invariants a way to break it behind the writers' back."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F
from django.utils import timezone

from pavilion import pool, sessions, work
from pavilion.models import Hire, Payment, Seat, SeatTransition, Session
from queues.models import Event
from tests import cast, pools
from tests.breaking import without

CENT = Decimal("0.01")


def history() -> None:
    """In one session ann has answered and submitted, ben is active, and cyd waits; another was stopped."""
    terms = {"waiting_wage": "600", "min_waiting": 1, "min_active": 1, "max_active": 1, "max_waiting": 3}
    made = pools.make(backlog_queue=cast.queue("old"), **terms)
    session = pools.post(made)
    ann, _ben, _cyd = (pools.join(session, name) for name in ("ann", "ben", "cyd"))
    pool.confirm(seat_id=ann.pk)
    cast.post(made.queue)
    cast.post(made.backlog_queue, 2)
    (task,) = grab(ann).assignments
    work.finalize(seat=work.seat_of(seat_id=ann.pk, connection=0), assignment=task, data={"label": "3"})
    pool.submit(seat_id=ann.pk)
    over = pools.post(pools.make("over", **terms))
    pools.join(over, "dan")
    sessions.stop(session_id=over.pk)
    sessions.expire(session_id=over.pk)
    while work.release():
        continue


def grab(seat: Seat) -> Any:
    return work.grab(seat=work.seat_of(seat_id=seat.pk, connection=0))


def seat(name: str) -> Any:
    return Seat.objects.filter(worker__name=name)


def two_seats_of_one() -> None:
    without("seat_live_once")
    seat("cyd").update(worker=seat("ben").get().worker)


def two_seats_of_one_place() -> None:
    without("seat_of_hire_once")
    seat("cyd").update(hire=seat("ben").get().hire)


def paid_twice() -> None:
    without("payment_once")
    seat("ann").get().payments.update(kind="base")


def beyond_the_budget() -> None:
    without("session_within_budget")
    Session.objects.update(budget=CENT)


def posted_twice() -> None:
    without("hire_external_id_once")
    Hire.objects.update(external_id="HIT")


def one_offer_more() -> None:
    now = timezone.now()
    Hire.objects.create(session=seat("cyd").get().session, created_at=now, due_at=now)


def promoted_for_nothing() -> None:
    moment = timezone.now()
    SeatTransition.objects.create(
        seat=seat("cyd").get(), number=2, from_status="WAITING", to_status="ACTIVE", at=moment
    )


def promoted_with_a_task() -> None:
    grab(seat("cyd").get())
    active_from(timezone.now() + timedelta(hours=1))


def active_from(moment: Any) -> None:
    seat("cyd").update(status="ACTIVE", active_at=moment, confirm_by=moment)


BREAKS: list[tuple[str, Callable[[], object]]] = [
    ("owed_is_what_the_ledger_says", lambda: Payment.objects.filter(kind="base").update(amount=F("amount") + CENT)),
    ("committed_is_owed_and_kept", lambda: seat("cyd").update(reserved=F("reserved") + CENT)),
    ("only_who_has_left_is_paid", lambda: seat("ann").get().payments.update(session=Session.objects.first())),
    ("the_base_reward_is_for_who_submits", lambda: seat("ann").update(left="return", status="RETURNED")),
    ("answers_are_paid_by_the_piece", lambda: Payment.objects.filter(kind="answers").update(amount=CENT)),
    ("no_answer_is_paid_that_was_not_given", lambda: seat("ann").update(active_at=timezone.now())),
    ("every_answer_is_counted", lambda: seat("ann").update(answers=0)),
    ("waiting_is_paid_by_the_second", lambda: seat("ann").update(joined_at=F("joined_at") - timedelta(seconds=9))),
    (
        "paid_times_do_not_overlap",
        lambda: seat("dan").update(worker=seat("ann").get().worker, joined_at=seat("ann").get().joined_at),
    ),
    ("paid_times_do_not_overlap", lambda: seat("ann").update(paid_until=timezone.now() + timedelta(hours=1))),
    ("nothing_is_paid_twice", paid_twice),
    ("no_session_passes_its_budget", beyond_the_budget),
    ("a_hire_seats_one", two_seats_of_one_place),
    ("an_offer_is_posted_once", posted_twice),
    ("no_place_is_offered_twice", one_offer_more),
    ("every_promotion_has_its_cause", promoted_for_nothing),
    ("no_promotion_is_missing", lambda: SeatTransition.objects.filter(seat=seat("ben").get(), number=2).delete()),
    ("limits_held_at_every_move", promoted_for_nothing),
    ("who_has_waited_longest_goes_first", lambda: seat("cyd").update(joined_at=seat("ann").get().joined_at)),
    ("events_tell_the_limits", lambda: Session.objects.update(max_waiting=4)),
    ("a_taken_hire_has_its_seat", lambda: Hire.objects.filter(seats=seat("cyd").get()).update(status="SPENT")),
    ("what_is_to_be_done_at_the_marketplace_is_due", lambda: Hire.objects.update(due_at=None)),
    (
        "nothing_is_open_in_a_session_that_is_over",
        lambda: Session.objects.filter(status="LIVE").update(status="EXPIRED", ended_at=timezone.now()),
    ),
    ("a_worker_sits_once", two_seats_of_one),
    ("limits_hold", lambda: active_from(timezone.now())),
    ("nobody_waits_in_vain", lambda: Session.objects.update(min_waiting=0, max_active=2)),
    ("every_move_of_a_seat_was_allowed", lambda: SeatTransition.objects.filter(number=2).delete()),
    ("a_seat_is_where_its_moves_led", lambda: seat("ben").update(active_at=timezone.now())),
    ("what_was_to_be_taken_back_was", promoted_with_a_task),
    (
        "history_tells_the_seats_status",
        lambda: Event.objects.filter(type="SEAT_SUBMITTED").update(delta={"status": "RETURNED"}),
    ),
    ("a_seats_history_is_complete", lambda: Seat.objects.update(sequence=9)),
    (
        "a_type_says_the_seats_status",
        lambda: Event.objects.filter(type="SEAT_ACTIVE").update(delta={"status": "WAITING"}),
    ),
    ("a_sessions_history_is_complete", lambda: Session.objects.update(sequence=9)),
    ("history_tells_how_a_session_is", lambda: Event.objects.filter(type="SESSION_STOPPED").delete()),
]
