"""What must always be true of runs (see queues.invariants)."""

from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import Lag

from queues.invariants import OWN, invariant, saying_something_else, surely
from queues.models import Event
from queues.states import OPEN as OPEN_TASK
from routing.models import Lane, Move, Run, Step
from routing.states import LIVE, OPEN, RUN_EVENT, RUN_TRANSITIONS, EventType, RunStatus, StepKind, StepStatus


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
def a_step_advances_once() -> QuerySet[Any, Any]:
    """Behind each step that is done, and no other, comes one step: at its place again, or at the next in the plan."""
    behind: dict[str, Any] = {"partition_by": F("lane"), "order_by": ["number", "id"]}
    steps = Step.objects.annotate(
        number_before=Window(Lag("number"), **behind),
        place_before=Window(Lag("position"), **behind),
        status_before=Window(Lag("status"), **behind),
    )
    first = Q(number_before__isnull=True, number=1, position=0)
    next_ = Q(number=F("number_before") + 1, status_before=StepStatus.DONE)
    place = Q(position=F("place_before")) | Q(position=F("place_before") + 1)
    return steps.annotate(right=surely(first | (next_ & place))).filter(right=False)


@invariant
def each_lane_is_there_once() -> QuerySet[Any, Any]:
    """A run has one lane of its own, and a step that fans out one for each item."""
    alike = Window(Count("pk"), partition_by=[F("run"), F("parent"), F("index")])
    return Lane.objects.annotate(alike=alike).filter(alike__gt=1)


@invariant
def a_pipeline_moves_once() -> QuerySet[Any, Any]:
    """A pipeline that lives in a session makes each of its moves once."""
    return Move.objects.order_by().values("token", "number").annotate(n=Count("pk")).filter(n__gt=1)


@invariant
def every_move_of_a_run_was_allowed() -> QuerySet[Any, Any]:
    """A run begins by running, and from one of its events to the next it makes a move that there is."""
    before = Window(Lag("told"), partition_by=F("object_id"), order_by="sequence")
    told = Event.objects.filter(object_type="run").annotate(told=OWN).annotate(before=before)
    begun = Q(before__isnull=True, told=RunStatus.RUNNING)
    moves = [Q(before=source, told__in=targets) for source, targets in RUN_TRANSITIONS.items() if targets]
    return told.annotate(right=surely(reduce(or_, moves, begun))).filter(right=False)


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
