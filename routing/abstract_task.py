"""AbstractTask: a unit of crowd work, with what it shows (get) and what it takes (post)."""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from routing import calling, decorators
from routing.elements import PartOfWorkFlow, known
from routing.requests import GET, CrowdRequest, PlanRequest
from routing.responses import CrowdResponse


class AbstractTask(PartOfWorkFlow):
    """A task: `get` gives a dict to show, `post` takes a form and gives a dict.

    Both get what they name among `crowd_request workflow task data form pipe_data`. In a run, where nobody asks, a
    task that is no HumanTask is done at once: by its `post`, with the pipe data as `data`.
    """

    is_base = True
    wrappers = {"get": decorators.task, "post": decorators.task}
    tells_programs = False
    """Whether programs that ask for JSON are told what `get` and `post` give for a template, too."""

    _at_work = False

    def execute(self, crowd_request: CrowdRequest | None = None, **extra: Any) -> CrowdResponse:
        """Carry out a request, or the one that the task was made for. Raises NoRequestFoundError without any."""
        request = crowd_request or self.request_of()
        if isinstance(request, PlanRequest):
            request.planned = [type(self)]
            return CrowdResponse({}, request, self)
        name = "get" if request.get_method() == GET else "post"
        method = getattr(type(self), name)
        if not hasattr(method, calling.FUNCTION):
            # Put there after the class was made.
            return self._carry_out(method, (request,), extra)
        return getattr(self, name)(request, **extra)

    @abstractmethod
    def get(self, *args: Any, **kwargs: Any) -> Any:
        """What is shown: a dict; `template` names a template, `status` says how it went."""

    @abstractmethod
    def post(self, *args: Any, **kwargs: Any) -> Any:
        """What became of a form: a dict; `path` is where to go on, outside of pipelines."""

    def _carry_out(self, function: Callable[..., Any], args: tuple[Any, ...], extra: dict[str, Any]) -> Any:
        """Behind @task. A call from the task's own code (`super().get(…)`) gives the bare dict."""
        request = self.request_of(args, extra)
        values = {**known(request), "task": self}
        if self._at_work:
            return calling.call(function, self, values, args=args, extra=extra)
        self.require_authentication(request)
        self.crowd_request, self._at_work = request, True
        try:
            response = calling.call(function, self, values, extra=extra)
        finally:
            self._at_work = False
        made = CrowdResponse(response, request, self)
        request.visits.append(made)
        return made
