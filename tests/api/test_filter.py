"""What lists can be filtered by. The same on both databases, whatever the case of an e-mail."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from queues import lifecycle
from queues.models import Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

START = datetime(2090, 1, 1, tzinfo=UTC)
SOME = ("alice", "albert", "Bob", "carol_x", "carolax")


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def text(day: int) -> str:
    return at(day).isoformat()


@pytest.fixture
def named(mia: Caller) -> Any:
    """Return `named(**query)`: the topics of the tasks that mia finds, sorted. Each test's tasks differ in topic."""
    return lambda **query: sorted(task["topic"] for task in mia.get("tasks/", **query)["results"])


@pytest.fixture
def targeted(digits: Any) -> None:
    """A task for each of SOME, with their name as its topic, and one for anyone."""
    for name in SOME:
        if name != "alice":
            cast.join(digits, name)
        cast.post(digits, topic=name, target_reviewer=f"{name}@example.org")
    cast.post(digits, topic="nobody")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"target_reviewer": "alice@example.org"}, ["alice"]),
        ({"target_reviewer": "ALICE@Example.ORG"}, ["alice"]),
        ({"target_reviewer": "bob@example.org"}, ["Bob"]),
        ({"target_reviewer": "alice"}, []),
        ({"target_reviewer": "nobody@example.org"}, []),
        ({"target_reviewer": "carol_x@example.org"}, ["carol_x"]),
        ({"target_reviewer": "~ANYONE"}, ["nobody"]),
        ({"target_reviewer__starts_with": "al"}, ["albert", "alice"]),
        ({"target_reviewer__starts_with": "AL"}, ["albert", "alice"]),
        ({"target_reviewer__starts_with": "carol_"}, ["carol_x"]),
        ({"target_reviewer__starts_with": "%"}, []),
        ({"target_reviewer__starts_with": "~ANYONE"}, ["nobody"]),
        ({"target_reviewer__contains": "OB@"}, ["Bob"]),
        ({"target_reviewer__contains": "example"}, sorted(SOME)),
        ({"target_reviewer__contains": "anyone"}, []),
        ({"target_reviewer__contains": "~ANYONE"}, ["nobody"]),
        ({"target_reviewer__in": "ALICE@example.org,bob@example.org"}, ["Bob", "alice"]),
        ({"target_reviewer__in": "alice@example.org,~ANYONE"}, ["alice", "nobody"]),
        ({"target_reviewer__in": "~ANYONE"}, ["nobody"]),
        ({"target_reviewer__in": "x@example.org"}, []),
        ({"target_reviewer__not": "ALICE@example.org"}, ["Bob", "albert", "carol_x", "carolax", "nobody"]),
        ({"target_reviewer__not": "~ANYONE"}, sorted(SOME)),
        ({"target_reviewer__not__starts_with": "AL"}, ["Bob", "carol_x", "carolax", "nobody"]),
        ({"target_reviewer__not__starts_with": "~ANYONE"}, sorted(SOME)),
        ({"target_reviewer__not__contains": "caRol"}, ["Bob", "albert", "alice", "nobody"]),
        ({"target_reviewer__not__contains": "~ANYONE"}, sorted(SOME)),
        ({"target_reviewer__not__in": "ALICE@example.org,bob@EXAMPLE.org"}, ["albert", "carol_x", "carolax", "nobody"]),
        ({"target_reviewer__not__in": "alice@example.org,~ANYONE"}, ["Bob", "albert", "carol_x", "carolax"]),
        (
            {"target_reviewer__contains": "l", "target_reviewer__not__starts_with": "carol"},
            [*("Bob", "albert", "alice")],
        ),
        ({"target_reviewer__not": "alice@example.org", "target_reviewer__starts_with": "al"}, ["albert"]),
    ],
)
def test_by_target(named: Any, targeted: None, query: dict[str, str], found: list[str]) -> None:
    assert named(**query) == found


@pytest.fixture
def keyed(digits: Any) -> None:
    """Tasks with the keys that their topics spell; `Z` has upper case, `-` none."""
    for keys in ("a", "ab", "abc", "b", "Z", "-"):
        cast.post(digits, topic=keys, global_keys=tuple(keys.strip("-")))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"global_keys": "a"}, ["a"]),
        ({"global_keys": ["a", "b"]}, ["ab"]),
        ({"global_keys": ["b", "a"]}, ["ab"]),
        ({"global_keys": "z"}, []),
        ({"global_keys": ["a", "x"]}, []),
        ({"global_keys__contains": "a"}, ["a", "ab", "abc"]),
        ({"global_keys__contains": ["a", "b"]}, ["ab", "abc"]),
        ({"global_keys__contains": "ab"}, []),
        ({"global_keys__contains": "z"}, []),
        ({"global_keys__not__contains": "a"}, ["-", "Z", "b"]),
        ({"global_keys__not__contains": ["a", "b"]}, ["-", "Z"]),
        ({"global_keys__count": 0}, ["-"]),
        ({"global_keys__count": 1}, ["Z", "a", "b"]),
        ({"global_keys__count__gte": 2}, ["ab", "abc"]),
        ({"global_keys__count__lte": 1}, ["-", "Z", "a", "b"]),
        ({"global_keys__count__gte": 1, "global_keys__count__lte": 2}, ["Z", "a", "ab", "b"]),
        ({"global_keys__contains": "a", "global_keys__not__contains": "c"}, ["a", "ab"]),
        ({"global_keys__contains": "a", "global_keys__count": 2}, ["ab"]),
    ],
)
def test_by_global_keys(named: Any, keyed: None, query: dict[str, Any], found: list[str]) -> None:
    assert named(**query) == found


@pytest.fixture
def various(digits: Any) -> None:
    """Six tasks that differ in everything else."""
    pets = cast.queue("pets")
    cast.post(digits, topic="first", priority=5, now=at(1))
    cast.post(digits, topic="second", priority=100, by="Rosa", now=at(2), expire_at=at(20))
    cast.post(digits, topic="third", priority=995, now=at(3), schedule_to=at(10))
    cast.post(digits, topic="fourth", output_data=1, now=at(4))
    cast.post(pets, topic="fifth", now=at(5))
    (sixth,) = cast.post(pets, topic=" sixth", now=at(6))
    lifecycle.cancel_task(task_id=sixth.pk, now=at(7))
    cast.post(digits, topic="", priority=300, now=at(8))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"queue": "pets"}, [" sixth", "fifth"]),
        ({"queue": "Pets"}, []),
        ({"status": "FINISHED"}, ["fourth"]),
        ({"status": ["SCHEDULED", "CANCELED"]}, [" sixth", "third"]),
        ({"topic": "first"}, ["first"]),
        ({"topic": "First"}, []),
        ({"topic": " sixth"}, [" sixth"]),
        ({"topic": "sixth"}, []),
        ({"topic": ""}, [""]),
        ({"priority": 100}, ["second"]),
        ({"priority__gte": 995}, ["third"]),
        ({"priority__lte": 100}, ["first", "second"]),
        ({"priority__gte": 6, "priority__lte": 300}, ["", "second"]),
        ({"requester": "ROSA@EXAMPLE.ORG"}, ["second"]),
        ({"requester": "rosa"}, []),
        ({"created_at__gte": text(6)}, ["", " sixth"]),
        ({"created_at__lte": text(2)}, ["first", "second"]),
        ({"created_at__gte": text(2), "created_at__lte": text(3)}, ["second", "third"]),
        ({"updated_at__gte": text(7)}, ["", " sixth"]),
        ({"updated_at__lte": text(1)}, ["first"]),
        ({"schedule_to__gte": text(10)}, ["third"]),
        ({"schedule_to__gte": text(11)}, []),
        ({"schedule_to__lte": text(10)}, ["third"]),
        ({"expire_at__gte": text(20)}, ["second"]),
        ({"expire_at__lte": text(20)}, ["second"]),
        ({"expire_at__lte": text(19)}, []),
        ({"created_at__gte": "2090-01-07T02:00:00+02:00"}, ["", " sixth"]),
        ({"queue": "digits", "status": "AVAILABLE", "priority__lte": 300}, ["", "first", "second"]),
        ({"queue": "digits", "requester": "rick@example.org", "status": ["FINISHED", "EXPIRED"]}, ["fourth"]),
    ],
)
def test_by_everything_else(named: Any, various: None, query: dict[str, Any], found: list[str]) -> None:
    assert named(**query) == found


def test_the_tasks_of_one_queue_have_the_same_filters(mia: Caller, various: None) -> None:
    found = mia.get("queues/digits/tasks/", status="AVAILABLE", priority__gte=100)["results"]
    assert [task["topic"] for task in found] == ["", "second"]


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("tasks/", "queu", "digits"),
        ("tasks/", "topic__contains", "a"),
        ("tasks/", "status", "OPEN"),
        ("tasks/", "status", "available"),
        ("tasks/", "priority", "high"),
        ("tasks/", "priority", "100.5"),
        ("tasks/", "priority", "NaN"),
        ("tasks/", "priority__gte", "1e3"),
        ("tasks/", "priority__lte", "-1e999999999"),
        ("tasks/", "priority", "9" * 40),
        ("tasks/", "global_keys__count", "two"),
        ("tasks/", "global_keys__count__gte", "9" * 40),
        ("tasks/", "created_at__gte", "yesterday"),
        ("tasks/", "created_at__gte", "2090-01-01"),
        ("tasks/", "created_at__gte", "2090-01-01T00:00:00"),
        ("tasks/", "created_at__gte", "0001-01-01T00:00:00+14:00"),
        ("tasks/", "created_at__lte", "9999-12-31T23:59:59-14:00"),
        ("tasks/", "topic", "\x00"),
        ("tasks/", "global_keys", "\x00"),
        ("tasks/", "target_reviewer__in", "\x00"),
        ("tasks/", "requester", "a\x00b"),
        ("queues/", "name", "digits"),
        ("queues/", "is_paused", "maybe"),
        ("queues/digits/tasks/", "colour", "red"),
        ("queues/digits/members/", "role", "owner"),
        ("queues/digits/members/", "user", "alice"),
        ("assignments/", "status", "LIVE"),
        ("assignments/", "task", "first"),
        ("assignments/", "task", "-1e999999999"),
        ("assignments/", "task", "9" * 40),
        ("assignments/", "colour", "red"),
        ("reviewers/", "name", "alice"),
        ("tokens/", "name", "test"),
        ("notifications/", "level", "planet"),
        ("notifications/", "level", "task"),
        ("notifications/", "task", "first"),
        ("notifications/", "endpoint", "https://8.8.8.8/"),
    ],
)
def test_what_no_filter_understands_is_refused(mia: Caller, digits: Any, path: str, name: str, value: str) -> None:
    answer = mia.client.get(f"/api/v1/{path}", {name: value})
    assert pointers(problem(answer, 400, "invalid-input")) == [f"/{name}"]


def test_a_value_that_hides_behind_a_good_one_is_refused(mia: Caller, digits: Any) -> None:
    for name in ("global_keys", "global_keys__contains", "global_keys__not__contains"):
        answer = mia.client.get("/api/v1/tasks/", {name: ["\x00", "a"]})
        assert pointers(problem(answer, 400, "invalid-input")) == [f"/{name}"]


@pytest.mark.parametrize(
    "name",
    [
        *("queue", "status", "priority", "priority__gte", "requester", "created_at__gte", "global_keys"),
        *("global_keys__count", "target_reviewer", "target_reviewer__in", "target_reviewer__not__contains"),
    ],
)
def test_an_empty_value_is_refused(mia: Caller, digits: Any, name: str) -> None:
    for value in ("", ["", "1"], ["1", ""]):
        answer = mia.client.get("/api/v1/tasks/", {name: value})
        assert pointers(problem(answer, 400, "invalid-input")) == [f"/{name}"]


def test_judgments_have_no_filters(mia: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    answer = mia.client.get(f"/api/v1/tasks/{task.pk}/judgments/", {"reviewer": "alice@example.org"})
    assert pointers(problem(answer, 400, "invalid-input")) == ["/reviewer"]


def test_a_list_is_filtered_and_one_object_is_not(mia: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    answer = mia.client.get(f"/api/v1/tasks/{task.pk}/", {"status": "FINISHED"})
    assert pointers(problem(answer, 400, "invalid-input")) == ["/status"]


def test_queues_by_name_and_pause(mia: Caller) -> None:
    for name, paused in (("cats", False), ("cars", True), ("dogs", True)):
        cast.queue(name, is_paused=paused)

    def names(**query: Any) -> list[str]:
        return sorted(queue["name"] for queue in mia.get("queues/", **query)["results"])

    assert names(name__starts_with="ca") == names(name__starts_with="CA") == ["cars", "cats"]
    assert names(is_paused="true") == ["cars", "dogs"]
    assert names(is_paused="false") == ["cats"]
    assert names(is_paused="true", name__starts_with="d") == ["dogs"]


def test_assignments_by_queue_reviewer_task_and_status(mia: Caller, alice: Caller, digits: Any) -> None:
    pets = cast.queue("pets")
    bob, at_pets = cast.join(digits, "bob"), cast.join(pets, "alice")
    cast.post(digits, 2), cast.post(pets)
    first = alice.post("queues/digits/grab/")["assignments"][0]
    second = cast.grab(bob).assignments[0]
    third = cast.grab(at_pets).assignments[0]
    alice.post(f"assignments/{first['id']}/finalize/", {"data": 1})
    assert mia.ids("assignments/") == [first["id"], second.pk, third.pk]
    assert mia.ids("assignments/", queue="digits") == [first["id"], second.pk]
    assert mia.ids("assignments/", reviewer="ALICE@example.org") == [first["id"], third.pk]
    assert mia.ids("assignments/", task=second.task_id) == [second.pk]
    assert mia.ids("assignments/", status="FINISHED") == [first["id"]]
    assert mia.ids("assignments/", status=["FINISHED", "CREATED"], queue="pets") == [third.pk]
    assert alice.ids("assignments/", reviewer="bob@example.org") == []


def test_notifications_by_level_queue_and_task(mia: Caller, digits: Any) -> None:
    cast.queue("pets")
    cast.person("mia").user_permissions.add(Permission.objects.get(codename="operate"))
    (task,), asks = cast.post(digits), {"endpoint": "https://8.8.8.8/", "events_to_notify": ["TASK_FINISHED"]}
    site, at_digits, at_pets, of_task = (
        mia.post("notifications/", {**place, **asks}, 201)["id"]
        for place in (
            {"level": "site"},
            {"level": "queue", "queue": "digits"},
            {"level": "queue", "queue": "pets"},
            {"level": "task", "task": task.pk},
        )
    )
    assert mia.ids("notifications/") == [site, at_digits, at_pets]
    assert mia.ids("notifications/", level="queue") == [at_digits, at_pets]
    assert mia.ids("notifications/", level=["site", "queue"], queue="pets") == [at_pets]
    assert mia.ids("notifications/", task=task.pk) == [of_task]
    assert mia.ids("notifications/", task=task.pk + 1) == []


def test_deliveries_by_status(mia: Caller, digits: Any) -> None:
    asks = {"endpoint": "https://8.8.8.8/", "events_to_notify": ["TASK_FINISHED"]}
    made = mia.post("notifications/", {"level": "queue", "queue": "digits", **asks}, 201)
    sent = mia.post(f"notifications/{made['id']}/test/", None, 202)
    path = f"notifications/{made['id']}/deliveries/"
    assert mia.ids(path, status="WAITING") == mia.ids(path) == [sent["id"]]
    assert mia.ids(path, status="FAILED") == []
    assert pointers(mia.get(path, 400, status="LOST")) == ["/status"]


def test_reviewers_by_e_mail(mia: Caller, digits: Any) -> None:
    cast.post(digits, 2)
    for name in ("bob", "carol"):
        cast.grab(cast.join(digits, name))
    assert [row["email"] for row in mia.get("reviewers/", email="BOB@example.org")["results"]] == ["bob@example.org"]


def test_somebody_elses_tasks_are_found_by_no_filter(rick: Caller, digits: Any) -> None:
    cast.post(digits, by="rosa", topic="secret", global_keys=("k",))
    assert Task.objects.count() == 1
    for query in ({}, {"topic": "secret"}, {"global_keys": "k"}, {"requester": "rosa@example.org"}):
        assert rick.ids("tasks/", **query) == []
