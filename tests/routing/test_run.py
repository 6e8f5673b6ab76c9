"""Runs: workflows that go on across people and days."""

import pytest
from django.db import transaction

from assignments.models import Assignment, Exclusion
from queues.exceptions import InvalidInput
from queues.models import Event, Task
from queues.states import TaskStatus
from routing import AbstractCrowdChoice, HumanTask, NoTaskFoundError, PipelineError
from routing import runs as running
from routing.abstract_workflow import AbstractWorkFlow
from routing.models import Lane, Step
from routing.moving import Moving
from routing.states import AT_ONCE_MAX, RunStatus, StepStatus
from tests import cast, flows

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return flows.crowd("alice")[0]


@pytest.fixture
def rick(alice):
    return cast.person("rick")


def test_a_run_posts_the_task_of_its_first_step(rick):
    run = flows.Sequence.start({"text": "teh"}, by=rick)
    task = Task.objects.get()
    assert (task.input_data, task.has_hook, task.global_keys) == ({"text": "teh"}, True, [f"run:{run.pk}"])
    assert (task.requester, task.queue.name) == (rick, "digits")
    assert flows.path(run) == ["Find WAITING"]
    assert run.status == RunStatus.RUNNING


def test_an_answer_moves_the_run_on(alice, rick):
    run = flows.Sequence.start({"text": "teh"}, by=rick)
    flows.answer(alice, {"spot": 0})
    assert flows.path(run) == ["Find DONE", "Fix WAITING"]
    assert Task.objects.get(status=TaskStatus.AVAILABLE).input_data == {"text": "teh", "Find": {"spot": 0}}


def test_the_last_answer_ends_the_run_with_its_data(alice, rick):
    (bob,) = flows.crowd("bob")
    run = flows.Sequence.start({"text": "teh"}, by=rick)
    for who, answer in ((alice, "a"), (alice, "b"), (bob, "c")):
        flows.answer(who, answer)
    run = flows.again(run)
    assert (run.status, run.data) == (RunStatus.FINISHED, {"text": "teh", "Find": "a", "Fix": "b", "Verify": "c"})
    assert run.ended_at is not None
    assert Lane.objects.get().data == run.data


def test_on_answer_may_give_back_what_goes_into_the_pipe_data(alice, rick):
    class Length(HumanTask):
        queue = "digits"

        def on_answer(self, output):
            return {"length": len(output)}

    class Measured(AbstractWorkFlow):
        tasks = [Length]

    run = Measured.start({}, by=rick)
    flows.answer(alice, "four")
    assert flows.again(run).data == {"length": 4}


def test_make_input_makes_the_tasks_input(rick):
    class Shown(HumanTask):
        queue = "digits"
        topic = "fr"
        priority = 5
        judgments_required = 2
        seconds_to_expire = 600

        def make_input(self, pipe_data):
            return {"shown": pipe_data["text"].upper()}

    class Showing(AbstractWorkFlow):
        tasks = [Shown]

    Showing.start({"text": "teh", "secret": 1}, by=rick)
    task = Task.objects.get()
    assert task.input_data == {"shown": "TEH"}
    assert (task.topic, task.priority, task.judgments_required) == ("fr", 5, 2)
    assert task.expire_at is not None


def test_reviewers_of_a_named_step_do_not_get_a_task(alice, rick):
    (bob,) = flows.crowd("bob")
    flows.Sequence.start({}, by=rick)
    flows.answer(bob, "spot")
    flows.answer(alice, "fixed")
    verify = Task.objects.get(status=TaskStatus.AVAILABLE)
    assert Exclusion.objects.get(task=verify).reviewer.user == alice.user
    assert cast.grab(alice).assignments == []
    flows.answer(bob, "good")


def test_a_task_of_no_queue_is_done_at_once(alice, rick):
    run = flows.Noted.start({}, by=rick)
    assert flows.path(run) == ["Note DONE", "Find WAITING"]
    flows.answer(alice, "spot")
    assert flows.path(run) == ["Note DONE", "Find DONE", "Note DONE"]
    assert flows.again(run).data == {"noted": 2, "Find": "spot"}


def test_repeat(alice, rick):
    run = flows.Repeated.start({}, by=rick)
    for answer in "abc":
        flows.answer(alice, answer)
    assert flows.path(run) == ["Find DONE"] * 3
    assert flows.again(run).data == {"Find": "c"}


def test_random_is_chosen_once(alice, rick):
    names = set()
    for _time in range(20):
        run = flows.AtRandom.start({}, by=rick)
        names.add(Step.objects.get(run=run).name)
        flows.answer(alice, "done")
        assert flows.again(run).status == RunStatus.FINISHED
    assert names == {"Find", "Fix"}


@pytest.mark.parametrize(("wrong", "second"), [(True, "Fix WAITING"), (False, "Note DONE")])
def test_a_choice_takes_one_of_its_branches(alice, rick, wrong, second):
    run = flows.Chosen.start({}, by=rick)
    flows.answer(alice, {"wrong": wrong})
    assert flows.path(run)[1] == second
    assert Step.objects.get(run=run, number=2).element == "FixOrNote"


def test_a_choice_sees_what_the_step_before_gave(alice, rick):
    run = flows.Chosen.start({}, by=rick)
    flows.answer(alice, {"wrong": True})
    flows.answer(alice, "fixed")
    assert flows.path(run) == ["Find DONE", "Fix DONE", "Verify WAITING"]


def test_a_loop_repeats_its_task_while_it_says_so(alice, rick):
    run = flows.Looped.start({}, by=rick)
    flows.answer(alice, "spot")
    for good in (False, False, True):
        flows.answer(alice, {"good": good})
    assert flows.path(run) == ["Find DONE", "Fix DONE", "Fix DONE", "Fix DONE", "Verify WAITING"]


def test_a_choice_that_comes_back_to_itself_fails_its_step(rick):
    class Round(AbstractCrowdChoice):
        def choice(self):
            return Round

    Round.t1 = Round

    class Circling(AbstractWorkFlow):
        tasks = [Round]

        def run(self, crowd_request):
            return self.pipeline(crowd_request)

    run = Circling.start({}, by=rick)
    assert flows.path(run) == ["Round FAILED_RETRYABLE"]


def test_a_fan_has_a_lane_for_each_item_and_joins_them(alice, rick):
    bob, carol = flows.crowd("bob", "carol")
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": ["x", "y"]})
    assert flows.path(run) == ["Find DONE", "Spots WAITING", "Fix WAITING", "Fix WAITING"]
    flows.answer(bob, "bob's x")
    flows.answer(carol, "carol's y")
    assert flows.again(run).status == RunStatus.RUNNING
    # bob may verify what carol fixed, and the other way round.
    assert {cast.grab(bob).assignments[0].task.input_data["item"]} == {"y"}
    flows.answer(bob, "good y")
    flows.answer(carol, "good x")
    run = flows.again(run)
    assert run.status == RunStatus.FINISHED
    assert run.data["fixed"] == [["x", "bob's x", "good x"], ["y", "carol's y", "good y"]]
    assert run.data["noted"] == 1


def test_a_fan_over_nothing_joins_at_once(alice, rick):
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": []})
    assert flows.again(run).data == {"Find": {"spots": []}, "fixed": [], "noted": 1}


def test_the_hooks_of_pipelines_are_called(alice, rick):
    class Hooked(flows.Sequence):
        tasks = [flows.Find, flows.Fix]

        def pre_pipeline(self, task, pipe_data):
            pipe_data["begun"] = task.get_name()

        def step_pipeline(self, next_task, prev_task, response, pipe_data):
            pipe_data["steps"] = [prev_task.get_name(), next_task.get_name(), response.response["output"]]

        def post_pipeline(self, task, response, pipe_data):
            pipe_data["ended"] = task.get_name()

    run = Hooked.start({}, by=rick)
    flows.answer(alice, "a")
    flows.answer(alice, "b")
    data = flows.again(run).data
    assert (data["begun"], data["steps"], data["ended"]) == ("Find", ["Find", "Fix", "a"], "Fix")


def test_a_run_tells_its_events(alice, rick):
    run = flows.Repeated.start({}, by=rick)
    for answer in "abc":
        flows.answer(alice, answer)
    told = Event.objects.filter(object_type="run", object_id=run.pk).order_by("sequence")
    assert [event.type for event in told] == ["RUN_STARTED", "RUN_FINISHED"]
    assert told[0].actor == str(rick.pk)


@pytest.mark.parametrize("bad", [[1], "text", None])
def test_the_input_is_an_object(rick, bad):
    with pytest.raises(InvalidInput):
        flows.Sequence.start(bad, by=rick)


def test_the_input_is_json_that_both_databases_keep(rick):
    with pytest.raises(InvalidInput) as refused:
        flows.Sequence.start({"text": "a\0b"}, by=rick)
    assert refused.value.errors[0]["pointer"] == "/input/text"


def test_a_workflow_without_tasks_is_not_started(rick):
    class Empty(AbstractWorkFlow):
        pass

    with pytest.raises(NoTaskFoundError):
        Empty.start({}, by=rick)


def test_a_run_that_could_not_find_its_steps_again_is_not_started(rick):
    class Elsewhere(AbstractWorkFlow):
        tasks = [flows.Find]

        def run(self, crowd_request):
            class Hidden(HumanTask):
                queue = "digits"

            return self.pipeline(crowd_request, [Hidden])

    with pytest.raises(PipelineError):
        Elsewhere.start({}, by=rick)


def test_an_answer_that_is_repeated_moves_nothing(alice, rick):
    from assignments import lifecycle

    run = flows.Sequence.start({}, by=rick)
    assignment = flows.answer(alice, "spot")
    assert lifecycle.finalize(assignment_id=assignment.pk, data="spot", actor=alice.user).repeated
    assert flows.path(run) == ["Find DONE", "Fix WAITING"]


def test_more_judgments_move_the_run_with_the_last(alice, rick):
    (bob,) = flows.crowd("bob")

    class Twice(HumanTask):
        queue = "digits"
        judgments_required = 2

    class Judged(AbstractWorkFlow):
        tasks = [Twice]

    run = Judged.start({}, by=rick)
    flows.answer(alice, {"label": "3"})
    assert flows.again(run).status == RunStatus.RUNNING
    flows.answer(bob, {"label": "3"})
    assert flows.again(run).data == {"Twice": {"label": "3", "agreement": 1.0}}


def test_on_answer_may_ask_for_each_judgment(alice, rick):
    (bob,) = flows.crowd("bob")

    class Twice(HumanTask):
        queue = "digits"
        judgments_required = 2

        def on_answer(self, judgments):
            return {"said": judgments}

    class Judged(AbstractWorkFlow):
        tasks = [Twice]

    run = Judged.start({}, by=rick)
    flows.answer(alice, "one")
    flows.answer(bob, "other")
    assert flows.again(run).data == {"said": ["one", "other"]}


# What goes wrong.


class Broken(HumanTask):
    queue = "digits"
    broken = True

    def on_answer(self, output, pipe_data):
        pipe_data["half"] = True
        if Broken.broken:
            Task.objects.filter(pk=-1).update(topic="never")
            raise RuntimeError("the host's own fault")
        pipe_data["answer"] = output


class Breaking(AbstractWorkFlow):
    tasks = [Broken, flows.Find]


@pytest.fixture
def broken():
    Broken.broken = True
    yield
    Broken.broken = True


@pytest.mark.usefixtures("broken")
def test_code_that_raises_marks_its_step_and_the_answer_stands(alice, rick):
    run = Breaking.start({}, by=rick)
    assignment = flows.answer(alice, "spot")
    step = Step.objects.get(run=run)
    assert Assignment.objects.get(pk=assignment.pk).data == "spot"
    assert Task.objects.get().status == TaskStatus.FINISHED
    assert (step.status, step.reason) == (StepStatus.FAILED_RETRYABLE, "RuntimeError: the host's own fault")
    assert "in on_answer" in step.traceback
    assert flows.again(run).status == RunStatus.STUCK


def test_what_code_did_before_it_raised_is_undone(alice, rick):
    class Half(HumanTask):
        queue = "digits"

        def on_answer(self):
            alice.queue.__class__.objects.filter(pk=alice.queue_id).update(alias="half done")
            raise RuntimeError

    class Halving(AbstractWorkFlow):
        tasks = [Half]

    run = Halving.start({}, by=rick)
    flows.answer(alice, "spot")
    alice.queue.refresh_from_db()
    assert alice.queue.alias == ""
    assert flows.path(run) == ["Half FAILED_RETRYABLE"]


def test_what_code_promised_for_after_the_commit_is_undone(alice, rick, django_capture_on_commit_callbacks):
    class Promising(HumanTask):
        queue = "digits"

        def on_answer(self):
            transaction.on_commit(lambda: done.append("promised"))
            raise RuntimeError

    class Going(AbstractWorkFlow):
        tasks = [Promising]

    done = []
    Going.start({}, by=rick)
    with django_capture_on_commit_callbacks(execute=True):
        flows.answer(alice, "spot")
    assert done == []


def test_what_code_did_to_the_database_stays_where_it_did_not_raise(alice, rick):
    class Whole(HumanTask):
        queue = "digits"

        def on_answer(self):
            with transaction.atomic():
                alice.queue.__class__.objects.filter(pk=alice.queue_id).update(alias="done")

    class Going(AbstractWorkFlow):
        tasks = [Whole]

    Going.start({}, by=rick)
    flows.answer(alice, "spot")
    alice.queue.refresh_from_db()
    assert alice.queue.alias == "done"


def test_code_that_broke_its_transaction_leaves_the_answer(alice, rick):
    class Doubling(HumanTask):
        queue = "digits"

        def on_answer(self):
            Lane.objects.create(run=Step.objects.get().run, plan=[])

    class Going(AbstractWorkFlow):
        tasks = [Doubling]

    run = Going.start({}, by=rick)
    assignment = flows.answer(alice, "spot")
    assert Assignment.objects.get(pk=assignment.pk).data == "spot"
    assert flows.path(run) == ["Doubling FAILED_RETRYABLE"]


def test_a_step_that_has_moved_does_not_move_again(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    flows.answer(alice, "spot")
    step = Step.objects.get(run=run, number=1)
    with pytest.raises(PipelineError):
        Moving(run, now=run.created_at).move(step, StepStatus.DONE)


@pytest.mark.usefixtures("broken")
def test_trying_again_takes_the_answer_that_stands(alice, rick):
    run = Breaking.start({}, by=rick)
    flows.answer(alice, "spot")
    Broken.broken = False
    running.retry(run_id=run.pk, actor=rick)
    assert flows.path(run) == ["Broken DONE", "Find WAITING"]
    step = Step.objects.get(run=run, number=1)
    assert (step.attempts, step.reason, step.traceback) == (2, "", "")
    assert Step.objects.get(run=run, number=2).data == {"half": True, "answer": "spot"}
    assert flows.again(run).status == RunStatus.RUNNING


@pytest.mark.usefixtures("broken")
def test_trying_again_may_fail_again(alice, rick):
    run = Breaking.start({}, by=rick)
    flows.answer(alice, "spot")
    running.retry(run_id=run.pk)
    assert Step.objects.get(run=run).attempts == 2
    assert flows.again(run).status == RunStatus.STUCK


def test_what_make_input_raises_marks_the_step_that_was_to_be_opened(alice, rick):
    class Unready(HumanTask):
        queue = "digits"
        ready = False

        def make_input(self, pipe_data):
            if not Unready.ready:
                raise KeyError("page")
            return pipe_data

    class Going(AbstractWorkFlow):
        tasks = [flows.Find, Unready]

    run = Going.start({}, by=rick)
    flows.answer(alice, "spot")
    assert flows.path(run) == ["Find DONE", "Unready FAILED_RETRYABLE"]
    Unready.ready = True
    running.retry(run_id=run.pk)
    assert flows.path(run) == ["Find DONE", "Unready WAITING"]
    flows.answer(alice, "read")
    assert flows.again(run).status == RunStatus.FINISHED


def test_a_task_that_the_queue_refuses_marks_its_step(alice, rick):
    class Refused(HumanTask):
        queue = "digits"
        priority = 3

    class Going(AbstractWorkFlow):
        tasks = [Refused]

    run = Going.start({}, by=rick)
    step = Step.objects.get(run=run)
    assert step.status == StepStatus.FAILED_RETRYABLE
    assert "/priority" in step.reason
    assert flows.again(run).status == RunStatus.STUCK


def test_a_queue_that_there_is_not_marks_its_step(alice, rick):
    class Lost(HumanTask):
        queue = "nowhere"

    class Going(AbstractWorkFlow):
        tasks = [Lost]

    run = Going.start({}, by=rick)
    cast.queue("nowhere")
    assert "nowhere" in Step.objects.get(run=run).reason
    running.retry(run_id=run.pk)
    assert flows.path(run) == ["Lost WAITING"]


def test_one_lane_that_fails_leaves_the_others_alone(alice, rick):
    class Picky(HumanTask):
        queue = "digits"

        def make_input(self, pipe_data):
            return {"n": 10 // pipe_data["item"]}

    class Each(flows.Spots):
        tasks = [Picky]

        def join(self, results):
            return {"n": [lane["Picky"] for lane in results]}

    class Going(AbstractWorkFlow):
        tasks = [flows.Find, Each]

    run = Going.start({}, by=rick)
    flows.answer(alice, {"spots": [1, 0, 2]})
    assert flows.path(run)[2:] == ["Picky FAILED_RETRYABLE", "Picky WAITING", "Picky WAITING"]
    flows.answer(alice, "one")
    flows.answer(alice, "two")
    assert flows.again(run).status == RunStatus.STUCK


def test_a_task_that_a_batch_refuses_is_refused_alone(alice, rick):
    class Each(flows.Spots):
        tasks = [flows.Fix]

        def make_data(self, item, pipe_data):
            return {"item": item}

    class Going(AbstractWorkFlow):
        tasks = [flows.Find, Each]

    from queues import administration

    run = Going.start({}, by=rick)
    flows.answer(alice, {"spots": ["a", 5, "b"]})
    assert flows.path(run)[2:] == ["Fix WAITING"] * 3
    schema = {"type": "object", "properties": {"item": {"type": "string"}}}
    administration.update_queue(queue_id=alice.queue_id, changes={"input_schema": schema}, actor=cast.person("mia"))
    other = Going.start({"item": "x"}, by=rick)
    held = Task.objects.get(step__run=other)
    from assignments import claims, lifecycle
    from queues.models import Membership

    mine = claims.assign(
        membership=Membership.objects.select_related("queue", "user").get(pk=alice.pk), task_id=held.pk, call={}
    )
    lifecycle.finalize(assignment_id=mine.pk, data={"spots": ["a", 5, "b"]}, actor=alice.user)
    assert sorted(flows.path(other)[2:]) == ["Fix FAILED_RETRYABLE", "Fix WAITING", "Fix WAITING"]


def test_a_loop_that_does_not_end_is_stopped(rick):
    class Forever(flows.UntilGood):
        task = flows.Note

        def again(self):
            return True

    class Going(AbstractWorkFlow):
        tasks = [Forever]

    run = Going.start({}, by=rick)
    assert flows.again(run).status == RunStatus.STUCK
    assert "does not end" in Step.objects.filter(run=run).order_by("-id")[0].reason
    assert Step.objects.filter(run=run).count() == AT_ONCE_MAX + 1
