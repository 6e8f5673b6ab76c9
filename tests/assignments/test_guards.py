"""What keeps the claim and the answers exact, each guard where it alone decides. `make guards` takes them away in turn.

The tests on threads bring two requests into the one order that matters: the first keeps its transaction open until
the second waits for it.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from assignments import claims, lifecycle
from assignments.exceptions import AssignmentClosed, CapacityReached, LeaseExpired, NotAvailable
from assignments.models import Assignment
from assignments.states import AssignmentStatus
from queues import idempotency, invariants, members
from queues import lifecycle as tasks_lifecycle
from queues.exceptions import TaskClosed
from queues.models import IdempotencyRecord, Membership, Queue, Task
from queues.transactions import database_now, is_unique_violation
from tests import cast
from tests.api.calling import Caller, problem

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)

LONG = 10
"""How long a thread waits for another one before the test fails, in seconds."""

ENDINGS: dict[str, Callable[[int], Any]] = {
    "finalize": lambda held: lifecycle.finalize(assignment_id=held, data=1, now=LATER),
    "skip": lambda held: lifecycle.skip(assignment_id=held, seconds_to_expire=None, now=LATER),
    "extend": lambda held: lifecycle.extend(assignment_id=held, seconds_to_expire=60, now=LATER),
    "release": lambda held: lifecycle.release(assignment_id=held, reason="", now=LATER),
}

InTurn = Callable[..., list[Any]]


def until(happened: Callable[[], bool]) -> None:
    """Wait until `happened()` is true; fail after LONG seconds."""
    pace = Flag()
    for _ in range(LONG * 100):
        if happened():
            return
        pace.wait(0.01)
    raise AssertionError("it did not happen in time")


def somebody_waits() -> bool:
    """Whether a connection of this PostgreSQL database waits for a lock."""
    with connection.cursor() as cursor:
        # A transaction sees the activity as it was when it first asked.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0


@pytest.fixture
def in_turn(together: Any) -> InTurn:
    """Return `in_turn(first, second, then)`: call `first` in a transaction, call `second` elsewhere; once that waits
    for the transaction, call `then` in it and commit. The answer is what `then` returned, and what `second` returned
    or raised.
    """

    def run(first: Callable[[], Any], second: Callable[[], Any], then: Callable[[], Any] = lambda: None) -> list[Any]:
        begun = Flag()

        def hold() -> Any:
            with transaction.atomic():
                first()
                begun.set()
                until(somebody_waits)
                return then()

        def follow() -> Any:
            assert begun.wait(LONG)
            return second()

        done, answered = together(hold, follow)
        if isinstance(done, Exception):
            raise done
        return [done, answered]

    return run


@pytest.fixture
def queue() -> Queue:
    return cast.queue()


@pytest.fixture
def alice(queue: Queue) -> Membership:
    return reviewer(queue, "alice")


@pytest.fixture
def bob(queue: Queue) -> Membership:
    return reviewer(queue, "bob")


def reviewer(queue: Queue, name: str) -> Membership:
    """A member who has asked for work before: else two first requests at once would wait for each other in that."""
    membership = cast.join(queue, name)
    assert cast.grab(membership).reason == "empty"
    return membership


def assign(membership: Membership, task: Task, **call: Any) -> Assignment:
    """The chosen task, with the present settings of the membership's queue."""
    fresh = Membership.objects.select_related("queue", "user").get(pk=membership.pk)
    return claims.assign(membership=fresh, task_id=task.pk, call=call)


def insert(like: Assignment, *, task: Task, live_slot: int) -> None:
    """Insert a live assignment beside one that is there, past all writers."""
    Assignment.objects.create(
        task=task,
        queue=like.queue,
        reviewer=like.reviewer,
        status=AssignmentStatus.CREATED,
        created_at=NOW,
        live_slot=live_slot,
    )


# The database's own.


def test_a_slot_holds_one_assignment(queue, alice):
    one, other = cast.post(queue, 2)
    held = assign(alice, one)
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        insert(held, task=other, live_slot=1)
    assert is_unique_violation(raised.value, Assignment)


def test_a_person_is_once_on_a_task(queue, alice):
    (task,) = cast.post(queue, judgments_required=2)
    held = assign(alice, task)
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        insert(held, task=task, live_slot=2)
    assert is_unique_violation(raised.value, Assignment)


@pytest.mark.parametrize(
    ("status", "slots"), [("AVAILABLE", 0), ("AVAILABLE", 3), ("SCHEDULED", 1), ("ASSIGNED", 1), ("CANCELED", 1)]
)
def test_open_slots_fit_the_status(queue, status, slots):
    (task,) = cast.post(queue, judgments_required=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.filter(pk=task.pk).update(status=status, open_slots=slots, schedule_to=NOW)


# What was read before the lock.


def test_an_assignment_that_has_ended_meanwhile_is_not_ended_again(queue, alice):
    cast.post(queue)
    (held,) = cast.grab(alice).assignments
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None)
    with pytest.raises(AssignmentClosed), transaction.atomic():
        lifecycle.take_back([held], reason="late", now=database_now())
    assert invariants.broken() == {}


def test_a_task_that_has_closed_meanwhile_is_not_moved_again(queue):
    (task,) = cast.post(queue)
    tasks_lifecycle.cancel_task(task_id=task.pk)
    with pytest.raises(TaskClosed), transaction.atomic():
        tasks_lifecycle.finish(task, output_data=1, reviewer=None, now=database_now())
    assert invariants.broken() == {}


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_an_answer_that_waits_for_its_repetition_is_the_repetition(queue, alice, in_turn):
    cast.post(queue)
    (held,) = cast.grab(alice).assignments

    def answer() -> lifecycle.Finalized:
        return lifecycle.finalize(assignment_id=held.pk, data=1)

    _, answered = in_turn(answer, answer)
    assert answered.repeated


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_an_answer_that_waits_past_its_lease_is_refused(queue, alice, in_turn):
    (task,) = cast.post(queue)
    (held,) = cast.grab(alice).assignments
    end = database_now() + timedelta(seconds=1)
    Assignment.objects.filter(pk=held.pk).update(expire_at=end)
    _, answered = in_turn(
        lambda: Task.objects.locked().get(pk=task.pk),
        lambda: lifecycle.finalize(assignment_id=held.pk, data=1),
        then=lambda: until(lambda: database_now() > end),
    )
    assert isinstance(answered, LeaseExpired)


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_a_claim_holds_the_access_that_it_found(queue, alice, in_turn):
    """Whoever revokes waits for the claim under way, and takes back what it handed out."""
    cast.post(queue)
    _, revoked = in_turn(lambda: cast.grab(alice), lambda: members.revoke(membership=alice))
    assert revoked is None
    assert not Assignment.objects.filter(status=AssignmentStatus.CREATED).exists()


# Time.


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lapsed_lease_is_refused_swept_or_not(queue, alice, ending):
    cast.post(queue, now=NOW)
    (held,) = cast.grab(alice, now=NOW, seconds_to_expire=10).assignments
    with pytest.raises(LeaseExpired):
        ENDINGS[ending](held.pk)
    lifecycle.expire_assignments(now=LATER)
    with pytest.raises(LeaseExpired):
        ENDINGS[ending](held.pk)


@pytest.mark.usefixtures("either_way")
def test_a_lease_ends_with_its_task(queue, alice):
    cast.post(queue, now=NOW, expire_at=LATER)
    (held,) = cast.grab(alice, now=NOW, seconds_to_expire=60).assignments
    assert held.expire_at == LATER


@pytest.mark.usefixtures("either_way")
def test_a_lease_is_not_extended_past_its_task(queue, alice):
    cast.post(queue, now=NOW, expire_at=LATER)
    (held,) = cast.grab(alice, now=NOW, seconds_to_expire=10).assignments
    assert lifecycle.extend(assignment_id=held.pk, seconds_to_expire=60, now=NOW).expire_at == LATER


# What a lease depends on.


def test_an_earlier_expiry_shortens_the_lease(queue, alice):
    (task,) = cast.post(queue, now=NOW)
    (held,) = cast.grab(alice, now=NOW, seconds_to_expire=60).assignments
    tasks_lifecycle.update_task(task_id=task.pk, changes={"expire_at": LATER}, now=NOW)
    held.refresh_from_db()
    assert held.expire_at == LATER
    assert invariants.broken() == {}


def test_a_new_target_takes_the_task_out_of_other_hands(queue, alice, bob):
    (task,) = cast.post(queue)
    (held,) = cast.grab(alice).assignments
    tasks_lifecycle.update_task(task_id=task.pk, changes={"target_reviewer": bob.user})
    held.refresh_from_db()
    assert held.status == AssignmentStatus.CANCELED
    assert invariants.broken() == {}


def test_a_task_that_closes_ends_what_is_live_under_it(queue, alice):
    (task,) = cast.post(queue)
    (held,) = cast.grab(alice).assignments
    tasks_lifecycle.cancel_task(task_id=task.pk)
    held.refresh_from_db()
    assert held.status == AssignmentStatus.CANCELED
    assert invariants.broken() == {}


def test_whoever_may_not_review_any_more_holds_nothing(queue, alice):
    cast.post(queue)
    (held,) = cast.grab(alice).assignments
    members.revoke(membership=alice)
    held.refresh_from_db()
    assert held.status == AssignmentStatus.CANCELED
    assert invariants.broken() == {}


# The claim.


@pytest.mark.usefixtures("either_way")
def test_a_task_is_not_handed_to_whoever_was_excluded(queue, alice, bob):
    (task,) = cast.post(queue, exclude_reviewers=("alice@example.org",))
    assert cast.grab(alice).reason == "excluded"
    assert [held.task_id for held in cast.grab(bob).assignments] == [task.pk]


@pytest.mark.usefixtures("either_way")
def test_a_task_aimed_at_another_cannot_be_chosen(queue, alice, bob):
    (task,) = cast.post(queue, target_reviewer="bob@example.org")
    with pytest.raises(NotAvailable):
        assign(alice, task)
    assert assign(bob, task).task_id == task.pk


@pytest.mark.usefixtures("either_way")
def test_an_excluded_task_cannot_be_chosen(queue, alice):
    (task,) = cast.post(queue)
    (held,) = cast.grab(alice).assignments
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None)
    with pytest.raises(NotAvailable):
        assign(alice, task)


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_a_tab_that_loses_its_slot_to_another_fills_up_all_the_same(queue, alice, in_turn):
    cast.post(queue, 5)
    _, second = in_turn(lambda: cast.grab(alice), lambda: cast.grab(alice, multitask_index=3))
    assert [held.live_slot for held in second.assignments] == [1, 2, 3]


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_a_tab_that_loses_its_slot_to_another_is_told_so(queue, alice, in_turn):
    one, other = cast.post(queue, 2)
    _, second = in_turn(lambda: assign(alice, one), lambda: assign(alice, other))
    assert isinstance(second, CapacityReached)


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_a_task_with_a_slot_left_is_waited_for(queue, alice, bob, in_turn):
    (task,) = cast.post(queue, judgments_required=2)
    _, second = in_turn(lambda: cast.grab(alice), lambda: cast.grab(bob))
    assert [held.task_id for held in second.assignments] == [task.pk]


@pytest.mark.only("postgresql")
@pytest.mark.threads
@pytest.mark.usefixtures("either_way")
def test_two_tabs_of_one_person_do_not_both_get_a_task_in_different_slots(queue, alice, in_turn):
    """The second tab waits for the task with slot 2 in mind: a lapsed lease has slot 1 until the first tab sweeps."""
    (lapsed,) = cast.post(queue, topic="lapsed", now=NOW)
    (task,) = cast.post(queue, topic="open", judgments_required=2, now=NOW)
    cast.grab(alice, now=NOW, topic="lapsed", seconds_to_expire=10)

    def sweep_and_grab() -> claims.Grab:
        lifecycle.expire_assignments(now=LATER)
        return cast.grab(alice, now=LATER, topic="open")

    first, second = in_turn(
        lambda: list(Task.objects.locked()),
        lambda: cast.grab(alice, now=LATER, topic="open", multitask_index=2),
        then=sweep_and_grab,
    )
    assert [held.task_id for held in first.assignments] == [task.pk]
    assert second.assignments == first.assignments
    assert Assignment.objects.filter(task=task).count() == 1
    assert Assignment.objects.filter(task=lapsed).get().status == AssignmentStatus.EXPIRED


# The answer to a request with a key.


@pytest.mark.only("postgresql")
@pytest.mark.threads
def test_a_request_whose_key_was_taken_over_leaves_no_effect(queue, alice, in_turn):
    (task,) = cast.post(queue)
    (held,) = cast.grab(alice).assignments
    caller = Caller("alice")

    def take_over() -> None:
        record = IdempotencyRecord.objects.get()
        scope: dict[str, Any] = {"user": record.user, "method": record.method, "path": record.path, "key": record.key}
        later = record.leased_until + timedelta(seconds=1)
        idempotency.begin(**scope, fingerprint=record.fingerprint, now=later)

    _, answered = in_turn(
        lambda: Task.objects.locked().get(pk=task.pk),
        lambda: caller.call("POST", f"assignments/{held.pk}/finalize/", {"data": 1}, idempotency_key="k"),
        then=take_over,
    )
    problem(answered, 409, "idempotency-lost")
    held.refresh_from_db()
    assert held.status == AssignmentStatus.CREATED
