"""AbstractWorkFlow: which tasks there are, and in what order they are done, in a session or in a run."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from routing import calling, decorators, pipeline
from routing.elements import Element, PartOfWorkFlow, find_request, known
from routing.exceptions import ImproperResponseError, NoRequestFoundError, NoTaskFoundError
from routing.realizing import realize
from routing.requests import POST, CrowdRequest, PlanRequest
from routing.responses import CrowdResponse

SESSION_RANDOM_KEY = "cr_random"

HOW_TASKS = "they are `tasks = […]` in the class, or `self.tasks = […]` in its constructor."


class AbstractWorkFlow(Element):
    """A workflow: `tasks`, and `run`, which says how a request is carried out.

    `tasks` is read at each call, from the class or from `self`. A run keeps the `version` that it was started with.
    """

    is_base = True
    wrappers = {"run": decorators.workflow}
    tasks: Sequence[Any] = ()
    version: Any = "1"
    crowdrouter: Any = None
    _at_work = False

    def __init__(self, crowdrouter: Any = None) -> None:
        self.crowdrouter = crowdrouter if crowdrouter is not None else self.crowdrouter

    # A subclass writes it with what it names of the request, in any order, which a checker of types need not mind.
    if TYPE_CHECKING:

        def run(self, *args: Any, **kwargs: Any) -> Any: ...

    else:

        def run(self, crowd_request):
            """Carry a request out. As it stands: as a pipeline of all tasks."""
            return self.pipeline(crowd_request)

    def pipeline(self, crowd_request: CrowdRequest, ordering: Sequence[Any] | None = None) -> CrowdResponse:
        """One task after the other, in this order or that of `tasks`: a POST moves on to the next.

        Raises NoTaskFoundError, PipelineError, CrowdChoiceError.
        """
        order = list(self.tasks if ordering is None else ordering)
        if not order:
            why = "has no tasks: " + HOW_TASKS if ordering is None else "was given an order without any task."
            raise NoTaskFoundError(f"{self.get_name()} {why}")
        if isinstance(crowd_request, PlanRequest):
            crowd_request.planned = order
            return CrowdResponse({}, crowd_request, crowd_request.task)
        return pipeline.carry_out(self, crowd_request, order)

    def repeat(self, crowd_request: CrowdRequest, count: int) -> CrowdResponse:
        """The request's task, so many times in a row."""
        kind: Any = type(crowd_request.task)
        if kind not in self.tasks:
            # A form is answered by the name of the task that was shown; what is repeated may be the choice above it.
            at = self.known_tasks(self.tasks).get(pipeline.present_name(self, crowd_request.get_session()) or "")
            kind = at if at is not None and kind in self.known_tasks([at]).values() else kind
        return self.pipeline(crowd_request, [kind] * count)

    def random(self, crowd_request: CrowdRequest) -> Any:
        """Any of the tasks. A POST goes to the one that it names, or else to the one that was shown.

        Raises NoTaskFoundError for a POST that names none where none was shown.
        """
        if crowd_request.get_method() == POST:
            kind = type(crowd_request.task) if crowd_request.named else self._shown(crowd_request.get_session())
        else:
            kind = random.choice(list(self.tasks))
            self._remember(crowd_request.get_session(), kind.get_name())
        crowd_request.task = realize(kind, self, "workflow")
        return crowd_request.task.execute(crowd_request)

    def _shown(self, session: Any) -> Any:
        name = (session.get(SESSION_RANDOM_KEY) or {}).get(self.get_name())
        kind = next((kind for kind in self.tasks if kind.get_name() == name), None)
        if kind is None:
            raise NoTaskFoundError(f"No task of {self.get_name()} was shown that this could answer.")
        return kind

    def _remember(self, session: Any, name: str) -> None:
        shown = session.get(SESSION_RANDOM_KEY) or {}
        if shown.get(self.get_name()) != name:
            session[SESSION_RANDOM_KEY] = {**shown, self.get_name(): name}

    def pre_pipeline(self, task: Any, pipe_data: dict[str, Any]) -> None:
        """Called before the first task of a pipeline, or of a run, is shown."""

    def step_pipeline(self, next_task: Any, prev_task: Any, response: CrowdResponse, pipe_data: dict[str, Any]) -> None:
        """Called between two tasks: with the class of the next, and the one before with its response."""

    def post_pipeline(self, task: Any, response: CrowdResponse, pipe_data: dict[str, Any]) -> None:
        """Called after the last task, with its response."""
        response.pipeline_last = True
        response.path = "/"

    @classmethod
    def start(cls, input: Mapping[str, Any], by: Any) -> Any:
        """Start a run, by a user: the Run. Raises what `routing.runs.start` raises."""
        from routing import runs

        return runs.start(workflow=cls, input=input, by=by)

    @classmethod
    def known_tasks(cls, tasks: Sequence[Any]) -> dict[str, type[PartOfWorkFlow]]:
        """Name → class, for these and for all that stand below them."""
        found: dict[str, type[PartOfWorkFlow]] = {}
        waiting = list(tasks)
        while waiting:
            kind = waiting.pop(0)
            if found.setdefault(kind.get_name(), kind) is kind:
                waiting += [part for part in kind.parts() if found.get(part.get_name()) is not part]
        return found

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...], extra: dict[str, Any]) -> Any:
        """Behind @workflow. A call from the workflow's own `run` (`super().run(…)`) goes straight through."""
        request = find_request(args, extra)
        if request is None:
            raise NoRequestFoundError
        if self._at_work:
            given = [value for value in args if value is not request]
            values = {**known(request), "workflow": self} | ({"task": given[0]} if given else {})
            return calling.call(function, self, values, extra=extra, piped=False)
        self.require_authentication(request)
        self._at_work = True
        try:
            response = calling.call(function, self, {**known(request), "workflow": self}, extra=extra, piped=False)
        finally:
            self._at_work = False
        if not isinstance(response, CrowdResponse):
            found = type(response).__name__
            raise ImproperResponseError(f"{self.get_name()}.run must give back a CrowdResponse, not {found}.")
        return response
