"""Which events each transition writes: the table of docs/states.md."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from assignments import lifecycle
from queues import administration, events, members, priority
from queues import lifecycle as tasks
from queues.models import Event, EventPending
from tests import cast

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LATER = NOW + timedelta(hours=1)


class Told:
    """What was written since the last look, as types in order."""

    def __init__(self) -> None:
        self.last = 0

    def __call__(self) -> list[str]:
        fresh = list(Event.objects.filter(pk__gt=self.last).order_by("pk"))
        self.last = fresh[-1].pk if fresh else self.last
        return [event.type for event in fresh]


@pytest.fixture
def told() -> Told:
    return Told()


def test_creating_a_task_tells_how_it_begins(told: Told) -> None:
    queue = cast.queue()
    assert told() == ["QUEUE_CREATED"]
    cast.post(queue)
    assert told() == ["TASK_CREATED", "TASK_AVAILABLE"]
    cast.post(queue, schedule_to=LATER)
    assert told() == ["TASK_CREATED", "TASK_SCHEDULED"]
    cast.post(queue, output_data={"label": "3"})
    assert told() == ["TASK_CREATED", "TASK_FINISHED"]


def test_a_scheduled_task_tells_when_its_time_comes(told: Told) -> None:
    cast.post(cast.queue(), schedule_to=LATER)
    told()
    tasks.release_scheduled(now=LATER)
    assert told() == ["TASK_AVAILABLE"]


def test_the_loop_tells_each_step(told: Told) -> None:
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue)
    told()
    held = cast.grab(alice, seconds_to_expire=60).assignments[0]
    assert told() == ["ASSIGNMENT_CREATED"]
    lifecycle.extend(assignment_id=held.pk, seconds_to_expire=600)
    assert told() == ["ASSIGNMENT_EXTENDED"]
    lifecycle.extend(assignment_id=held.pk, seconds_to_expire=10)
    assert told() == []
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=1)
    assert told() == ["ASSIGNMENT_SKIPPED", "TASK_AVAILABLE"]
    held = cast.grab(alice, now=LATER, seconds_to_expire=10).assignments[0]
    told()
    lifecycle.expire_assignments(now=LATER + timedelta(seconds=10))
    assert told() == ["ASSIGNMENT_EXPIRED", "TASK_AVAILABLE"]
    held = cast.grab(alice, now=LATER + timedelta(seconds=10)).assignments[0]
    told()
    lifecycle.finalize(assignment_id=held.pk, data=1, now=LATER + timedelta(seconds=11))
    assert told() == ["ASSIGNMENT_FINISHED", "TASK_FINISHED"]


def test_a_skip_while_other_slots_are_open_makes_nothing_available(told: Told) -> None:
    queue = cast.queue(judgments_per_task=2)
    alice = cast.join(queue, "alice")
    cast.post(queue)
    held = cast.grab(alice).assignments[0]
    told()
    lifecycle.skip(assignment_id=held.pk, seconds_to_expire=None)
    assert told() == ["ASSIGNMENT_SKIPPED"]


@pytest.mark.parametrize(
    ("close", "expected"),
    [
        (
            lambda task: tasks.cancel_task(task_id=task.pk),
            ["ASSIGNMENT_CANCELED", "TASK_CANCELED"],
        ),
        (lambda task: tasks.expire_tasks(now=LATER), ["ASSIGNMENT_EXPIRED", "TASK_EXPIRED"]),
    ],
    ids=["cancel", "expire"],
)
def test_a_task_that_closes_tells_of_what_was_live(told: Told, close: Any, expected: list[str]) -> None:
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    (task,) = cast.post(queue, expire_at=LATER)
    cast.grab(alice)
    told()
    close(task)
    assert told() == expected


def test_changes_of_a_task_are_told_once_and_only_when_something_changed(told: Told) -> None:
    queue = cast.queue()
    alice, bob = cast.join(queue, "alice"), cast.join(queue, "bob")
    (task,) = cast.post(queue)
    cast.grab(alice)
    told()
    tasks.update_task(task_id=task.pk, changes={"priority": priority.parse("+10"), "topic": "cats"})
    assert told() == ["TASK_UPDATED"]
    tasks.update_task(task_id=task.pk, changes={"topic": "cats"})
    assert told() == []
    tasks.update_task(task_id=task.pk, changes={"expire_at": timezone.now() + timedelta(minutes=1)})
    assert told() == ["TASK_UPDATED", "ASSIGNMENT_EXTENDED"]
    tasks.update_task(task_id=task.pk, changes={"target_reviewer": bob.user})
    assert told() == ["TASK_UPDATED", "ASSIGNMENT_CANCELED", "TASK_AVAILABLE"]


def test_a_task_put_off_and_brought_back_tells_both(told: Told) -> None:
    (task,) = cast.post(cast.queue())
    told()
    tasks.update_task(task_id=task.pk, changes={"schedule_to": LATER})
    assert told() == ["TASK_UPDATED", "TASK_SCHEDULED"]
    tasks.update_task(task_id=task.pk, changes={"schedule_to": None})
    assert told() == ["TASK_UPDATED", "TASK_AVAILABLE"]


def test_queues_and_members_tell_what_is_done_to_them(told: Told) -> None:
    queue = cast.queue()
    told()
    alice = cast.join(queue, "alice")
    assert told() == ["QUEUE_UPDATED"]
    members.change(membership=alice, changes={"max_live": 2})
    assert told() == ["QUEUE_UPDATED"]
    cast.post(queue)
    cast.grab(alice)
    told()
    members.revoke(membership=alice)
    assert told() == ["ASSIGNMENT_CANCELED", "TASK_AVAILABLE", "QUEUE_UPDATED"]
    administration.update_queue(queue_id=queue.pk, changes={"is_paused": True})
    assert told() == ["QUEUE_UPDATED"]
    administration.archive_queue(queue_id=queue.pk)
    assert told() == ["QUEUE_DELETED", "TASK_CANCELED"]


def test_every_event_has_its_pending_row() -> None:
    cast.post(cast.queue(), 3)
    assert EventPending.objects.count() == Event.objects.count() == 7


def test_an_event_names_who_did_it() -> None:
    queue = cast.queue()
    cast.post(queue, by="rick")
    assert set(Event.objects.filter(object_type="task").values_list("actor", flat=True)) == {
        str(cast.person("rick").pk)
    }


def test_a_transition_that_fails_tells_nothing(told: Told) -> None:
    (task,) = cast.post(cast.queue())
    told()
    with transaction.atomic():
        tasks.cancel_task(task_id=task.pk)
        transaction.set_rollback(True)
    assert told() == []


def test_a_type_that_nobody_registered_is_refused() -> None:
    event = Event(type="TASK_EATEN", object_type="task", object_id=1, sequence=1, created_at=NOW)
    with pytest.raises(ValueError, match="TASK_EATEN"):
        events.record([event])
