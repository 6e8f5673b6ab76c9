"""Workflows in the admin: which there are, and what stands where in one; and what routers have counted."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from queues import lifecycle
from queues.models import Task
from queues.states import TaskStatus
from routing import AbstractCrowdRouter, registry, runs, standing
from routing.definitions import order_of
from routing.graph import draw_up
from routing.models import Lane, Step
from tests import cast, flows
from tests.admin.conftest import allow, text
from tests.routing.crowds import Ask

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("house", "nothing_kept")]


class Flows(AbstractCrowdRouter):
    """A router of the workflows that tests have."""

    workflows = [flows.Sequence, flows.Repeated, flows.Chosen, flows.Fanned]


@pytest.fixture
def house():
    """A site that has it."""
    registry.register(Flows)
    yield
    registry.unregister(Flows)


def at(name, *args):
    return reverse(f"admin:crowd_routing_{name}", args=args)


@pytest.fixture
def alice():
    return flows.crowd("alice")[0]


@pytest.fixture
def rick(alice):
    return cast.person("rick")


def standing_at(kind):
    """Node → status → number, of a workflow's graph."""
    graph = draw_up(order_of(kind))
    found, elsewhere = standing.put_on(graph, standing.live_steps(kind.get_name()))
    return {(node.key, node.name): found[node.key] for _depth, node in graph.walk() if node.key in found}, elsewhere


def test_the_site_s_routers_are_listed_with_their_workflows_and_open_runs(desk, alice, rick):
    for _each in range(2):
        flows.Sequence.start({}, by=rick)
    flows.Looped.start({}, by=rick)
    page = text(desk.get(at("run_workflows")))
    assert at("run_workflow", "Flows", "Sequence") in page
    assert re.search(r'workflow=Sequence&amp;status=RUNNING">2<', page)
    # No router has this one.
    assert re.search(r'workflow=Looped">Looped</a>: 1<', page)


def test_runs_stand_at_the_node_of_their_step(alice, rick):
    for _each in range(3):
        flows.Repeated.start({}, by=rick)
    flows.answer(alice, "a")
    assert standing_at(flows.Repeated) == ({("n0", "Find"): {"WAITING": 2}, ("n1", "Find"): {"WAITING": 1}}, 0)


def test_a_branch_that_was_chosen_has_its_own_number(alice, rick):
    flows.Chosen.start({}, by=rick)
    flows.answer(alice, {"wrong": True})
    assert standing_at(flows.Chosen) == ({("n1-0", "Fix"): {"WAITING": 1}}, 0)


def test_a_choice_that_could_not_be_made_stands_at_the_choice(alice, rick):
    flows.Chosen.start({}, by=rick)
    flows.answer(alice, {"no": "such"})
    assert standing_at(flows.Chosen) == ({("n1", "FixOrNote"): {"FAILED_RETRYABLE": 1}}, 0)


def test_what_stands_in_the_lanes_of_a_fan_is_within_it(alice, rick):
    flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": [1, 2, 3]})
    lifecycle.cancel_task(task_id=Task.objects.filter(status=TaskStatus.AVAILABLE)[0].pk)
    assert standing_at(flows.Fanned) == (
        {("n1", "Spots"): {"WAITING": 1}, ("n1-0", "Fix"): {"WAITING": 2, "FAILED_RETRYABLE": 1}},
        0,
    )


def test_runs_that_are_over_stand_nowhere(alice, rick):
    run = flows.Sequence.start({}, by=rick)
    runs.cancel(run_id=run.pk)
    other = flows.Sequence.start({}, by=rick)
    Lane.objects.filter(run=other).update(plan=["Find", "Gone"])
    flows.answer(alice, "a")
    assert flows.again(other).status == "FAILED"
    assert standing_at(flows.Sequence) == ({}, 0)


def test_a_step_of_an_earlier_order_stands_at_its_name_or_is_counted_apart(desk, rick):
    flows.Sequence.start({}, by=rick)
    Step.objects.update(position=7)
    assert standing_at(flows.Sequence) == ({("n0", "Find"): {"WAITING": 1}}, 0)
    Step.objects.update(element="Before", name="Before")
    assert standing_at(flows.Sequence) == ({}, 1)
    data = desk.get(at("run_workflow_now", "Flows", "Sequence")).json()
    assert (data["texts"]["elsewhere"], data["shown"]["elsewhere"]) == ("1", True)


def test_a_workflow_s_page_has_its_graph_and_its_numbers_in_words(desk, alice, rick):
    flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": [1, 2, 3]})
    page = text(desk.get(at("run_workflow", "Flows", "Fanned")))
    assert page.count('<svg class="crowd-graph"') == 1
    assert re.search(r'data-shown="n1-0.waiting">.*<b data-text="n1-0.waiting">3</b> waiting', page)
    assert re.search(r'data-shown="n1-0.retry" hidden>', page)
    assert "3 waiting</title>" in page


def test_a_refresh_has_numbers_and_picture(desk, rick):
    flows.Sequence.start({}, by=rick)
    data = desk.get(at("run_workflow_now", "Flows", "Sequence")).json()
    assert (data["texts"]["RUNNING"], data["texts"]["n0.waiting"], data["texts"]["n1.waiting"]) == ("1", "1", "0")
    assert (data["shown"]["n0.waiting"], data["shown"]["n0.retry"]) == (True, False)
    assert data["picture"].startswith("<svg")


def test_a_workflow_costs_as_much_with_many_runs_as_with_one(desk, alice, rick):
    def cost():
        with CaptureQueriesContext(connection) as seen:
            assert desk.get(at("run_workflow_now", "Flows", "Fanned")).status_code == 200
        return len(seen)

    flows.Fanned.start({}, by=rick)
    few = cost()
    flows.answer(alice, {"spots": [1, 2, 3]})
    for _each in range(3):
        flows.Fanned.start({}, by=rick)
    assert cost() == few


def test_many_runs_are_not_counted_to_the_end(rick, monkeypatch):
    monkeypatch.setattr(standing, "CAP", 2)
    for _each in range(3):
        flows.Sequence.start({}, by=rick)
    found = standing.runs_by_status("Sequence")
    assert (found["RUNNING"].number, found["RUNNING"].more, found["STUCK"].more) == (2, True, False)


def test_what_took_long_to_count_is_kept_for_a_while(rick, monkeypatch):
    monkeypatch.setattr(standing, "LONG", -1)
    monkeypatch.setattr(standing, "KEPT_FOR", 1_000_000)
    flows.Sequence.start({}, by=rick)
    found = standing.now("Sequence")
    with CaptureQueriesContext(connection) as seen:
        assert standing.now("Sequence") == found
    assert len(seen) == 0


@pytest.mark.parametrize("name", ["run_workflow", "run_workflow_now"])
@pytest.mark.parametrize("place", [("Flows", "Gone"), ("Gone", "Sequence")])
def test_a_workflow_that_is_not_there_is_missing(desk, name, place):
    assert desk.get(at(name, *place)).status_code == 404


def test_an_operator_finds_the_workflows_from_the_index(desk):
    assert "/admin/crowd_routing/run/" in text(desk.get("/admin/"))
    assert at("run_workflows") in text(desk.get("/admin/crowd_routing/"))
    assert at("run_workflows") in text(desk.get(at("run_changelist")))


class TestStatistics:
    @pytest.fixture
    def visited(self, rick):
        """A router one of whose tasks was shown once and answered twice."""
        router = registry.routers()["Flows"]
        for method in ("GET", "POST", "POST"):
            router.route("Sequence", "Find", Ask(method, {}, form={"spot": 1}))
        return router

    def test_each_task_has_what_was_shown_and_answered(self, desk, visited):
        page = text(desk.get(at("tally_router", "Flows")))
        assert re.search(r'<th scope="row">Find</th><td>1</td><td>2</td>', page)
        assert re.search(r'<th scope="row">Verify</th><td>0</td><td>0</td>', page)
        assert at("tally_router", "Flows") in text(desk.get(at("tally_changelist")))

    def test_they_are_cleared_once_that_is_confirmed(self, desk, visited):
        assert "All its numbers are zero afterwards." in text(desk.get(at("tally_clear", "Flows")))
        assert visited.report_crowd_statistics()["task_counts"]["Sequence"]["Find"]["POST"] == 2
        assert "counts from zero again" in text(desk.post(at("tally_clear", "Flows"), follow=True))
        assert visited.report_crowd_statistics()["task_counts"]["Sequence"]["Find"] == {"GET": 0, "POST": 0}

    def test_staff_who_may_look_do_not_clear_them(self, client, visited):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_routing.view_tally"))
        assert at("tally_clear", "Flows") not in text(client.get(at("tally_router", "Flows")))
        assert client.post(at("tally_clear", "Flows")).status_code == 403
        client.force_login(allow(cast.person("tim", is_staff=True), "crowd_routing.change_tally"))
        assert client.post(at("tally_clear", "Flows")).status_code == 302

    def test_staff_without_a_permission_see_none(self, client):
        client.force_login(cast.person("sam", is_staff=True))
        for address in (at("tally_changelist"), at("tally_router", "Flows"), at("tally_clear", "Flows")):
            assert client.get(address).status_code == 403

    @pytest.mark.parametrize("name", ["tally_router", "tally_clear"])
    def test_a_router_that_is_not_there_is_missing(self, desk, name):
        assert desk.get(at(name, "Gone")).status_code == 404
