"""Runs by the API: who starts them, what is shown of them, and helping those along that are stuck."""

import json
from typing import Any

import pytest

from queues import notifications
from queues.models import Delivery
from queues.notifications import NotificationDraft
from queues.sequencer import sequence
from queues.states import Level
from routing.models import Run, Step
from tests import cast
from tests.api import flows
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _routed():
    with flows.registered():
        yield


def start(caller: Caller, workflow: str = "Reading", expect: int = 201, **input: Any) -> Any:
    return caller.post("runs/", {"workflow": workflow, "input": input}, expect)


def answer(reviewer: Caller, data: Any = "seven") -> None:
    """Whoever reviews answers the next task."""
    (held,) = reviewer.post("queues/digits/grab/")["assignments"]
    reviewer.post(f"assignments/{held['id']}/finalize/", {"data": data})


def steps(caller: Caller, run: Any, **query: Any) -> list[Any]:
    """The first first."""
    return list(reversed(caller.get(f"runs/{run['id']}/steps/", **query)["results"]))


def test_starting_posts_the_first_task(rick, digits):
    run = start(rick, page=3)
    (task,) = rick.get("tasks/", queue="digits")["results"]
    assert (task["input_data"], task["global_keys"]) == ({"page": 3}, [f"run:{run['id']}"])
    assert task["requester"] == "rick@example.org"


def test_what_is_shown_of_a_run(rick, digits):
    run = start(rick, page=3)
    shown = rick.get(f"runs/{run['id']}/")
    assert shown == run
    assert {name: shown[name] for name in ("workflow", "name", "version", "status", "input", "data", "reason")} == {
        "workflow": "tests.api.flows:Reading",
        "name": "Reading",
        "version": "2",
        "status": "RUNNING",
        "input": {"page": 3},
        "data": None,
        "reason": "",
    }
    assert shown["started_by"] == "rick@example.org"
    assert shown["created_at"].endswith("Z")
    assert shown["ended_at"] is None
    assert shown["steps"] == {"WAITING": 1, "DONE": 0, "FAILED_RETRYABLE": 0, "CANCELED": 0}


def test_answers_move_a_run_on_to_its_end(rick, alice, digits):
    run = start(rick, page=3)
    answer(alice, "seven")
    assert rick.get(f"runs/{run['id']}/")["steps"] == {"WAITING": 1, "DONE": 1, "FAILED_RETRYABLE": 0, "CANCELED": 0}
    answer(alice, "right")
    ended = rick.get(f"runs/{run['id']}/")
    assert (ended["status"], ended["data"]) == ("FINISHED", {"page": 3, "Read": "seven", "Check": "right"})
    assert ended["ended_at"] is not None


def test_what_is_shown_of_a_step(rick, alice, digits):
    run = start(rick, page=3)
    answer(alice, "seven")
    done, waiting = steps(rick, run)
    task = Step.objects.get(pk=done["id"]).task_id
    assert {name: value for name, value in done.items() if name not in ("id", "created_at", "ended_at")} == {
        "lane": [],
        "fan_out": None,
        "number": 1,
        "element": "Read",
        "name": "Read",
        "kind": "HUMAN",
        "status": "DONE",
        "task": task,
        "data": {"page": 3},
        "output": {"status": "OK", "output": "seven"},
        "reason": "",
        "traceback": None,
        "attempts": 1,
    }
    assert done["ended_at"] is not None
    assert (waiting["number"], waiting["status"], waiting["output"]) == (2, "WAITING", None)
    assert waiting["data"] == {"page": 3, "Read": "seven"}


def test_a_step_says_by_which_fans_it_came(rick, digits):
    run = start(rick, "ReadingAll", pages=[["a"], ["b", "c"]])
    found = steps(rick, run)
    names = {step["id"]: step["name"] for step in found}
    assert sorted((step["name"], step["lane"], names.get(step["fan_out"])) for step in found) == [
        ("EachLine", [0], "EachPage"),
        ("EachLine", [1], "EachPage"),
        ("EachPage", [], None),
        ("Read", [0, 0], "EachLine"),
        ("Read", [1, 0], "EachLine"),
        ("Read", [1, 1], "EachLine"),
    ]
    assert run["steps"] == {"WAITING": 6, "DONE": 0, "FAILED_RETRYABLE": 0, "CANCELED": 0}


def test_a_step_says_so_without_those_that_it_came_by(rick, digits):
    run = start(rick, "ReadingAll", pages=[["a"], ["b", "c"]])
    assert sorted(step["lane"] for step in steps(rick, run, name="Read")) == [[0, 0], [1, 0], [1, 1]]


def test_one_sees_ones_own_runs_and_operators_see_all(rick, mia, olga, digits):
    ricks, mias = start(rick), start(mia)
    assert rick.ids("runs/") == [ricks["id"]]
    assert mia.ids("runs/") == [mias["id"]]
    assert olga.ids("runs/") == [ricks["id"], mias["id"]]


def test_runs_are_filtered(rick, mia, olga, alice, digits):
    first, second, third = start(rick), start(mia), start(olga, "Counting", text="four")
    start_of = {run["id"]: run["created_at"] for run in (first, second, third)}

    def found(**query: Any) -> list[int]:
        return olga.ids("runs/", **query)

    assert found(status="FINISHED") == [third["id"]]
    assert found(status=["FINISHED", "RUNNING"]) == [first["id"], second["id"], third["id"]]
    assert found(name="Reading") == [first["id"], second["id"]]
    assert found(started_by="RICK@example.org") == [first["id"]]
    assert found(created_at__gte=start_of[second["id"]]) == [second["id"], third["id"]]
    assert found(created_at__lte=start_of[second["id"]]) == [first["id"], second["id"]]


@pytest.mark.parametrize(
    "query", [{"status": "ODD"}, {"created_at__gte": "today"}, {"workflow": "Reading"}, {"name": ""}]
)
def test_what_no_filter_of_runs_understands_is_refused(rick, query):
    rick.get("runs/", 400, **query)


def test_steps_are_filtered(rick, alice, digits):
    run = start(rick)
    answer(alice)
    assert [step["name"] for step in steps(rick, run, status="DONE")] == ["Read"]
    assert [step["status"] for step in steps(rick, run, name="Check")] == ["WAITING"]
    rick.get(f"runs/{run['id']}/steps/", 400, task=1)


def test_a_run_is_started_by_those_who_may_post_to_every_queue_it_asks(rick, mia, digits):
    cast.queue("foreign")
    start(rick)
    start(mia, "ReadingAndTranslating")
    refused = problem(
        rick.call("POST", "runs/", {"workflow": "ReadingAndTranslating", "input": {}}), 403, "permission-denied"
    )
    assert "every queue" in refused["detail"]
    assert Run.objects.count() == 2


def test_reviewers_start_no_runs(alice, digits):
    start(alice, expect=403)


def test_a_queue_that_was_deleted_lets_nobody_start(rick, mia, digits):
    mia.delete("queues/digits/")
    start(rick, expect=403)


def test_what_asks_nobody_is_for_operators_to_start(mia, olga, digits):
    start(mia, "Counting", expect=403, text="four")
    run = start(olga, "Counting", text="four")
    assert (run["status"], run["data"]) == ("FINISHED", {"text": "four", "letters": 4})
    assert run["steps"]["DONE"] == 1


def test_an_unknown_workflow_is_a_bad_input(olga):
    assert pointers(start(olga, "Nothing", expect=400)) == ["/workflow"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"workflow": "Reading"}, "/input"),
        ({"workflow": "Reading", "input": [1]}, "/input"),
        ({"workflow": 7, "input": {}}, "/workflow"),
        ({"input": {}}, "/workflow"),
        ({"workflow": "Reading", "input": {}, "by": "mia"}, "/by"),
        ([], ""),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(rick, digits, body, pointer):
    assert pointers(rick.post("runs/", body, 400)) == [pointer]
    assert not Run.objects.exists()


def test_what_a_workflow_says_of_its_input_is_told(olga):
    body = {"workflow": "Counting", "input": {}}
    refused = problem(olga.call("POST", "runs/", body), 400, "task-error")
    assert refused["detail"] == "There is no text to count."
    assert not Run.objects.exists()


def test_a_message_shows_a_run_as_the_api_does(olga):
    draft = NotificationDraft(endpoint="https://8.8.8.8/hook", events_to_notify=("RUN_FINISHED",))
    notifications.create(level=Level.SITE, draft=draft, owner=cast.person("olga"))
    run = start(olga, "Counting", text="four")
    sequence()
    (sent,) = Delivery.objects.all()
    said = json.loads(sent.body)
    assert (said["type"], said["data"]) == ("RUN_FINISHED", {**run, "sequence": 2})


def test_a_start_with_a_key_is_done_once(rick, digits):
    body = {"workflow": "Reading", "input": {}}
    first = rick.post("runs/", body, 201, idempotency_key="a")
    again = rick.call("POST", "runs/", body, 201, idempotency_key="a")
    assert again.json() == first
    assert again.headers["Idempotency-Replayed"] == "true"
    assert Run.objects.count() == 1


def test_canceling_ends_a_run_and_its_task(rick, digits):
    run = start(rick)
    ended = rick.post(f"runs/{run['id']}/cancel/", {"reason": "A mistake"})
    assert (ended["status"], ended["reason"]) == ("CANCELED", "A mistake")
    assert ended["steps"] == {"WAITING": 0, "DONE": 0, "FAILED_RETRYABLE": 0, "CANCELED": 1}
    assert [task["status"] for task in rick.get("tasks/", queue="digits")["results"]] == ["CANCELED"]


def test_canceling_is_once(rick, digits):
    run = start(rick)
    rick.post(f"runs/{run['id']}/cancel/")
    problem(rick.call("POST", f"runs/{run['id']}/cancel/"), 409, "run-over")
    problem(rick.call("POST", f"runs/{run['id']}/retry/"), 409, "run-over")


def test_a_reason_has_its_length(rick, digits):
    run = start(rick)
    assert pointers(rick.post(f"runs/{run['id']}/cancel/", {"reason": "x" * 201}, 400)) == ["/reason"]


def test_a_step_whose_code_raised_is_tried_again(rick, digits, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(flows.Read, "broken", True)
        run = start(rick)
        assert (run["status"], run["steps"]["FAILED_RETRYABLE"]) == ("STUCK", 1)
        assert rick.post(f"runs/{run['id']}/retry/")["status"] == "STUCK"
    (step,) = steps(rick, run)
    assert (step["attempts"], step["reason"]) == (2, "ValueError")
    assert rick.post(f"runs/{run['id']}/retry/", {"step": step["id"]})["status"] == "RUNNING"
    (step,) = steps(rick, run)
    assert (step["status"], step["attempts"], step["reason"]) == ("WAITING", 3, "")


def test_one_of_the_steps_that_failed_is_tried_again(rick, digits, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(flows.Read, "broken", True)
        run = start(rick, "ReadingAll", pages=[["a", "b"]])
    first, second = steps(rick, run, status="FAILED_RETRYABLE")
    tried = rick.post(f"runs/{run['id']}/retry/", {"step": second["id"]})
    assert (tried["status"], tried["steps"]["FAILED_RETRYABLE"]) == ("STUCK", 1)
    assert steps(rick, run, status="FAILED_RETRYABLE") == [first]


def test_what_did_not_fail_is_not_tried_again(rick, digits):
    run = start(rick)
    (step,) = steps(rick, run)
    problem(rick.call("POST", f"runs/{run['id']}/retry/"), 409, "nothing-to-retry")
    problem(rick.call("POST", f"runs/{run['id']}/retry/", {"step": step["id"]}), 409, "nothing-to-retry")


def test_a_step_of_another_run_is_not_tried_again(rick, digits, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(flows.Read, "broken", True)
        one, other = start(rick), start(rick)
    (step,) = steps(rick, other)
    assert pointers(rick.post(f"runs/{one['id']}/retry/", {"step": step["id"]}, 400)) == ["/step"]
    assert Step.objects.get(pk=step["id"]).attempts == 1


def test_tracebacks_are_for_operators(rick, olga, digits, monkeypatch):
    monkeypatch.setattr(flows.Read, "broken", True)
    run = start(rick)
    assert steps(rick, run)[0]["traceback"] is None
    assert "in make_input" in steps(olga, run)[0]["traceback"]


def test_what_an_error_says_that_was_not_meant_for_people_is_for_operators(rick, olga, digits, monkeypatch):
    monkeypatch.setattr(flows.Read, "broken", True)
    run = start(rick)
    told, whole = steps(rick, run)[0]["reason"], steps(olga, run)[0]["reason"]
    assert whole.startswith(f"{told}: ")
    assert ":" not in told


def test_a_run_whose_step_has_vanished_fails_and_is_resumed(rick, alice, digits, monkeypatch):
    run = start(rick)
    with monkeypatch.context() as patched:
        patched.setattr(flows.Reading, "tasks", [flows.Read])
        patched.delattr(flows, "Check")
        answer(alice)
        failed = rick.get(f"runs/{run['id']}/")
        assert (failed["status"], failed["reason"]) == ("FAILED", "Reading has no step Check any more.")
        problem(rick.call("POST", f"runs/{run['id']}/retry/"), 409, "run-over")
        assert rick.post(f"runs/{run['id']}/resume/")["status"] == "FAILED"
    resumed = rick.post(f"runs/{run['id']}/resume/")
    assert (resumed["status"], resumed["reason"], resumed["steps"]["WAITING"]) == ("RUNNING", "", 1)


def test_what_did_not_fail_is_not_resumed(rick, digits):
    run = start(rick)
    problem(rick.call("POST", f"runs/{run['id']}/resume/"), 409, "run-not-failed")


@pytest.mark.parametrize("what", ["cancel", "retry", "resume"])
def test_what_is_done_to_a_run_takes_no_unknown_members(rick, digits, what):
    run = start(rick)
    assert pointers(rick.post(f"runs/{run['id']}/{what}/", {"force": True}, 400)) == ["/force"]


def test_somebody_elses_run_is_not_there(rick, mia, digits):
    run = start(mia)
    for path in ("", "steps/"):
        problem(rick.call("GET", f"runs/{run['id']}/{path}"), 404, "not-found")
    for path in ("cancel/", "retry/", "resume/"):
        problem(rick.call("POST", f"runs/{run['id']}/{path}"), 404, "not-found")
    assert Run.objects.get().status == "RUNNING"
