"""In what order tasks are handed out: every hand-out against a sorted list."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assignments import claims, lifecycle
from assignments.models import Assignment
from queues import intake, priority
from queues import lifecycle as tasks_lifecycle
from queues.drafts import TaskDraft
from queues.models import Membership, Queue, Task
from tests import cast

pytestmark = pytest.mark.django_db

NOW = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
TASKS = 210
TOPICS = ("", "birds", "boats")
PRIORITIES = (5, 100, 499, 500, 500, 501, 900, 995)
EACH_ONCE = 120
"""So many tasks have each priority with each topic and each target."""

ORDERS = {
    ("fifo", "important_first"): lambda task: (task.priority, task.pk),
    ("fifo", "important_last"): lambda task: (-task.priority, task.pk),
    ("fifo", "no"): lambda task: (task.pk,),
    ("lifo", "important_first"): lambda task: (task.priority, -task.pk),
    ("lifo", "important_last"): lambda task: (-task.priority, -task.pk),
    ("lifo", "no"): lambda task: (-task.pk,),
}
"""What each order sorts a reviewer's tasks by, below "aimed at the reviewer first"."""

every_order = pytest.mark.parametrize(("order", "priority_order"), ORDERS)


def in_line(tasks: list[Task], order: str, priority_order: str, *, name: str, topic: str | None = None) -> list[int]:
    """The ids of the tasks that `name` is handed, in their order."""
    person = cast.person(name)
    theirs = [
        task
        for task in tasks
        if task.target_reviewer_id in (None, person.pk) and (topic is None or task.topic == topic)
    ]
    by = ORDERS[order, priority_order]
    return [task.pk for task in sorted(theirs, key=lambda task: (task.target_reviewer_id is None, *by(task)))]


def mixed(queue: Queue, count: int = TASKS, **fields: Any) -> list[Task]:
    """Tasks of all priorities and topics, shuffled; every tenth is aimed at alice, every tenth at bob."""
    people = {0: "alice@example.org", 1: "bob@example.org"}
    drafts = [
        TaskDraft(
            input_data={"n": n},
            priority=PRIORITIES[n % len(PRIORITIES)],
            topic=TOPICS[n % len(TOPICS)],
            target_reviewer=people.get(n % 10),
            **fields,
        )
        for n in range(count)
    ]
    random.Random(count).shuffle(drafts)
    # In several lists, so that no order is that of one insertion.
    made: list[Task] = []
    for start in range(0, count, 70):
        made += intake.create_tasks(
            queue=queue, requester=cast.person("rick"), drafts=drafts[start : start + 70], now=NOW
        )
    return made


def handed_out(membership: Membership, now: datetime = NOW, **call: Any) -> list[int]:
    """The ids of all tasks that come to a reviewer, in the order in which they come."""
    came: list[int] = []
    while more := all_at_once(membership, now=now, **call):
        came += more
    return came


def all_at_once(membership: Membership, now: datetime = NOW, **call: Any) -> list[int]:
    """The ids of the tasks that one grab hands out, in their order; they are answered, so the next hands out others."""
    held = cast.grab(membership, now=now, **call).assignments
    for assignment in held:
        lifecycle.finalize(assignment_id=assignment.pk, data={"label": "3"}, now=now)
    return [assignment.task_id for assignment in held]


def next_one(membership: Membership, now: datetime = NOW, **call: Any) -> int:
    """The id of the one task that a grab hands out."""
    (task_id,) = all_at_once(membership, now=now, **call)
    return task_id


@pytest.fixture
def queue() -> Queue:
    return cast.queue()


@pytest.fixture
def alice(queue: Queue) -> Membership:
    return cast.join(queue, "alice")


@pytest.fixture
def bob(queue: Queue) -> Membership:
    return cast.join(queue, "bob")


def test_every_hand_out_whatever_the_order_topic_and_number(queue, alice, bob):
    """The strategy is drawn anew at each grab: what it hands out is the beginning of the line that it asks for."""
    draw = random.Random(TASKS)
    left = {task.pk: task for task in mixed(queue)}
    met = set()
    while left:
        order, priority_order = draw.choice(list(ORDERS))
        topic, number = draw.choice([None, None, *TOPICS[1:]]), draw.choice([1, 2, 5, 10])
        name, membership = draw.choice([("alice", alice), ("bob", bob)])
        line = in_line(list(left.values()), order, priority_order, name=name, topic=topic)
        came = all_at_once(membership, order=order, priority_order=priority_order, topic=topic, multitask_index=number)
        assert came == line[:number]
        met.add((order, priority_order, topic, number > 1))
        for key in came:
            del left[key]
    assert len(met) > len(ORDERS) * 3


@every_order
def test_two_take_turns(queue, alice, bob, order, priority_order):
    """Each gets the first of what is left for them."""
    left = {task.pk: task for task in mixed(queue, EACH_ONCE)}
    call = {"order": order, "priority_order": priority_order}
    for turn in range(EACH_ONCE + 20):
        name, membership = (("alice", alice), ("bob", bob))[turn % 2]
        line = in_line(list(left.values()), order, priority_order, name=name)
        if not line:
            assert cast.grab(membership, now=NOW, **call).assignments == []
            continue
        assert next_one(membership, **call) == line[0]
        del left[line[0]]
    assert all(task.target_reviewer_id for task in left.values())


@every_order
def test_two_judgments_come_to_each_in_the_same_order(queue, alice, bob, order, priority_order):
    tasks = cast.post(queue, 20, judgments_required=2, now=NOW)
    for number, task in enumerate(tasks):
        change = priority.parse(PRIORITIES[number % len(PRIORITIES)])
        tasks[number] = tasks_lifecycle.update_task(task_id=task.pk, changes={"priority": change}, now=NOW)
    call = {"order": order, "priority_order": priority_order, "multitask_index": 3}
    for membership, name in ((alice, "alice"), (bob, "bob")):
        assert handed_out(membership, **call) == in_line(tasks, order, priority_order, name=name)


@every_order
def test_reclaimed_leases_compete_by_the_same_order(queue, alice, bob, order, priority_order):
    """Nothing sweeps: alice's leases lapse while others wait, and bob gets them where they belong."""
    tasks = cast.post(queue, 25, now=NOW)
    for number, task in enumerate(tasks):
        change = {"priority": priority.parse(PRIORITIES[number % len(PRIORITIES)])}
        tasks[number] = tasks_lifecycle.update_task(task_id=task.pk, changes=change, now=NOW)
    random_order = random.Random(3).sample([task.pk for task in tasks], 10)
    for key in random_order:
        claims.assign(membership=alice, task_id=key, call={"multitask_index": 10, "seconds_to_expire": 60}, now=NOW)
    call = {"order": order, "priority_order": priority_order, "multitask_index": 2}
    free = [task for task in tasks if task.pk not in random_order]
    before = all_at_once(bob, now=NOW + timedelta(seconds=59), **call)
    assert before == in_line(free, order, priority_order, name="bob")[:2]
    left = [task for task in tasks if task.pk not in before]
    came = handed_out(bob, now=NOW + timedelta(seconds=60), **call)
    assert came == in_line(left, order, priority_order, name="bob")


def test_a_lapsed_lease_of_the_most_important_task_comes_next(queue, alice, bob):
    important, *others = cast.post(queue, 5, now=NOW)
    change = {"priority": priority.parse(5)}
    tasks_lifecycle.update_task(task_id=important.pk, changes=change, now=NOW)
    (held,) = cast.grab(alice, now=NOW, seconds_to_expire=30).assignments
    assert held.task_id == important.pk
    assert next_one(bob, now=NOW + timedelta(seconds=29)) == others[0].pk
    assert next_one(bob, now=NOW + timedelta(seconds=30)) == important.pk
    assert Assignment.objects.get(pk=held.pk).status == "EXPIRED"


@every_order
def test_released_scheduled_tasks_compete_by_the_same_order(queue, alice, bob, order, priority_order):
    later = NOW + timedelta(minutes=1)
    now_open = mixed(queue, 30)
    scheduled = mixed(queue, 30, schedule_to=later)
    call = {"order": order, "priority_order": priority_order, "multitask_index": 2}
    before = all_at_once(alice, now=later - timedelta(seconds=1), **call)
    assert before == in_line(now_open, order, priority_order, name="alice")[:2]
    left = [task for task in now_open + scheduled if task.pk not in before]
    assert handed_out(alice, now=later, **call) == in_line(left, order, priority_order, name="alice")


def test_a_due_task_comes_at_its_time_without_a_sweep(queue, alice):
    (waiting,) = cast.post(queue, priority=5, schedule_to=NOW + timedelta(seconds=10), now=NOW)
    first, second = cast.post(queue, 2, now=NOW)
    assert next_one(alice, now=NOW + timedelta(seconds=9)) == first.pk
    assert next_one(alice, now=NOW + timedelta(seconds=10)) == waiting.pk
    assert next_one(alice, now=NOW + timedelta(seconds=10)) == second.pk


@every_order
def test_something_better_that_comes_up_is_next(queue, alice, order, priority_order):
    """After each hand-out a task is posted, reprioritized, cancelled or aimed at alice; the next is the first again."""
    draw = random.Random(7)
    left = {task.pk: task for task in cast.post(queue, 80, now=NOW)}
    call = {"order": order, "priority_order": priority_order}
    for _ in range(40):
        chance, key = draw.randrange(4), draw.choice(sorted(left))
        if chance == 0:
            (made,) = cast.post(queue, priority=draw.choice(PRIORITIES), now=NOW)
            left[made.pk] = made
        elif chance == 1:
            change = {"priority": priority.parse(draw.choice(["+10", "-10", "N//2", "(N*2)+12", "5"]))}
            left[key] = tasks_lifecycle.update_task(task_id=key, changes=change, now=NOW)
        elif chance == 2:
            change = {"target_reviewer": cast.person("alice")}
            left[key] = tasks_lifecycle.update_task(task_id=key, changes=change, now=NOW)
        else:
            tasks_lifecycle.cancel_task(task_id=key, now=NOW)
            del left[key]
        expected = in_line(list(left.values()), order, priority_order, name="alice")[0]
        assert next_one(alice, **call) == expected
        del left[expected]


def test_what_is_held_comes_first_whatever_is_better(queue, alice):
    held, second = cast.post(queue, 2, topic="birds", now=NOW)
    assert [a.task_id for a in cast.grab(alice, now=NOW).assignments] == [held.pk]
    (better,) = cast.post(queue, priority=5, target_reviewer="alice@example.org", topic="boats", now=NOW)
    assert [a.task_id for a in cast.grab(alice, now=NOW, topic="boats").assignments] == [held.pk]
    grabbed = cast.grab(alice, now=NOW, topic="boats", multitask_index=3).assignments
    assert [a.task_id for a in grabbed] == [held.pk, better.pk]
    assert [a.task_id for a in cast.grab(alice, now=NOW, multitask_index=3).assignments] == [
        held.pk,
        better.pk,
        second.pk,
    ]
