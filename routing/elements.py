"""What routers, workflows, tasks, choices, loops and fans have in common."""

import inspect
from abc import ABC
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from routing import calling
from routing.exceptions import AuthenticationError, NoRequestFoundError
from routing.requests import CrowdRequest


class Element(ABC):  # noqa: B024 - its subclasses have the abstract methods
    """A part of the framework that hosts subclass: it has a name, may ask for authentication, and wraps methods.

    `wrappers`: the methods of subclasses that are wrapped whether or not their author decorated them.
    """

    wrappers: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    is_base = True
    """Of a class of ours that cannot be instantiated."""

    auth_required = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls.__dict__.get("is_base"):
            raise TypeError(f"{cls.__name__} is abstract: make a subclass of it.")
        return super().__new__(cls)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, wrapper in cls.wrappers.items():
            # What a mixin brings is wrapped as well.
            method = inspect.getattr_static(cls, name, None)
            if inspect.isfunction(method) and not hasattr(method, calling.FUNCTION):
                setattr(cls, name, wrapper(method))
        name_of = cls.__dict__.get("get_name")
        if inspect.isfunction(name_of):
            # Written as a method of instances, as crowdrouter 1.5.5 has it. Classes are asked, too.
            setattr(cls, "get_name", classmethod(lambda kind: name_of(object.__new__(kind))))  # noqa: B010

    @classmethod
    def get_name(cls) -> str:
        """What it is called: the class's name."""
        return cls.__name__

    def is_authenticated(self, crowd_request: CrowdRequest) -> bool:
        """Whether whoever asks may, where `auth_required` is set. As it stands: whoever is signed in."""
        return crowd_request.get_user() is not None

    def require_authentication(self, crowd_request: CrowdRequest) -> None:
        """Raises AuthenticationError."""
        if not self.auth_required:
            return
        asked = calling.call(calling.plain(type(self).is_authenticated), self, {}, args=(crowd_request,))
        if not asked:
            raise AuthenticationError(f"{self.get_name()} is for those who are signed in, and you are not let in.")

    def __repr__(self) -> str:
        return f"<{self.get_name()}>"


class PartOfWorkFlow(Element):
    """What stands in the order of a workflow: it has one, and makes responses of requests."""

    is_base = True
    workflow: Any = None
    crowd_request: CrowdRequest | None = None
    """The request that it was made for, or that it carries out."""

    def __init__(self, workflow: Any = None) -> None:
        self.workflow = workflow if workflow is not None else self.workflow

    def execute(self, crowd_request: CrowdRequest | None = None, **extra: Any) -> Any:
        """Carry a request out: the CrowdResponse."""
        raise NotImplementedError

    @classmethod
    def parts(cls) -> list[type["PartOfWorkFlow"]]:
        """The classes that stand below this one: a choice's branches, a loop's task, a fan's tasks."""
        return []

    def request_of(self, args: tuple[Any, ...] = (), extra: Mapping[str, Any] | None = None) -> CrowdRequest:
        """The CrowdRequest among what a method was called with, or its own. Raises NoRequestFoundError."""
        request = find_request(args, extra or {}) or self.crowd_request
        if request is None:
            raise NoRequestFoundError
        return request


def known(crowd_request: CrowdRequest) -> dict[str, Any]:
    """What the methods of routers, workflows and tasks may name of a request."""
    return {
        "crowd_request": crowd_request,
        "workflow": crowd_request.workflow,
        "task": crowd_request.task,
        "data": crowd_request.get_data(),
        "form": crowd_request.get_form(),
        "pipe_data": crowd_request.pipe_data,
    }


def find_request(args: tuple[Any, ...], extra: Mapping[str, Any]) -> CrowdRequest | None:
    """The CrowdRequest among what a method was called with."""
    return next((value for value in (*args, *extra.values()) if isinstance(value, CrowdRequest)), None)
