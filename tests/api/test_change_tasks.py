"""PATCH tasks/{id}/ and tasks/{id}/cancel/."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from queues import lifecycle
from queues.models import Event, Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

FAR, FARTHER = "2100-01-01T00:00:00Z", "2101-01-01T00:00:00Z"


@pytest.fixture
def task(digits: Any) -> Task:
    """A task of rick's, of priority 500."""
    return cast.post(digits)[0]


@pytest.mark.parametrize(
    ("change", "priority"),
    [
        (120, 120),
        ("120", 120),
        ("+10", 510),
        ("-10", 490),
        ("+9999", 995),
        ("-9999", 5),
        ("(N*2)+12", 995),
        ("N//3", 166),
        ("-N+600", 100),
        ("N", 500),
    ],
)
def test_a_priority_is_changed_by_a_number_or_an_expression(
    rick: Caller, task: Task, change: Any, priority: int
) -> None:
    assert rick.patch(f"tasks/{task.pk}/", {"priority": change})["priority"] == priority


@pytest.mark.parametrize("topic", ["", "Ärger ", "a" * 100])
def test_a_topic_can_be_changed(rick: Caller, task: Task, topic: str) -> None:
    assert rick.patch(f"tasks/{task.pk}/", {"topic": topic})["topic"] == topic


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    *(
        ({"priority": value}, ["/priority"])
        for value in (
            *(4, 996, 120.0, True, None, [], {}, "", "1.5", "N**2", "__import__('os')", "N//0", "9" * 65),
            *("+", "(N", "1e2", "N\n;N", "٣", "abs(N)"),
        )
    ),
    ({"topic": "a" * 101}, ["/topic"]),
    ({"topic": None}, ["/topic"]),
    ({"target_reviewer": "rick@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": "nobody@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": ""}, ["/target_reviewer"]),
    ({"expire_at": "2020-01-01T00:00:00Z"}, ["/expire_at"]),
    ({"expire_at": "2100-01-01T00:00:00"}, ["/expire_at"]),
    ({"schedule_to": FARTHER, "expire_at": FAR}, ["/expire_at"]),
    *(
        ({field: value}, [f"/{field}"])
        for field, value in {
            "input_data": 1,
            "output_data": 1,
            "status": "CANCELED",
            "global_keys": [],
            "judgments_required": 2,
            "seconds_to_expire": 60,
            "exclude_reviewers": [],
            "queue": "digits",
            "requester": "mia@example.org",
            "id": 1,
            "colour": "red",
        }.items()
    ),
]


def test_what_is_refused(rick: Caller, task: Task) -> None:
    before = rick.get(f"tasks/{task.pk}/")
    for change, places in WRONG:
        document = problem(rick.call("PATCH", f"tasks/{task.pk}/", change), 400, "invalid-input")
        assert pointers(document) == places, change
    assert rick.get(f"tasks/{task.pk}/") == before


def test_a_new_target_takes_anothers_lease(rick: Caller, alice: Caller, bob: Caller, digits: Any, task: Task) -> None:
    cast.join(digits, "bob")
    held = alice.post("queues/digits/grab/")["assignments"][0]
    changed = rick.patch(f"tasks/{task.pk}/", {"target_reviewer": "BOB@example.org"})
    assert (changed["target_reviewer"], changed["status"]) == ("bob@example.org", "AVAILABLE")
    lost = alice.get(f"assignments/{held['id']}/")
    assert (lost["status"], lost["reason"]) == ("CANCELED", "task given to another reviewer")
    assert bob.post("queues/digits/grab/")["assignments"][0]["task"]["id"] == task.pk


def test_a_target_who_holds_the_task_keeps_it(rick: Caller, alice: Caller, task: Task) -> None:
    held = alice.post("queues/digits/grab/")["assignments"][0]
    rick.patch(f"tasks/{task.pk}/", {"target_reviewer": "alice@example.org"})
    assert alice.get(f"assignments/{held['id']}/")["status"] == "CREATED"


@pytest.mark.parametrize("anyone", [None, "~ANYONE"])
def test_a_target_can_be_taken_away(rick: Caller, digits: Any, anyone: Any) -> None:
    (task,) = cast.post(digits, target_reviewer="alice@example.org")
    assert rick.patch(f"tasks/{task.pk}/", {"target_reviewer": anyone})["target_reviewer"] == "~ANYONE"


def test_of_two_with_one_e_mail_the_one_who_may_review_is_meant(rick: Caller, task: Task) -> None:
    get_user_model().objects.create_user("double", "alice@example.org")
    rick.patch(f"tasks/{task.pk}/", {"target_reviewer": "alice@example.org"})
    task.refresh_from_db()
    assert task.target_reviewer == cast.person("alice")


def test_a_task_for_several_has_no_target(rick: Caller, digits: Any) -> None:
    (task,) = cast.post(digits, judgments_required=2)
    answer = rick.call("PATCH", f"tasks/{task.pk}/", {"target_reviewer": "alice@example.org"})
    assert pointers(problem(answer, 400, "invalid-input")) == ["/target_reviewer"]


def test_a_task_can_be_scheduled_anew_while_nobody_has_it(rick: Caller, task: Task) -> None:
    assert rick.patch(f"tasks/{task.pk}/", {"schedule_to": FAR})["status"] == "SCHEDULED"
    assert rick.patch(f"tasks/{task.pk}/", {"schedule_to": None})["status"] == "AVAILABLE"


def test_a_task_in_hands_cannot_be_scheduled_anew(rick: Caller, alice: Caller, task: Task) -> None:
    alice.post("queues/digits/grab/")
    problem(rick.call("PATCH", f"tasks/{task.pk}/", {"schedule_to": FAR, "topic": "a"}), 409, "task-in-hands")
    assert rick.get(f"tasks/{task.pk}/")["topic"] == ""


def test_an_earlier_expiry_shortens_the_lease(rick: Caller, alice: Caller, task: Task) -> None:
    held = alice.post("queues/digits/grab/", {"seconds_to_expire": 3600})["assignments"][0]
    soon = (timezone.now() + timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%SZ")
    rick.patch(f"tasks/{task.pk}/", {"expire_at": soon})
    assert alice.get(f"assignments/{held['id']}/")["expire_at"] == soon


def test_an_expiry_can_be_taken_away(rick: Caller, digits: Any) -> None:
    (task,) = cast.post(digits, seconds_to_expire=60)
    assert rick.patch(f"tasks/{task.pk}/", {"expire_at": None})["expire_at"] is None


@pytest.mark.parametrize("change", [{}, {"priority": 500}, {"priority": "+0"}, {"topic": ""}, {"schedule_to": None}])
def test_a_change_of_nothing_changes_nothing(rick: Caller, task: Task, change: dict[str, Any]) -> None:
    before, events = rick.get(f"tasks/{task.pk}/"), Event.objects.count()
    assert rick.patch(f"tasks/{task.pk}/", change) == before
    assert Event.objects.count() == events


def test_a_canceled_task_ends_the_lease_with_the_reason(rick: Caller, alice: Caller, task: Task) -> None:
    held = alice.post("queues/digits/grab/")["assignments"][0]
    canceled = rick.post(f"tasks/{task.pk}/cancel/", {"reason": "a duplicate"})
    assert (canceled["status"], canceled["open_slots"]) == ("CANCELED", 0)
    lost = alice.get(f"assignments/{held['id']}/")
    assert (lost["status"], lost["reason"]) == ("CANCELED", "a duplicate")


def test_a_cancellation_needs_no_body(rick: Caller, task: Task) -> None:
    assert rick.post(f"tasks/{task.pk}/cancel/")["status"] == "CANCELED"


@pytest.mark.parametrize("body", [{"reason": 5}, {"reason": "a" * 201}, {"colour": "red"}, []])
def test_what_is_refused_in_a_cancellation(rick: Caller, task: Task, body: Any) -> None:
    problem(rick.call("POST", f"tasks/{task.pk}/cancel/", body), 400, "invalid-input")
    assert rick.get(f"tasks/{task.pk}/")["status"] == "AVAILABLE"


@pytest.mark.parametrize("status", ["FINISHED", "CANCELED", "EXPIRED"])
def test_a_closed_task_never_changes(rick: Caller, digits: Any, status: str) -> None:
    match status:
        case "FINISHED":
            (task,) = cast.post(digits, output_data=1)
        case "CANCELED":
            (task,) = cast.post(digits)
            rick.post(f"tasks/{task.pk}/cancel/")
        case _:
            (task,) = cast.post(digits, now=timezone.now() - timedelta(hours=1), seconds_to_expire=1)
            lifecycle.expire_tasks()
    before = rick.get(f"tasks/{task.pk}/")
    assert before["status"] == status
    for change in ({"priority": 5}, {"topic": "a"}, {"target_reviewer": None}, {"schedule_to": None}, {}):
        problem(rick.call("PATCH", f"tasks/{task.pk}/", change), 409, "task-closed")
    problem(rick.call("POST", f"tasks/{task.pk}/cancel/"), 409, "task-closed")
    assert rick.get(f"tasks/{task.pk}/") == before
