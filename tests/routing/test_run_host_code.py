"""Code of hosts in a run: whatever it does to the database, the answer stands, and the step says what was wrong."""

from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, IntegrityError, connection
from django.utils import timezone

from queues import invariants, lifecycle
from queues.models import Event, Queue, Task
from queues.states import TaskStatus
from routing import (
    AbstractCrowdChoice,
    AbstractFanOut,
    AbstractLoopCondition,
    AbstractTask,
    HumanTask,
    PipelineError,
    runs,
)
from routing.abstract_workflow import AbstractWorkFlow
from routing.models import Move, Run, Step
from routing.states import RunStatus, StepStatus
from tests import cast, flows

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice() -> Any:
    return flows.crowd("alice")[0]


@pytest.fixture
def rick(alice: Any) -> Any:
    return cast.person("rick")


def started(rick: Any, *elements: Any) -> Run:
    """A run of a workflow of these elements."""

    class Going(AbstractWorkFlow):
        tasks = list(elements)

    # Kept by the run's row alone it would be gone before the answer.
    _kept.append(Going)
    return Going.start({}, by=rick)


_kept: list[Any] = []


def answered(act: Any, alice: Any, rick: Any) -> Run:
    """A run of one step whose on_answer is `act`, after the answer."""

    class Acting(HumanTask):
        queue = "digits"

        def on_answer(self) -> None:
            act()

    run = started(rick, Acting)
    flows.answer(alice, "x")
    return flows.again(run)


def made(number: Any) -> Move:
    return Move(token="a", number=number, at=timezone.now())


def then_raise(act: Any) -> Any:
    def raising() -> None:
        act()
        raise ValueError("afterwards")

    return raising


def test_many_rows_that_were_inserted_before_it_raised_are_undone(alice, rick):
    run = answered(then_raise(lambda: Move.objects.bulk_create([made(1), made(2)])), alice, rick)
    assert (run.status, Move.objects.count()) == (RunStatus.STUCK, 0)


def test_a_relation_that_was_added_before_it_raised_is_undone(alice, rick):
    group = Group.objects.create(name="g")
    run = answered(then_raise(lambda: rick.groups.add(group)), alice, rick)
    assert (run.status, rick.groups.count()) == (RunStatus.STUCK, 0)


def test_rows_that_were_deleted_before_it_raised_are_there(alice, rick):
    group = Group.objects.create(name="g")
    run = answered(then_raise(lambda: Group.objects.all().delete()), alice, rick)
    assert run.status == RunStatus.STUCK
    assert Group.objects.get() == group


def test_an_error_of_a_model_before_any_statement_marks_the_step(alice, rick):
    assert answered(lambda: made("many").save(), alice, rick).status == RunStatus.STUCK


def test_the_same_in_make_input(rick):
    class Wrong(HumanTask):
        queue = "digits"

        def make_input(self):
            made("many").save()

    run = started(rick, Wrong)
    assert flows.again(run).status == RunStatus.STUCK


def test_a_database_error_that_was_caught_without_a_savepoint_is_told(alice, rick):
    def swallow() -> None:
        Queue.objects.filter(pk=alice.queue_id).update(alias="written")
        try:
            Move.objects.create(token="a", number=None, at=timezone.now())
        except IntegrityError:
            return

    run = answered(swallow, alice, rick)
    assert run.status == RunStatus.STUCK
    assert Queue.objects.get(pk=alice.queue_id).alias == ""


@pytest.mark.only("postgresql")
def test_the_same_of_a_question_that_failed(alice, rick):
    def swallow() -> None:
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT * FROM nowhere")

    run = answered(swallow, alice, rick)
    assert run.status == RunStatus.STUCK
    assert "caught" in Step.objects.get().reason


@pytest.mark.only("postgresql")
def test_a_row_that_leads_nowhere_marks_the_step(alice, rick):
    def act() -> None:
        Group.permissions.through.objects.create(group=Group.objects.create(name="g"), permission_id=987654)

    assert answered(act, alice, rick).status == RunStatus.STUCK
    assert Task.objects.get().status == TaskStatus.FINISHED
    assert not Group.objects.exists()


def test_an_error_that_cannot_say_what_it_is_marks_the_step(alice, rick):
    class Odd(Exception):
        def __str__(self) -> str:
            return self.args[0]

    def act() -> None:
        raise Odd(5)

    answered(act, alice, rick)
    assert Step.objects.get().reason == "Odd"


def test_code_that_wants_to_end_the_process_marks_the_step(alice, rick):
    def act() -> None:
        raise SystemExit(1)

    assert answered(act, alice, rick).status == RunStatus.STUCK


def test_code_that_is_async_is_refused(alice, rick):
    class Until(AbstractLoopCondition):
        task = flows.Fix

        async def again(self) -> bool:
            return False

    run = started(rick, Until)
    flows.answer(alice, "bad")
    assert "async" in Step.objects.get(run=run).reason


# Data.


def test_a_fan_whose_make_data_gives_nothing_fails_its_step(alice, rick):
    class Each(flows.Spots):
        tasks = [flows.Fix]

        def make_data(self, item, pipe_data):
            pipe_data["item"] = item

    run = started(rick, flows.Find, Each)
    flows.answer(alice, {"spots": [1, 2]})
    assert flows.path(run) == ["Find DONE", "Each FAILED_RETRYABLE"]


def test_what_a_choice_puts_into_the_pipe_data_is_checked(alice, rick):
    class Dated(AbstractCrowdChoice):
        t1 = flows.Fix

        def choice(self, pipe_data):
            pipe_data["at"] = timezone.now()
            return flows.Fix

    run = started(rick, flows.Find, Dated)
    flows.answer(alice, "x")
    assert flows.path(run) == ["Find DONE", "Dated FAILED_RETRYABLE"]


def test_lanes_do_not_share_what_their_items_share(rick):
    shared = {"seen": 0}

    class Counting(AbstractCrowdChoice):
        t1 = flows.Fix

        def choice(self, pipe_data):
            pipe_data["item"]["seen"] += 1
            return flows.Fix

    class Each(AbstractFanOut):
        tasks = [Counting]

        def items(self):
            return [shared] * 3

    started(rick, Each)
    assert [step.data["item"]["seen"] for step in Step.objects.filter(name="Fix")] == [1, 1, 1]


def test_what_a_choice_did_before_it_raised_is_dropped_and_kept_when_it_does_not(alice, rick):
    class Counting(AbstractCrowdChoice):
        t1 = flows.Fix
        broken = True

        def choice(self, pipe_data):
            pipe_data["n"] = pipe_data.get("n", 0) + 1
            if Counting.broken:
                raise ValueError
            return flows.Fix

    run = started(rick, Counting)
    assert Step.objects.get().data == {}
    Counting.broken = False

    runs.retry(run_id=run.pk)
    assert Task.objects.get().input_data == {"n": 1}
    flows.answer(alice, "x")
    assert flows.again(run).data == {"n": 1, "Fix": "x"}


@pytest.mark.parametrize(
    ("items", "status"),
    [
        (["x"] + ["y" * 100_000] * 40, RunStatus.STUCK),
        (["y" * 5000] + ["x"] * 300, RunStatus.FINISHED),
        (range(1001), RunStatus.STUCK),
    ],
)
def test_what_lanes_begin_with_is_counted(rick, items, status):
    class Each(AbstractFanOut):
        tasks = [flows.Note]

        def items(self):
            return items

        def make_data(self, item, pipe_data):
            return {"item": item}

        def join(self):
            return {}

    assert flows.again(started(rick, Each)).status == status


def test_lanes_that_would_copy_very_much_are_refused(alice, rick):
    class Each(flows.Spots):
        tasks = [flows.Fix]

    run = started(rick, flows.Find, Each)
    flows.answer(alice, {"spots": ["x" * 5000] * 100})
    assert "make_data" in Step.objects.filter(run=run).order_by("-id")[0].reason


def test_a_fan_of_many_steps_that_are_done_at_once_is_no_loop(rick):
    class Each(AbstractFanOut):
        tasks = [flows.Note]

        def items(self):
            return list(range(1000))

        def make_data(self, item, pipe_data):
            return {"item": item}

        def join(self):
            return {}

    run = started(rick, flows.Note, Each, flows.Note)
    assert flows.again(run).status == RunStatus.FINISHED


# Elements in odd shapes.


class UntilFixIsGood(AbstractLoopCondition):
    task = flows.Fix

    def again(self, pipe_data):
        return pipe_data["Fix"] != "good"


class DirectOrUntilGood(AbstractCrowdChoice):
    t1 = flows.Fix
    t2 = UntilFixIsGood

    def choice(self):
        return UntilFixIsGood


class OnceUntilGood(AbstractLoopCondition):
    task = UntilFixIsGood

    def again(self):
        return False


class OfItself(AbstractCrowdChoice):
    def __init__(self, workflow=None):
        self.branches = [flows.Fix]

    def choice(self):
        return self.branches[0]


@pytest.mark.parametrize("element", [DirectOrUntilGood, OnceUntilGood, UntilFixIsGood])
def test_a_loop_goes_on_however_its_task_was_come_to(alice, rick, element):
    run = started(rick, element)
    flows.answer(alice, "bad")
    assert flows.path(run) == ["Fix DONE", "Fix WAITING"]
    flows.answer(alice, "good")
    assert flows.again(run).status == RunStatus.FINISHED


def test_branches_that_a_choice_has_by_itself_are_found_again(alice, rick):
    run = started(rick, OfItself)
    flows.answer(alice, "x")
    assert flows.again(run).status == RunStatus.FINISHED


def test_two_classes_of_one_name_are_refused_at_the_start(rick):

    other = type("Fix", (HumanTask,), {"queue": "digits"})

    class Either(AbstractCrowdChoice):
        t1 = flows.Fix
        t2 = other

        def choice(self):
            return other

    with pytest.raises(PipelineError, match="Fix"):
        started(rick, Either)


def test_a_choice_may_change_its_mind_when_it_is_tried_again(alice, rick):

    class Fan(AbstractFanOut):
        tasks = [flows.Find]

        def items(self):
            return [1]

    class Minded(AbstractCrowdChoice):
        branches = [flows.Fix, flows.Note, Fan]
        mind: Any = flows.Fix

        def choice(self):
            return Minded.mind

    for mind, path in ((flows.Note, ["Note DONE"]), (Fan, ["Fan WAITING", "Find WAITING"])):
        Minded.mind = flows.Fix
        run = started(rick, Minded)
        lifecycle.cancel_task(task_id=Task.objects.get(step__run=run).pk)
        Minded.mind = mind
        runs.retry(run_id=run.pk)
        assert flows.path(run) == path


# Who does not get a task.


def test_whoever_worked_in_a_fan_that_was_joined_is_kept_from_what_names_their_step(alice, rick):
    (bob,) = flows.crowd("bob")

    class Fixes(flows.Spots):
        tasks = [flows.Fix]

        def join(self):
            return {}

    started(rick, flows.Find, Fixes, flows.Verify)
    flows.answer(alice, {"spots": ["x"]})
    flows.answer(bob, "fixed")
    assert cast.grab(bob).assignments == []
    flows.answer(alice, "good")


def test_whoever_worked_in_an_earlier_round_is_kept_from_what_names_their_step(alice, rick):
    (bob,) = flows.crowd("bob")

    class One(AbstractFanOut):
        tasks = [flows.Fix, flows.Verify]

        def items(self):
            return ["x"]

    class Until(AbstractLoopCondition):
        task = One

        def again(self, pipe_data):
            return pipe_data["One"][0]["Verify"] != "good"

    started(rick, Until)
    flows.answer(alice, "fixed once")
    flows.answer(bob, "bad")
    flows.answer(bob, "fixed twice")
    assert cast.grab(alice).assignments == []


def test_whoever_judged_a_task_that_was_posted_anew_is_kept_from_what_names_its_step(alice, rick):

    bob, carol = flows.crowd("bob", "carol")

    class FixTwice(HumanTask):
        queue = "digits"
        judgments_required = 2

    class Judge(HumanTask):
        queue = "digits"
        exclude_reviewers_of = "FixTwice"

    run = started(rick, FixTwice, Judge)
    flows.answer(alice, "a")
    lifecycle.cancel_task(task_id=Task.objects.get().pk)
    runs.retry(run_id=run.pk)
    flows.answer(bob, "b")
    flows.answer(carol, "b")
    assert cast.grab(alice).assignments == []


def test_that_holds_where_opening_it_anew_fails_at_first(alice, rick):
    bob, carol = flows.crowd("bob", "carol")

    class Unready(HumanTask):
        queue = "digits"
        judgments_required = 2
        ready = True

        def make_input(self):
            return {} if Unready.ready else 1 / 0

    class Judge(HumanTask):
        queue = "digits"
        exclude_reviewers_of = ["Unready"]

    run = started(rick, Unready, Judge)
    flows.answer(alice, "a")
    lifecycle.cancel_task(task_id=Task.objects.get().pk)
    for ready in (False, True):
        Unready.ready = ready
        runs.retry(run_id=run.pk)
    flows.answer(bob, "b")
    flows.answer(carol, "b")
    assert cast.grab(alice).assignments == []


def test_nobody_judges_a_step_twice_that_names_itself(alice, rick):
    class Twice(HumanTask):
        queue = "digits"
        judgments_required = 2
        exclude_reviewers_of = ["Twice"]

    run = started(rick, Twice)
    flows.answer(alice, "a")
    lifecycle.cancel_task(task_id=Task.objects.get().pk)
    runs.retry(run_id=run.pk)
    assert cast.grab(alice).assignments == []


# Code that closes other tasks of its run.


class First(HumanTask):
    queue = "digits"

    def on_answer(self, output):
        for task in Task.objects.filter(step__name="First", status=TaskStatus.AVAILABLE):
            lifecycle.cancel_task(task_id=task.pk)
        return {"won": output}

    def on_canceled(self):
        return {"won": None}


class Three(AbstractFanOut):
    tasks = [First]

    def items(self):
        return [1, 2, 3]


class Breaks(AbstractTask):
    def get(self):
        return {}

    def post(self):
        raise ValueError


class ThreeThatBreak(Three):
    tasks = [First, Breaks]


def test_the_first_answer_may_close_the_other_tasks(alice, rick, django_capture_on_commit_callbacks):
    run = started(rick, Three)
    with django_capture_on_commit_callbacks(execute=True):
        flows.answer(alice, "x")
    run = flows.again(run)
    assert run.status == RunStatus.FINISHED
    assert sorted(str(lane["won"]) for lane in run.data["Three"]) == ["None", "None", "x"]


def test_the_same_where_the_step_behind_it_fails(alice, rick, django_capture_on_commit_callbacks):
    run = started(rick, ThreeThatBreak)
    with django_capture_on_commit_callbacks(execute=True):
        flows.answer(alice, "x")
    assert flows.again(run).status == RunStatus.STUCK
    assert Step.objects.filter(run=run, name="Breaks", status=StepStatus.FAILED_RETRYABLE).count() == 3
    assert Event.objects.filter(object_type="run", object_id=run.pk).count() == flows.again(run).sequence
    assert invariants.broken() == {}
