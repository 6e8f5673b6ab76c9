"""Answers, cancellations and crashes at the same moment: a run moves once, or not at all."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest
from django.db import connection, transaction

from assignments import lifecycle
from assignments.exceptions import AssignmentClosed
from assignments.models import Assignment
from queues import invariants
from queues import lifecycle as tasks_lifecycle
from queues.exceptions import CrowdError
from queues.models import Task
from queues.states import TaskStatus
from queues.transactions import database_now
from routing import AbstractFanOut, AbstractWorkFlow, HumanTask, runs
from routing.exceptions import RunOver
from routing.models import Lane, Run, Step
from routing.states import RunStatus
from tests import cast, flows
from tests.assignments.test_races import deadlocks

pytestmark = pytest.mark.threads

ROUNDS = 15


def answering(assignment: Any, data: Any) -> Callable[[], Any]:
    return lambda: lifecycle.finalize(assignment_id=assignment.pk, data=data)


def test_two_answers_at_once_to_the_lanes_of_a_fan_join_once(together):
    alice, bob, carol = flows.crowd("alice", "bob", "carol")
    rick, before = cast.person("rick"), deadlocks()
    for _round in range(ROUNDS):
        run = flows.Fanned.start({}, by=rick)
        flows.answer(alice, {"spots": ["x", "y"]})
        flows.answer(bob, "fixed")
        flows.answer(carol, "fixed")
        held = [cast.grab(who).assignments[0] for who in (bob, carol)]
        ends = together(*(answering(assignment, "good") for assignment in held))
        assert not [end for end in ends if isinstance(end, Exception)], ends
        run = flows.again(run)
        assert (run.status, run.data["noted"]) == (RunStatus.FINISHED, 1)
        assert Step.objects.filter(run=run, name="Note").count() == 1
        assert not Lane.objects.filter(run=run, ended_at__isnull=True).exists()
    assert deadlocks() == before
    assert invariants.broken() == {}


def test_the_same_answer_twice_at_once_moves_a_run_once(together):
    (alice,) = flows.crowd("alice")
    rick, before = cast.person("rick"), deadlocks()
    for _round in range(ROUNDS):
        run = flows.Repeated.start({}, by=rick)
        held = cast.grab(alice).assignments[0]
        one, other = together(answering(held, "a"), answering(held, "a"))
        assert sorted([one.repeated, other.repeated]) == [False, True]
        assert flows.path(run) == ["Find DONE", "Find WAITING"]
        runs.cancel(run_id=run.pk)
    assert deadlocks() == before


def test_two_judgments_at_once_move_a_run_once(together):
    alice, bob = flows.crowd("alice", "bob", judgments_per_task=2)
    rick, before = cast.person("rick"), deadlocks()
    for _round in range(ROUNDS):
        run = flows.Repeated.start({}, by=rick)
        held = [cast.grab(who).assignments[0] for who in (alice, bob)]
        together(*(answering(assignment, "a") for assignment in held))
        assert flows.path(run) == ["Find DONE", "Find WAITING"]
        runs.cancel(run_id=run.pk)
    assert deadlocks() == before


def test_canceling_and_answering_at_once(together):
    (alice,) = flows.crowd("alice")
    rick, before = cast.person("rick"), deadlocks()
    first = {"answer": 0, "cancel": 0}
    for _round in range(2 * ROUNDS):
        run = flows.Sequence.start({}, by=rick)
        held = cast.grab(alice).assignments[0]
        answered, canceled = together(answering(held, "a"), lambda run=run: runs.cancel(run_id=run.pk))
        assert flows.again(run).status == RunStatus.CANCELED, canceled
        if isinstance(answered, AssignmentClosed):
            first["cancel"] += 1
            assert flows.path(run) == ["Find CANCELED"]
        else:
            assert not isinstance(answered, Exception), answered
            first["answer"] += 1
            assert flows.path(run) in (["Find DONE", "Fix CANCELED"], ["Find CANCELED"])
        runs.cancel_tasks()
        assert not Task.objects.open().exists()
    assert deadlocks() == before
    assert invariants.broken() == {}


def test_canceling_and_the_last_answer_at_once_let_one_of_them_end_the_run(together):
    (alice,) = flows.crowd("alice")
    rick = cast.person("rick")

    for _round in range(2 * ROUNDS):
        run = flows.AtRandom.start({}, by=rick)
        held = cast.grab(alice).assignments[0]
        answered, canceled = together(answering(held, "a"), lambda run=run: runs.cancel(run_id=run.pk))
        status = flows.again(run).status
        assert status in (RunStatus.FINISHED, RunStatus.CANCELED)
        assert isinstance(canceled, RunOver) == (status == RunStatus.FINISHED)
        assert status == RunStatus.CANCELED or not isinstance(answered, Exception)


def _held_open(work: Callable[[], Any], inside: Signal, go_on: Signal) -> Callable[[], Any]:
    """`work` in a transaction that commits only once `go_on` is set."""

    def run() -> Any:
        with transaction.atomic():
            result = work()
            inside.set()
            assert go_on.wait(30)
        return result

    return run


@pytest.mark.only("postgresql")
def test_an_answer_that_was_first_is_waited_for_by_the_cancellation(together):
    (alice,) = flows.crowd("alice")
    run = flows.Sequence.start({}, by=cast.person("rick"))
    held = cast.grab(alice).assignments[0]
    inside, go_on = Signal(), Signal()

    def cancel() -> Any:
        assert inside.wait(30)
        go_on.set()
        return runs.cancel(run_id=run.pk)

    together(_held_open(answering(held, "a"), inside, go_on), cancel)
    runs.cancel_tasks()
    assert flows.path(run) == ["Find DONE", "Fix CANCELED"]
    assert not Task.objects.open().exists()


@pytest.mark.only("postgresql")
def test_a_cancellation_that_was_first_is_told_to_whoever_answers(together):
    (alice,) = flows.crowd("alice")
    run = flows.Sequence.start({}, by=cast.person("rick"))
    held = cast.grab(alice).assignments[0]
    inside, go_on = Signal(), Signal()

    def answer() -> Any:
        assert inside.wait(30)
        go_on.set()
        return answering(held, "a")()

    _canceled, answered = together(_held_open(lambda: runs.cancel(run_id=run.pk), inside, go_on), answer)
    assert isinstance(answered, AssignmentClosed)
    assert flows.path(run) == ["Find CANCELED"]


def test_trying_again_and_canceling_at_once(together):
    flows.crowd("alice")
    rick, before = cast.person("rick"), deadlocks()
    for _round in range(ROUNDS):
        run = flows.Sequence.start({}, by=rick)
        tasks_lifecycle.cancel_task(task_id=Task.objects.get(step__run=run).pk)
        together(
            lambda run=run: runs.retry(run_id=run.pk),
            lambda run=run: runs.retry(run_id=run.pk),
            lambda run=run: runs.cancel(run_id=run.pk),
        )
        runs.cancel_tasks()
        assert flows.again(run).status == RunStatus.CANCELED
        assert not Task.objects.open().exists()
    assert deadlocks() == before


def test_sixteen_people_answer_a_fan(together):
    people = flows.crowd(*(f"r{n}" for n in range(16)))
    rick, before = cast.person("rick"), deadlocks()
    run = flows.Fanned.start({}, by=rick)
    flows.answer(people[0], {"spots": list(range(48))})

    def work(membership: Any) -> Callable[[], int]:
        def until_nothing_is_left() -> int:
            done = 0
            while held := cast.grab(membership).assignments:
                try:
                    lifecycle.finalize(assignment_id=held[0].pk, data={"by": membership.user_id})
                    done += 1
                except CrowdError:
                    continue
            return done

        return until_nothing_is_left

    ends = together(*(work(membership) for membership in people))
    assert not [end for end in ends if isinstance(end, Exception)], ends
    for membership in people:
        work(membership)()
    run = flows.again(run)
    assert run.status == RunStatus.FINISHED
    assert [item for item, *_rest in run.data["fixed"]] == list(range(48))
    assert all(fix["by"] != verify["by"] for _item, fix, verify in run.data["fixed"])
    assert Assignment.objects.filter(status="FINISHED").count() == 1 + 2 * 48
    assert deadlocks() == before
    assert invariants.broken() == {}


# A process that is killed.

KILLED = textwrap.dedent(
    """
    import os, signal, sys
    import django
    django.setup()
    from assignments import lifecycle
    from routing import moving
    from tests import flows

    def die(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    if sys.argv[2] == "before":
        flows.Find.on_answer = die
    elif sys.argv[2] == "after":
        moving.Moving.save = die
    lifecycle.finalize(assignment_id=int(sys.argv[1]), data="spot")
    """
)


def _in_a_process(assignment: Any, when: str) -> int:
    """Answer in a process of its own, which kills itself before the step has moved, after it, or never; its status."""
    environment = os.environ | {
        "DATABASE_URL": _address(),
        "DJANGO_SETTINGS_MODULE": "crowdsite.settings",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [sys.executable, "-c", KILLED, str(assignment.pk), when]
    ended = subprocess.run(command, env=environment, timeout=120, capture_output=True, text=True, check=False)
    assert not ended.stderr, ended.stderr
    return ended.returncode


def _address() -> str:
    """The database of the tests, as DATABASE_URL."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgres://{given['USER']}:{given['PASSWORD']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_kill_between_answer_and_advance_leaves_neither(when):
    (alice,) = flows.crowd("alice")
    run = flows.Sequence.start({}, by=cast.person("rick"))
    held = cast.grab(alice).assignments[0]
    assert _in_a_process(held, when) == -signal.SIGKILL
    assert flows.path(run) == ["Find WAITING"]
    assert Task.objects.get().status == TaskStatus.ASSIGNED
    answering(held, "spot")()
    assert flows.path(run) == ["Find DONE", "Fix WAITING"]


def test_a_run_goes_on_in_another_process():
    (alice,) = flows.crowd("alice")
    run = flows.Sequence.start({}, by=cast.person("rick"))
    assert _in_a_process(cast.grab(alice).assignments[0], "never") == 0
    assert flows.path(run) == ["Find DONE", "Fix WAITING"]
    assert Run.objects.get().status == RunStatus.RUNNING


class Ask(HumanTask):
    queue = "digits"

    def on_canceled(self) -> None:
        return None


class Four(AbstractFanOut):
    tasks = [Ask]

    def items(self) -> list[int]:
        return [1, 2, 3, 4]


class Asking(AbstractWorkFlow):
    tasks = [Four]


def test_two_who_close_tasks_of_the_same_runs_wait_and_not_in_a_circle(together):
    cast.queue()
    rick, before = cast.person("rick"), deadlocks()

    def closing(ids: list[int]) -> Callable[[], None]:
        def close() -> None:
            with transaction.atomic():
                tasks = {task.pk: task for task in Task.objects.filter(pk__in=ids).locked()}
                tasks_lifecycle.cancel([tasks[pk] for pk in ids], reason="", now=database_now())

        return close

    for _round in range(ROUNDS):
        one, two = Asking.start({}, by=rick), Asking.start({}, by=rick)
        first, second = (
            list(Task.objects.filter(step__run=run).order_by("id").values_list("id", flat=True)) for run in (one, two)
        )
        ends = together(closing([first[0], second[0]]), closing([second[1], first[1]]))
        assert ends == [None, None]
    assert not Step.objects.left_behind().exists()
    assert deadlocks() == before
