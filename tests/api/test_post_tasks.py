"""POST queues/{name}/tasks/: one task, or a list of them, all or none."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from queues import administration
from queues.models import Event, GlobalKey, Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

TASKS = "queues/digits/tasks/"
LONG_AGO, FAR = "2020-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


def test_a_task_needs_only_its_input(rick: Caller, digits: Any) -> None:
    task = rick.post(TASKS, {"input_data": {"n": 1}}, 201)
    times = {field: task.pop(field) for field in ("id", "created_at", "updated_at")}
    assert task == {
        "queue": "digits",
        "requester": "rick@example.org",
        "input_data": {"n": 1},
        "output_data": None,
        "status": "AVAILABLE",
        "schedule_to": None,
        "expire_at": None,
        "seconds_to_expire": None,
        "topic": "",
        "priority": 500,
        "target_reviewer": "~ANYONE",
        "global_keys": [],
        "judgments_required": 1,
        "open_slots": 1,
        "reviewer": None,
    }
    assert rick.get(f"tasks/{times['id']}/") == {**task, **times}


def test_times_are_shown_in_utc(rick: Caller, digits: Any) -> None:
    task = rick.post(TASKS, {"input_data": 1, "expire_at": "2100-01-01T02:00:00.25+02:00"}, 201)
    assert task["expire_at"] == "2100-01-01T00:00:00.250000Z"
    assert task["created_at"].endswith("Z")


@pytest.mark.parametrize("value", [0, False, "", [], {}, "text", 1.5, ["ä", {"b": None}], -(2**53) + 1])
def test_any_json_but_null_is_an_input(rick: Caller, digits: Any, value: Any) -> None:
    assert rick.post(TASKS, {"input_data": value}, 201)["input_data"] == value
    assert rick.post(TASKS, {"input_data": 1, "output_data": value}, 201)["output_data"] == value


def test_every_field_can_be_given(rick: Caller, digits: Any) -> None:
    given = {
        "input_data": {"n": 1},
        "topic": "Ärger ",
        "priority": 5,
        "target_reviewer": "alice@example.org",
        "global_keys": ["b", "a"],
        "judgments_required": 1,
        "schedule_to": "2090-01-01T00:00:00Z",
        "expire_at": FAR,
    }
    task = rick.post(TASKS, given, 201)
    assert {field: task[field] for field in given} == given
    assert task["status"] == "SCHEDULED"


def test_the_queue_says_how_many_judgments(rick: Caller, digits: Any) -> None:
    administration.update_queue(queue_id=digits.pk, changes={"judgments_per_task": 3})
    assert rick.post(TASKS, {"input_data": 1}, 201)["judgments_required"] == 3
    assert rick.post(TASKS, {"input_data": 1, "judgments_required": None}, 201)["open_slots"] == 3
    assert rick.post(TASKS, {"input_data": 1, "judgments_required": 2}, 201)["open_slots"] == 2
    assert rick.post(TASKS, {"input_data": 1, "target_reviewer": "alice@example.org"}, 201)["judgments_required"] == 1


def test_an_output_makes_a_finished_task(rick: Caller, alice: Caller, digits: Any) -> None:
    task = rick.post(TASKS, {"input_data": 1, "output_data": {"label": "3"}}, 201)
    assert (task["status"], task["output_data"], task["open_slots"]) == ("FINISHED", {"label": "3"}, 0)
    assert rick.get(f"tasks/{task['id']}/judgments/")["results"] == []
    assert alice.post("queues/digits/grab/")["reason"] == "empty"


def test_an_output_of_null_is_none(rick: Caller, digits: Any) -> None:
    assert rick.post(TASKS, {"input_data": 1, "output_data": None}, 201)["status"] == "AVAILABLE"


def test_a_time_to_come_schedules_a_task_and_one_that_has_passed_does_not(rick: Caller, digits: Any) -> None:
    assert rick.post(TASKS, {"input_data": 1, "schedule_to": FAR}, 201)["status"] == "SCHEDULED"
    assert rick.post(TASKS, {"input_data": 1, "schedule_to": LONG_AGO}, 201)["status"] == "AVAILABLE"


def test_seconds_to_expire_count_from_availability(rick: Caller, digits: Any) -> None:
    task = rick.post(TASKS, {"input_data": 1, "seconds_to_expire": 60}, 201)
    expiry, made = (datetime.fromisoformat(task[field]) for field in ("expire_at", "created_at"))
    assert (expiry - made, task["seconds_to_expire"]) == (timedelta(seconds=60), None)
    later = rick.post(TASKS, {"input_data": 1, "seconds_to_expire": 60, "schedule_to": FAR}, 201)
    assert (later["expire_at"], later["seconds_to_expire"]) == (None, 60)


@pytest.mark.parametrize("anyone", [None, "~ANYONE"])
def test_a_target_of_anyone_is_none(rick: Caller, digits: Any, anyone: Any) -> None:
    assert rick.post(TASKS, {"input_data": 1, "target_reviewer": anyone}, 201)["target_reviewer"] == "~ANYONE"


def test_a_target_is_named_whatever_the_case(rick: Caller, digits: Any) -> None:
    task = rick.post(TASKS, {"input_data": 1, "target_reviewer": "Alice@EXAMPLE.org"}, 201)
    assert task["target_reviewer"] == "alice@example.org"


def test_of_two_with_one_e_mail_the_one_who_may_review_is_meant(rick: Caller, digits: Any) -> None:
    get_user_model().objects.create_user("double", "alice@example.org")
    task = rick.post(TASKS, {"input_data": 1, "target_reviewer": "alice@example.org"}, 201)
    assert Task.objects.get(pk=task["id"]).target_reviewer == cast.person("alice")


def test_excluded_reviewers_are_not_handed_the_task(rick: Caller, alice: Caller, bob: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    task = rick.post(TASKS, {"input_data": 1, "exclude_reviewers": ["ALICE@example.org"]}, 201)
    assert alice.post("queues/digits/grab/") == {"assignments": [], "reason": "excluded", "retry_at": None}
    assert bob.post("queues/digits/grab/")["assignments"][0]["task"]["id"] == task["id"]


def test_somebody_can_be_excluded_before_they_join(rick: Caller, bob: Caller, digits: Any) -> None:
    cast.person("bob")
    rick.post(TASKS, {"input_data": 1, "exclude_reviewers": ["bob@example.org"]}, 201)
    cast.join(digits, "bob")
    assert bob.post("queues/digits/grab/")["reason"] == "excluded"


WRONG: list[tuple[dict[str, Any], list[str]]] = [
    ({"input_data": None}, ["/input_data"]),
    ({"priority": 4}, ["/priority"]),
    ({"priority": 996}, ["/priority"]),
    ({"priority": "+10"}, ["/priority"]),
    ({"priority": "500"}, ["/priority"]),
    ({"priority": 500.0}, ["/priority"]),
    ({"priority": True}, ["/priority"]),
    ({"priority": None}, ["/priority"]),
    ({"priority": 2**53 - 1}, ["/priority"]),
    ({"topic": "a" * 101}, ["/topic"]),
    ({"topic": None}, ["/topic"]),
    ({"topic": 5}, ["/topic"]),
    ({"judgments_required": 0}, ["/judgments_required"]),
    ({"judgments_required": 101}, ["/judgments_required"]),
    ({"judgments_required": 2, "target_reviewer": "alice@example.org"}, ["/judgments_required"]),
    ({"target_reviewer": "rick@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": "nobody@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": "gone@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": "elsewhere@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": "twice@example.org"}, ["/target_reviewer"]),
    ({"target_reviewer": ""}, ["/target_reviewer"]),
    ({"target_reviewer": "alice@example.org", "exclude_reviewers": ["Alice@example.org"]}, ["/exclude_reviewers"]),
    ({"exclude_reviewers": ["alice@example.org", "nobody@example.org"]}, ["/exclude_reviewers/1"]),
    ({"exclude_reviewers": "alice@example.org"}, ["/exclude_reviewers"]),
    ({"exclude_reviewers": ["a"] * 101}, ["/exclude_reviewers"]),
    ({"exclude_reviewers": [5]}, ["/exclude_reviewers/0"]),
    ({"global_keys": [str(n) for n in range(11)]}, ["/global_keys"]),
    ({"global_keys": ["a", "b", "a"]}, ["/global_keys"]),
    ({"global_keys": ["a", ""]}, ["/global_keys/1"]),
    ({"global_keys": ["a" * 256]}, ["/global_keys/0"]),
    ({"global_keys": [1]}, ["/global_keys/0"]),
    ({"global_keys": {"a": 1}}, ["/global_keys"]),
    ({"global_keys": None}, ["/global_keys"]),
    ({"seconds_to_expire": 0}, ["/seconds_to_expire"]),
    ({"seconds_to_expire": 2**40}, ["/seconds_to_expire"]),
    ({"seconds_to_expire": 60, "expire_at": FAR}, ["/seconds_to_expire"]),
    ({"expire_at": LONG_AGO}, ["/expire_at"]),
    ({"expire_at": "2100-01-01T00:00:00"}, ["/expire_at"]),
    ({"expire_at": "2100-01-01"}, ["/expire_at"]),
    ({"expire_at": 4102444800}, ["/expire_at"]),
    ({"expire_at": "9999-12-31T23:59:59-23:59"}, ["/expire_at"]),
    ({"schedule_to": "0001-01-01T00:00:00+14:00"}, ["/schedule_to"]),
    ({"schedule_to": "tomorrow"}, ["/schedule_to"]),
    ({"schedule_to": FAR, "expire_at": FAR}, ["/expire_at"]),
    ({"status": "FINISHED"}, ["/status"]),
    ({"open_slots": 5}, ["/open_slots"]),
    ({"requester": "mia@example.org"}, ["/requester"]),
    ({"has_hook": True}, ["/has_hook"]),
    ({"colour": "red"}, ["/colour"]),
    ({"colour": "red", "priority": 1, "topic": 5}, ["/colour", "/priority", "/topic"]),
]


@pytest.fixture
def others(digits: Any) -> None:
    """Users who are nobody's target: not active, of another queue, two of one e-mail."""
    cast.join(digits, "gone")
    get_user_model().objects.filter(username="gone").update(is_active=False)
    cast.join(cast.queue("other"), "elsewhere")
    cast.join(digits, "twice")
    get_user_model().objects.create_user("again", "placeholder@example.org")
    cast.join(digits, "again")
    get_user_model().objects.filter(username="again").update(email="TWICE@example.org")


@pytest.mark.parametrize(("fields", "places"), WRONG)
def test_what_is_refused_in_one_task(
    rick: Caller, digits: Any, request: pytest.FixtureRequest, fields: dict[str, Any], places: list[str]
) -> None:
    if "target_reviewer" in fields:
        request.getfixturevalue("others")
    document = problem(rick.call("POST", TASKS, {"input_data": 1, **fields}), 400, "invalid-input")
    assert sorted(pointers(document)) == places
    assert not any("index" in error for error in document["errors"])
    assert not Task.objects.exists()


def test_the_same_is_refused_in_a_list_of_tasks(rick: Caller, digits: Any, others: None) -> None:
    for fields, places in WRONG:
        document = problem(
            rick.call("POST", TASKS, [{"input_data": 1}, {"input_data": 1, **fields}]), 400, "invalid-input"
        )
        assert sorted(pointers(document)) == [f"/1{place}" for place in places], fields
        assert {error["index"] for error in document["errors"]} == {1}
    assert not Task.objects.exists()


def test_an_input_is_required(rick: Caller, digits: Any) -> None:
    assert pointers(problem(rick.call("POST", TASKS, {}), 400, "invalid-input")) == ["/input_data"]


@pytest.mark.parametrize("body", [1, "a", None, True, 1.5])
def test_a_body_that_is_neither_a_task_nor_a_list_is_refused(rick: Caller, digits: Any, body: Any) -> None:
    document = problem(rick.call("POST", TASKS, {None: b"null"}.get(body, body)), 400, "invalid-input")
    assert pointers(document) == [""]


def test_input_and_output_must_fit_the_queues_schemas(rick: Caller, digits: Any) -> None:
    schemas = {"input_schema": {"required": ["n"]}, "output_schema": {"properties": {"label": {"type": "string"}}}}
    administration.update_queue(queue_id=digits.pk, changes=schemas)
    body = {"input_data": {"m": 1}, "output_data": {"label": 3}}
    document = problem(rick.call("POST", TASKS, body), 400, "invalid-input")
    assert pointers(document) == ["/input_data", "/output_data/label"]
    rick.post(TASKS, {"input_data": {"n": 1}, "output_data": {"label": "3"}}, 201)


def test_a_list_is_answered_in_its_order(rick: Caller, digits: Any) -> None:
    made = rick.post(TASKS, [{"input_data": n, "global_keys": [f"k{n}"]} for n in range(20)], 201)
    assert [task["input_data"] for task in made] == list(range(20))
    assert [task["id"] for task in made] == sorted(task["id"] for task in made)
    assert GlobalKey.objects.count() == 20


def test_a_list_has_up_to_a_thousand(rick: Caller, digits: Any) -> None:
    assert len(rick.post(TASKS, [{"input_data": n} for n in range(1000)], 201)) == 1000
    problem(rick.call("POST", TASKS, [{"input_data": n} for n in range(1001)]), 400, "invalid-input")
    problem(rick.call("POST", TASKS, []), 400, "invalid-input")
    assert Task.objects.count() == 1000


def test_errors_of_all_kinds_are_told_with_their_index(rick: Caller, digits: Any) -> None:
    body = [{"input_data": 1}, 5, {"input_data": 1, "priority": 1}, {}, [], None]
    document = problem(rick.call("POST", TASKS, body), 400, "invalid-input")
    places = [(error["index"], error["pointer"]) for error in document["errors"]]
    assert places == [(1, "/1"), (2, "/2/priority"), (3, "/3/input_data"), (4, "/4"), (5, "/5")]


def test_a_document_lists_a_hundred_errors_and_counts_all(rick: Caller, digits: Any) -> None:
    document = problem(rick.call("POST", TASKS, [{} for _ in range(1000)]), 400, "invalid-input")
    assert (len(document["errors"]), document["errors_in_all"]) == (100, 1000)


def test_a_list_may_exclude_very_many(rick: Caller, digits: Any) -> None:
    body = [{"input_data": 1, "exclude_reviewers": [f"{n}@{m}.org" for m in range(100)]} for n in range(1000)]
    document = problem(rick.call("POST", TASKS, body), 400, "invalid-input")
    assert document["errors_in_all"] == 100_000


def test_a_creation_is_two_events(rick: Caller, digits: Any) -> None:
    for more in ({}, {"schedule_to": FAR}, {"output_data": 1}):
        rick.post(TASKS, {"input_data": 1, **more}, 201)
    events = Event.objects.filter(object_type="task").values_list("sequence", "type")
    assert list(events) == [
        *((1, "TASK_CREATED"), (2, "TASK_AVAILABLE")),
        *((1, "TASK_CREATED"), (2, "TASK_SCHEDULED")),
        *((1, "TASK_CREATED"), (2, "TASK_FINISHED")),
    ]


def test_a_manager_and_an_operator_post_too(mia: Caller, digits: Any) -> None:
    assert mia.post(TASKS, {"input_data": 1}, 201)["requester"] == "mia@example.org"
    cast.person("olga", is_superuser=True)
    assert Caller("olga").post(TASKS, {"input_data": 1}, 201)["requester"] == "olga@example.org"


def test_the_time_of_creation_is_the_databases(rick: Caller, digits: Any) -> None:
    made = datetime.fromisoformat(rick.post(TASKS, {"input_data": 1}, 201)["created_at"])
    assert abs(made - timezone.now()) < timedelta(minutes=1)
    assert made.tzinfo == UTC
