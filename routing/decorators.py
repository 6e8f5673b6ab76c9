"""The decorators of routers, workflows, tasks and choices. What is not decorated is wrapped all the same."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from routing import calling

C = TypeVar("C", bound=type)


def _through(method: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator whose functions are called by the method of this name of their object."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def run(self: Any, /, *args: Any, **extra: Any) -> Any:
            return getattr(self, method)(function, args, extra)

        setattr(run, calling.FUNCTION, function)
        return run

    return decorate


crowdrouter = _through("_route")
"""Of `route`: takes `(workflow, task=None, request=None, session=None, **data)`, guards, and gives a CrowdResponse."""

workflow = _through("_run")
"""Of a workflow's `run`: takes a CrowdRequest, guards, and gives a CrowdResponse."""

task = _through("_carry_out")
"""Of a task's `get` and `post`: takes a CrowdRequest, guards, and makes a CrowdResponse of the dict."""

choice = _through("_choose")
"""Of `choice`: takes a CrowdRequest, and gives one of the branches."""


def _auth_required(kind: C) -> C:
    kind.auth_required = True  # type: ignore[attr-defined]
    return kind


def crowdrouter_auth_required(kind: C) -> C:
    """Of a router: its `is_authenticated` is asked before anything is routed."""
    return _auth_required(kind)


def workflow_auth_required(kind: C) -> C:
    """Of a workflow: its `is_authenticated` is asked before it runs."""
    return _auth_required(kind)


def task_auth_required(kind: C) -> C:
    """Of a task: its `is_authenticated` is asked before it is carried out."""
    return _auth_required(kind)
