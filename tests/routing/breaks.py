"""A history of runs, and for each of their invariants a way to break it behind the writers' back."""

from collections.abc import Callable

from django.db.models import F
from django.utils import timezone

from queues import lifecycle
from queues.models import Event, Task
from routing import runs
from routing.models import Lane, Run, Step
from tests import cast, flows


def history() -> None:
    """One run is finished, one has one of two lanes left, one was canceled, and one is stuck."""
    rick = cast.person("rick")
    (eve,) = flows.crowd("eve", queue="spots")
    _finished, fanned, canceled, stuck = (flows.Spotted.start({"spots": n}, by=rick) for n in ([], [1, 2], [1], [1]))
    flows.answer(eve, {"good": True})
    runs.cancel(run_id=canceled.pk)
    lifecycle.cancel_task(task_id=Task.objects.get(step__run=stuck).pk)
    assert sorted(Run.objects.values_list("status", flat=True)) == ["CANCELED", "FINISHED", "RUNNING", "STUCK"]
    assert Lane.objects.filter(run=fanned, ended_at__isnull=False).count() == 1


def run(status: str) -> Run:
    return Run.objects.filter(status=status).earliest("pk")


BREAKS: list[tuple[str, Callable[[], object]]] = [
    (
        "a_lane_that_goes_on_has_a_live_step",
        lambda: Step.objects.filter(run__status="RUNNING").update(status="DONE", ended_at=timezone.now()),
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
