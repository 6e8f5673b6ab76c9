"""System checks of what a host has registered: routers, their workflows, and what stands in these."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from queues.models import Queue
from routing import calling, definitions, registry
from routing.abstract_task import AbstractTask
from routing.abstract_workflow import AbstractWorkFlow
from routing.choices import AbstractCrowdChoice, AbstractFanOut, AbstractLoopCondition
from routing.elements import PartOfWorkFlow
from routing.human import HumanTask
from routing.realizing import realize
from routing.states import NAME_MAX

MAY_NAME = f"It may name {', '.join(calling.NAMES)}; anything else needs a default value."


@dataclass
class Part:
    """A class that stands in a workflow; `made` is an instance of it, None where none can be made."""

    kind: type[PartOfWorkFlow]
    made: Any


@dataclass
class Flow:
    """A workflow of a router, and all that stands in it."""

    where: str
    made: AbstractWorkFlow
    parts: list[Part]

    @property
    def has_own_run(self) -> bool:
        """Whether the host says how it runs: then tasks may be given more, and others may come in."""
        return calling.plain(type(self.made).run) is not calling.plain(AbstractWorkFlow.run)

    def human(self) -> Iterator[Part]:
        """The HumanTasks of it that can be made."""
        return (part for part in self.parts if isinstance(part.made, HumanTask))

    def is_answered(self, name: str) -> bool:
        """Whether this is a step that people answer."""
        if self.has_own_run:
            try:
                return issubclass(definitions.element(self.made, name), HumanTask)
            except definitions.Vanished:
                return False
        return any(part.kind.get_name() == name and issubclass(part.kind, HumanTask) for part in self.parts)


@dataclass
class Found:
    """What could be made of what is registered, and what could not: (where, why)."""

    routers: dict[str, Any] = field(default_factory=dict)
    flows: list[Flow] = field(default_factory=list)
    faults: list[tuple[str, str]] = field(default_factory=list)

    def make(self, where: str, maker: Callable[[], Any]) -> Any:
        """What `maker` makes, or None."""
        try:
            return maker()
        except DatabaseError:
            # A constructor may ask the database, which has no tables yet before the first migration.
            return None
        except Exception as error:
            self.faults.append((where, f"cannot be set up: {type(error).__name__}: {error}"))
            return None


def _look() -> Found:
    found = Found()
    for name, kind in registry.registered().items():
        router = found.make(name, lambda kind=kind: registry.made(kind))  # type: ignore[misc]
        if router is None:
            continue
        found.routers[name] = router
        for flow_kind in found.make(name, lambda router=router: list(router.workflows)) or ():  # type: ignore[misc]
            _look_at_flow(found, router, flow_kind)
    return found


def _look_at_flow(found: Found, router: Any, kind: Any) -> None:
    if not (isinstance(kind, type) and issubclass(kind, AbstractWorkFlow)):
        found.faults.append((router.get_name(), f"has {kind!r} among its workflows, which is no class of workflows."))
        return
    where = f"{router.get_name()}: {kind.get_name()}"
    made = found.make(where, lambda: realize(kind, router, "crowdrouter"))
    if made is None:
        return
    standing = found.make(where, lambda: _all_below(made.tasks))
    if standing is None:
        return
    flow = Flow(where, made, [])
    found.flows.append(flow)
    for part in standing:
        if not (isinstance(part, type) and issubclass(part, PartOfWorkFlow)):
            found.faults.append((where, f"has {part!r} among its tasks, which is no class of tasks."))
            continue
        # Which methods it lacks is said by routing.E005.
        lacking = bool(getattr(part, "__abstractmethods__", None))
        at = f"{where}: {part.get_name()}"
        part_made = None if lacking else found.make(at, lambda part=part: realize(part, made, "workflow"))  # type: ignore[misc]
        flow.parts.append(Part(part, part_made))


def _all_below(kinds: Iterable[Any]) -> list[Any]:
    """These and all that stand below them, each once."""
    found: list[Any] = []
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop(0)
        if kind not in found:
            found.append(kind)
            if isinstance(kind, type) and issubclass(kind, PartOfWorkFlow):
                waiting += kind.parts()
    return found


@register("routing")
def all_can_be_made(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E001: routers, workflows and tasks are classes whose constructors work."""
    return [Error(f"{where} {why}", id="routing.E001") for where, why in _look().faults]


@register("routing")
def workflows_have_names_of_their_own(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E002: no two workflows of a router have one name."""
    return [
        Error(f"{name} has two workflows of the name {twice}: only the first is ever found.", id="routing.E002")
        for name, router in _look().routers.items()
        for twice in registry.doubled(router.workflows)
    ]


@register("routing")
def workflows_have_tasks(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E003: a workflow has at least one task."""
    return [
        Error(
            f"{flow.where} has no tasks.",
            hint="They are `tasks = […]` in the class, or `self.tasks = […]` in its constructor.",
            id="routing.E003",
        )
        for flow in _look().flows
        if not flow.made.tasks
    ]


NEEDED: tuple[tuple[type[PartOfWorkFlow], str, str], ...] = (
    (AbstractCrowdChoice, "is a choice without branches.", "They are `t1`, `t2` or `branches = […]` in the class."),
    (AbstractLoopCondition, "is a loop without a task.", "It is `task = …` in the class."),
    (AbstractFanOut, "is a fan without tasks.", "They are `tasks = […]` in the class."),
)


@register("routing")
def choices_have_branches(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E004: a choice has branches, a loop has a task, and a fan has tasks."""
    return [
        Error(f"{flow.where}: {part.kind.get_name()} {why}", hint=hint, id="routing.E004")
        for flow, part in _parts()
        for base, why, hint in NEEDED
        if issubclass(part.kind, base) and not part.kind.parts()
    ]


@register("routing")
def classes_have_their_methods(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E005: a task has get and post, a choice has choice, a loop has again, a fan has items."""
    return [
        Error(f"{flow.where}: {part.kind.get_name()} lacks {_and(sorted(lacking))}.", id="routing.E005")
        for flow, part in _parts()
        if (lacking := getattr(part.kind, "__abstractmethods__", None))
    ]


@register("routing")
def methods_name_what_is_known(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E006: methods name what is given to them. routing.W006: what only the host's own code can give."""
    found = _look()
    asked = [(name, router, "route", False) for name, router in found.routers.items()]
    for flow in found.flows:
        asked.append((flow.where, flow.made, "run", True))
        own = flow.has_own_run
        for part in flow.parts:
            where = f"{flow.where}: {part.kind.get_name()}"
            asked += [(where, part.kind, name, own) for name in ("get", "post") if issubclass(part.kind, AbstractTask)]
            asked += [(where, part.kind, name, False) for name in ("choice", "again") if hasattr(part.kind, name)]
    return _once(
        (Warning if given else Error)(
            f"{where}: {method} asks for {_and(unknown)}, which nobody {'else ' if given else ''}gives it.",
            hint=MAY_NAME,
            id="routing.W006" if given else "routing.E006",
        )
        for where, owner, method, given in asked
        if (unknown := _unknown(owner, method))
    )


def _unknown(owner: Any, method: str) -> list[str]:
    kind = owner if isinstance(owner, type) else type(owner)
    return calling.unknown_names(getattr(kind, method))


@register("routing")
def names_fit(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E007: a name has from 1 to NAME_MAX characters, and no slash: it is a part of addresses."""
    found = _look()
    named = list(found.routers)
    named += [name for flow in found.flows for name in (flow.made.get_name(), *(p.kind.get_name() for p in flow.parts))]
    return [
        Error(f"The name {name!r} must have from 1 to {NAME_MAX} characters, and no slash.", id="routing.E007")
        for name in dict.fromkeys(named)
        if not 1 <= len(name) <= NAME_MAX or "/" in name
    ]


@register("routing")
def tasks_have_names_of_their_own(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E008: within a workflow a name stands for one class: sessions and runs remember the name."""
    return [
        Error(f"{flow.where} has two classes of the name {twice}, which nobody could tell apart.", id="routing.E008")
        for flow in _look().flows
        for twice in registry.doubled(part.kind for part in flow.parts)
    ]


@register("routing")
def human_tasks_have_a_queue(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E009: a HumanTask says in which queue people are asked."""
    return [
        Error(
            f"{flow.where}: {part.kind.get_name()} has no queue.",
            hint='It is `queue = "…"`, the name of one.',
            id="routing.E009",
        )
        for flow, part in _human()
        if not (isinstance(part.made.queue, str) and part.made.queue)
    ]


@register("routing")
def reviewers_to_exclude_are_those_of_steps(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """routing.E010: `exclude_reviewers_of` names steps of the workflow that people answer."""
    problems: list[CheckMessage] = []
    for flow, part in _human():
        given = part.made.exclude_reviewers_of
        said = f"{flow.where}: {part.kind.get_name()}.exclude_reviewers_of"
        if isinstance(given, str):
            problems.append(Error(f"{said} must be a list of steps, and is the text {given!r}.", id="routing.E010"))
            continue
        for step in given:
            name = step if isinstance(step, str) else getattr(step, "get_name", lambda step=step: repr(step))()
            if not flow.is_answered(name):
                problems.append(
                    Error(f"{said} names {name}, which is no HumanTask of this workflow.", id="routing.E010")
                )
    return problems


@register(Tags.database, "routing")
def queues_are_there(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """routing.W011: the queue of a HumanTask is there, and was not deleted. It may be made later: a warning."""
    alias = Queue.objects.db
    if alias not in (databases or ()):
        return []
    asked: dict[str, list[str]] = {}
    for flow, part in _human():
        if isinstance(part.made.queue, str) and part.made.queue:
            asked.setdefault(part.made.queue, []).append(f"{flow.where}: {part.kind.get_name()}")
    if not asked or Queue._meta.db_table not in connections[alias].introspection.table_names():
        return []
    rows = dict(Queue.objects.filter(name__in=asked).values_list("name", "archived_at"))
    return [
        Warning(
            f"{where} asks the queue {name}, which {'was deleted' if name in rows else 'there is not'}.",
            hint="Make it in the admin, or by the API, before a run comes to this step." if name not in rows else None,
            id="routing.W011",
        )
        for name, wheres in sorted(asked.items())
        if rows.get(name, "missing") is not None
        for where in wheres
    ]


def _parts() -> Iterator[tuple[Flow, Part]]:
    return ((flow, part) for flow in _look().flows for part in flow.parts)


def _human() -> Iterator[tuple[Flow, Part]]:
    """The HumanTasks that can be made."""
    return ((flow, part) for flow in _look().flows for part in flow.human())


def _and(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _once(problems: Iterable[CheckMessage]) -> list[CheckMessage]:
    """Without what was said before."""
    return list({(problem.id, problem.msg): problem for problem in problems}.values())
