"""How runs stand: what operators look at. Each answer is a number of statements that does not grow with what they find.

It is asked every few seconds, beside millions of runs that are over; so those are counted to a cap, and of the steps
only those that are live are looked at.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from heapq import merge
from itertools import islice
from time import monotonic
from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q, QuerySet

from assignments.dashboard import Depth
from queues.transactions import database_now
from routing.graph import TO_COME, Graph, Kind, Node, Place
from routing.models import Lane, Run, Step
from routing.states import OPEN, RunStatus, StepKind, StepStatus

CAP = 100_000
"""Runs of one status that are counted."""

LONG = 0.25
"""Seconds after which an answer is kept, for KEPT_FOR times as long as it took."""

KEPT_FOR = 20

FIRST, LAST = 8, 32
"""Of a longer path so many steps are drawn from its beginning and from its end."""

STATES = {
    StepStatus.WAITING: "waiting",
    StepStatus.DONE: "done",
    StepStatus.FAILED_RETRYABLE: "retry",
    StepStatus.CANCELED: "canceled",
}
"""The states of nodes, by that of the step."""

KINDS = {StepKind.HUMAN: Kind.HUMAN, StepKind.MACHINE: Kind.MACHINE, StepKind.FAN_OUT: Kind.FAN_OUT}

HEAVY = ("data", "output", "traceback")
"""Columns of a step that a picture has no use for."""


# Of a workflow.


@dataclass(frozen=True)
class Now:
    """How the runs of a workflow stood at a moment: see runs_by_status and live_steps."""

    as_of: datetime
    runs: dict[RunStatus, Depth]
    live: dict[tuple[Place, str], int]


def now(name: str) -> Now:
    """How the runs of the workflows of this name stand.

    Where that took long to find out (half a second with 100,000 open runs) it is kept for a while, so that however
    many watch, the database is asked for a small share of its time.
    """
    key = f"crowd_routing.now.{sha256(name.encode()).hexdigest()}"
    kept: Now | None = cache.get(key)
    if kept is not None:
        return kept
    begun = monotonic()
    found = Now(database_now(), runs_by_status(name), live_steps(name))
    took = monotonic() - begun
    if took > LONG:
        cache.set(key, found, timeout=took * KEPT_FOR)
    return found


def runs_by_status(name: str) -> dict[RunStatus, Depth]:
    """How many runs there are of the workflows of this name."""
    found = {}
    for status in RunStatus:
        number = Run.objects.filter(name=name, status=status).order_by()[: CAP + 1].count()
        found[status] = Depth(min(number, CAP), number > CAP)
    return found


def open_runs() -> dict[str, dict[str, int]]:
    """Name of a workflow → status → how many runs of it are open."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for name, status, number in _counted(Run.objects.open(), "name", "status"):
        found[name][status] = number
    return dict(found)


def live_steps(name: str) -> dict[tuple[Place, str], int]:
    """(place, status) → how many live steps of open runs of this workflow stand there."""
    steps = Step.objects.live().filter(run__name=name, run__status__in=OPEN)
    found = _counted(steps, "lane__parent__name", "position", "element", "name", "status")
    return {(Place(fan or "", position, element, own), status): n for fan, position, element, own, status, n in found}


def put_on(graph: Graph, live: dict[tuple[Place, str], int]) -> tuple[dict[str, dict[str, int]], int]:
    """Key of a node → status → how many stand there; and how many stand at no node.

    A run goes on in the order of its start. Where that was another one, a step is put on the node of its name.
    """
    exactly: dict[Any, str] = {}
    nearly: dict[Any, str] = {}
    for _depth, node in graph.walk():
        if node.place is not None:
            exactly.setdefault(node.place, node.key)
            nearly.setdefault((node.place.fan, node.place.element, node.place.name), node.key)
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    elsewhere = 0
    for (place, status), number in live.items():
        key = exactly.get(place) or nearly.get((place.fan, place.element, place.name))
        if key is None:
            elsewhere += number
        else:
            found[key][status] += number
    return {key: dict(numbers) for key, numbers in found.items()}, elsewhere


def _counted(rows: QuerySet[Any], *by: str) -> list[tuple[Any, ...]]:
    """Groups and their sizes."""
    return list(rows.order_by().values(*by).annotate(number=Count("pk")).values_list(*by, "number"))


# Of many runs.


def newest(workflow: str, *, until: int | None, number: int) -> list[int]:
    """The ids of the newest runs of a workflow, up to the run `until`: those of each status along the index, merged."""
    each = []
    for status in RunStatus:
        rows = Run.objects.filter(name=workflow, status=status).order_by("-id")
        rows = rows if until is None else rows.filter(pk__lte=until)
        each.append(rows.values_list("pk", flat=True)[:number])
    return list(islice(merge(*each, reverse=True), number))


def where(run_ids: Collection[int]) -> dict[int, list[tuple[str, str, int]]]:
    """Run → (step, status, how many) of what is live; a fan is left out, for its lanes say more."""
    found: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    steps = Step.objects.live().filter(run__in=run_ids).exclude(kind=StepKind.FAN_OUT, status=StepStatus.WAITING)
    for run_id, name, status, number in sorted(_counted(steps, "run", "name", "status")):
        found[run_id].append((name, status, number))
    return dict(found)


# Of one run.


@dataclass(frozen=True)
class Fan:
    """The lanes of a step that fanned out: how many, how many of them have ended, and their steps.

    `steps`: (position, element, name, kind, status) → how many.
    """

    plan: Sequence[str]
    lanes: int
    ended: int
    steps: dict[tuple[int, str, str, str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Path:
    """What a run has done in its own lane: its steps in their order, and the fans among them, by the step's id.

    `left`: so many steps are left out, after the FIRST.
    """

    plan: Sequence[str]
    steps: list[Step]
    fans: dict[int, Fan]
    left: int = 0

    def graph(self, run: Run) -> Graph:
        """As a picture has it; a step's node has the key `s<id>`, one in a fan `s<id>-<position>-…`."""
        drawn = [self._node(step) for step in self.steps]
        if self.left:
            drawn.insert(FIRST, Node("more", Kind.MORE, "", count=self.left))
        if run.status in (*OPEN, RunStatus.FAILED):
            done = self.steps[-1].position + 1 if self.steps else 0
            coming = [
                Node(f"p{position}", Kind.PLAIN, name, state=TO_COME)
                for position, name in enumerate(self.plan)
                if position >= done
            ]
            if len(coming) > LAST:
                coming[LAST:] = [Node("later", Kind.MORE, "", count=len(coming) - LAST, state=TO_COME)]
            drawn += coming
        return Graph(tuple(drawn))

    def _node(self, step: Step) -> Node:
        fan = self.fans.get(step.pk)
        note = step.element if step.element != step.name else step.task.queue.name if step.task else ""
        inside = (_inside(f"s{step.pk}", fan),) if fan else ()
        return Node(
            f"s{step.pk}",
            KINDS[StepKind(step.kind)],
            step.name,
            note=note,
            inside=inside,
            state=STATES[StepStatus(step.status)],
        )


def _inside(key: str, fan: Fan) -> tuple[Node, ...]:
    """The lanes of a fan, as one."""
    nodes = []
    for position, element in enumerate(fan.plan):
        kinds = {name: kind for at, _element, name, kind, _status in fan.steps if at == position}
        here = [
            Node(f"{key}-{position}-{name}", KINDS[StepKind(kind)], name, note="" if name == element else element)
            for name, kind in sorted(kinds.items())
        ]
        if not here:
            nodes.append(Node(f"{key}-{position}-", Kind.PLAIN, element, state=TO_COME))
        elif len(here) == 1:
            nodes += here
        else:
            branches = tuple((Node(each.key, each.kind, each.name),) for each in here)
            nodes.append(Node(f"{key}-{position}", Kind.CHOICE, element, inside=branches))
    return tuple(nodes)


def steps_of(run: Run) -> QuerySet[Step]:
    """All steps of a run with what is shown of them; what else stands around them stays in the database."""
    around = ("lane__plan", "lane__data", "lane__parent__data", "lane__parent__output", "lane__parent__traceback")
    of_task = ("task__input_data", "task__output_data")
    return (
        Step.objects.filter(run=run)
        .select_related("lane__parent", "task__queue")
        .defer(*around, *of_task)
        .order_by("id")
    )


def path(run: Run) -> Path:
    """The way of a run so far."""
    own = Lane.objects.filter(run=run, parent__isnull=True).only("plan").first()
    of_lane = (
        Step.objects.filter(run=run, lane=own)
        .select_related("task__queue")
        .defer(*HEAVY, "task__input_data", "task__output_data", "task__queue__instructions")
    )
    steps, left = list(of_lane.order_by("number")[: FIRST + LAST + 1]), 0
    if len(steps) > FIRST + LAST:
        left = of_lane.count() - FIRST - LAST
        steps[FIRST:] = reversed(of_lane.order_by("-number")[:LAST])
    fans = [step.pk for step in steps if step.kind == StepKind.FAN_OUT]
    return Path(own.plan if own else (), steps, _fans(fans) if fans else {}, left)


def _fans(step_ids: list[int]) -> dict[int, Fan]:
    lanes = Lane.objects.filter(parent__in=step_ids)
    ended = Count("pk", filter=Q(ended_at__isnull=False))
    numbers = lanes.order_by().values("parent").annotate(number=Count("pk"), ended=ended)
    plans = dict(lanes.filter(index=0).values_list("parent", "plan"))
    found = {row["parent"]: Fan(plans.get(row["parent"], ()), row["number"], row["ended"]) for row in numbers}
    steps = Step.objects.filter(lane__parent__in=step_ids)
    for parent, *place, number in _counted(steps, "lane__parent", "position", "element", "name", "kind", "status"):
        found[parent].steps[tuple(place)] = number
    return found
