"""What routers, workflows and tasks see of a request: any object with a method, a session and data."""

import copy
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from django.http.request import RawPostDataException
from django.utils.datastructures import MultiValueDict

from queues import strictjson
from routing.exceptions import (
    InvalidRequestError,
    InvalidRequestStrategyError,
    InvalidSessionError,
    NoRequestFoundError,
    NoSessionFoundError,
)

GET, POST = "GET", "POST"

STEP_FIELD = "crowd_step"
"""The form field that says for which step of a pipeline a form was made; a stale form that brings it back is told."""


@dataclass
class RequestStrategy:
    """What was read from a request: `data` is that of its address, joined by what the caller added; `form` its body."""

    request: Any
    method: str
    path: str | None
    session: Any
    data: Any
    form: Any


def _first(request: Any, names: tuple[str, ...]) -> Any:
    """The first of these attributes that the request has. Raises InvalidRequestError where it is no mapping."""
    for name in names:
        value = getattr(request, name, None)
        if value is not None:
            break
    else:
        return {}
    if isinstance(value, Mapping):
        return value
    # An empty body is no form; what is not empty must be one.
    if value:
        raise InvalidRequestError(f"The request's {name} must be a mapping, not {type(value).__name__}.")
    return {}


def own(values: Any) -> Any:
    """A copy that may be written to: of Django's QueryDict one that keeps several values of a name.

    What it holds is not copied: that may be an uploaded file.
    """
    if isinstance(values, MultiValueDict):
        return copy.copy(values)
    return values.copy() if hasattr(values, "copy") else dict(values)


def _form(request: Any, method: str) -> Any:
    """The body of a request, with the files that came with it. Raises InvalidRequestError."""
    # REST framework reads any body into `data`; its POST is that of forms.
    if hasattr(request, "query_params"):
        return own(_first(request, ("data",)))
    if method == POST and getattr(request, "content_type", None) == "application/json":
        return _json(request)
    form = own(_first(request, ("POST", "form")))
    files = getattr(request, "FILES", None)
    if isinstance(files, MultiValueDict) and files:
        for name, several in files.lists():
            form.setlist(name, several)
    return form


def _json(request: Any) -> Any:
    try:
        found = strictjson.loads(request.body)
    except strictjson.StrictJSONError as error:
        raise InvalidRequestError(f"The body is not the JSON that is taken: {error}") from None
    except RawPostDataException:
        raise InvalidRequestError("The body was read before it came to the router.") from None
    if not isinstance(found, dict):
        raise InvalidRequestError("The body must be a JSON object, whose members are the form.")
    return found


def join(data: Any, values: Mapping[str, Any]) -> None:
    """Put `values` into data, in the place of what was there."""
    for name, value in values.items():
        data[name] = value


def read(request: Any, session: Any = None, added: Mapping[str, Any] | None = None) -> RequestStrategy:
    """Read a request: of Django, of REST framework, or anything with `method`, `session` and `data`, `form`.

    Raises NoRequestFoundError, NoSessionFoundError, InvalidSessionError, InvalidRequestError.
    """
    if request is None:
        raise NoRequestFoundError
    if session is None:
        session = getattr(request, "session", None)
    if session is None:
        raise NoSessionFoundError
    if not all(hasattr(session, name) for name in ("get", "__getitem__", "__setitem__")):
        raise InvalidSessionError
    given = getattr(request, "method", None)
    method = given.upper() if isinstance(given, str) else given
    if method == "HEAD":
        method = GET
    if method not in (GET, POST):
        raise InvalidRequestError(f"A request is GET or POST, and this one has the method {method}.")
    data = own(_first(request, ("GET", "args", "data")))
    join(data, added or {})
    return RequestStrategy(request, method, getattr(request, "path", None), session, data, _form(request, method))


class CrowdRequest:
    """A request for a task of a workflow.

    `task` and `workflow` are instances; `previous_response` is the CrowdResponse before, in a pipeline. `named`: the
    request says which task it is for. `pipe_data` is what the pipeline has gathered; `visits` the responses so far.
    """

    def __init__(
        self,
        workflow: Any,
        task: Any,
        request_strategy: RequestStrategy,
        previous_response: Any = None,
        *,
        named: bool = False,
    ) -> None:
        if not isinstance(request_strategy, RequestStrategy):
            raise InvalidRequestStrategyError
        self.workflow = workflow
        self.task = task
        self.request_strategy = request_strategy
        self.previous_response = previous_response
        self.named = named
        self.pipe_data: Any = {}
        self.visits: list[Any] = []

    def get_request(self) -> Any:
        """The request itself; None in a run."""
        return self.request_strategy.request

    def get_method(self) -> str:
        """ "GET" or "POST"."""
        return self.request_strategy.method

    def get_path(self) -> str | None:
        return self.request_strategy.path

    def get_session(self) -> Any:
        return self.request_strategy.session

    def get_form(self) -> Any:
        return self.request_strategy.form

    def get_data(self) -> Any:
        return self.request_strategy.data

    def get_user(self) -> Any:
        """The request's user, or None for somebody who is not signed in."""
        user = getattr(self.get_request(), "user", None)
        return user if user is not None and getattr(user, "is_authenticated", True) else None

    def __repr__(self) -> str:
        return f"<CrowdRequest: {self.workflow} {self.task} {self.get_method()}>"


class RunRequest(CrowdRequest):
    """What the tasks, choices and hooks of a run are given in the place of a request: there is none.

    `get_data()` is the pipe data, joined by what the step before gave; the session is empty.
    """

    def __init__(
        self, workflow: Any, task: Any, data: MutableMapping[str, Any], *, user: Any, method: str = GET
    ) -> None:
        strategy = RequestStrategy(None, method, None, {}, data, {})
        super().__init__(workflow, task, strategy)
        self.pipe_data = data
        self.user = user

    def get_user(self) -> Any:
        return self.user


class PlanRequest(RunRequest):
    """What a workflow's `run` is asked with when a run starts: `planned` is the order of classes that it chose."""

    planned: list[Any] | None = None
