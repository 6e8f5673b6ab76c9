"""Routers, what they counted, and the workflows that one may start, by the API."""

from typing import Any

import pytest
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.test import RequestFactory

from routing import AbstractCrowdRouter, registry
from tests import cast
from tests.api import flows
from tests.api.calling import Caller, problem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _routed():
    with flows.registered():
        yield


def names(caller: Caller) -> list[str]:
    """The workflows of tests.api.flows that somebody may start."""
    ours = {kind.get_name() for kind in flows.Desk.workflows}
    return [row["name"] for row in caller.get("workflows/")["results"] if row["name"] in ours]


def desk(caller: Caller) -> Any:
    return next(row for row in caller.get("routers/")["results"] if row["name"] == "Desk")


def ask(method: str, task: str) -> None:
    """A request for a task of Translating, as its page makes it."""
    request = getattr(RequestFactory(), method.lower())("/crowd/")
    request.session = SessionStore()
    request.user = cast.person("stan")
    registry.routers()["Desk"].route("Translating", task, request)


def test_one_sees_the_workflows_that_one_may_start(rick, mia, alice, olga, digits):
    cast.queue("foreign")
    assert names(alice) == []
    assert names(rick) == ["Reading", "ReadingAll"]
    assert names(mia) == ["Reading", "ReadingAll", "Translating", "ReadingAndTranslating"]
    assert names(olga) == ["Reading", "ReadingAll", "Translating", "ReadingAndTranslating", "Counting"]


def test_a_workflow_says_what_it_asks_of_whom(rick, olga, digits):
    shown = {row["name"]: row for row in olga.get("workflows/")["results"]}
    assert shown["Reading"] == {
        "name": "Reading",
        "version": "2",
        "tasks": [{"name": "Read", "queue": "digits"}, {"name": "Check", "queue": "digits"}],
    }
    assert shown["ReadingAll"]["tasks"] == [{"name": "Read", "queue": "digits"}]
    assert shown["Counting"]["tasks"] == [{"name": "Count", "queue": None}]


def test_lists_of_what_stands_in_code_are_one_page(olga):
    for path in ("workflows/", "routers/"):
        page = olga.get(path)
        assert (page["next"], page["previous"]) == (None, None)
        assert page["results"]
        olga.get(path, 400, name="Desk")


def test_a_router_says_what_it_has(olga):
    shown = desk(olga)
    assert (shown["num_allowable_requests"], shown["crowd_statistics"]) == (None, True)
    assert [flow["name"] for flow in shown["workflows"]] == [kind.get_name() for kind in flows.Desk.workflows]
    assert shown["workflows"][2]["tasks"] == [{"name": "Translate", "queue": "foreign"}]


def test_what_a_router_has_is_read_at_each_call(olga, monkeypatch):
    monkeypatch.setattr(flows.Desk, "workflows", [flows.Counting])
    assert [flow["name"] for flow in desk(olga)["workflows"]] == ["Counting"]


def test_statistics_say_how_often_tasks_were_asked_for_and_answered(olga):
    for method in ("GET", "GET", "POST"):
        ask(method, "Translate")
    counts = olga.get("routers/Desk/statistics/")["task_counts"]
    assert counts["Translating"] == {"Translate": {"GET": 2, "POST": 1}}
    assert counts["Reading"] == {"Read": {"GET": 0, "POST": 0}, "Check": {"GET": 0, "POST": 0}}


def test_statistics_are_cleared(olga):
    ask("GET", "Translate")
    olga.delete("routers/Desk/statistics/")
    assert olga.get("routers/Desk/statistics/")["task_counts"]["Translating"]["Translate"]["GET"] == 0


def test_clearing_lets_in_as_many_requests_as_at_the_beginning(olga, monkeypatch):
    monkeypatch.setattr(flows.Desk, "num_allowable_requests", 1)
    ask("GET", "Translate")
    olga.delete("routers/Desk/statistics/")
    ask("GET", "Translate")
    assert desk(olga)["num_allowable_requests"] == 1


def test_a_router_that_there_is_not_has_no_statistics(olga):
    for method in ("GET", "DELETE"):
        problem(olga.call(method, "routers/Nobody/statistics/"), 404, "not-found")


def test_routers_are_for_operators(mia, digits):
    ask("GET", "Translate")
    for method, path in (
        ("GET", "routers/"),
        ("GET", "routers/Desk/statistics/"),
        ("GET", "routers/Nobody/statistics/"),
        ("DELETE", "routers/Desk/statistics/"),
    ):
        problem(mia.call(method, path), 403, "permission-denied")
    assert registry.routers()["Desk"].report_crowd_statistics()["task_counts"]["Translating"]["Translate"]["GET"] == 1


def test_a_router_may_have_a_name_of_its_own(olga):
    class Front(AbstractCrowdRouter):
        workflows = [flows.Counting]

        @classmethod
        def get_name(cls) -> str:
            return "Front desk. 2"

    registry.register(Front)
    try:
        assert olga.get("routers/Front desk. 2/statistics/")["task_counts"] == {
            "Counting": {"Count": {"GET": 0, "POST": 0}}
        }
    finally:
        registry.unregister(Front)
