"""AbstractCrowdRouter: lets requests in and hands them to workflows."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import connection

from routing import calling, decorators, pipeline, statistics
from routing.abstract_workflow import HOW_TASKS
from routing.elements import Element, find_request, known
from routing.exceptions import (
    AuthenticationError,
    ImproperResponseError,
    NoTaskFoundError,
    NoWorkFlowFoundError,
)
from routing.realizing import realize
from routing.requests import POST, CrowdRequest, RequestStrategy, read
from routing.responses import CrowdResponse


class AbstractCrowdRouter(Element):
    """A router: `workflows`, and who is let in.

    `whitelist` and `blacklist` are ids of users; an empty whitelist lets everybody in, and somebody who is not signed
    in is on none. `num_allowable_requests`: so many requests are let in until `clear_crowd_statistics`; None: all.
    `crowd_statistics`: whether visits are counted. All are read at each call, from the class or from `self`.
    """

    is_base = True
    wrappers = {"route": decorators.crowdrouter}
    workflows: Sequence[Any] = ()
    whitelist: Sequence[Any] = ()
    blacklist: Sequence[Any] = ()
    num_allowable_requests: int | None = None
    crowd_statistics = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Lists of their own, so that one may append to them.
        for name in ("whitelist", "blacklist"):
            if getattr(cls, name) is getattr(AbstractCrowdRouter, name):
                setattr(cls, name, [])

    # A subclass writes it with what it names of the request, in any order, which a checker of types need not mind.
    if TYPE_CHECKING:

        def route(self, *args: Any, **kwargs: Any) -> Any: ...

    else:

        def route(self, workflow, crowd_request):
            """Called as `route(workflow, task, request, session=None, **data)`: the CrowdResponse.

            Workflow and task are classes or names; without a task it is the present one of the session's pipeline, or
            the first. Written in a subclass as a method of what it names. Raises CrowdRouterError.
            """
            return workflow.run(crowd_request)

    def pipeline(self, workflow: Any, request: Any, session: Any = None, **data: Any) -> CrowdResponse:
        """The same, for whichever task is at hand."""
        response: CrowdResponse = self.route(workflow, task=None, request=request, session=session, **data)
        return response

    def report_crowd_statistics(self) -> dict[str, Any]:
        """`{"task_counts": {workflow: {task: {"GET": n, "POST": n}}}}`, with what was not visited as zeros."""
        return statistics.report(self)

    def clear_crowd_statistics(self) -> None:
        """Count from zero again, and let in as many requests as at the beginning."""
        statistics.clear(self.get_name())

    def enable_crowd_statistics(self, *args: Any, **kwargs: Any) -> None:
        """Statistics are on unless `crowd_statistics` is False; what older code gives here (a file) is not needed."""
        self.crowd_statistics = True

    def update_crowd_statistics(self, crowd_response: CrowdResponse) -> None:
        """Count what was carried out beside the router; what it carries out is counted by itself."""
        statistics.record(self.get_name(), [crowd_response])

    @property
    def crowd_stats(self) -> statistics.CrowdStats | None:
        """The statistics as an object, for code that was written for crowdrouter 1.5.5; None where they are off."""
        return statistics.CrowdStats(self) if self.crowd_statistics else None

    @crowd_stats.setter
    def crowd_stats(self, value: Any) -> None:
        self.crowd_statistics = value is not None

    def check_entry(self, request: Any, session: Any = None) -> None:
        """Refuse whoever the router does not let in, whatever they ask for. Raises AuthenticationError."""
        strategy = read(request, session)
        self._check_lists(strategy)
        self.require_authentication(CrowdRequest(None, None, strategy))

    @classmethod
    def urls(cls) -> tuple[list[Any], str]:
        """Addresses for `path("crowd/", include(MyCrowdRouter.urls()))`: each workflow, and each of its tasks."""
        from routing.views.urls import patterns

        return patterns(cls), cls.get_name()

    def _route(self, function: Callable[..., Any], args: tuple[Any, ...], extra: dict[str, Any]) -> Any:
        """Behind @crowdrouter. A call with a CrowdRequest (`super().route(…)`) goes straight through."""
        request = find_request(args, extra)
        if request is not None:
            given = [value for value in args if value is not request]
            values = known(request) | ({"workflow": given[0]} if given else {})
            return calling.call(function, self, values, extra=extra, piped=False)
        return self._enter(function, *args, **extra)

    def _enter(
        self,
        function: Callable[..., Any],
        /,
        workflow: Any,
        task: Any = None,
        request: Any = None,
        session: Any = None,
        **data: Any,
    ) -> CrowdResponse:
        strategy = read(request, session, data)
        # Before anything is looked up: whoever is on no list learns nothing of what there is.
        self._check_lists(strategy)
        crowd_request = self._request(workflow, task, strategy)
        self.require_authentication(crowd_request)
        if self.num_allowable_requests is not None:
            statistics.admit(self.get_name(), self.num_allowable_requests)
        try:
            response = calling.call(function, self, known(crowd_request), piped=False)
        finally:
            # Where a transaction around the request is lost, so is what was carried out.
            if self.crowd_statistics and crowd_request.visits and not connection.needs_rollback:
                statistics.record(self.get_name(), crowd_request.visits)
        if strategy.method == POST and hasattr(strategy.session, "modified"):
            # What a task wrote deep within the session, Django does not see.
            strategy.session.modified = True
        if not isinstance(response, CrowdResponse):
            found = type(response).__name__
            raise ImproperResponseError(f"{self.get_name()}.route must give back a CrowdResponse, not {found}.")
        return response

    def _request(self, workflow: Any, task: Any, strategy: RequestStrategy) -> CrowdRequest:
        """Raises NoWorkFlowFoundError, NoTaskFoundError."""
        flow = self.workflow_of(workflow)
        names = flow.known_tasks(flow.tasks)
        if not names:
            raise NoTaskFoundError(f"{flow.get_name()} has no tasks: {HOW_TASKS}")
        kind = task
        if task is None:
            present = pipeline.present_name(flow, strategy.session)
            kind = names.get(present) or next(iter(names.values()))
        elif isinstance(task, str):
            kind = names.get(task)
        elif task not in flow.tasks and task not in names.values():
            kind = None
        if kind is None:
            raise NoTaskFoundError(f"{flow.get_name()} has no task {getattr(task, '__name__', task)}.")
        crowd_request = CrowdRequest(flow, realize(kind, flow, "workflow"), strategy, named=task is not None)
        crowd_request.task.crowd_request = crowd_request
        if pipeline.present_name(flow, strategy.session):
            crowd_request.pipe_data = copy.deepcopy(strategy.session.get(pipeline.SESSION_DATA_KEY) or {})
        return crowd_request

    def workflow_of(self, workflow: Any) -> Any:
        """The workflow of this class or name, made for this router. Raises NoWorkFlowFoundError."""
        for kind in self.workflows:
            if workflow is kind or workflow == kind.get_name():
                return realize(kind, self, "crowdrouter")
        name = workflow if isinstance(workflow, str) else getattr(workflow, "__name__", repr(workflow))
        raise NoWorkFlowFoundError(f"{self.get_name()} has no workflow {name}.")

    def _check_lists(self, strategy: RequestStrategy) -> None:
        """Raises AuthenticationError."""
        if not (self.blacklist or self.whitelist):
            # Somebody who need not be known is not looked up.
            return
        user = CrowdRequest(None, None, strategy).get_user()
        if self.blacklist and is_among(user, self.blacklist):
            raise AuthenticationError(f"{self.get_name()} does not let you in.")
        if self.whitelist and not is_among(user, self.whitelist):
            raise AuthenticationError(f"{self.get_name()} lets in only those on its list.")


def is_among(user: Any, ids: Iterable[Any]) -> bool:
    """Whether these ids have the user's: 7 is "7", and a UUID is any of its spellings. Nobody (None) is on no list."""
    own = getattr(user, "pk", None)
    own = getattr(user, "id", None) if own is None else own
    if own is None:
        return False
    key = getattr(getattr(user, "_meta", None), "pk", None)

    def plain(value: Any) -> str:
        try:
            return str(key.to_python(value)) if key is not None else str(value)
        except ValidationError:
            return str(value)

    return plain(own) in map(plain, ids)
