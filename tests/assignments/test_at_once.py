"""The hot transitions on PostgreSQL: one statement each, and a place that hides nothing."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments import claims, lifecycle
from assignments.models import Reviewer
from assignments.states import Reason
from queues.models import Event, Membership, Task
from queues.places import HEAD_EVERY, places
from queues.states import TaskStatus
from tests import cast

pytestmark = [pytest.mark.only("postgresql"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def queue() -> Any:
    return cast.queue(default_assignment_strategy={"seconds_to_expire": 60})


def reviewing(queue: Any, *names: str) -> list[Membership]:
    """Members who have asked for work before: the first time is gone about portably."""
    members = [cast.join(queue, name) for name in names]
    Reviewer.objects.of_users([member.user for member in members], now=queue.created_at)
    return members


def asked(function: Any) -> tuple[Any, int]:
    """What it returns, and in how many statements."""
    with CaptureQueriesContext(connection) as caught:
        done = function()
    return done, len(caught)


def test_each_hot_transition_is_one_statement(queue: Any) -> None:
    (alice,) = reviewing(queue, "alice")
    *_rest, last = cast.post(queue, 10)
    grab, grabbing = asked(lambda: claims.grab(membership=alice))
    (held,) = grab.assignments
    _held, extending = asked(lambda: lifecycle.extend(assignment_id=held.pk, seconds_to_expire=90, known=held))
    done, finishing = asked(lambda: lifecycle.finalize(assignment_id=held.pk, data=1, known=held))
    chosen, assigning = asked(lambda: claims.assign(membership=alice, task_id=last.pk))
    _skipped, skipping = asked(lambda: lifecycle.skip(assignment_id=chosen.pk, seconds_to_expire=None, known=chosen))
    assert (grabbing, extending, finishing, assigning, skipping) == (1, 1, 1, 1, 1)
    assert done.assignment.status == "FINISHED"
    assert chosen.task_id == last.pk


def test_an_answer_and_the_next_task_are_one_statement(queue: Any) -> None:
    (alice,) = reviewing(queue, "alice")
    first, second = cast.post(queue, 2)
    (held,) = cast.grab(alice).assignments
    (done, grab), statements = asked(
        lambda: claims.finalize_and_grab(
            assignment=held, data={"a": 1}, user=alice.user, grab_next=True, membership=alice
        )
    )
    assert statements == 1
    assert (done.assignment.task_id, [a.task_id for a in grab.assignments]) == (first.pk, [second.pk])
    first.refresh_from_db()
    assert (first.status, first.output_data, first.reviewer) == (TaskStatus.FINISHED, {"a": 1}, alice.user)


def other_process_opens(task: Task) -> None:
    """Make a closed task available as another process would: nothing of it is heard here."""
    Task.objects.filter(pk=task.pk).update(status=TaskStatus.AVAILABLE, open_slots=1, output_data=None)


def closed_first(queue: Any) -> Task:
    """A task that stands before all others of the queue, closed."""
    (task,) = cast.post(queue, 1, priority=5, output_data=1)
    return task


def test_something_better_of_another_process_is_preferred_within_a_second(
    queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(places, "clock", lambda: clock[0])
    alice, bob = reviewing(queue, "alice", "bob")
    best = closed_first(queue)
    cast.post(queue, 5)
    cast.grab(alice)
    other_process_opens(best)
    clock[0] = HEAD_EVERY
    assert [a.task_id for a in cast.grab(bob).assignments] == [best.pk]


def test_something_better_of_this_process_is_preferred_at_once(queue: Any) -> None:
    alice, bob, carol = reviewing(queue, "alice", "bob", "carol")
    first, *_rest = cast.post(queue, 5)
    (held,) = cast.grab(alice).assignments
    cast.grab(bob)
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=60)
    assert [a.task_id for a in cast.grab(carol).assignments] == [first.pk]
    (better,) = cast.post(queue, 1, priority=5)
    assert [a.task_id for a in cast.grab(alice).assignments] == [better.pk]


def test_a_queue_is_called_empty_only_after_a_look_from_the_head(queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "clock", lambda: 0.0)
    alice, bob, carol = reviewing(queue, "alice", "bob", "carol")
    best = closed_first(queue)
    cast.post(queue, 2)
    cast.grab(alice)
    cast.grab(bob)
    assert cast.grab(carol).reason == Reason.LEASED
    other_process_opens(best)
    assert [a.task_id for a in cast.grab(carol).assignments] == [best.pk]


@pytest.mark.usefixtures("either_way")
def test_whoever_skips_makes_the_task_available_again(queue: Any) -> None:
    (alice,) = reviewing(queue, "alice")
    cast.post(queue, 1)
    (held,) = cast.grab(alice).assignments
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=60, actor=alice.user)
    told = Event.objects.order_by("-id").values_list("type", "actor", "delta")[:2]
    assert [(type_, actor) for type_, actor, _delta in told] == [
        ("TASK_AVAILABLE", str(alice.user_id)),
        ("ASSIGNMENT_SKIPPED", str(alice.user_id)),
    ]
    assert told[0][2] == {"status": "AVAILABLE", "open_slots": 1, "was": "ASSIGNED", "topic": ""}
