"""Making workflows and tasks of their classes, whatever their constructors take."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


PARENTS = frozenset({"workflow", "crowdrouter", "router", "cr", "parent"})
"""What a constructor calls the parent; a parameter of any other name takes it where it has no default, or None."""


@lru_cache(maxsize=4096)
def _takes_parent(constructor: Callable[..., Any]) -> bool:
    kinds = inspect.Parameter
    for parameter in list(inspect.signature(constructor).parameters.values())[1:]:
        if parameter.kind is kinds.VAR_POSITIONAL:
            return True
        if parameter.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD):
            return parameter.name in PARENTS or parameter.default in (kinds.empty, None)
    return False


def realize(kind: type[T], parent: Any, attribute: str) -> T:
    """An instance of `kind` whose `attribute` ("crowdrouter" or "workflow") is its parent.

    The constructor may take the parent or not, and need not call super(): the attribute is there before and after it.
    Raises TypeError for a class that is abstract.
    """
    made: Any = kind.__new__(kind)
    setattr(made, attribute, parent)
    if _takes_parent(kind.__init__):
        made.__init__(parent)
    else:
        made.__init__()
    setattr(made, attribute, parent)
    return made
