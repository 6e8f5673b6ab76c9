"""What the pages of runs and workflows show, as texts and pictures: for a page as it is first served and refreshed."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from assignments.admin.figures import clock, depth, number
from queues.admin.task import as_text
from routing import standing
from routing.drawing import ICONS, Badge, picture
from routing.graph import Graph, Kind, Node
from routing.models import Run, Step
from routing.states import RunStatus, StepStatus

RUN_BADGES = {
    RunStatus.RUNNING: "crowd-good",
    RunStatus.STUCK: "crowd-warning",
    RunStatus.FAILED: "crowd-failed",
}
STEP_BADGES = {StepStatus.DONE: "crowd-good", StepStatus.FAILED_RETRYABLE: "crowd-warning"}

KINDS = {
    Kind.HUMAN: _("asks people"),
    Kind.MACHINE: _("done at once"),
    Kind.CHOICE: _("one of these"),
    Kind.LOOP: _("again and again"),
    Kind.FAN_OUT: _("for each of a list"),
    Kind.PLAIN: _("to come"),
    Kind.ABOVE: _("as above"),
    Kind.MORE: _("not drawn"),
}
"""What a node is, in words."""

SIGNS = {
    "waiting": _("waiting"),
    "retry": _("to be tried again"),
    "done": _("done"),
    "canceled": _("canceled"),
}
"""The signs of badges, in words."""

LEGEND = [
    (Kind.HUMAN, _("asks people")),
    (Kind.MACHINE, _("done at once")),
    (Kind.CHOICE, _("decides")),
    (Kind.FAN_OUT, _("for each of a list")),
]


@admin.display(description=_("status"))
def run_badge(run: Run) -> str:
    """A run's status, to be seen at once."""
    status = RunStatus(run.status)
    return format_html('<span class="crowd-badge {}">{}</span>', RUN_BADGES.get(status, ""), status.label)


def step_badge(step: Step) -> str:
    """A step's status, to be seen at once."""
    status = StepStatus(step.status)
    return format_html('<span class="crowd-badge {}">{}</span>', STEP_BADGES.get(status, ""), status.label)


def where(stands: Sequence[tuple[str, str, int]]) -> list[str]:
    """Where a run stands, such as “Verify: 3 waiting”."""
    said = []
    for name, status, many in stands:
        label = SIGNS[standing.STATES[StepStatus(status)]]
        said.append(f"{name}: {label}" if many == 1 else f"{name}: {number(many)} {label}")
    return said


def badge(sign: str, many: int) -> Badge:
    """A count at a node."""
    return Badge(sign, number(many), f"{number(many)} {SIGNS[sign]}")


def sign(name: str) -> SafeString:
    """The sign of a badge by itself, for the words beside a picture."""
    return format_html(
        '<svg class="crowd-sign crowd-count crowd-count-{}" width="16" height="16" viewBox="0 0 16 16" '
        'aria-hidden="true"><rect width="16" height="16" rx="8"/><path d="{}"/></svg>',
        name,
        ICONS[name],
    )


# A workflow.


def workflow(name: str, graph: Graph, now: standing.Now) -> dict[str, Any]:
    """The refresh of a workflow's page: `texts` and `shown` as board.js takes them, and its `picture`.

    A place of a node is named `<key>.waiting` and `<key>.retry`; that of a status of runs by the status.
    """
    found, elsewhere = standing.put_on(graph, now.live)
    texts = {"as_of": clock(now.as_of), "elsewhere": number(elsewhere)}
    shown = {"elsewhere": elsewhere > 0, "incomplete": False}
    badges: dict[str, list[Badge]] = {}
    for _depth, node in graph.walk():
        if node.place is None:
            continue
        counts = {standing.STATES[StepStatus(status)]: many for status, many in found.get(node.key, {}).items()}
        for each in ("waiting", "retry"):
            texts[f"{node.key}.{each}"] = number(counts.get(each, 0))
            shown[f"{node.key}.{each}"] = bool(counts.get(each))
        badges[node.key] = [badge(each, counts[each]) for each in ("waiting", "retry") if counts.get(each)]
    texts |= {status.value: depth(many) for status, many in now.runs.items()}
    drawn = picture(
        graph,
        ident="crowd-workflow",
        title=_now("The steps of %(workflow)s") % {"workflow": name},
        description=_now(
            "From top to bottom, in their order. They are listed below the picture, with the same numbers."
        ),
        badges=badges,
    )
    return {"texts": texts, "shown": shown, "picture": drawn}


def listed(nodes: Sequence[Node], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Nodes as a list in words: what they are, the places of their numbers, and the lists inside of them."""
    return [
        {
            "name": node.name or _more(node.count),
            "what": KINDS[node.kind],
            "queue": node.note,
            "counts": [
                {
                    "place": f"{node.key}.{each}",
                    "text": now["texts"][f"{node.key}.{each}"],
                    "sign": sign(each),
                    "label": SIGNS[each],
                    "shown": now["shown"][f"{node.key}.{each}"],
                }
                for each in ("waiting", "retry")
                if node.place is not None
            ],
            "inside": [listed(lane, now) for lane in node.inside],
            "is_choice": node.kind == Kind.CHOICE,
        }
        for node in nodes
    ]


def _more(many: int) -> str:
    return ngettext("and %(n)s more", "and %(n)s more", many) % {"n": many}


# A run.


def path(run: Run, way: standing.Path) -> dict[str, Any]:
    """The picture of a run's way, and its fans as tables."""
    graph = way.graph(run)
    badges: dict[str, list[Badge]] = {}
    for step in way.steps:
        state = standing.STATES[StepStatus(step.status)]
        badges[f"s{step.pk}"] = [Badge(state, "", str(SIGNS[state]))]
        if fan := way.fans.get(step.pk):
            _fan_badges(f"s{step.pk}", fan, badges)
            badges[f"s{step.pk}"] = [Badge(state, f"{number(fan.ended)}/{number(fan.lanes)}", _ended(fan))]
    said = [f"{step.name}: {StepStatus(step.status).label}" for step in way.steps[-standing.LAST :]]
    end = "done" if run.status == RunStatus.FINISHED else "to-come"
    return {
        "picture": picture(
            graph,
            ident="crowd-run",
            title=_now("The way of run %(id)s") % {"id": run.pk},
            description="; ".join(said) or _now("It has no steps."),
            badges=badges,
            end=end,
        ),
        "fans": [(step, _ended(fan), _rows(fan)) for step in way.steps if (fan := way.fans.get(step.pk))],
    }


def _fan_badges(key: str, fan: standing.Fan, badges: dict[str, list[Badge]]) -> None:
    for (position, _element, name, _kind, status), many in sorted(fan.steps.items()):
        place = f"{key}-{position}-{name}"
        badges.setdefault(place, []).append(badge(standing.STATES[StepStatus(status)], many))


def _ended(fan: standing.Fan) -> str:
    return _now("%(ended)s of %(lanes)s have ended") % {"ended": number(fan.ended), "lanes": number(fan.lanes)}


def _rows(fan: standing.Fan) -> list[tuple[str, list[str]]]:
    """Step → how many are waiting, to be tried again, done and canceled."""
    found: dict[tuple[int, str], dict[str, int]] = {}
    for (position, _element, name, _kind, status), many in fan.steps.items():
        numbers = found.setdefault((position, name), {})
        state = standing.STATES[StepStatus(status)]
        numbers[state] = numbers.get(state, 0) + many
    return [(name, [number(numbers.get(each, 0)) for each in SIGNS]) for (_at, name), numbers in sorted(found.items())]


def row(step: Step) -> dict[str, Any]:
    """A step as its table and its details have it."""
    lane = step.lane
    return {
        "step": step,
        "badge": step_badge(step),
        "lane": f"{lane.parent.name} {number(lane.index + 1)}" if lane.parent else "",
        "element": step.element if step.element != step.name else "",
        "data": as_text(step.data),
        "output": as_text(step.output) if step.output is not None else "",
    }


def document(value: Any) -> str:
    """JSON on a page."""
    return as_text(value)
