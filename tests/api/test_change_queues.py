"""PATCH and DELETE queues/{name}/."""

from typing import Any

import pytest

from queues.models import Event, Queue, Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alias", "Digits"),
        ("alias", ""),
        ("description", " kept as it is \n"),
        ("instructions", "# Look closely"),
        ("reviewer_frontend_url", "http://localhost:3000/"),
        ("input_schema", {"type": "object"}),
        ("input_schema", None),
        ("output_schema", {"type": "string"}),
        ("default_assignment_strategy", {"priority_order": "important_last", "seconds_to_expire": 60}),
        ("judgments_per_task", 100),
        ("max_lease_seconds", 10),
        ("max_lease_seconds", None),
        ("max_multitask", 1),
        ("requester_may_review", False),
        ("is_paused", True),
    ],
)
def test_each_field_can_be_changed(mia: Caller, digits: Any, field: str, value: Any) -> None:
    before = mia.get("queues/digits/")
    changed = mia.patch("queues/digits/", {field: value})
    assert changed == {**before, field: value, "updated_at": changed["updated_at"]}
    assert mia.get("queues/digits/") == changed


def test_a_name_is_for_ever(mia: Caller, digits: Any) -> None:
    assert pointers(problem(mia.call("PATCH", "queues/digits/", {"name": "b"}), 400, "invalid-input")) == ["/name"]


def test_a_change_of_nothing_changes_nothing(mia: Caller, digits: Any) -> None:
    before, events = mia.get("queues/digits/"), Event.objects.count()
    assert mia.patch("queues/digits/", {}) == mia.patch("queues/digits/", {"is_paused": False}) == before
    assert Event.objects.count() == events


def test_one_wrong_field_keeps_the_others_from_changing(mia: Caller, digits: Any) -> None:
    mia.patch("queues/digits/", {"alias": "New", "max_multitask": 99}, 400)
    assert mia.get("queues/digits/")["alias"] == ""


def test_a_longer_default_lease_than_the_longest_is_refused(mia: Caller, digits: Any) -> None:
    change = {"max_lease_seconds": 60, "default_assignment_strategy": {"seconds_to_expire": 61}}
    document = problem(mia.call("PATCH", "queues/digits/", change), 400, "invalid-input")
    assert pointers(document) == ["/default_assignment_strategy/seconds_to_expire"]


def test_a_paused_queue_takes_tasks_and_answers_and_hands_out_nothing(
    mia: Caller, rick: Caller, alice: Caller, digits: Any
) -> None:
    cast.post(digits)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    mia.patch("queues/digits/", {"is_paused": True})
    task = rick.post("queues/digits/tasks/", {"input_data": 1}, 201)
    problem(alice.call("POST", f"tasks/{task['id']}/assign/", {"multitask_index": 2}), 409, "queue-paused")
    assert alice.post("queues/digits/grab/", {"multitask_index": 2})["assignments"] == [held]
    done = alice.post(f"assignments/{held['id']}/finalize/", {"data": 1, "assign_new_task": True})
    assert done["next"] == {"assignments": [], "reason": "paused", "retry_at": None}


def test_a_deleted_queue_is_gone_for_everybody(mia: Caller, rick: Caller, alice: Caller, digits: Any) -> None:
    assert mia.delete("queues/digits/").content == b""
    for caller in (mia, rick, alice):
        problem(caller.call("GET", "queues/digits/"), 404, "not-found")
        assert caller.ids("queues/") == []
    problem(mia.call("DELETE", "queues/digits/"), 404, "not-found")
    problem(rick.call("POST", "queues/digits/tasks/", {"input_data": 1}), 404, "not-found")
    problem(alice.call("POST", "queues/digits/grab/"), 404, "not-found")


def test_deleting_a_queue_cancels_its_open_tasks_and_keeps_the_answers(
    mia: Caller, rick: Caller, alice: Caller, digits: Any
) -> None:
    cast.post(digits, 3)
    cast.post(digits, output_data=1)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    mia.delete("queues/digits/")
    statuses = [task["status"] for task in rick.get("tasks/")["results"]]
    assert statuses == ["FINISHED", "CANCELED", "CANCELED", "CANCELED"]
    assert alice.get(f"assignments/{held['id']}/")["status"] == "CANCELED"
    problem(alice.call("POST", f"assignments/{held['id']}/finalize/", {"data": 1}), 409, "assignment-closed")


def test_a_deletion_leaves_the_rows_and_the_history(mia: Caller, digits: Any) -> None:
    cast.post(digits)
    mia.delete("queues/digits/")
    assert (Queue.objects.count(), Task.objects.count()) == (1, 1)
    assert list(Event.objects.filter(object_type="queue").values_list("type", flat=True))[-1] == "QUEUE_DELETED"
