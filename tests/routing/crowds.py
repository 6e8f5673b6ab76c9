"""Requests, tasks, workflows and routers that the tests of sessions are about."""

from typing import Any

from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import RequestFactory

from routing import AbstractCrowdChoice, AbstractCrowdRouter, AbstractTask, AbstractWorkFlow, CrowdResponse


class Ask:
    """A request as no framework makes it: a method, a session, data and a form."""

    def __init__(
        self,
        method: str = "GET",
        session: Any = None,
        *,
        data: Any = None,
        form: Any = None,
        user: Any = None,
        path: str = "/",
    ) -> None:
        self.method, self.path, self.data, self.form = method, path, data, form
        self.session = {} if session is None else session
        if user is not None:
            self.user = user


class Echo(AbstractTask):
    """A task that gives back its name, and of a form what is under "say"."""

    def get(self) -> Any:
        return {"status": "OK", "shown": self.get_name()}

    def post(self, form: Any) -> Any:
        return {"status": "OK", "taken": self.get_name(), "said": form.get("say")}


class First(Echo):
    """The first of three."""


class Second(Echo):
    """The second of three."""


class Third(Echo):
    """The third of three."""


class Fork(AbstractCrowdChoice):
    """Goes where the data says, to the Second as long as it says nothing."""

    t1 = Second
    t2 = Third

    def choice(self, data: Any) -> Any:
        return self.t2 if data.get("to") == "third" else self.t1


def flow(*tasks: Any, name: str = "Flow", **members: Any) -> Any:
    """A workflow that is a pipeline of these tasks."""
    return type(name, (AbstractWorkFlow,), {"tasks": list(tasks), **members})


def plain(*tasks: Any, name: str = "Plain") -> Any:
    """A workflow that carries out the task that a request is for."""
    return flow(*tasks, name=name, run=lambda self, task, crowd_request: task.execute(crowd_request))


def router(*workflows: Any, name: str = "Router", **members: Any) -> Any:
    """A router of these workflows."""
    return type(name, (AbstractCrowdRouter,), {"workflows": list(workflows), **members})()


class Person:
    """Somebody with a session, in front of a router with one workflow. A dict, unless another session is given."""

    def __init__(self, flow: Any, session: Any = None, **members: Any) -> None:
        self.flow, self.router = flow, router(flow, **members)
        self.session = {} if session is None else session

    def get(self, task: Any = None, **data: Any) -> CrowdResponse:
        """Look at a task, or at the one that is at hand."""
        return self.router.route(self.flow, task, Ask("GET", self.session), **data)

    def post(self, task: Any = None, *, form: Any = None, **data: Any) -> CrowdResponse:
        """Answer a task, or the one that is at hand."""
        return self.router.route(self.flow, task, Ask("POST", self.session, form=form or {}), **data)


def stored(key: str | None = None) -> SessionStore:
    """A new session in the database, or the one with this key, as a request finds it."""
    if key is None:
        made = SessionStore()
        made.create()
        key = made.session_key
    return SessionStore(key)


def django_request(method: str, session: Any, **call: Any) -> HttpRequest:
    """A request as Django hands it to a view; `call` is what its test client takes."""
    made: HttpRequest = getattr(RequestFactory(), method.lower())("/crowd/", **call)
    made.session = session
    return made
