"""Elements that decide, in a session's pipeline as in a run, which task comes next, and how often."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from routing import calling, decorators
from routing.elements import PartOfWorkFlow, known
from routing.exceptions import CrowdChoiceError, PipelineError
from routing.realizing import realize
from routing.requests import CrowdRequest


class AbstractCrowdChoice(PartOfWorkFlow):
    """A fork: `choice(crowd_request)` gives one of its branches: `t1`, `t2`, or any in `branches`."""

    is_base = True
    wrappers = {"choice": decorators.choice}
    t1: Any = None
    t2: Any = None
    branches: Sequence[Any] = ()

    @abstractmethod
    def choice(self, *args: Any, **kwargs: Any) -> Any:
        """The class of the branch to take, for a CrowdRequest."""

    def all_branches(self) -> list[type[PartOfWorkFlow]]:
        return [branch for branch in (self.t1, self.t2, *self.branches) if branch is not None]

    @classmethod
    def parts(cls) -> list[type[PartOfWorkFlow]]:
        return [branch for branch in (cls.t1, cls.t2, *cls.branches) if branch is not None]

    def execute(self, crowd_request: CrowdRequest | None = None, **extra: Any) -> Any:
        """Carry out the request by the branch that is chosen. Raises CrowdChoiceError, NoRequestFoundError."""
        request = crowd_request or self.request_of()
        return realize(self.choice(request), self.workflow, "workflow").execute(request, **extra)

    def _choose(self, function: Callable[..., Any], args: tuple[Any, ...], extra: dict[str, Any]) -> Any:
        """Behind @choice."""
        request = self.request_of(args, extra)
        self.require_authentication(request)
        chosen = calling.call(function, self, {**known(request), "task": self}, extra=extra)
        if chosen not in self.all_branches():
            names = ", ".join(branch.get_name() for branch in self.all_branches())
            raise CrowdChoiceError(f"{self.get_name()} chose {chosen!r}, which is none of its branches: {names}.")
        return chosen


class AbstractLoopCondition(PartOfWorkFlow):
    """A loop: its `task` is done, and done again for as long as `again(crowd_request)` says so."""

    is_base = True
    task: Any = None

    @abstractmethod
    def again(self, *args: Any, **kwargs: Any) -> bool:
        """Asked after each time, with a CrowdRequest whose data has what the task gave."""

    def asks_again(self, crowd_request: CrowdRequest) -> bool:
        """What `again` says, called with what it names."""
        return bool(calling.call(type(self).again, self, {**known(crowd_request), "task": self}))

    @classmethod
    def parts(cls) -> list[type[PartOfWorkFlow]]:
        return [cls.task] if cls.task is not None else []

    def execute(self, crowd_request: CrowdRequest | None = None, **extra: Any) -> Any:
        """Carry out the request by the task, once: it is a pipeline or a run that repeats it."""
        request = crowd_request or self.request_of()
        self.require_authentication(request)
        return realize(self.task, self.workflow, "workflow").execute(request, **extra)


class AbstractFanOut(PartOfWorkFlow):
    """A fan: for each of `items(pipe_data)` its `tasks` are done in order, beside each other; then `join`.

    In runs alone: a session has one person. Each lane has pipe data of its own: `make_data(item, pipe_data)`.
    """

    is_base = True
    tasks: Sequence[Any] = ()

    @abstractmethod
    def items(self, pipe_data: dict[str, Any]) -> Sequence[Any]:
        """What to fan out over: JSON values, routing.states.ITEMS_MAX at most. None at all joins at once."""

    def make_data(self, item: Any, pipe_data: dict[str, Any]) -> dict[str, Any]:
        """The pipe data with which the lane of an item begins: all there is, and the item under "item"."""
        return {**pipe_data, "item": item}

    def join(self, results: list[dict[str, Any]], pipe_data: dict[str, Any]) -> Mapping[str, Any] | None:
        """Bring the lanes' last pipe data, in the order of their items, into the pipe data of what comes after.

        A mapping that is given back is put into the pipe data, too. As it stands, the results are kept under its name.
        """
        pipe_data[self.get_name()] = results
        return None

    @classmethod
    def parts(cls) -> list[type[PartOfWorkFlow]]:
        return list(cls.tasks)

    def execute(self, crowd_request: CrowdRequest | None = None, **extra: Any) -> Any:
        """Raises PipelineError: a session has one person."""
        raise PipelineError(f"{self.get_name()} fans out, which only a run can: start the workflow instead.")
