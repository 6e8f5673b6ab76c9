"""Where a queue says so, a requester never judges their own task, whichever way it might come to them."""

from typing import Any

import pytest

from assignments import claims, lifecycle
from assignments.exceptions import NotAvailable, OwnTask
from assignments.models import Assignment
from pavilion import pool, work
from queues import administration, bulk, invariants, priority
from queues import lifecycle as tasks
from queues.exceptions import InvalidInput
from queues.models import Batch, Membership, Queue, Task
from tests import cast, pools

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("either_way")]


@pytest.fixture
def queue() -> Queue:
    """Requesters do not review their own; alice does both, for rick as well."""
    queue = cast.queue(requester_may_review=False)
    cast.join(queue, "alice", "requester")
    return queue


@pytest.fixture
def alice(queue: Queue) -> Membership:
    return cast.join(queue, "alice")


def allow(queue: Queue, may: bool) -> None:
    administration.update_queue(queue_id=queue.pk, changes={"requester_may_review": may})


def fresh(membership: Membership) -> Membership:
    return Membership.objects.select_related("queue", "user").get(pk=membership.pk)


def got_before_it_was_forbidden(queue: Queue, alice: Membership) -> Assignment:
    """What alice holds of her own though the queue forbids it: her claim had read the queue a moment before."""
    allow(queue, True)
    cast.post(queue, by="alice")
    held = cast.grab(alice).assignments[0]
    Queue.objects.filter(pk=queue.pk).update(requester_may_review=False)
    return held


def test_a_grab_passes_over_it(queue: Queue, alice: Membership) -> None:
    (own,) = cast.post(queue, by="alice", priority=5)
    (other,) = cast.post(queue)
    assert [held.task_id for held in cast.grab(alice, multitask_index=2).assignments] == [other.pk]
    assert own.pk in Task.objects.filter(status="AVAILABLE").values_list("pk", flat=True)


def test_it_cannot_be_chosen(queue: Queue, alice: Membership) -> None:
    (own,) = cast.post(queue, by="alice")
    with pytest.raises(NotAvailable):
        claims.assign(membership=fresh(alice), task_id=own.pk)


def test_it_does_not_come_along_with_an_answer(queue: Queue, alice: Membership) -> None:
    cast.post(queue, priority=5)
    cast.post(queue, by="alice")
    held = cast.grab(alice).assignments[0]
    _done, given = claims.finalize_and_grab(assignment=held, data=1, user=alice.user, grab_next=True)
    assert given is not None
    assert (given.assignments, given.reason) == ([], "excluded")


def test_whoever_becomes_a_reviewer_later_does_not_get_it(queue: Queue) -> None:
    cast.post(queue, by="alice")
    assert cast.grab(cast.join(queue, "alice")).reason == "excluded"


def test_whoever_posts_no_more_does_not_get_it_either(queue: Queue, alice: Membership) -> None:
    from queues import members

    cast.post(queue, by="alice")
    members.revoke(membership=Membership.objects.get(user=alice.user, role="requester"))
    assert cast.grab(alice).reason == "excluded"


def test_it_cannot_be_posted_for_oneself(queue: Queue, alice: Membership) -> None:
    with pytest.raises(InvalidInput) as refused:
        cast.post(queue, by="alice", target_reviewer="Alice@example.org")
    assert [error["pointer"] for error in refused.value.errors] == ["/0/target_reviewer"]
    assert cast.post(queue, target_reviewer="alice@example.org")


def test_it_cannot_be_aimed_at_oneself_later(queue: Queue, alice: Membership) -> None:
    (own,), (other,) = cast.post(queue, by="alice"), cast.post(queue)
    with pytest.raises(InvalidInput):
        tasks.update_task(task_id=own.pk, changes={"target_reviewer": alice.user})
    tasks.update_task(task_id=other.pk, changes={"target_reviewer": alice.user})


def test_it_cannot_be_aimed_at_them_with_many_others(queue: Queue, alice: Membership) -> None:
    (own,), (other,) = cast.post(queue, by="alice"), cast.post(queue)
    batch = Batch(parameters={"target_reviewer": "alice@example.org"}, created_by=cast.person("mia"))
    outcome = bulk.retarget(batch, [own.pk, other.pk], None)
    assert [fault["item"] for fault in outcome.faults] == [own.pk]


def test_a_pools_worker_does_not_get_it(queue: Queue) -> None:
    session = pools.post(pools.make(queue=queue, min_waiting=0, min_active=1, confirm_seconds=600))
    seat = pools.join(session, "ann")
    pool.confirm(seat_id=seat.pk, connection=seat.connection)
    Task.objects.filter(pk=cast.post(queue)[0].pk).update(requester=seat.worker.reviewer.user)
    there = work.seat_of(seat_id=seat.pk, connection=seat.connection)
    assert work.grab(seat=there).reason == "excluded"
    cast.post(queue)
    assert len(work.grab(seat=there).assignments) == 1


def test_what_they_hold_is_taken_back_when_it_is_forbidden(queue: Queue, alice: Membership) -> None:
    allow(queue, True)
    (own,) = cast.post(queue, by="alice", priority=5)
    cast.post(queue)
    mine, other = cast.grab(alice, multitask_index=2).assignments
    allow(queue, False)
    mine.refresh_from_db(), other.refresh_from_db(), own.refresh_from_db()
    assert (mine.status, mine.reason) == ("CANCELED", "requesters do not review their own tasks")
    assert (other.status, own.status) == ("CREATED", "AVAILABLE")
    assert cast.grab(cast.join(queue, "bob")).assignments[0].task_id == own.pk
    assert invariants.broken() == {}


def test_what_is_aimed_at_them_is_opened_to_anyone_when_it_is_forbidden(queue: Queue, alice: Membership) -> None:
    allow(queue, True)
    (own,) = cast.post(queue, by="alice", target_reviewer="alice@example.org")
    (other,) = cast.post(queue, target_reviewer="alice@example.org")
    allow(queue, False)
    own.refresh_from_db(), other.refresh_from_db()
    assert (own.target_reviewer, other.target_reviewer) == (None, alice.user)
    assert cast.grab(cast.join(queue, "bob")).assignments[0].task_id == own.pk


def test_what_they_got_in_that_moment_they_cannot_answer(queue: Queue, alice: Membership) -> None:
    held = got_before_it_was_forbidden(queue, alice)
    with pytest.raises(OwnTask):
        lifecycle.finalize(assignment_id=held.pk, data=1)
    known = Assignment.objects.select_related("task__queue", "queue", "reviewer__user").get(pk=held.pk)
    with pytest.raises(OwnTask):
        claims.finalize_and_grab(assignment=known, data=1, user=alice.user, grab_next=True)
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None)


def test_forbidding_it_again_takes_back_what_they_got_in_that_moment(queue: Queue, alice: Membership) -> None:
    held = got_before_it_was_forbidden(queue, alice)
    allow(queue, False)
    held.refresh_from_db()
    assert held.status == "CANCELED"


def test_what_was_answered_before_stands_and_may_be_repeated(queue: Queue, alice: Membership) -> None:
    allow(queue, True)
    cast.post(queue, by="alice")
    held = cast.grab(alice).assignments[0]
    lifecycle.finalize(assignment_id=held.pk, data=1)
    allow(queue, False)
    assert lifecycle.finalize(assignment_id=held.pk, data=1).repeated
    assert invariants.broken() == {}


def test_other_changes_of_the_queue_leave_everything_as_it_is(queue: Queue, alice: Membership) -> None:
    allow(queue, True)
    cast.post(queue, by="alice", target_reviewer="alice@example.org")
    held: Any = cast.grab(alice).assignments[0]
    administration.update_queue(queue_id=queue.pk, changes={"alias": "Digits"})
    tasks.update_task(task_id=held.task_id, changes={"priority": priority.parse(5)})
    held.refresh_from_db()
    assert held.status == "CREATED"
