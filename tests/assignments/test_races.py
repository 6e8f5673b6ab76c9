"""Sixteen threads at once and more, on real transactions: what must hold whatever races."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event
from time import monotonic
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from assignments import claims, lifecycle
from assignments.models import Assignment
from assignments.states import AssignmentStatus
from queues import intake, invariants, members
from queues import lifecycle as tasks_lifecycle
from queues.drafts import TaskDraft
from queues.exceptions import CrowdError
from queues.models import Membership, Task
from queues.states import OPEN, TaskStatus
from tests import cast

pytestmark = pytest.mark.threads

TASKS = 2_000
CAPACITY = 3


LONGEST = 300
"""Seconds of the wall's clock after which a thread gives up; the test takes a quarter of them."""


class Clock:
    """A time that runs faster than the wall's: at five times its speed the shortest lease lapses in two seconds.

    Of many threads each comes to its turn rarely. A lease must last for longer than that, or all of them lapse.
    """

    def __init__(self, speed: float = 5) -> None:
        self.speed, self._start, self._ticks = speed, timezone.now(), monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.speed * (monotonic() - self._ticks))


def deadlocks() -> int:
    """How many deadlocks PostgreSQL has broken in this database (0 on SQLite, which has none)."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        if connection.pg_version >= 150000:  # type: ignore[attr-defined]
            cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def reviewing(membership: Membership, clock: Clock, said: list[tuple[int, str]], seed: int) -> Callable[[], None]:
    """A reviewer at work until nothing is left: answers, skips, sometimes walks away. `said` was acknowledged.

    Where another thread failed, a task that is aimed at its reviewer stays for ever; so there is an end to waiting.
    """
    latest = clock.now() + timedelta(seconds=clock.speed * LONGEST)

    def work() -> None:
        dice, pace = random.Random(seed), Event()
        while clock.now() < latest:
            got = claims.grab(
                membership=membership,
                call={"seconds_to_expire": 10, "multitask_index": dice.randint(1, CAPACITY)},
                now=clock.now(),
            )
            if not got.assignments and not Task.objects.open().exists():
                return
            if not got.assignments:
                pace.wait(0.05)
            for assignment in got.assignments:
                throw = dice.random()
                try:
                    if throw < 0.05:
                        lifecycle.skip(assignment_id=assignment.pk, seconds_to_expire=5, now=clock.now())
                    elif throw < 0.95:
                        answer = {"by": membership.user_id, "said": assignment.pk}
                        done = lifecycle.finalize(assignment_id=assignment.pk, data=answer, now=clock.now())
                        if not done.repeated:
                            said.append((assignment.pk, assignment.task_id))
                except CrowdError:
                    continue

    return work


def meddling(tasks: list[Task], reviewers: list[Any], clock: Clock, seed: int) -> Callable[[], None]:
    """An operator who cancels, retargets and shortens tasks, and runs the sweeps as well."""

    def meddle() -> None:
        dice = random.Random(seed)
        for task in dice.sample(tasks, len(tasks) // 8):
            try:
                match dice.randrange(3):
                    case 0:
                        tasks_lifecycle.cancel_task(task_id=task.pk, now=clock.now())
                    case 1 if task.judgments_required == 1:
                        change = {"target_reviewer": dice.choice([*reviewers, None])}
                        tasks_lifecycle.update_task(task_id=task.pk, changes=change, now=clock.now())
                    case _:
                        change = {"expire_at": clock.now() + timedelta(seconds=dice.randint(1, 20))}
                        tasks_lifecycle.update_task(task_id=task.pk, changes=change, now=clock.now())
            except CrowdError:
                pass
            tasks_lifecycle.expire_tasks(now=clock.now())
            lifecycle.expire_assignments(now=clock.now())

    return meddle


def most_held() -> int:
    """The most that anybody holds at this moment."""
    held = Assignment.objects.filter(status=AssignmentStatus.CREATED).order_by().values_list("reviewer_id", flat=True)
    return max(Counter(held).values(), default=0)


def sweeping(seen: list[int], clock: Clock) -> Callable[[], None]:
    """The sweeps, many times a second until no task is open; between them it counts what the busiest reviewer holds."""

    latest = clock.now() + timedelta(seconds=clock.speed * LONGEST)

    def sweep() -> None:
        pace = Event()
        while clock.now() < latest and Task.objects.open().exists():
            seen.append(most_held())
            tasks_lifecycle.expire_tasks(now=clock.now())
            lifecycle.expire_assignments(now=clock.now())
            pace.wait(0.05)

    return sweep


@pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.only("postgresql"))])
def test_two_thousand_tasks_are_each_judged_exactly_as_often_as_required(together: Any, times: int) -> None:
    """By sixteen threads, and by sixty-four."""
    queue = cast.queue(max_multitask=CAPACITY, max_lease_seconds=60)
    names = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
    everyone = [cast.join(queue, f"{name}{number or ''}") for number in range(times) for name in names]
    for membership in everyone:
        membership.queue.refresh_from_db()
    alone = cast.post(queue, TASKS * 3 // 4)
    thrice = cast.post(queue, TASKS // 4, judgments_required=3)
    clock, said, seen, before = Clock(5 / times), [], [], deadlocks()

    raised = together(
        *(reviewing(membership, clock, said, seed) for seed, membership in enumerate(everyone)),
        *(reviewing(everyone[0], clock, said, seed) for seed in range(100, 100 + 5 * times)),
        *(meddling([*alone, *thrice], [m.user for m in everyone], clock, seed) for seed in range(7, 7 + 2 * times)),
        *(sweeping(seen, clock) for _sweep in range(times)),
    )

    assert [problem for problem in raised if problem is not None] == []
    finished = Assignment.objects.filter(status=AssignmentStatus.FINISHED)
    assert sorted(said) == sorted(finished.values_list("pk", "task_id"))
    judged = Counter(finished.values_list("task_id", flat=True))
    for task in Task.objects.filter(status=TaskStatus.FINISHED):
        assert judged[task.pk] == task.judgments_required
    for task_id in judged:
        people = list(finished.filter(task_id=task_id).values_list("reviewer_id", flat=True))
        assert len(set(people)) == len(people)
    assert max(seen) <= CAPACITY
    assert not Task.objects.filter(status__in=OPEN).exists()
    assert Task.objects.filter(status=TaskStatus.FINISHED).count() > TASKS / 2
    assert invariants.broken() == {}
    assert deadlocks() == before


@pytest.mark.usefixtures("either_way")
def test_eight_tabs_of_one_reviewer_hold_no_more_than_the_limit(together: Any) -> None:
    queue = cast.queue(max_multitask=1)
    alice = cast.join(queue, "alice")
    for _round in range(20):
        cast.post(queue, 10)
        answers = together(*(lambda: cast.grab(alice) for _ in range(8)))
        assert len({grab.assignments[0].pk for grab in answers}) == 1
        assert most_held() == 1
        lifecycle.finalize(assignment_id=answers[0].assignments[0].pk, data=1)


@pytest.mark.usefixtures("either_way")
def test_tabs_that_ask_for_different_numbers_stay_within_the_largest(together: Any) -> None:
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    for _round in range(10):
        cast.post(queue, 12)
        together(*(lambda n=n: cast.grab(alice, multitask_index=n) for n in (1, 2, 3, 4, 1, 2, 3, 4)))
        assert most_held() <= 4
        for assignment in Assignment.objects.filter(status=AssignmentStatus.CREATED):
            lifecycle.finalize(assignment_id=assignment.pk, data=1)
    assert invariants.broken() == {}


@pytest.mark.usefixtures("either_way")
def test_a_task_for_three_goes_to_three_who_ask_at_once(together: Any) -> None:
    queue = cast.queue(judgments_per_task=3)
    trio = [cast.join(queue, name) for name in ("alice", "bob", "carol")]
    for _round in range(10):
        (task,) = cast.post(queue, 1)
        answers = together(*(lambda member=member: cast.grab(member) for member in trio))
        assert [[held.task_id for held in grab.assignments] for grab in answers] == [[task.pk]] * 3
        together(*(lambda a=grab.assignments[0]: lifecycle.finalize(assignment_id=a.pk, data=1) for grab in answers))
        task.refresh_from_db()
        assert (task.status, task.output_data) == ("FINISHED", {"value": 1, "agreement": 1.0})


@pytest.mark.usefixtures("either_way")
def test_an_answer_and_a_cancellation_at_once_leave_one_of_the_two(together: Any) -> None:
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    before = deadlocks()
    for _round in range(40):
        (task,) = cast.post(queue, 1)
        held = cast.grab(alice).assignments[0]
        answered, canceled = together(
            lambda held=held: lifecycle.finalize(assignment_id=held.pk, data=1),
            lambda task=task: tasks_lifecycle.cancel_task(task_id=task.pk),
        )
        task.refresh_from_db()
        assert isinstance(answered, CrowdError) == (task.status == TaskStatus.CANCELED)
        assert isinstance(canceled, CrowdError) == (task.status == TaskStatus.FINISHED)
    assert deadlocks() == before
    assert invariants.broken() == {}


@pytest.mark.usefixtures("either_way")
def test_the_same_answer_twice_at_once_counts_once(together: Any) -> None:
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    for _round in range(20):
        cast.post(queue, 1)
        held = cast.grab(alice).assignments[0]
        answers = together(
            *(lambda held=held: lifecycle.finalize(assignment_id=held.pk, data={"x": 1}) for _ in range(4))
        )
        assert sorted(answer.repeated for answer in answers) == [False, True, True, True]


@pytest.mark.usefixtures("either_way")
def test_a_revoked_reviewer_holds_nothing_whoever_was_faster(together: Any) -> None:
    queue = cast.queue()
    cast.post(queue, 100)
    for _round in range(30):
        alice = cast.join(queue, "alice")
        together(
            lambda alice=alice: cast.grab(alice, multitask_index=5),
            lambda alice=alice: members.revoke(membership=alice),
        )
        assert most_held() == 0


@pytest.mark.usefixtures("either_way")
def test_a_target_and_the_end_of_its_access_at_once_leave_no_orphan(together: Any) -> None:
    queue = cast.queue()
    for _round in range(30):
        alice = cast.join(queue, "alice")
        (task,) = cast.post(queue, 1)
        together(
            lambda task=task, alice=alice: tasks_lifecycle.update_task(
                task_id=task.pk, changes={"target_reviewer": alice.user}
            ),
            lambda queue=queue, alice=alice: intake.create_tasks(
                queue=queue,
                requester=cast.person("rick"),
                drafts=[TaskDraft(input_data=1, target_reviewer="alice@example.org")],
            ),
            lambda alice=alice: members.revoke(membership=alice),
        )
        assert invariants.broken() == {}


def test_sweeps_that_run_twice_at_once_do_their_work_once(together: Any) -> None:
    queue = cast.queue()
    members_ = [cast.join(queue, name) for name in ("alice", "bob", "carol")]
    now = timezone.now()
    cast.post(queue, 30, now=now)
    for member in members_:
        cast.grab(member, now=now, seconds_to_expire=10, multitask_index=10)
    later = now + timedelta(seconds=11)
    counts = together(*(lambda: lifecycle.expire_assignments(now=later, limit=100) for _ in range(4)))
    assert sum(counts) == 30
    assert invariants.broken() == {}
