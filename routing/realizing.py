"""Making workflows and tasks of their classes, whatever their constructors take."""

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

T = TypeVar("T")


@lru_cache(maxsize=4096)
def _takes_parent(constructor: Callable[..., Any]) -> bool:
    kinds = (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.VAR_POSITIONAL,
    )
    return any(p.kind in kinds for p in list(inspect.signature(constructor).parameters.values())[1:])


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
