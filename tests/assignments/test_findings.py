"""What a reading of the claim found."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from threading import Event as Flag
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from assignments import claims, lifecycle
from assignments.models import Assignment
from queues import administration, idempotency, invariants, members, priority, signals
from queues import lifecycle as tasks
from queues.exceptions import InvalidInput, QueueArchived, TaskClosed
from queues.models import Event, IdempotencyRecord, Membership, Task
from queues.states import EventType, TaskStatus
from queues.transactions import sqlstate
from tests import cast

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)


def waiting(count: int) -> None:
    """Return once so many connections wait for a lock; fail after ten seconds."""
    poll = Flag()
    for _ in range(1000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] >= count:
                return
        poll.wait(0.01)
    raise AssertionError(f"{count} connections should wait for a lock by now")


@pytest.mark.django_db
def test_a_scheduled_task_may_be_opened_by_taking_its_time_away():
    queue = cast.queue()
    (task,) = cast.post(queue, schedule_to=NOW + timedelta(hours=1), seconds_to_expire=60, now=NOW)
    changed = tasks.update_task(task_id=task.pk, changes={"schedule_to": None}, now=NOW)
    assert changed.status == TaskStatus.AVAILABLE
    changed.refresh_from_db()
    assert (changed.status, changed.schedule_to) == (TaskStatus.AVAILABLE, None)
    assert changed.expire_at == NOW + timedelta(seconds=60)
    assert invariants.broken() == {}


@pytest.mark.django_db
def test_a_queue_with_nothing_but_an_expired_task_is_empty_swept_or_not():
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue, expire_at=NOW + timedelta(seconds=10), now=NOW)
    assert cast.grab(alice, now=NOW + timedelta(seconds=10)).reason == "empty"
    tasks.expire_tasks(now=NOW + timedelta(seconds=10))
    assert cast.grab(alice, now=NOW + timedelta(seconds=10)).reason == "empty"


@pytest.mark.threads
def test_one_reviewer_takes_ten_chosen_tasks_at_once(together):
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    alice = Membership.objects.select_related("queue", "user").get(pk=alice.pk)
    chosen = cast.post(queue, 10)
    for _ in range(5):
        taken = together(
            *(
                lambda task=task: claims.assign(membership=alice, task_id=task.pk, call={"multitask_index": 10})
                for task in chosen
            )
        )
        assert [a for a in taken if not isinstance(a, Assignment)] == []
        for assignment in taken:
            lifecycle.release(assignment_id=assignment.pk, reason="again")
    assert invariants.broken() == {}


@pytest.mark.only("postgresql")
@pytest.mark.threads
def test_a_purge_leaves_a_key_that_was_taken_again(together):
    alice = cast.person("alice")
    scope = {"user": alice, "method": "POST", "path": "/", "key": "k", "fingerprint": "f"}
    idempotency.begin(**scope, now=NOW)
    later = NOW + idempotency.KEPT + timedelta(seconds=1)
    taken = Flag()

    def retried() -> idempotency.Turn:
        with transaction.atomic():
            turn = idempotency.begin(**scope, now=later)
            taken.set()
            waiting(1)
        return turn

    def purged() -> int:
        taken.wait(10)
        return idempotency.purge(now=later)

    turn, gone = together(retried, purged)
    assert (turn.fence, gone) == (2, 0)
    assert IdempotencyRecord.objects.get(pk=turn.record).fence == 2


@pytest.mark.only("postgresql")
@pytest.mark.threads
def test_two_that_look_from_both_ends_do_not_wait_in_a_circle(together):
    """Each waits for the row it wants first, finds it closed, keeps its lock, and turns to the other's."""

    circles: list[str] = []

    def watched(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        try:
            return execute(sql, *rest)
        except OperationalError as error:
            if sqlstate(error) == "40P01":
                circles.append(sql)
            raise

    queue = cast.queue()
    everyone = {name: cast.join(queue, name) for name in ("alice", "bob")}
    first, last = cast.post(queue, 2)
    locked = {first.pk: Flag(), last.pk: Flag()}
    go = {first.pk: Flag(), last.pk: Flag()}

    def canceled(task: Task) -> None:
        with transaction.atomic():
            tasks.cancel_task(task_id=task.pk)
            locked[task.pk].set()
            go[task.pk].wait(10)

    def grabbed(name: str, order: str) -> claims.Grab:
        for flag in locked.values():
            flag.wait(10)
        with connection.execute_wrapper(watched):
            return cast.grab(everyone[name], order=order, priority_order="no")

    def conducted() -> None:
        waiting(2)
        go[first.pk].set()
        waiting(2)
        go[last.pk].set()

    *others, one, other = together(
        conducted,
        lambda: canceled(first),
        lambda: canceled(last),
        lambda: grabbed("alice", "fifo"),
        lambda: grabbed("bob", "lifo"),
    )
    assert others == [None, None, None]
    assert [one.reason, other.reason] == ["empty", "empty"]
    assert circles == []


@pytest.mark.django_db
def test_a_text_that_is_null_is_not_a_name_that_is_taken():
    with pytest.raises(InvalidInput):
        administration.create_queue(name="boats", actor=cast.person("mia"), fields={"alias": None})


@pytest.mark.django_db
def test_an_answer_commits_though_the_hook_raises():
    def hook(**_: Any) -> None:
        raise RuntimeError("host code")

    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue, has_hook=True, now=NOW)
    (held,) = cast.grab(alice, now=NOW).assignments
    signals.tasks_hooked.connect(hook)
    try:
        lifecycle.finalize(assignment_id=held.pk, data={"label": "3"}, now=NOW)
    finally:
        signals.tasks_hooked.disconnect(hook)
    assert Task.objects.get().status == TaskStatus.FINISHED


@pytest.mark.django_db
def test_an_answer_may_be_repeated_after_the_schema_has_changed():
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue, now=NOW)
    (held,) = cast.grab(alice, now=NOW).assignments
    lifecycle.finalize(assignment_id=held.pk, data={"label": "3"}, now=NOW)
    administration.update_queue(queue_id=queue.pk, changes={"output_schema": {"required": ["sure"]}}, now=NOW)
    assert lifecycle.finalize(assignment_id=held.pk, data={"label": "3"}, now=NOW).repeated


@pytest.mark.django_db
def test_a_task_past_its_time_is_not_announced_as_available():
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    (task,) = cast.post(queue, expire_at=NOW + timedelta(seconds=30), now=NOW)
    cast.grab(alice, now=NOW)
    late = NOW + timedelta(seconds=30)
    lifecycle.expire_assignments(now=late)
    tasks.expire_tasks(now=late)
    announced = Event.objects.of_task(task.pk).filter(type=EventType.TASK_AVAILABLE, created_at=late)
    assert announced.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("swept", [True, False])
def test_a_task_past_its_time_cannot_be_revived(swept: bool):
    queue = cast.queue()
    (task,) = cast.post(queue, expire_at=NOW + timedelta(seconds=30), now=NOW)
    late = NOW + timedelta(seconds=30)
    if swept:
        tasks.expire_tasks(now=late)
    with pytest.raises(TaskClosed):
        tasks.update_task(task_id=task.pk, changes={"expire_at": late + timedelta(hours=1)}, now=late)


@pytest.mark.django_db
def test_an_answer_that_was_taken_is_not_refused_for_the_next_tasks_sake():
    """Access is lost between the answer and the grab that follows it, here by a hook."""
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue, 2, has_hook=True, now=NOW)
    (held,) = cast.grab(alice, now=NOW).assignments

    def hook(**_: Any) -> None:
        members.revoke(membership=alice)

    signals.tasks_hooked.connect(hook)
    try:
        done, following = claims.finalize_and_grab(
            assignment=held, data={"label": "3"}, user=alice.user, grab_next=True, now=NOW
        )
    finally:
        signals.tasks_hooked.disconnect(hook)
    assert (done.repeated, following) == (False, None)


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["pause", "archive"])
def test_a_grab_that_was_begun_before_hands_nothing_out_after(change: str):
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue)
    asked = Membership.objects.select_related("queue", "user").get(pk=alice.pk)
    if change == "pause":
        administration.update_queue(queue_id=queue.pk, changes={"is_paused": True})
    else:
        administration._archive(queue_id=queue.pk, actor=None, now=None)
    with suppress(QueueArchived):
        assert claims.grab(membership=asked).assignments == []


@pytest.mark.django_db
def test_a_hundred_due_tasks_of_others_do_not_hide_mine():
    queue = cast.queue()
    bob = cast.join(queue, "bob")
    cast.join(queue, "carol")
    due = NOW + timedelta(seconds=1)
    cast.post(queue, 100, target_reviewer="carol@example.org", schedule_to=due, now=NOW)
    (mine,) = cast.post(queue, schedule_to=due, now=NOW)
    assert [a.task_id for a in cast.grab(bob, now=due).assignments] == [mine.pk]


@pytest.mark.django_db
def test_a_hundred_lapsed_leases_of_others_do_not_hide_mine():
    queue = cast.queue()
    bob = cast.join(queue, "bob")
    for name in [f"r{n}" for n in range(11)]:
        membership = cast.join(queue, name)
        if name != "r10":
            cast.post(queue, 10, target_reviewer=f"{name}@example.org", now=NOW)
        else:
            (mine,) = cast.post(queue, now=NOW)
        cast.grab(membership, now=NOW, multitask_index=10, seconds_to_expire=10 if name != "r10" else 11)
    late = NOW + timedelta(seconds=20)
    assert [a.task_id for a in cast.grab(bob, now=late).assignments] == [mine.pk]


@pytest.mark.only("postgresql")
@pytest.mark.threads
def test_a_claim_that_waited_is_dated_after_what_it_waited_for(together):
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    (task,) = cast.post(queue)
    changed = Flag()

    def reprioritized() -> None:
        with transaction.atomic():
            Task.objects.locked().get(pk=task.pk)
            changed.set()
            waiting(1)
            tasks.update_task(task_id=task.pk, changes={"priority": priority.parse(5)})

    def grabbed() -> claims.Grab:
        changed.wait(10)
        return cast.grab(alice)

    _, got = together(reprioritized, grabbed)
    assert [assignment.task_id for assignment in got.assignments] == [task.pk]
    dates = list(Event.objects.of_task(task.pk).values_list("created_at", flat=True))
    assert dates == sorted(dates)


@pytest.mark.django_db
def test_a_scheduled_task_that_is_past_its_time_is_not_announced_as_available():
    queue = cast.queue()
    (task,) = cast.post(queue, schedule_to=NOW + timedelta(seconds=10), expire_at=NOW + timedelta(seconds=20), now=NOW)
    late = NOW + timedelta(seconds=20)
    tasks.release_scheduled(now=late)
    tasks.expire_tasks(now=late)
    assert not Event.objects.of_task(task.pk).filter(type=EventType.TASK_AVAILABLE).exists()
