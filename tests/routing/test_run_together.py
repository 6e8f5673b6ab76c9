"""Tasks of runs that close together, in one transaction: each run moves once, and none holds up another."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from queues import invariants, lifecycle
from queues.models import Event, Task
from queues.transactions import database_now
from routing import AbstractFanOut, HumanTask, runs
from routing.abstract_workflow import AbstractWorkFlow
from routing.models import Run, Step
from routing.states import RunStatus
from tests import cast, flows

pytestmark = pytest.mark.django_db


class Optional(HumanTask):
    queue = "digits"

    def on_canceled(self):
        return {"x": 1}


class Picky(HumanTask):
    queue = "digits"

    def on_canceled(self, pipe_data):
        return {"x": 1 / (pipe_data["item"] - 1)}


class EachOptional(AbstractFanOut):
    tasks: Any = [Optional]

    def items(self):
        return [1, 2, 3]


class EachPicky(EachOptional):
    tasks = [Picky]


class EachFix(EachOptional):
    tasks = [flows.Fix]


class AllOptional(AbstractWorkFlow):
    tasks = [EachOptional]


class AllPicky(AbstractWorkFlow):
    tasks = [EachPicky]


class AllFix(AbstractWorkFlow):
    tasks = [EachFix]


@pytest.fixture
def rick() -> Any:
    cast.queue()
    return cast.person("rick")


def close(tasks: Any) -> None:
    """Cancel all of these in one transaction."""
    with transaction.atomic():
        lifecycle.cancel(list(tasks.locked()), reason="", now=database_now())


def events(run: Run) -> list[str]:
    told = Event.objects.filter(object_type="run", object_id=run.pk).order_by("sequence")
    return list(told.values_list("type", flat=True))


@pytest.mark.parametrize(
    ("workflow", "status", "told"),
    [
        (AllOptional, RunStatus.FINISHED, "RUN_FINISHED"),
        (AllPicky, RunStatus.STUCK, "RUN_STUCK"),
        (AllFix, RunStatus.STUCK, "RUN_STUCK"),
    ],
)
def test_the_lanes_of_a_run_end_together(rick, workflow, status, told):
    run = workflow.start({}, by=rick)
    close(Task.objects.open())
    assert flows.again(run).status == status
    assert events(run) == ["RUN_STARTED", told]
    assert invariants.broken() == {}


def test_a_definition_that_vanished_for_several_lanes_fails_the_run_once(rick, monkeypatch):
    run = AllOptional.start({}, by=rick)
    monkeypatch.setattr(AllOptional, "tasks", [flows.Find])
    close(Task.objects.open())
    assert flows.again(run).status == RunStatus.FAILED
    assert events(run) == ["RUN_STARTED", "RUN_FAILED"]
    monkeypatch.setattr(AllOptional, "tasks", [EachOptional])
    runs.resume(run_id=run.pk)
    assert flows.again(run).status == RunStatus.FINISHED


def test_a_run_that_cannot_be_moved_does_not_hold_up_the_others(rick, monkeypatch, django_capture_on_commit_callbacks):
    first, second = (AllOptional.start({}, by=rick) for _time in range(2))
    plain = runs.Moving.take_answer

    def broken(self: Any, step: Step) -> None:
        if step.run_id == first.pk:
            raise RuntimeError("odd")
        plain(self, step)

    monkeypatch.setattr(runs.Moving, "take_answer", broken)
    with django_capture_on_commit_callbacks(execute=True):
        close(Task.objects.open())
    assert flows.again(second).status == RunStatus.FINISHED
    # Tried again after the commit, and marked for somebody to look at.
    assert flows.again(first).status == RunStatus.STUCK
    assert "odd" in Step.objects.filter(run=first, name="Optional")[0].reason


def test_a_run_that_another_moves_in_between_is_seen_as_it_is_then(rick):
    class Other(HumanTask):
        queue = "digits"

        def on_canceled(self):
            close(Task.objects.open().filter(step__name="Fix", step__lane__index=2))

    class One(AbstractWorkFlow):
        tasks = [Other]

    mover, moved = One.start({}, by=rick), AllFix.start({}, by=rick)
    close(Task.objects.open().exclude(step__name="Fix", step__lane__index=2))
    assert flows.again(mover).status == RunStatus.FINISHED
    assert events(moved) == ["RUN_STARTED", "RUN_STUCK"]
    assert invariants.broken() == {}


def test_runs_are_locked_in_the_order_of_their_ids(rick):
    for _time in range(2):
        AllOptional.start({}, by=rick)
    with CaptureQueriesContext(connection) as asked:
        close(Task.objects.open())
    locking = [query["sql"] for query in asked if "crowd_routing_step" in query["sql"] and "ORDER BY" in query["sql"]]
    assert '"run_id" ASC' in locking[0]
