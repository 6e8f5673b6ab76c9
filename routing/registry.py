"""The routers of a site, by name, and the classes of workflows that runs name.

A router is registered by a decorator, in a module `crowd.py` of an installed app, which is found by itself:

    @register
    class MyCrowdRouter(AbstractCrowdRouter):
        workflows = [MatchingWorkFlow]
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, TypeVar

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import autodiscover_modules

from routing.abstract_workflow import AbstractWorkFlow
from routing.router import AbstractCrowdRouter

R = TypeVar("R", bound=type[AbstractCrowdRouter])

MODULE = "crowd"

_routers: dict[str, type[AbstractCrowdRouter]] = {}
_made: dict[type[AbstractCrowdRouter], AbstractCrowdRouter] = {}


def register(router: R) -> R:
    """A class decorator: the site has this router.

    Raises ImproperlyConfigured for a second one of its name, and where two of its workflows have one name.
    """
    if not (isinstance(router, type) and issubclass(router, AbstractCrowdRouter)):
        raise ImproperlyConfigured(f"{router!r} is no subclass of AbstractCrowdRouter.")
    name = router.get_name()
    other = _routers.get(name)
    if other is not None and (other.__module__, other.__qualname__) != (router.__module__, router.__qualname__):
        raise ImproperlyConfigured(
            f"{router.__module__}.{name} cannot be registered: {other.__module__}.{name} is under this name."
        )
    # Where it is a property, only an instance has the workflows: the system checks look at these.
    listed = router.workflows if isinstance(router.workflows, (list, tuple)) else ()
    if twice := doubled(listed):
        raise ImproperlyConfigured(f"{router.__module__}.{name} has two workflows of the name {twice[0]}.")
    _routers[name] = router
    return router


def unregister(router: type[AbstractCrowdRouter]) -> None:
    """Take a router out again."""
    _routers.pop(router.get_name(), None)
    _made.pop(router, None)


def discover() -> None:
    """Import the module `crowd` of each installed app that has one. What such a module raises is raised."""
    autodiscover_modules(MODULE)


def registered() -> dict[str, type[AbstractCrowdRouter]]:
    """Name → class, by name."""
    return {name: _routers[name] for name in sorted(_routers)}


def made(router: type[AbstractCrowdRouter]) -> AbstractCrowdRouter:
    """The instance of a router, registered or not, which is made once a process."""
    if router not in _made:
        # Of two threads that come here at once both get the same one.
        _made.setdefault(router, router())
    return _made[router]


def routers() -> dict[str, AbstractCrowdRouter]:
    """Name → the router, by name."""
    return {name: made(kind) for name, kind in registered().items()}


def workflows() -> dict[str, type[AbstractWorkFlow]]:
    """Name → class of the workflows that registered routers have. Of two with one name the first router's."""
    found: dict[str, type[AbstractWorkFlow]] = {}
    for router in routers().values():
        for kind in router.workflows:
            found.setdefault(kind.get_name(), kind)
    return found


def doubled(kinds: Iterable[Any]) -> list[str]:
    """Names that more than one of these classes has; a class that stands there twice is one."""
    classes = {kind for kind in kinds if isinstance(kind, type) and hasattr(kind, "get_name")}
    counted = Counter(kind.get_name() for kind in classes)
    return sorted(name for name, number in counted.items() if number > 1)
