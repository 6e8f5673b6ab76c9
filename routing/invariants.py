"""What must always be true of runs (see queues.invariants)."""

from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery

from queues.invariants import OWN, invariant, saying_something_else
from queues.models import Event
from queues.states import OPEN as OPEN_TASK
from routing.models import Lane, Run, Step
from routing.states import LIVE, OPEN, RUN_EVENT, EventType, RunStatus, StepKind, StepStatus


@invariant
def a_lane_that_goes_on_has_a_live_step() -> QuerySet[Any, Any]:
    """A lane of a run that is not over has a live step until it ends, and none then."""
    live = Exists(Step.objects.filter(lane=OuterRef("pk")).live())
    goes_on = Q(run__status__in=[*OPEN, RunStatus.FAILED], ended_at__isnull=True)
    return Lane.objects.filter((goes_on & ~live) | (Q(ended_at__isnull=False) & live))


@invariant
def steps_are_numbered_without_gaps() -> QuerySet[Any, Any]:
    """The steps of a lane are numbered from 1, one after the other."""
    return Lane.objects.annotate(many=Count("steps"), last=Max("steps__number")).exclude(
        Q(many=F("last")) | Q(many=0, last__isnull=True)
    )


@invariant
def a_finished_run_has_nothing_left() -> QuerySet[Any, Any]:
    """Every lane of a finished run has ended, and its own came to what the run did."""
    lanes = Lane.objects.filter(run=OuterRef("pk"))
    unlike = lanes.filter(parent__isnull=True).exclude(data=F("run__data"))
    return Run.objects.filter(Exists(lanes.filter(ended_at__isnull=True)) | Exists(unlike), status=RunStatus.FINISHED)


@invariant
def a_run_is_stuck_where_a_step_failed() -> QuerySet[Any, Any]:
    """A run that is not over is stuck exactly where one of its steps waits to be tried again."""
    failed = Exists(Step.objects.filter(run=OuterRef("pk"), status=StepStatus.FAILED_RETRYABLE))
    return Run.objects.filter((Q(status=RunStatus.RUNNING) & failed) | (Q(status=RunStatus.STUCK) & ~failed))


@invariant
def a_canceled_run_has_no_live_step() -> QuerySet[Any, Any]:
    """Nothing of a canceled or finished run waits."""
    return Step.objects.filter(status__in=LIVE, run__status__in=[RunStatus.CANCELED, RunStatus.FINISHED])


@invariant
def a_step_that_asks_people_has_a_task() -> QuerySet[Any, Any]:
    """A step that waits for people has a task of a queue, with a hook; one that has ended has no open task."""
    people = Step.objects.filter(kind=StepKind.HUMAN)
    without = Q(status=StepStatus.WAITING) & (Q(task__isnull=True) | Q(task__has_hook=False))
    left = Q(status__in=[StepStatus.DONE, StepStatus.CANCELED], task__status__in=OPEN_TASK, to_cancel=False)
    return people.filter(without | left)


@invariant
def a_step_is_of_its_lanes_run() -> QuerySet[Any, Any]:
    """A step and its lane are of one run, and so are a lane and the step that it came from."""
    elsewhere = Lane.objects.filter(parent=OuterRef("pk")).exclude(run=OuterRef("run"))
    return Step.objects.filter(Exists(elsewhere) | ~Q(run=F("lane__run")))


@invariant
def a_runs_history_is_complete() -> QuerySet[Any, Any]:
    """A run has as many events as its sequence says, and the last names the status that it has."""
    last = Event.objects.filter(object_type="run", object_id=OuterRef("pk")).annotate(told=OWN).order_by("-sequence")
    told = Run.objects.annotate(told=Subquery(last.values("told")[:1]), events=Subquery(last.values("sequence")[:1]))
    return told.exclude(told=F("status"), events=F("sequence"))


@invariant
def a_type_says_the_runs_status() -> QuerySet[Any, Any]:
    """An event of a run names the status that its type says."""
    says = {type_: status for status, type_ in RUN_EVENT.items()}
    return saying_something_else({**says, EventType.RUN_STARTED: RunStatus.RUNNING})
