"""POST assignments/{id}/finalize/."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from assignments import lifecycle
from assignments.models import Assignment
from queues import administration
from queues.models import Event, Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(alice: Caller, digits: Any) -> str:
    """Where the first of two tasks is finalized, which alice holds."""
    cast.post(digits, 2)
    return f"assignments/{alice.post('queues/digits/grab/')['assignments'][0]['id']}/finalize/"


def state() -> list[Any]:
    """Everything that an answer could change."""
    return [
        list(Task.objects.order_by("pk").values()),
        list(Assignment.objects.order_by("pk").values()),
        Event.objects.count(),
    ]


def test_the_answer_closes_the_task(rick: Caller, alice: Caller, held: str) -> None:
    done = alice.post(held, {"data": {"label": "3"}})
    mine = done["assignment"]
    assert done == {"assignment": mine, "next": None}
    assert (mine["status"], mine["data"], mine["queue"]) == ("FINISHED", {"label": "3"}, "digits")
    assert mine["ended_at"] > mine["created_at"]
    assert mine == alice.get(f"assignments/{mine['id']}/")
    task = rick.get(f"tasks/{mine['task']['id']}/")
    assert (task["status"], task["output_data"]) == ("FINISHED", {"label": "3"})
    assert (task["reviewer"], task["open_slots"]) == ("alice@example.org", 0)


@pytest.mark.parametrize("data", [0, False, "", [], {}, "ä", 1.5, {"a": [None, {"b": 1e-7}]}])
def test_any_json_but_null_is_an_answer(rick: Caller, alice: Caller, held: str, data: Any) -> None:
    mine = alice.post(held, {"data": data})["assignment"]
    assert mine["data"] == data
    assert rick.get(f"tasks/{mine['task']['id']}/")["output_data"] == data


def test_the_next_task_comes_along(alice: Caller, held: str) -> None:
    done = alice.post(held, {"data": 1, "assign_new_task": True})
    (new,) = done["next"]["assignments"]
    assert done["next"] == {"assignments": [new], "reason": None, "retry_at": None}
    assert new["task"]["id"] == Task.objects.latest("pk").pk
    assert new.keys() == {"id", "status", "created_at", "expire_at", "task"}


def test_the_next_task_follows_the_strategy(alice: Caller, digits: Any, held: str) -> None:
    cast.post(digits, topic="b")
    done = alice.post(held, {"data": 1, "assign_new_task": True, "strategy": {"topic": "b", "seconds_to_expire": 60}})
    assert [new["task"]["topic"] for new in done["next"]["assignments"]] == ["b"]


def test_when_nothing_is_left_the_reason_comes_along(alice: Caller, held: str) -> None:
    following = alice.post(held, {"data": 1, "assign_new_task": True})["next"]["assignments"][0]["id"]
    done = alice.post(f"assignments/{following}/finalize/", {"data": 1, "assign_new_task": True})
    assert done["next"] == {"assignments": [], "reason": "empty", "retry_at": None}


def test_the_same_answer_again_gets_the_same_answer_and_no_new_task(alice: Caller, held: str) -> None:
    once = alice.post(held, {"data": {"a": 1, "b": 2}})
    before = state()
    assert alice.post(held, {"data": {"b": 2.0, "a": 1}}) == once
    assert alice.post(held, {"data": {"a": 1, "b": 2}, "assign_new_task": True}) == once
    assert state() == before


@pytest.mark.parametrize("data", [{"a": 2}, {"a": True}, {"a": "1"}, [1], 1])
def test_another_answer_is_refused(alice: Caller, held: str, data: Any) -> None:
    alice.post(held, {"data": {"a": 1}})
    before = state()
    document = problem(alice.call("POST", held, {"data": data, "assign_new_task": True}), 409, "assignment-closed")
    assert document["status_was"] == "FINISHED"
    assert state() == before


def test_a_late_answer_is_refused_and_changes_nothing(alice: Caller, digits: Any) -> None:
    cast.post(digits, 2)
    bob = cast.join(digits, "bob")
    late = cast.grab(bob, now=timezone.now() - timedelta(hours=2), seconds_to_expire=60).assignments[0]
    before = state()
    answer = Caller("bob").call("POST", f"assignments/{late.pk}/finalize/", {"data": 1, "assign_new_task": True})
    document = problem(answer, 409, "lease-expired")
    assert document["expire_at"] == late.expire_at.isoformat().replace("+00:00", "Z")
    assert state() == before


def test_an_answer_after_the_sweep_is_refused_alike(bob: Caller, digits: Any) -> None:
    cast.post(digits)
    late = cast.grab(cast.join(digits, "bob"), now=timezone.now() - timedelta(hours=2)).assignments[0]
    lifecycle.expire_assignments()
    problem(bob.call("POST", f"assignments/{late.pk}/finalize/", {"data": 1}), 409, "lease-expired")


def test_a_skipped_assignment_takes_no_answer(alice: Caller, held: str) -> None:
    alice.post(held.replace("finalize", "skip"), {"seconds_to_expire": 60})
    document = problem(alice.call("POST", held, {"data": 1}), 409, "assignment-closed")
    assert document["status_was"] == "SKIPPED"


@pytest.mark.parametrize(
    ("data", "places"),
    [
        ({"label": "cow"}, ["/data/label"]),
        ({}, ["/data"]),
        ("cat", ["/data"]),
        ({"label": "cat", "sure": "very", "other": 1}, ["/data/other", "/data/sure"]),
    ],
)
def test_an_answer_must_fit_the_queues_schema(
    alice: Caller, digits: Any, held: str, data: Any, places: list[str]
) -> None:
    schema = {
        "type": "object",
        "required": ["label"],
        "properties": {"label": {"enum": ["cat", "dog"]}, "sure": {"type": "boolean"}},
        "additionalProperties": False,
    }
    administration.update_queue(queue_id=digits.pk, changes={"output_schema": schema})
    before = state()
    document = problem(alice.call("POST", held, {"data": data, "assign_new_task": True}), 400, "invalid-input")
    assert sorted(pointers(document)) == places
    assert state() == before
    alice.post(held, {"data": {"label": "cat"}})


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/data"),
        ({"data": None}, "/data"),
        ({"data": 1, "assign_new_task": 1}, "/assign_new_task"),
        ({"data": 1, "assign_new_task": None}, "/assign_new_task"),
        ({"data": 1, "strategy": []}, "/strategy"),
        ({"data": 1, "assign_new_task": True, "strategy": {"order": "any"}}, "/strategy/order"),
        ({"data": 1, "assign_new_task": True, "strategy": {"colour": "red"}}, "/strategy/colour"),
        ({"data": 1, "assign_new_task": True, "strategy": {"multitask_index": 11}}, "/strategy/multitask_index"),
        ({"data": 1, "assign_new_task": True, "strategy": {"seconds_to_expire": 3601}}, "/strategy/seconds_to_expire"),
        (
            {"data": 1, "assign_new_task": True, "strategy": {"expire_at": "2020-01-01T00:00:00Z"}},
            "/strategy/expire_at",
        ),
        ({"data": 1, "colour": "red"}, "/colour"),
        ([], ""),
    ],
)
def test_what_is_refused_changes_nothing(alice: Caller, held: str, body: Any, pointer: str) -> None:
    before = state()
    assert pointers(problem(alice.call("POST", held, body), 400, "invalid-input")) == [pointer]
    assert state() == before


def test_a_paused_queue_takes_answers(alice: Caller, digits: Any, held: str) -> None:
    administration.update_queue(queue_id=digits.pk, changes={"is_paused": True})
    assert alice.post(held, {"data": 1})["assignment"]["status"] == "FINISHED"
