"""Calling a method of the host with what its signature names.

`def get(self)`, `def get(self, data)` and `def get(self, crowd_request, data, **kwargs)` are all right: a parameter
gets the value of its name, `**kwargs` gets `pipe_data` and what the caller added.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from routing.exceptions import CrowdRouterError

NAMES = ("crowd_request", "workflow", "task", "data", "form", "pipe_data")
"""What methods of routers, workflows and tasks may name."""

FUNCTION = "crowd_function"
"""The attribute under which a wrapper keeps the function that it wraps."""


class _Plan(NamedTuple):
    """What a function takes beside its object: `at` by place alone, `named` by name, `needed` without a default."""

    at: tuple[str, ...]
    named: tuple[str, ...]
    positional: tuple[str, ...]
    needed: frozenset[str]
    takes_all: bool


@lru_cache(maxsize=4096)
def _plan(function: Callable[..., Any]) -> _Plan:
    kinds = inspect.Parameter
    parameters = list(inspect.signature(function).parameters.values())[1:]
    at = tuple(p.name for p in parameters if p.kind is kinds.POSITIONAL_ONLY)
    named = tuple(p.name for p in parameters if p.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY))
    return _Plan(
        at,
        named,
        at + tuple(p.name for p in parameters if p.kind is kinds.POSITIONAL_OR_KEYWORD),
        frozenset(p.name for p in parameters if p.name in (*at, *named) and p.default is kinds.empty),
        any(p.kind is kinds.VAR_KEYWORD for p in parameters),
    )


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as its author wrote it, without our wrapper."""
    return getattr(function, FUNCTION, function)


def asks_for(function: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of this name."""
    found = _plan(plain(function))
    return name in found.named or name in found.at


def unknown_names(function: Callable[..., Any]) -> list[str]:
    """Parameters without a default whose value nobody knows."""
    return sorted(_plan(plain(function)).needed - set(NAMES))


def call(
    function: Callable[..., Any],
    owner: Any,
    known: Mapping[str, Any],
    *,
    args: tuple[Any, ...] = (),
    extra: Mapping[str, Any] | None = None,
    piped: bool = True,
) -> Any:
    """Call `function(owner, …)` with what it names of `known` and `extra`; `args` are given by position, and win.

    `**kwargs` gets `extra` and, where it is known and `piped`, `pipe_data`. Raises CrowdRouterError for a name that is
    neither, and for what is async.
    """
    plan = _plan(function)
    given = dict(zip(plan.positional, args, strict=False))
    values: dict[str, Any] = {}
    for name in (*plan.at, *plan.named):
        if name in given:
            values[name] = given[name]
        elif extra and name in extra:
            values[name] = extra[name]
        elif name in known:
            values[name] = known[name]
        elif name in plan.needed:
            raise CrowdRouterError(
                f"{type(owner).__name__}.{function.__name__} asks for {name}; it may name {', '.join(NAMES)}."
            )
    if plan.takes_all:
        more = {"pipe_data": known["pipe_data"]} if piped and "pipe_data" in known else {}
        values = {**more, **(extra or {}), **values}
    given_back = function(owner, *[values.pop(name) for name in plan.at if name in values], **values)
    if inspect.iscoroutine(given_back):
        given_back.close()
        raise CrowdRouterError(f"{type(owner).__name__}.{function.__name__} is async, and nobody waits for it.")
    return given_back
