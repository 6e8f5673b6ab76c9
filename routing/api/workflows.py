"""The workflows of the site as the API shows them, and who may start which."""

from collections.abc import Iterable
from typing import Any

from queues.models import Membership
from queues.querysets import is_operator
from queues.states import Role
from routing.abstract_task import AbstractTask
from routing.abstract_workflow import AbstractWorkFlow
from routing.elements import PartOfWorkFlow
from routing.human import HumanTask
from routing.realizing import realize


def described(workflow: AbstractWorkFlow) -> dict[str, Any]:
    """Its name and version, and its tasks, each with the queue that it asks."""
    tasks = [kind for kind in _all_parts(workflow) if issubclass(kind, AbstractTask)]
    return {
        "name": workflow.get_name(),
        "version": str(workflow.version),
        "tasks": [
            {"name": kind.get_name(), "queue": kind.queue if issubclass(kind, HumanTask) else None} for kind in tasks
        ],
    }


def startable_by(user: Any, kinds: Iterable[type[AbstractWorkFlow]]) -> list[AbstractWorkFlow]:
    """Those of these workflows that the user may start.

    Operators start all. Others those whose every queue they may post tasks to; one that asks no queue at all runs code
    of the site for nobody, and is for operators.
    """
    workflows = [realize(kind, None, "crowdrouter") for kind in kinds]
    if is_operator(user):
        return workflows
    asked = [_queues(workflow) for workflow in workflows]
    posts_to = set(
        Membership.objects.filter(
            user=user,
            role__in=(Role.REQUESTER, Role.MANAGER),
            queue__name__in=set().union(*asked),
            queue__archived_at__isnull=True,
        ).values_list("queue__name", flat=True)
    )
    return [workflow for workflow, queues in zip(workflows, asked, strict=True) if queues and queues <= posts_to]


def _queues(workflow: AbstractWorkFlow) -> set[str]:
    return {kind.queue for kind in _all_parts(workflow) if issubclass(kind, HumanTask)}


def _all_parts(workflow: AbstractWorkFlow) -> list[type[PartOfWorkFlow]]:
    """Its tasks and all that stands below them, each once, in their order.

    Not by their names, as `known_tasks`: of two that share one, both ask their queues.
    """
    found: list[type[PartOfWorkFlow]] = []
    waiting = list(workflow.tasks)
    while waiting:
        kind = waiting.pop(0)
        if kind not in found:
            found.append(kind)
            waiting = [*kind.parts(), *waiting]
    return found
