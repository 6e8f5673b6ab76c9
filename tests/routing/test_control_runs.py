"""What is done to a run from outside: canceling, trying again, resuming; and what happens to its tasks elsewhere."""

from datetime import timedelta

import pytest
from django.utils import timezone

from assignments import lifecycle as assignments_lifecycle
from assignments.exceptions import AssignmentClosed
from queues import invariants, lifecycle, signals
from queues.models import Event, Task
from queues.states import TaskStatus
from routing import HumanTask, runs
from routing.abstract_workflow import AbstractWorkFlow
from routing.exceptions import NotFailed, NothingToRetry, RunOver
from routing.models import Run, Step
from routing.receivers import move_runs
from routing.states import RunStatus, StepStatus
from tests import cast, flows

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return flows.crowd("alice")[0]


@pytest.fixture
def rick(alice):
    return cast.person("rick")


# Canceling.


def test_canceling_cancels_the_tasks_that_the_run_waits_for(alice, rick):
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": ["x", "y"]})
    runs.cancel(run_id=run.pk, reason="sold out", actor=rick)
    run = flows.again(run)
    assert (run.status, run.reason) == (RunStatus.CANCELED, "sold out")
    assert flows.path(run) == ["Find DONE", "Spots CANCELED", "Fix CANCELED", "Fix CANCELED"]
    assert list(Task.objects.order_by("id").values_list("status", flat=True)) == ["FINISHED", "CANCELED", "CANCELED"]
    assert cast.grab(alice).assignments == []


def test_whoever_holds_a_task_of_a_canceled_run_is_told(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    held = cast.grab(alice).assignments[0]
    runs.cancel(run_id=run.pk)
    with pytest.raises(AssignmentClosed):
        assignments_lifecycle.finalize(assignment_id=held.pk, data="late", actor=alice.user)


@pytest.mark.parametrize("end", ["cancel", "finish"])
def test_a_run_that_is_over_is_not_canceled(alice, rick, end):
    run = flows.Repeated.start({}, by=rick)
    if end == "cancel":
        runs.cancel(run_id=run.pk)
    else:
        for answer in "abc":
            flows.answer(alice, answer)
    with pytest.raises(RunOver):
        runs.cancel(run_id=run.pk)


def test_canceling_tells_an_event(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    runs.cancel(run_id=run.pk, reason="sold out", actor=rick)
    event = Event.objects.filter(object_type="run", object_id=run.pk).latest("sequence")
    assert (event.type, event.delta) == ("RUN_CANCELED", {"status": "CANCELED", "reason": "sold out"})


def test_a_task_that_was_posted_while_its_run_was_canceled_is_canceled_later(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    runs.cancel(run_id=run.pk)
    (left,) = cast.post(alice.queue, has_hook=True)
    Step.objects.filter(run=run).update(task=left, to_cancel=True)
    assert runs.cancel_tasks() == 1
    assert Task.objects.get(pk=left.pk).status == TaskStatus.CANCELED
    assert runs.cancel_tasks() == 0


def test_a_runs_own_code_does_not_cancel_it(alice, rick):
    class Ending(HumanTask):
        queue = "digits"

        def on_answer(self):
            runs.cancel(run_id=Run.objects.get().pk)

    class Going(AbstractWorkFlow):
        tasks = [Ending]

    run = Going.start({}, by=rick)
    flows.answer(alice, "spot")
    assert flows.path(run) == ["Ending FAILED_RETRYABLE"]
    assert flows.again(run).status == RunStatus.STUCK
    runs.cancel(run_id=run.pk)


# Tasks that are not answered.


def test_a_task_that_expires_fails_its_step_and_is_posted_anew(alice, rick):
    now = timezone.now()

    class Hasty(HumanTask):
        queue = "digits"
        seconds_to_expire = 60

    class Hurried(AbstractWorkFlow):
        tasks = [Hasty]

    run = Hurried.start({}, by=rick)
    lifecycle.expire_tasks(now=now + timedelta(seconds=100))
    assert flows.path(run) == ["Hasty FAILED_RETRYABLE"]
    assert "expired" in Step.objects.get().reason
    runs.retry(run_id=run.pk)
    assert flows.path(run) == ["Hasty WAITING"]
    assert list(Task.objects.order_by("id").values_list("status", flat=True)) == ["EXPIRED", "AVAILABLE"]
    flows.answer(alice, "in time")
    assert flows.again(run).data == {"Hasty": "in time"}


def test_a_step_may_go_on_without_an_answer(alice, rick):
    class Optional(HumanTask):
        queue = "digits"

        def on_expired(self, pipe_data):
            return {"answer": "nobody's"}

        def on_canceled(self, pipe_data):
            return {"answer": "not wanted"}

    class Easy(AbstractWorkFlow):
        tasks = [Optional]

    for close, said in ((_expire, "nobody's"), (_cancel, "not wanted")):
        run = Easy.start({}, by=rick)
        close(Task.objects.get(step__run=run))
        assert flows.again(run).data == {"answer": said}


def _expire(task):
    lifecycle.update_task(task_id=task.pk, changes={"expire_at": timezone.now() + timedelta(seconds=50)})
    lifecycle.expire_tasks(now=timezone.now() + timedelta(seconds=60))


def _cancel(task):
    lifecycle.cancel_task(task_id=task.pk)


def test_canceling_a_task_by_hand_fails_its_step(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    lifecycle.cancel_task(task_id=Task.objects.get().pk)
    assert flows.path(run) == ["Find FAILED_RETRYABLE"]
    assert flows.again(run).status == RunStatus.STUCK


def test_on_expired_that_was_mended_is_asked_once_more(alice, rick):
    class Mended(HumanTask):
        queue = "digits"
        mended = False

        def on_canceled(self):
            return {"answer": 1 if Mended.mended else 1 / 0}

    class Mending(AbstractWorkFlow):
        tasks = [Mended]

    run = Mending.start({}, by=rick)
    lifecycle.cancel_task(task_id=Task.objects.get().pk)
    Mended.mended = True
    runs.retry(run_id=run.pk)
    assert flows.again(run).data == {"answer": 1}
    assert Task.objects.count() == 1


# Trying again.


def test_there_must_be_something_to_try_again(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    with pytest.raises(NothingToRetry):
        runs.retry(run_id=run.pk)
    runs.cancel(run_id=run.pk)
    with pytest.raises(RunOver):
        runs.retry(run_id=run.pk)


def test_one_step_may_be_tried_again_alone(alice, rick):
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": ["x", "y"]})
    for task in Task.objects.filter(status=TaskStatus.AVAILABLE):
        lifecycle.cancel_task(task_id=task.pk)
    first, second = Step.objects.filter(run=run, name="Fix").order_by("id")
    runs.retry(run_id=run.pk, step_id=first.pk)
    assert flows.path(run)[2:] == ["Fix WAITING", "Fix FAILED_RETRYABLE"]
    assert flows.again(run).status == RunStatus.STUCK
    runs.retry(run_id=run.pk, step_id=second.pk)
    assert flows.again(run).status == RunStatus.RUNNING
    types = Event.objects.filter(object_type="run").order_by("sequence").values_list("type", flat=True)
    assert list(types) == ["RUN_STARTED", "RUN_STUCK", "RUN_RESUMED"]


def test_a_join_that_raised_is_tried_again(alice, rick, monkeypatch):
    run = flows.Fanned.start({}, by=rick)
    with monkeypatch.context() as patched:
        patched.delattr(flows.Spots, "join")
        patched.setattr(flows.Spots, "join", lambda self: 1 / 0, raising=False)
        flows.answer(alice, {"spots": []})
        assert flows.path(run) == ["Find DONE", "Spots FAILED_RETRYABLE"]
    runs.retry(run_id=run.pk)
    assert flows.again(run).status == RunStatus.FINISHED


def test_the_last_step_that_is_tried_again_ends_the_run(alice, rick, monkeypatch):
    class Last(AbstractWorkFlow):
        tasks = [flows.Find]

    run = Last.start({}, by=rick)
    with monkeypatch.context() as patched:
        patched.setattr(flows.Find, "on_answer", lambda self: 1 / 0)
        flows.answer(alice, "x")
    runs.retry(run_id=run.pk)
    assert flows.again(run).data == {"Find": "x"}


# Definitions that change.


def test_a_run_keeps_its_version_and_its_order(alice, rick, monkeypatch):
    run = flows.Sequence.start({}, by=rick)
    monkeypatch.setattr(flows.Sequence, "version", "2")
    monkeypatch.setattr(flows.Sequence, "tasks", [flows.Verify, flows.Fix, flows.Find])
    flows.answer(alice, "spot")
    assert flows.path(run) == ["Find DONE", "Fix WAITING"]
    assert flows.again(run).version == "1"
    assert flows.Sequence.start({}, by=rick).version == "2"


def test_a_step_that_vanished_fails_the_run_with_a_reason(alice, rick):
    class Gone(HumanTask):
        queue = "digits"

    class Shrinking(AbstractWorkFlow):
        tasks = [flows.Find, Gone]

    run = Shrinking.start({}, by=rick)
    Shrinking.tasks = [flows.Find]
    flows.answer(alice, "spot")
    run = flows.again(run)
    assert run.status == RunStatus.FAILED
    assert run.reason == "Shrinking has no step Gone any more."
    assert flows.path(run) == ["Find FAILED_RETRYABLE"]


def test_a_failed_run_goes_on_when_it_is_resumed(alice, rick):
    class Back(HumanTask):
        queue = "digits"

    class Returning(AbstractWorkFlow):
        tasks = [flows.Find, Back]

    run = Returning.start({}, by=rick)
    Returning.tasks = [flows.Find]
    flows.answer(alice, "spot")
    with pytest.raises(RunOver):
        runs.retry(run_id=run.pk)
    Returning.tasks = [flows.Find, Back]
    runs.resume(run_id=run.pk, actor=rick)
    run = flows.again(run)
    assert (run.status, run.reason, run.ended_at) == (RunStatus.RUNNING, "", None)
    assert flows.path(run) == ["Find DONE", "Back WAITING"]


def test_a_run_that_is_resumed_too_early_fails_again(alice, rick):
    class Late(HumanTask):
        queue = "digits"

    class Waiting(AbstractWorkFlow):
        tasks = [flows.Find, Late]

    run = Waiting.start({}, by=rick)
    Waiting.tasks = [flows.Find]
    flows.answer(alice, "spot")
    runs.resume(run_id=run.pk)
    assert flows.again(run).status == RunStatus.FAILED


def test_what_was_answered_while_a_run_had_failed_is_taken_when_it_is_resumed(alice, rick):
    (bob,) = flows.crowd("bob")
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": ["x"]})
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, reason="vanished", ended_at=timezone.now())
    flows.answer(bob, "fixed")
    assert flows.path(run)[2:] == ["Fix WAITING"]
    runs.resume(run_id=run.pk)
    assert flows.path(run)[2:] == ["Fix DONE", "Verify WAITING"]


def test_only_what_failed_is_resumed(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    with pytest.raises(NotFailed):
        runs.resume(run_id=run.pk)


def test_a_failed_run_may_be_canceled(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.FAILED, reason="vanished", ended_at=timezone.now())
    runs.cancel(run_id=run.pk)
    assert flows.again(run).status == RunStatus.CANCELED
    assert Task.objects.get().status == TaskStatus.CANCELED


# What nobody told the run.


def test_a_run_that_was_not_told_of_an_answer_catches_up(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    signals.tasks_hooked.disconnect(dispatch_uid="routing.move_runs")
    try:
        flows.answer(alice, "spot")
    finally:
        signals.tasks_hooked.connect(move_runs, dispatch_uid="routing.move_runs")
    assert flows.path(run) == ["Find WAITING"]
    assert runs.catch_up() == 1
    assert flows.path(run) == ["Find DONE", "Fix WAITING"]
    assert runs.catch_up() == 0


def test_what_cannot_catch_up_does_not_hold_up_the_rest(alice, rick, monkeypatch):
    first, second = flows.Sequence.start({}, by=rick), flows.Sequence.start({}, by=rick)
    signals.tasks_hooked.disconnect(dispatch_uid="routing.move_runs")
    try:
        flows.answer(alice, "spot")
        flows.answer(alice, "spot")
    finally:
        signals.tasks_hooked.connect(move_runs, dispatch_uid="routing.move_runs")
    plain = runs.Moving.take_answer

    def broken(self, step):
        if step.run_id == first.pk:
            raise RuntimeError("the row is odd")
        plain(self, step)

    monkeypatch.setattr(runs.Moving, "take_answer", broken)
    assert runs.catch_up() == 2
    assert flows.path(first) == ["Find FAILED_RETRYABLE"]
    assert flows.again(first).status == RunStatus.STUCK
    assert flows.path(second) == ["Find DONE", "Fix WAITING"]


def test_a_hook_of_others_is_left_alone(alice, rick):
    cast.post(alice.queue, has_hook=True)
    flows.answer(alice, "other")
    assert not Step.objects.exists()


def test_a_step_whose_run_is_over_does_not_move_it(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    Run.objects.filter(pk=run.pk).update(status=RunStatus.CANCELED, ended_at=timezone.now())
    flows.answer(alice, "spot")
    assert Step.objects.get(run=run).status == StepStatus.WAITING
    assert Task.objects.get().status == TaskStatus.FINISHED


def test_a_sweep_that_closes_two_tasks_of_one_run_moves_it_as_one(alice, rick, monkeypatch):
    monkeypatch.setattr(flows.Fix, "seconds_to_expire", 60)
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": ["x", "y"]})
    assert lifecycle.expire_tasks(now=timezone.now() + timedelta(seconds=100)) == 2
    assert flows.path(run)[2:] == ["Fix FAILED_RETRYABLE", "Fix FAILED_RETRYABLE"]
    types = Event.objects.filter(object_type="run").order_by("sequence").values_list("type", flat=True)
    assert list(types) == ["RUN_STARTED", "RUN_STUCK"]
    assert invariants.broken() == {}


def test_a_sweep_that_closes_the_last_tasks_of_one_run_ends_it(alice, rick, monkeypatch):
    monkeypatch.setattr(flows.Look, "seconds_to_expire", 60)
    monkeypatch.setattr(flows.Look, "on_expired", lambda self: {"seen": "nothing"})
    cast.queue("spots")
    runs_of = [flows.Spotted.start({"spots": [1, 2]}, by=rick) for _time in range(2)]
    assert lifecycle.expire_tasks(now=timezone.now() + timedelta(seconds=100)) == 4
    assert [flows.again(run).status for run in runs_of] == [RunStatus.FINISHED] * 2
    assert [len(flows.again(run).data["EachSpot"]) for run in runs_of] == [2, 2]
    assert invariants.broken() == {}
