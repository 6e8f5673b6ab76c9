"""Starting runs, and what is done to them from outside. Each is one transaction under the run's row."""

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from queues import lifecycle, strictjson
from queues.exceptions import InvalidInput
from queues.models import Task
from queues.states import CLOSED
from queues.transactions import database_now, is_passing, writer
from routing import definitions
from routing.abstract_workflow import AbstractWorkFlow
from routing.exceptions import NotFailed, NothingToRetry, RunOver
from routing.grounds import is_asking, refuse_own_code
from routing.models import Run, Step
from routing.moving import Moving
from routing.realizing import realize
from routing.states import LIVE, OPEN, RunStatus, StepStatus

logger = logging.getLogger(__name__)

VERSION_MAX = 40
CANCELED = "run canceled"


@writer
def start(*, workflow: type[AbstractWorkFlow], input: Mapping[str, Any], by: Any, now: datetime | None = None) -> Run:
    """Start a run of a workflow, for a user: its first task is posted with this.

    `input` is where its pipe data begins. Raises InvalidInput, NoTaskFoundError, PipelineError, and what the workflow's
    `run` and `pre_pipeline` raise.
    """
    if not isinstance(input, Mapping):
        raise InvalidInput.at("/input", "Must be an object.")
    data = copy.deepcopy(dict(input))
    try:
        strictjson.check(data)
    except strictjson.StrictJSONError as error:
        raise InvalidInput.at(f"/input{error.pointer}", error.detail) from None
    flow = realize(workflow, None, "crowdrouter")
    plan = definitions.plan(flow, data, user=by)
    moment = database_now(now)
    pipe_data = copy.deepcopy(data)
    flow.pre_pipeline(realize(plan[0], flow, "workflow"), pipe_data)
    strictjson.check(pipe_data)
    run = Run.objects.create(
        workflow=definitions.key_of(workflow),
        name=workflow.get_name(),
        version=str(workflow.version)[:VERSION_MAX],
        input=data,
        started_by=by,
        created_at=moment,
    )
    moving = Moving(run, now=moment, actor=by)
    moving.begin([kind.get_name() for kind in plan], pipe_data)
    moving.save()
    return run


def _locked(run_id: int) -> Run:
    """Raises Run.DoesNotExist, and TaskError within the run's own code."""
    refuse_own_code(run_id)
    return Run.objects.select_related("started_by").select_for_update(no_key=True, of=("self",)).get(pk=run_id)


def _steps(run_id: int) -> Any:
    return Step.objects.filter(run=run_id).select_related("lane", "task__queue").order_by("id")


def answered(*, tasks: Sequence[Task], now: datetime) -> None:
    """Tasks of queues have closed: the runs that posted them go on. In the transaction that closed them.

    All runs are locked first, in the order of their ids: two that close tasks of the same runs do not wait in a circle.
    """
    closed = {task.pk: task for task in tasks}
    # Of what is read beside the locked runs only the steps could have changed while those were waited for, and their
    # status is asked again by the UPDATE that ends them.
    steps = list(
        Step.objects.filter(task__in=closed)
        .select_related("lane", "run__started_by")
        .order_by("run_id", "id")
        .select_for_update(no_key=True, of=("run",))
    )
    by_run: dict[int, list[Step]] = {}
    for step in steps:
        step.task = closed[step.task_id or 0]
        by_run.setdefault(step.run_id, []).append(step)
    for run_id, group in by_run.items():
        if is_asking(run_id):
            # The run's own code closed them: the move that is under way goes on first.
            _catch_up_later(group)
        elif len(by_run) == 1:
            # It has the savepoint in which hooks are sent.
            _move_all(group[0].run, group, now=now)
        else:
            _move_apart(run_id, group, now=now)


def _move_all(run: Run, steps: list[Step], *, now: datetime) -> None:
    moving = Moving(run, now=now)
    for step in steps:
        moving.take_answer(step)
    moving.save()


def _move_apart(run_id: int, steps: list[Step], *, now: datetime) -> None:
    """Move one of several runs: what cannot be moved is tried again after the commit, and does not hold up the rest."""
    try:
        with transaction.atomic():
            # As it is now: code of a run before it may have moved it.
            run = Run.objects.select_related("started_by").get(pk=run_id)
            _move_all(run, steps, now=now)
    except Exception as error:
        if is_passing(error):
            raise
        logger.exception("Run %s could not be moved.", run_id)
        _catch_up_later(steps)


def _catch_up_later(steps: list[Step]) -> None:
    for step in steps:
        transaction.on_commit(partial(_alone, _catch_up, step.pk, step.run_id), robust=True)


@writer
def retry(*, run_id: int, step_id: int | None = None, actor: Any = None, now: datetime | None = None) -> Run:
    """Try a step again that failed, or all that did. A task that was not answered in time is posted anew.

    Raises Run.DoesNotExist, RunOver, NothingToRetry.
    """
    run = _locked(run_id)
    if run.status not in OPEN:
        raise RunOver(f"Run {run_id} is {RunStatus(run.status).label}.")
    failed = _steps(run_id).filter(status=StepStatus.FAILED_RETRYABLE)
    if step_id is not None:
        failed = failed.filter(pk=step_id)
    steps = list(failed)
    if not steps:
        raise NothingToRetry(f"No such step of run {run_id} waits to be tried again.")
    moving = Moving(run, now=database_now(now), actor=actor)
    for step in steps:
        moving.try_again(step)
    moving.save()
    return run


@writer
def resume(*, run_id: int, actor: Any = None, now: datetime | None = None) -> Run:
    """Let a run that failed go on: with the step that was not there, and with what was answered meanwhile.

    Raises Run.DoesNotExist, NotFailed.
    """
    run = _locked(run_id)
    if run.status != RunStatus.FAILED:
        raise NotFailed(f"Run {run_id} is {RunStatus(run.status).label}; one that failed can be resumed.")
    moving = Moving(run, now=database_now(now), actor=actor)
    moving.end(RunStatus.RUNNING)
    for step in list(_steps(run_id).filter(status__in=LIVE)):
        if run.status != RunStatus.RUNNING:
            break
        if step.status == StepStatus.FAILED_RETRYABLE:
            moving.try_again(step, resumed=True)
        elif step.task is not None and step.task.status in CLOSED:
            moving.take_answer(step)
    moving.save()
    return run


@writer
def cancel(*, run_id: int, reason: str = "", actor: Any = None, now: datetime | None = None) -> Run:
    """End a run, and cancel the tasks that it waits for. Raises Run.DoesNotExist, RunOver.

    The tasks are locked before the run is, as whoever answers one does; so none is locked under the run. A task that
    was posted in between is canceled after the commit (`cancel_tasks`).
    """
    waiting = Step.objects.filter(run=run_id, status=StepStatus.WAITING, task__isnull=False)
    ids = list(waiting.values_list("task", flat=True))
    tasks = {task.pk: task for task in Task.objects.filter(pk__in=ids).locked()}
    run = _locked(run_id)
    if run.status in (RunStatus.FINISHED, RunStatus.CANCELED):
        raise RunOver(f"Run {run_id} is {RunStatus(run.status).label}.")
    moment = database_now(now)
    steps = Step.objects.filter(run=run_id, status__in=LIVE)
    left = steps.filter(task__isnull=False).exclude(task__in=tasks)
    left.update(to_cancel=True)
    steps.update(status=StepStatus.CANCELED, ended_at=moment)
    moving = Moving(run, now=moment, actor=actor)
    moving.end(RunStatus.CANCELED, reason=reason)
    moving.save()
    still_open = [task for task in tasks.values() if task.status not in CLOSED]
    lifecycle.cancel(still_open, reason=CANCELED, now=moment, actor=actor)
    transaction.on_commit(cancel_tasks, robust=True)
    return run


def cancel_tasks(*, limit: int = 500) -> int:
    """Cancel the tasks of canceled runs that were posted while that was done; how many it was."""
    steps = list(Step.objects.filter(to_cancel=True).order_by("id")[:limit])
    return sum(_alone(_cancel_task, step) for step in steps)


@writer
def _cancel_task(step: Step) -> None:
    tasks = [task for task in Task.objects.filter(step=step).locked() if task.status not in CLOSED]
    lifecycle.cancel(tasks, reason=CANCELED, now=database_now())
    Step.objects.filter(pk=step.pk).update(to_cancel=False)


def catch_up(*, limit: int = 500) -> int:
    """Let runs go on whose task closed without their hearing of it; how many steps it was."""
    # By the index of those that wait: by id, all that there ever were would be passed over.
    found = list(Step.objects.left_behind().order_by("task_id").values_list("pk", "run")[:limit])
    return sum(_alone(_catch_up, step_id, run_id) for step_id, run_id in found)


def _alone(work: Callable[..., None], *about: Any) -> bool:
    """Do something of which there is more; whether it went well. What goes wrong does not hold up the rest."""
    try:
        work(*about)
    except Exception:
        logger.exception("%s failed for %s.", work.__name__, about)
        return False
    return True


def _catch_up(step_id: int, run_id: int) -> None:
    """Raises what a move raises that the database asks to be run again; for all else the step is marked."""
    try:
        _move(step_id, run_id)
    except Exception as error:
        if is_passing(error):
            raise
        logger.exception("Step %s of run %s could not be moved.", step_id, run_id)
        _mark(step_id, run_id, error)


@writer
def _move(step_id: int, run_id: int) -> None:
    moving = Moving(_locked(run_id), now=database_now())
    moving.take_answer(_steps(run_id).get(pk=step_id))
    moving.save()


@writer
def _mark(step_id: int, run_id: int, error: Exception) -> None:
    """A step that moves in no way waits for somebody who looks at it."""
    run, step = _locked(run_id), _steps(run_id).get(pk=step_id)
    if run.status in OPEN and step.status == StepStatus.WAITING:
        moving = Moving(run, now=database_now())
        moving.fail(step, error)
        moving.save()
