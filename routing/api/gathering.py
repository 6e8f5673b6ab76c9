"""What runs and steps are shown with beyond their rows, gathered for a page in as many statements as for one."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.models import Count

from routing.models import Run, Step
from routing.states import StepStatus


def with_counts(runs: Sequence[Run]) -> Sequence[Run]:
    """The same runs, each with `step_counts`: status → how many of its steps."""
    counts: dict[int, dict[str, int]] = {run.pk: dict.fromkeys(StepStatus.values, 0) for run in runs}
    rows = Step.objects.filter(run__in=list(counts)).order_by().values_list("run_id", "status")
    for run_id, status, number in rows.annotate(number=Count("id")):
        counts[run_id][status] = number
    for run in runs:
        run.step_counts = counts[run.pk]  # type: ignore[attr-defined]
    return runs


def with_lanes(steps: Sequence[Step]) -> Sequence[Step]:
    """The same steps, each with `lane_path`: the indexes of the lanes that lead to it, from the outermost fan inwards.

    They come with their lanes. Each depth to which fans stand inside one another is one more statement.
    """
    above = _steps_above(steps)
    for step in steps:
        path: list[int] = []
        at: Any = step
        while at.lane.parent_id is not None:
            path.insert(0, at.lane.index)
            at = above[at.lane.parent_id]
        step.lane_path = path  # type: ignore[attr-defined]
    return steps


def _steps_above(steps: Iterable[Step]) -> dict[int, Step]:
    """By id, the steps that fanned out into the lanes of these, and into theirs."""
    above: dict[int, Step] = {}
    missing = _parents(steps)
    while missing:
        found = Step.objects.filter(pk__in=missing).select_related("lane")
        above |= {step.pk: step for step in found.only("lane__index", "lane__parent_id")}
        missing = _parents(above.values()) - above.keys()
    return above


def _parents(steps: Iterable[Step]) -> set[int]:
    return {step.lane.parent_id for step in steps if step.lane.parent_id is not None}
