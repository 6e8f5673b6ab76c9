"""The graph of an order of classes: what stands after, beside and inside what. Nothing is asked but the classes.

A Graph is a lane of nodes from its start to its end. A node is a task, or it has lanes inside: a choice one for each
of its branches, a loop that of its task, a fan that of its tasks. `edges` says which node leads to which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from routing.choices import AbstractCrowdChoice, AbstractFanOut, AbstractLoopCondition
from routing.human import HumanTask

LANE_MAX = 100
"""Nodes of one lane; what comes after them is one node that says how many."""


class Kind(StrEnum):
    """What a node is. PLAIN: not known; ABOVE: one that stands around it, not drawn again; MORE: see LANE_MAX."""

    HUMAN = "human"
    MACHINE = "machine"
    CHOICE = "choice"
    LOOP = "loop"
    FAN_OUT = "fan"
    PLAIN = "plain"
    ABOVE = "above"
    MORE = "more"


@dataclass(frozen=True)
class Place:
    """Where the steps of a node stand: in the lanes of which fan ("": the run's own), and as what of their plan.

    `element` and `name` are those of steps: a branch of a choice stands at the choice's place under its own name, and
    so does the task of a loop; the name of the choice itself has a step that failed before it was chosen.
    """

    fan: str
    position: int
    element: str
    name: str


@dataclass(frozen=True)
class Node:
    """An element. `key` is its own within the graph; `place` that of its steps, None where it has none.

    `inside`: the lanes in it. `note`: what is to be said of it in few words, such as the queue of a human task.
    `count`: of MORE, for how many it stands. `state`: where it is a step of a run, how that came out.
    """

    key: str
    kind: Kind
    name: str
    note: str = ""
    place: Place | None = None
    inside: tuple[tuple["Node", ...], ...] = ()
    count: int = 0
    state: str = ""


@dataclass(frozen=True)
class Edge:
    """From one node to another, by their keys. `label`: when it is taken, in a word, else ""."""

    source: str
    target: str
    label: str = ""


TO_COME = "to-come"
"""The state of a node that a run has not reached."""

START, END = "start", "end"
"""The keys of where a graph begins and ends, which are no nodes."""

AGAIN, EACH, JOIN = "again", "for each", "join"
"""Labels of edges: back into a loop, into the lanes of a fan, and out of them."""


@dataclass(frozen=True)
class Graph:
    """An order, from its start to its end."""

    nodes: tuple[Node, ...]

    def walk(self) -> Iterator[tuple[int, Node]]:
        """All nodes with their depth, each before what is inside it."""
        waiting = [(0, node) for node in reversed(self.nodes)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node
            waiting += [(depth + 1, each) for lane in reversed(node.inside) for each in reversed(lane)]

    @property
    def edges(self) -> list[Edge]:
        """Which node leads to which, from START to END."""
        found: list[Edge] = []
        leaving = _join(self.nodes, [START], "", found)
        return found + [Edge(key, END) for key in leaving]


def draw_up(order: Sequence[Any]) -> Graph:
    """The graph of an order of classes, such as a workflow's `tasks`."""
    return Graph(_lane("", "n", list(order), ()))


def _lane(fan: str, prefix: str, order: Sequence[Any], around: tuple[Any, ...]) -> tuple[Node, ...]:
    nodes = [
        _node(f"{prefix}{index}", kind, Place(fan, index, kind.get_name(), kind.get_name()), around)
        for index, kind in enumerate(order[:LANE_MAX])
    ]
    if len(order) > LANE_MAX:
        nodes.append(Node(f"{prefix}{LANE_MAX}", Kind.MORE, "", count=len(order) - LANE_MAX))
    return tuple(nodes)


def _node(key: str, kind: Any, place: Place, around: tuple[Any, ...]) -> Node:
    """The node of one class. What is inside a choice or a loop stands at its place, under its own name."""
    name = kind.get_name()
    if kind in around:
        return Node(key, Kind.ABOVE, name)
    around = (*around, kind)
    at = Place(place.fan, place.position, place.element, name)
    parts = list(kind.parts())
    if issubclass(kind, AbstractFanOut):
        return Node(key, Kind.FAN_OUT, name, place=at, inside=(_lane(name, f"{key}-", parts, around),))
    inside = tuple((_node(f"{key}-{index}", part, place, around),) for index, part in enumerate(parts))
    if issubclass(kind, AbstractCrowdChoice):
        return Node(key, Kind.CHOICE, name, place=at, inside=inside)
    if issubclass(kind, AbstractLoopCondition):
        return Node(key, Kind.LOOP, name, place=at, inside=inside)
    if issubclass(kind, HumanTask):
        return Node(key, Kind.HUMAN, name, note=kind.queue, place=at)
    return Node(key, Kind.MACHINE, name, place=at)


def _join(lane: Sequence[Node], leaving: list[str], label: str, found: list[Edge]) -> list[str]:
    """Add the edges into and inside a lane to `found`; the keys that lead out of it."""
    for node in lane:
        first = _first(node)
        found += [Edge(key, first, label) for key in leaving]
        leaving, label = _leave(node, found), ""
    return leaving


def _leave(node: Node, found: list[Edge]) -> list[str]:
    if node.kind == Kind.LOOP:
        for lane in node.inside:
            out = [key for each in lane for key in _leave(each, found)]
            found += [Edge(key, node.key) for key in out]
            found += [Edge(node.key, _first(each), AGAIN) for each in lane[:1]]
        return [node.key]
    if node.kind == Kind.FAN_OUT:
        join = f"{node.key}-join"
        out = [key for lane in node.inside for key in _join(lane, [node.key], EACH, found)]
        found += [Edge(key, join, JOIN) for key in out or [node.key]]
        return [join]
    if node.kind == Kind.CHOICE and node.inside:
        return [key for lane in node.inside for key in _join(lane, [node.key], lane[0].name, found)]
    return [node.key]


def _first(node: Node) -> str:
    """The key at which one comes to a node: a loop begins with its task."""
    if node.kind == Kind.LOOP and node.inside and node.inside[0]:
        return _first(node.inside[0][0])
    return node.key
