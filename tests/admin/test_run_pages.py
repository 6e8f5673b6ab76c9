"""Runs in the admin: the list, the page of one, and what an operator does to it."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from queues import lifecycle
from queues.admin import backwards
from queues.models import Task
from queues.states import TaskStatus
from routing import runs, standing
from routing.admin.run import STEPS_SHOWN
from routing.models import Lane, Run, Step
from routing.states import RunStatus, StepStatus
from tests import cast, flows
from tests.admin.conftest import allow, text
from tests.plans import explain, prefer_indexes

pytestmark = pytest.mark.django_db


def at(name, *args):
    return reverse(f"admin:crowd_routing_run_{name}", args=args)


@pytest.fixture
def alice():
    return flows.crowd("alice")[0]


@pytest.fixture
def rick(alice):
    return cast.person("rick")


@pytest.fixture
def bob(alice):
    return flows.crowd("bob")[0]


@pytest.fixture
def stuck(rick):
    """A run whose only task was canceled, which its step had not expected."""
    run = flows.Sequence.start({}, by=rick)
    lifecycle.cancel_task(task_id=Task.objects.get().pk)
    return flows.again(run)


@pytest.fixture
def failed(alice, rick):
    """A run whose next step is not there any more."""
    run = flows.Sequence.start({}, by=rick)
    Lane.objects.update(plan=["Find", "Gone"])
    flows.answer(alice, "a")
    return flows.again(run)


def fanned(alice, rick, spots):
    """A run that has fanned out over so many spots."""
    run = flows.Fanned.start({}, by=rick)
    flows.answer(alice, {"spots": list(range(spots))})
    return run


def ids(answer):
    """The runs that a list shows."""
    return [int(pk) for pk in re.findall(r'<th scope="row"><a href="[^"]*/run/(\d+)/change/">', text(answer))]


class TestList:
    def test_it_says_of_each_run_where_it_stands(self, desk, alice, rick, stuck):
        run = fanned(alice, rick, 3)
        page = text(desk.get(at("changelist")))
        assert "Fix: 3 waiting" in page
        assert "Find: to be tried again" in page
        assert "rick@example.org" in page
        assert ids(desk.get(at("changelist"))) == [run.pk, stuck.pk]

    def test_it_is_narrowed_by_status_workflow_id_and_task(self, desk, rick, stuck):
        other = flows.Noted.start({}, by=rick)
        task = Task.objects.get(step__run=other)
        for query, found in (
            ({"status": "STUCK"}, [stuck.pk]),
            ({"workflow": "Noted"}, [other.pk]),
            ({"workflow": "Noted", "status": "STUCK"}, []),
            ({"run": stuck.pk}, [stuck.pk]),
            ({"task": task.pk}, [other.pk]),
            ({"run": "x"}, []),
        ):
            assert ids(desk.get(at("changelist"), query)) == found, query

    @pytest.mark.parametrize("query", [{}, {"workflow": "Sequence"}, {"status": "RUNNING"}])
    def test_it_is_narrowed_by_when_runs_were_started(self, desk, rick, query):
        old, new = (flows.Sequence.start({}, by=rick) for _each in range(2))
        Run.objects.filter(pk=old.pk).update(created_at=new.created_at - timedelta(days=3))
        since = f"{new.created_at - timedelta(days=1):%Y-%m-%dT%H:%M}"
        assert ids(desk.get(at("changelist"), {**query, "since": since})) == [new.pk]

    @pytest.mark.parametrize("query", ["", "?workflow=Sequence", "?workflow=Sequence&status=RUNNING"])
    def test_it_goes_back_page_by_page(self, desk, rick, monkeypatch, query):
        monkeypatch.setattr(backwards, "PAGE", 2)
        made = [flows.Sequence.start({}, by=rick).pk for _each in range(5)]
        if "status" not in query:
            runs.cancel(run_id=made[1])
            runs.cancel(run_id=made[4])
        seen, address = [], at("changelist") + query
        for _page in range(3):
            answer = desk.get(address)
            seen += ids(answer)
            further = re.search(r'rel="next" href="([^"]+)"', text(answer))
            address = further and at("changelist") + further[1].replace("&amp;", "&")
        assert seen == made[::-1]
        assert address is None

    def test_it_costs_as_much_with_many_runs_as_with_one(self, desk, rick):
        def cost():
            with CaptureQueriesContext(connection) as seen:
                assert desk.get(at("changelist")).status_code == 200
            return len(seen)

        flows.Sequence.start({}, by=rick)
        few = cost()
        for _each in range(3):
            flows.Sequence.start({}, by=rick)
        assert cost() == few

    @pytest.mark.only("postgresql")
    def test_the_runs_of_a_workflow_come_along_an_index(self, rick):
        flows.Sequence.start({}, by=rick)
        first = Run.objects.get()
        Run.objects.bulk_create(
            Run(
                workflow=first.workflow,
                name=f"Flow{number % 300}",
                version="1",
                input={},
                started_by=rick,
                created_at=first.created_at,
            )
            for number in range(1500)
        )
        prefer_indexes(Run)
        with CaptureQueriesContext(connection) as seen:
            standing.newest("Flow3", until=None, number=51)
        assert len(seen) == len(RunStatus)
        (running,) = [query["sql"] for query in seen.captured_queries if "'RUNNING'" in query["sql"]]
        plan = explain(running)
        assert "run_by_name" in plan
        assert "Sort" not in plan, plan

    def test_a_task_leads_to_its_run(self, desk, rick):
        run = flows.Sequence.start({}, by=rick)
        task = Task.objects.get()
        page = text(desk.get(reverse("admin:crowd_queues_task_change", args=[task.pk])))
        address = f"{at('changelist')}?task={task.pk}"
        assert address in page
        assert ids(desk.get(address)) == [run.pk]


class TestPage:
    def test_it_shows_each_step_with_its_task_and_data(self, desk, alice, rick):
        run = flows.Sequence.start({"text": "teh"}, by=rick)
        flows.answer(alice, {"spot": 7})
        page = text(desk.get(at("change", run.pk)))
        for task in Task.objects.all():
            assert reverse("admin:crowd_queues_task_change", args=[task.pk]) in page
        assert "&quot;spot&quot;: 7" in page
        assert "&quot;text&quot;: &quot;teh&quot;" in page

    def test_its_picture_has_what_was_done_what_waits_and_what_is_to_come(self, rick, alice):
        run = flows.Sequence.start({}, by=rick)
        flows.answer(alice, "a")
        nodes = standing.path(run).graph(run).nodes
        assert [(node.name, node.state) for node in nodes] == [
            ("Find", "done"),
            ("Fix", "waiting"),
            ("Verify", "to-come"),
        ]

    def test_the_lanes_of_a_fan_are_folded_into_counts(self, desk, alice, bob, rick):
        run = fanned(alice, rick, 3)
        flows.answer(alice, "fixed")
        way = standing.path(run)
        (fan,) = way.fans.values()
        assert (fan.lanes, fan.ended) == (3, 0)
        assert {(name, status): number for (_at, _of, name, _kind, status), number in fan.steps.items()} == {
            ("Fix", "DONE"): 1,
            ("Fix", "WAITING"): 2,
            ("Verify", "WAITING"): 1,
        }
        assert "0 of 3 have ended" in text(desk.get(at("change", run.pk)))

    def test_it_costs_as_much_with_many_lanes_as_with_few(self, desk, alice, rick):
        def cost(run):
            with CaptureQueriesContext(connection) as seen:
                assert desk.get(at("change", run.pk)).status_code == 200
            return len(seen)

        few = cost(fanned(alice, rick, 2))
        Task.objects.filter(status=TaskStatus.AVAILABLE).update(priority=900)
        assert cost(fanned(alice, rick, 9)) == few

    def test_of_a_long_way_the_midst_is_a_number(self, rick):
        run = flows.Sequence.start({}, by=rick)
        (first,) = Step.objects.all()
        more = [
            Step(
                run=run,
                lane=first.lane,
                number=number,
                position=0,
                element="Find",
                name="Find",
                kind="HUMAN",
                status=StepStatus.DONE,
                data={},
                created_at=run.created_at,
                ended_at=run.created_at,
            )
            for number in range(2, 102)
        ]
        Step.objects.bulk_create(more)
        way = standing.path(run)
        nodes = way.graph(run).nodes
        assert [step.number for step in way.steps] == [*range(1, standing.FIRST + 1), *range(102 - standing.LAST, 102)]
        assert nodes[standing.FIRST].count == 101 - standing.FIRST - standing.LAST
        assert len(nodes) == standing.FIRST + 1 + standing.LAST + 2

    def test_its_steps_come_in_pages(self, desk, alice, rick):
        run = fanned(alice, rick, STEPS_SHOWN)
        assert text(desk.get(at("change", run.pk))).count("<tr>") > STEPS_SHOWN
        last = text(desk.get(at("change", run.pk), {"p": 2}))
        assert f"Spots {STEPS_SHOWN}<" in last

    def test_a_step_that_failed_says_why(self, desk, stuck):
        page = text(desk.get(at("change", stuck.pk)))
        assert "The task was canceled." in page
        assert "Traceback (most recent call last)" in page

    def test_what_hosts_write_is_text(self, desk, alice, rick):
        run = flows.Sequence.start({"text": "<script>"}, by=rick)
        flows.answer(alice, "<script>alert(1)</script>")
        Step.objects.update(name="<b>Find", element="<b>Find")
        page = text(desk.get(at("change", run.pk)))
        assert "<script>alert" not in page
        assert "<b>Find" not in page

    def test_a_workflow_that_is_gone_is_said(self, desk, rick):
        run = flows.Sequence.start({}, by=rick)
        Run.objects.update(workflow="shop.crowd:OrderWorkFlow")
        assert "There is no workflow shop.crowd:OrderWorkFlow any more." in text(desk.get(at("change", run.pk)))

    def test_a_workflow_of_another_version_is_said(self, desk, rick, monkeypatch):
        run = flows.Sequence.start({}, by=rick)
        assert "at another version" not in text(desk.get(at("change", run.pk)))
        monkeypatch.setattr(flows.Sequence, "version", "2")
        assert "at another version" in text(desk.get(at("change", run.pk)))

    def test_a_run_that_is_not_there_leads_back(self, desk):
        assert desk.get(at("change", 99)).status_code == 302
        assert desk.get("/admin/crowd_routing/run/x/change/").status_code == 302


class TestActs:
    def test_a_run_is_canceled_once_it_is_said_why(self, desk, olga, rick):
        run = flows.Sequence.start({}, by=rick)
        assert "Its tasks that are open are canceled" in text(desk.get(at("cancel", run.pk)))
        assert flows.again(run).status == RunStatus.RUNNING
        answer = desk.post(at("cancel", run.pk), {"reason": "Not needed."}, follow=True)
        assert "The run is canceled." in text(answer)
        run = flows.again(run)
        assert (run.status, run.reason) == (RunStatus.CANCELED, "Not needed.")
        assert Task.objects.get().status == TaskStatus.CANCELED

    def test_a_run_that_is_over_is_not_canceled(self, desk, rick):
        run = flows.Sequence.start({}, by=rick)
        runs.cancel(run_id=run.pk)
        assert f"Run {run.pk} is canceled." in text(desk.post(at("cancel", run.pk), {"reason": ""}))

    def test_what_failed_is_tried_again(self, desk, stuck):
        page = text(desk.post(at("retry", stuck.pk), follow=True))
        assert "It was tried again. The run is running." in page
        assert flows.path(stuck) == ["Find WAITING"]

    def test_one_step_is_tried_again(self, desk, alice, rick):
        run = fanned(alice, rick, 2)
        for task in Task.objects.filter(status=TaskStatus.AVAILABLE):
            lifecycle.cancel_task(task_id=task.pk)
        one, other = Step.objects.filter(status=StepStatus.FAILED_RETRYABLE).order_by("id")
        page = text(desk.post(at("retry", run.pk), {"step": other.pk}, follow=True))
        assert "The run is still stuck" in page
        one.refresh_from_db()
        other.refresh_from_db()
        assert (one.status, other.status) == (StepStatus.FAILED_RETRYABLE, StepStatus.WAITING)

    @pytest.mark.parametrize("step", ["99", "x"])
    def test_a_step_that_did_not_fail_is_not_tried_again(self, desk, stuck, step):
        page = text(desk.post(at("retry", stuck.pk), {"step": step}, follow=True))
        assert f"No such step of run {stuck.pk} waits to be tried again." in page
        assert flows.path(stuck) == ["Find FAILED_RETRYABLE"]

    def test_a_run_that_failed_is_resumed(self, desk, failed):
        assert failed.status == RunStatus.FAILED
        Lane.objects.update(plan=["Find", "Fix"])
        page = text(desk.post(at("resume", failed.pk), follow=True))
        assert "It was resumed. The run is running." in page
        assert flows.path(failed) == ["Find DONE", "Fix WAITING"]

    def test_a_run_that_did_not_fail_is_not_resumed(self, desk, stuck):
        assert "one that failed can be resumed" in text(desk.post(at("resume", stuck.pk), follow=True))

    @pytest.mark.parametrize(
        ("made", "acts"), [("stuck", ["cancel", "retry"]), ("failed", ["cancel", "resume"]), ("canceled", [])]
    )
    def test_a_page_offers_what_can_be_done(self, desk, request, rick, made, acts):
        if made == "canceled":
            run = runs.cancel(run_id=flows.Sequence.start({}, by=rick).pk)
        else:
            run = request.getfixturevalue(made)
        page = text(desk.get(at("change", run.pk)))
        assert [act for act in ("cancel", "retry", "resume") if at(act, run.pk) in page] == acts

    def test_looking_at_its_pages_does_nothing(self, desk, stuck):
        assert [desk.get(at(act, stuck.pk)).status_code for act in ("retry", "resume")] == [405, 405]
        assert flows.again(stuck).status == RunStatus.STUCK


class TestPermissions:
    def test_staff_who_may_view_runs_see_them_and_do_nothing(self, client, stuck):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_routing.view_run"))
        page = text(client.get(at("change", stuck.pk)))
        assert at("cancel", stuck.pk) not in page
        assert client.get(at("changelist")).status_code == 200
        for act in ("cancel", "retry", "resume"):
            assert client.post(at(act, stuck.pk)).status_code == 403

    def test_staff_who_may_change_runs_act(self, client, stuck):
        client.force_login(allow(cast.person("sam", is_staff=True), "crowd_routing.change_run"))
        assert at("cancel", stuck.pk) in text(client.get(at("change", stuck.pk)))
        assert client.post(at("retry", stuck.pk)).status_code == 302

    def test_staff_without_a_permission_see_nothing(self, client, stuck):
        client.force_login(cast.person("sam", is_staff=True))
        for address in (at("changelist"), at("change", stuck.pk), at("cancel", stuck.pk), at("workflows")):
            assert client.get(address).status_code == 403

    def test_nobody_adds_changes_or_deletes_a_run_by_a_form(self, desk, stuck):
        assert desk.get(at("add")).status_code == 403
        assert desk.post(at("delete", stuck.pk), {"post": "yes"}).status_code == 403
        desk.post(at("change", stuck.pk), {"status": "FINISHED"})
        assert flows.again(stuck).status == RunStatus.STUCK

    @pytest.mark.parametrize("act", ["cancel", "retry", "resume"])
    def test_a_run_that_is_not_there_is_missing(self, desk, act):
        assert desk.post(at(act, 99)).status_code == 404
