"""POST tasks/{id}/assign/."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from assignments.models import Assignment
from queues import administration, lifecycle
from queues.models import Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(digits: Any) -> Task:
    """The second of two tasks: the one that a grab would not take."""
    return cast.post(digits, 2)[1]


def test_the_chosen_task_is_handed_out(alice: Caller, task: Task) -> None:
    held = alice.post(f"tasks/{task.pk}/assign/", {"seconds_to_expire": 60})["assignment"]
    assert (held["task"]["id"], held["queue"], held["reviewer"]) == (task.pk, "digits", "alice@example.org")
    assert (held["status"], held["data"], held["ended_at"], held["reason"]) == ("CREATED", None, None, "")
    lease = datetime.fromisoformat(held["expire_at"]) - datetime.fromisoformat(held["created_at"])
    assert lease == timedelta(seconds=60)
    assert held == alice.get(f"assignments/{held['id']}/")


def test_what_one_holds_is_returned_as_it_is(alice: Caller, task: Task) -> None:
    held = alice.post(f"tasks/{task.pk}/assign/", {"seconds_to_expire": 60})
    assert alice.post(f"tasks/{task.pk}/assign/", {"seconds_to_expire": 600}) == held
    assert Assignment.objects.count() == 1


def test_who_holds_as_many_as_they_ask_for_gets_no_more(alice: Caller, task: Task) -> None:
    alice.post("queues/digits/grab/")
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "capacity-reached")
    alice.post(f"tasks/{task.pk}/assign/", {"multitask_index": 2})


def test_a_queues_limit_beats_the_call(alice: Caller, digits: Any, task: Task) -> None:
    administration.update_queue(queue_id=digits.pk, changes={"max_multitask": 1})
    alice.post("queues/digits/grab/")
    problem(alice.call("POST", f"tasks/{task.pk}/assign/", {"multitask_index": 10}), 409, "capacity-reached")


def test_a_task_in_anothers_hands_is_refused(alice: Caller, bob: Caller, digits: Any, task: Task) -> None:
    cast.join(digits, "bob")
    bob.post(f"tasks/{task.pk}/assign/")
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "task-not-available")


def test_a_task_for_another_is_refused(alice: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    (task,) = cast.post(digits, target_reviewer="bob@example.org")
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "task-not-available")


def test_a_skipped_task_is_refused(alice: Caller, task: Task) -> None:
    held = alice.post(f"tasks/{task.pk}/assign/")["assignment"]
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "task-not-available")


def test_a_judged_task_is_refused(alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits, judgments_required=2)
    held = alice.post(f"tasks/{task.pk}/assign/")["assignment"]
    alice.post(f"assignments/{held['id']}/finalize/", {"data": 1})
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "task-not-available")


def test_a_closed_task_is_refused(alice: Caller, task: Task) -> None:
    lifecycle.cancel_task(task_id=task.pk)
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "task-not-available")


def test_a_scheduled_task_is_refused(alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits, schedule_to=datetime.fromisoformat("2100-01-01T00:00:00Z"))
    problem(alice.call("POST", f"tasks/{task.pk}/assign/"), 409, "task-not-available")


@pytest.mark.parametrize(
    ("call", "pointer"),
    [
        ({"seconds_to_expire": 9}, "/seconds_to_expire"),
        ({"seconds_to_expire": 3601}, "/seconds_to_expire"),
        ({"expire_at": "2020-01-01T00:00:00Z"}, "/expire_at"),
        ({"expire_at": "2100-01-01T00:00:00Z", "seconds_to_expire": 60}, "/expire_at"),
        ({"multitask_index": 11}, "/multitask_index"),
        ({"topic": "a"}, "/topic"),
        ({"order": "fifo"}, "/order"),
        ([], ""),
    ],
)
def test_a_call_that_is_refused(alice: Caller, task: Task, call: Any, pointer: str) -> None:
    document = problem(alice.call("POST", f"tasks/{task.pk}/assign/", call), 400, "invalid-input")
    assert pointers(document) == [pointer]
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("pk", ["0", "999999", "9" * 18, "9" * 40, "9" * 5000, "-1", "one"])
@pytest.mark.parametrize("path", ["assign", "judgments", "cancel"])
def test_a_task_that_is_not_there(alice: Caller, digits: Any, pk: str, path: str) -> None:
    method = "GET" if path == "judgments" else "POST"
    problem(alice.call(method, f"tasks/{pk}/{path}/"), 404, "not-found")
