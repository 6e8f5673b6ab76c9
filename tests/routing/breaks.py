"""A history of runs, and for each of their invariants a way to break it behind the writers' back."""

from collections.abc import Callable

from django.db.models import F
from django.utils import timezone

from queues import lifecycle
from queues.models import Event, Task
from routing import runs
from routing.models import Lane, Move, Run, Step
from tests import cast, flows
from tests.breaking import without


def history() -> None:
    """A pipeline moved twice. One run is finished, one has one of two lanes left, one was canceled, one is stuck."""
    rick = cast.person("rick")
    for number in (1, 2):
        Move.objects.create(token="pipeline", number=number, at=timezone.now())
    (eve,) = flows.crowd("eve", queue="spots")
    _finished, fanned, canceled, stuck = (flows.Spotted.start({"spots": n}, by=rick) for n in ([], [1, 2], [1], [1]))
    flows.answer(eve, {"good": True})
    runs.cancel(run_id=canceled.pk)
    lifecycle.cancel_task(task_id=Task.objects.get(step__run=stuck).pk)
    assert sorted(Run.objects.values_list("status", flat=True)) == ["CANCELED", "FINISHED", "RUNNING", "STUCK"]
    assert Lane.objects.filter(run=fanned, ended_at__isnull=False).count() == 1


def lanes_of_one_item() -> None:
    without("lane_index_once")
    Lane.objects.filter(parent__isnull=False).update(index=0)


def two_lanes_of_a_run() -> None:
    without("lane_root_once")
    Lane.objects.filter(parent__isnull=False).update(parent=None)


def moved_twice() -> None:
    without("move_once")
    Move.objects.update(number=1)


def stepped_twice() -> None:
    without("step_number_once")
    Step.objects.update(number=1)


def run(status: str) -> Run:
    return Run.objects.filter(status=status).earliest("pk")


BREAKS: list[tuple[str, Callable[[], object]]] = [
    (
        "a_lane_that_goes_on_has_a_live_step",
        lambda: Step.objects.filter(run__status="RUNNING").update(status="DONE", ended_at=timezone.now()),
    ),
    ("a_step_advances_once", lambda: Step.objects.filter(number=1).update(position=3)),
    ("a_step_advances_once", stepped_twice),
    ("each_lane_is_there_once", lanes_of_one_item),
    ("each_lane_is_there_once", two_lanes_of_a_run),
    ("a_pipeline_moves_once", moved_twice),
    (
        "every_move_of_a_run_was_allowed",
        lambda: Event.objects.filter(type="RUN_STARTED").update(delta={"status": "FINISHED"}),
    ),
    (
        "steps_are_numbered_without_gaps",
        lambda: Step.objects.filter(run__status="RUNNING").update(number=F("number") + 7),
    ),
    ("a_finished_run_has_nothing_left", lambda: Run.objects.filter(status="FINISHED").update(data={"other": 1})),
    ("a_run_is_stuck_where_a_step_failed", lambda: Run.objects.filter(status="STUCK").update(status="RUNNING")),
    (
        "a_canceled_run_has_no_live_step",
        lambda: Step.objects.filter(run__status="CANCELED", name="Look").update(status="WAITING", ended_at=None),
    ),
    ("a_step_that_asks_people_has_a_task", lambda: Task.objects.filter(step__isnull=False).update(has_hook=False)),
    ("a_step_is_of_its_lanes_run", lambda: Lane.objects.filter(parent__isnull=False).update(run=run("FINISHED"))),
    ("a_runs_history_is_complete", lambda: Run.objects.update(sequence=9)),
    (
        "a_type_says_the_runs_status",
        lambda: Event.objects.filter(type="RUN_FINISHED").update(delta={"status": "RUNNING"}),
    ),
]
