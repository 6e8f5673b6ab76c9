"""The table of docs/events.md: what happens, and the events that it writes."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from assignments import lifecycle
from pavilion.states import EventType as PoolEventType
from queues import administration, events, members, priority
from queues import lifecycle as tasks
from queues.models import Event
from routing.states import EventType as RunEventType
from tests import cast

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LATER = NOW + timedelta(days=2)
SOON = NOW + timedelta(days=1)


def table() -> dict[str, list[str]]:
    """What happens → the events."""
    text = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    rows = text.partition("| what happens | events |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return {what: told.split(", ") for what, told in cells}


def held(queue: Any, alice: Any, **draft: Any) -> Any:
    """An assignment in alice's hands."""
    cast.post(queue, **draft)
    return cast.grab(alice, seconds_to_expire=60).assignments[0]


def on(one: Any, act: Callable[[Any], object]) -> Callable[[], object]:
    return lambda: act(one)


def change(task: Any, **changes: Any) -> Callable[[], object]:
    return lambda: tasks.update_task(task_id=task.pk, changes=changes)


def members_come_and_go(queue: Any) -> list[Callable[[], object]]:
    bob = cast.person("bob")
    return [
        lambda: members.grant(queue=queue, user=bob, role="reviewer"),
        lambda: members.change(membership=queue.memberships.get(user=bob), changes={"max_live": 2}),
        lambda: members.revoke(membership=queue.memberships.get(user=bob)),
    ]


def put_off(task: Any) -> Any:
    return tasks.update_task(task_id=task.pk, changes={"schedule_to": LATER})


def aimed_elsewhere(queue: Any, alice: Any) -> Callable[[], object]:
    task, bob = held(queue, alice).task, cast.join(queue, "bob")
    return change(task, target_reviewer=bob.user)


HAPPENINGS: dict[str, Callable[[Any, Any], list[Callable[[], object]]]] = {
    "a queue is created": lambda queue, alice: [lambda: cast.queue("pets")],
    "a queue is changed, paused or resumed": lambda queue, alice: [
        lambda changes=changes: administration.update_queue(queue_id=queue.pk, changes=changes)
        for changes in ({"alias": "Digits"}, {"is_paused": True}, {"is_paused": False})
    ],
    "a member is added, changed or removed": lambda queue, alice: members_come_and_go(queue),
    "a queue is deleted (then for each open task)": lambda queue, alice: [
        cast.post(queue) and (lambda: administration.archive_queue(queue_id=queue.pk))
    ],
    "a task is created": lambda queue, alice: [lambda: cast.post(queue)],
    "a task is created for later": lambda queue, alice: [lambda: cast.post(queue, schedule_to=LATER)],
    "a task is created with its answer": lambda queue, alice: [lambda: cast.post(queue, output_data=1)],
    "the time of a scheduled task comes": lambda queue, alice: [
        cast.post(queue, schedule_to=LATER) and (lambda: tasks.release_scheduled(now=LATER))
    ],
    "a task is changed": lambda queue, alice: [change(cast.post(queue)[0], priority=priority.parse("+10"))],
    "a task is put off": lambda queue, alice: [change(cast.post(queue)[0], schedule_to=LATER)],
    "a task that was put off is brought forward": lambda queue, alice: [
        change(put_off(cast.post(queue)[0]), schedule_to=None)
    ],
    "a task gets an expiry before a lease's end": lambda queue, alice: [
        change(held(queue, alice).task, expire_at=timezone.now() + timedelta(seconds=30))
    ],
    "a task that somebody holds is aimed at another": lambda queue, alice: [aimed_elsewhere(queue, alice)],
    "a task is handed out": lambda queue, alice: [cast.post(queue) and (lambda: cast.grab(alice))],
    "a lease is extended": lambda queue, alice: [
        on(held(queue, alice), lambda one: lifecycle.extend(assignment_id=one.pk, seconds_to_expire=600))
    ],
    "an answer is given, not the last": lambda queue, alice: [
        on(held(queue, alice, judgments_required=2), lambda one: lifecycle.finalize(assignment_id=one.pk, data=1))
    ],
    "the last answer is given": lambda queue, alice: [
        on(held(queue, alice), lambda one: lifecycle.finalize(assignment_id=one.pk, data=1))
    ],
    "a task is skipped": lambda queue, alice: [
        on(held(queue, alice), lambda one: lifecycle.skip(assignment_id=one.pk, seconds_to_expire=None))
    ],
    "a task is skipped, and another slot is open": lambda queue, alice: [
        on(
            held(queue, alice, judgments_required=2),
            lambda one: lifecycle.skip(assignment_id=one.pk, seconds_to_expire=None),
        )
    ],
    "a lease lapses": lambda queue, alice: [held(queue, alice) and (lambda: lifecycle.expire_assignments(now=LATER))],
    "an assignment is taken back": lambda queue, alice: [
        on(held(queue, alice), lambda one: lifecycle.release(assignment_id=one.pk, reason="too long"))
    ],
    "a reviewer who holds a task is removed": lambda queue, alice: [
        held(queue, alice) and (lambda: members.revoke(membership=alice))
    ],
    "a task that somebody holds is canceled": lambda queue, alice: [
        on(held(queue, alice), lambda one: tasks.cancel_task(task_id=one.task_id))
    ],
    "a task that somebody holds expires, and the lease with it": lambda queue, alice: [
        held(queue, alice, expire_at=SOON) and (lambda: tasks.expire_tasks(now=LATER))
    ],
    "a task that nobody holds expires": lambda queue, alice: [
        cast.post(queue, expire_at=SOON) and (lambda: tasks.expire_tasks(now=LATER))
    ],
}


@pytest.mark.parametrize("what", HAPPENINGS)
def test_what_happens_writes_what_the_table_says(what: str) -> None:
    queue = cast.queue()
    for happen in HAPPENINGS[what](queue, cast.join(queue, "alice")):
        last = Event.objects.latest("pk").pk
        happen()
        told = list(Event.objects.filter(pk__gt=last).order_by("pk").values_list("type", flat=True))
        assert told == table()[what]


def test_the_table_is_whole() -> None:
    assert set(table()) == set(HAPPENINGS)
    of_upper_floors = {str(type_) for type_ in (*PoolEventType, *RunEventType)}
    assert {type_ for told in table().values() for type_ in told} == set(events.registered()) - of_upper_floors
