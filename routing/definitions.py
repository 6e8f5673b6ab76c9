"""Where the class of a workflow is found again, and in what order a run takes its steps."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from routing.abstract_workflow import AbstractWorkFlow
from routing.elements import PartOfWorkFlow
from routing.exceptions import CrowdRouterError, NoTaskFoundError, PipelineError
from routing.realizing import realize
from routing.requests import PlanRequest

_orders: WeakKeyDictionary[type[AbstractWorkFlow], tuple[Any, list[type[PartOfWorkFlow]]]] = WeakKeyDictionary()


class Vanished(CrowdRouterError):
    """A workflow or a step that a run was started with is not there any more."""

    slug = "definition-vanished"
    sentence = "The definition has vanished."


def key_of(kind: type[AbstractWorkFlow]) -> str:
    """Where a class is found: "module:qualified name"."""
    return f"{kind.__module__}:{kind.__qualname__}"


def find(key: str) -> type[AbstractWorkFlow]:
    """The workflow's class. Raises Vanished."""
    module, _colon, qualname = key.partition(":")
    try:
        found: Any = import_module(module)
        for name in qualname.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError):
        # Classes that were made within a function are found as long as they live; of two the later one.
        found = next((kind for kind in reversed(list(_below(AbstractWorkFlow))) if key_of(kind) == key), None)
    if not (isinstance(found, type) and issubclass(found, AbstractWorkFlow)):
        raise Vanished(f"There is no workflow {key} any more.")
    return found


def _below(kind: type[AbstractWorkFlow]) -> Iterator[type[AbstractWorkFlow]]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _below(subclass)


def element(flow: AbstractWorkFlow, name: str) -> type[PartOfWorkFlow]:
    """The class that a run means by a name: one of the workflow's tasks, or below them. Raises Vanished."""
    found = flow.known_tasks(flow.tasks).get(name)
    if found is None:
        raise Vanished(f"{flow.get_name()} has no step {name} any more.")
    return found


def plan(flow: AbstractWorkFlow, data: Mapping[str, Any], *, user: Any) -> list[type[PartOfWorkFlow]]:
    """The order in which a run takes its steps: what the workflow's `run` makes of it.

    Raises NoTaskFoundError, PipelineError, and what `run` raises.
    """
    if not flow.tasks:
        raise NoTaskFoundError(f"{flow.get_name()} has no tasks.")
    first = realize(flow.tasks[0], flow, "workflow")
    request = PlanRequest(flow, first, dict(data), user=user)
    first.crowd_request = request
    flow.run(request)
    if request.planned is None:
        raise PipelineError(f"{flow.get_name()}.run must execute a task, or a pipeline of some, for a run to follow.")
    twice = _doubled(flow.tasks)
    if twice:
        raise PipelineError(f"{flow.get_name()} has two classes of the name {twice}, which a run could not tell apart.")
    known = flow.known_tasks(flow.tasks).values()
    for kind in request.planned:
        if kind not in known:
            raise PipelineError(
                f"{kind.get_name()} must be among the tasks of {flow.get_name()}, for a run to find it."
            )
    return request.planned


def _doubled(tasks: Sequence[Any]) -> str | None:
    """A name that two classes have, at or below these."""
    seen: dict[str, Any] = {}
    waiting = list(tasks)
    while waiting:
        kind = waiting.pop()
        if seen.get(kind.get_name(), kind) is not kind:
            return str(kind.get_name())
        if kind.get_name() not in seen:
            seen[kind.get_name()] = kind
            waiting += kind.parts()
    return None


def order_of(kind: type[AbstractWorkFlow]) -> list[type[PartOfWorkFlow]]:
    """The order of a workflow as it can be said without a run: what `run` makes of no data, or else its tasks.

    `run` is code of the host, and pages ask often: it is called once for each definition.
    """
    flow = realize(kind, None, "crowdrouter")
    definition = (kind.run, *flow.tasks)
    known = _orders.get(kind)
    if known is None or known[0] != definition:
        known = _orders[kind] = (definition, _order(flow))
    return list(known[1])


def _order(flow: AbstractWorkFlow) -> list[type[PartOfWorkFlow]]:
    try:
        return plan(flow, {}, user=None)
    except Exception:
        return list(flow.tasks)
