"""POST queues/: who may, which names, which values."""

from typing import Any

import pytest

from queues.models import Event, Membership, Queue
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


def test_whoever_creates_a_queue_manages_it(mia: Caller) -> None:
    mia.post("queues/", {"name": "pets"}, 201)
    assert list(Membership.objects.values_list("queue__name", "user__username", "role")) == [("pets", "mia", "manager")]


def test_the_answer_shows_the_queue_with_its_defaults(mia: Caller) -> None:
    created = mia.post("queues/", {"name": "pets"}, 201)
    assert created == mia.get("queues/pets/")
    assert created.keys() - {"id", "created_at", "updated_at"} == {
        *("name", "alias", "description", "instructions", "reviewer_frontend_url", "input_schema", "output_schema"),
        *("default_assignment_strategy", "judgments_per_task", "max_lease_seconds", "max_multitask"),
        *("requester_may_review", "is_paused"),
    }
    assert (created["judgments_per_task"], created["max_lease_seconds"], created["max_multitask"]) == (1, 3600, 10)
    assert (created["requester_may_review"], created["is_paused"]) == (True, False)
    assert created["default_assignment_strategy"] == {}


def test_every_field_can_be_given(mia: Caller) -> None:
    given = {
        "name": "pets",
        "alias": "Pets",
        "description": "What is it?",
        "instructions": "# Look\n",
        "reviewer_frontend_url": "https://example.org/review",
        "input_schema": {"type": "object"},
        "output_schema": {"enum": ["cat", "dog"]},
        "default_assignment_strategy": {"order": "lifo", "multitask_index": 2, "topic": None},
        "judgments_per_task": 3,
        "max_lease_seconds": None,
        "max_multitask": 4,
        "requester_may_review": False,
        "is_paused": True,
    }
    created = mia.post("queues/", given, 201)
    assert {field: created[field] for field in given} == given


def test_a_creation_is_an_event(mia: Caller) -> None:
    mia.post("queues/", {"name": "pets"}, 201)
    event = Event.objects.get()
    assert (event.type, event.queue_id, event.actor) == (
        "QUEUE_CREATED",
        Queue.objects.get().pk,
        str(cast.person("mia").pk),
    )


def test_without_the_permission_nothing_is_created(rick: Caller) -> None:
    problem(rick.call("POST", "queues/", {"name": "pets"}), 403, "permission-denied")
    assert not Queue.objects.exists()


@pytest.mark.parametrize("name", ["a", "0", "cats-and_dogs.2", "_", "-", "a" * 100, "stats", "a..b"])
def test_names_that_are_taken(mia: Caller, name: str) -> None:
    mia.post("queues/", {"name": name}, 201)
    assert mia.get(f"queues/{name}/")["name"] == name


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".a", "Pets", "ä", "a b", " a", "a ", "pets\n", "a/b", "a?b", "٣", "a" * 101, 5, None, ["a"], True],
)
def test_names_that_are_refused(mia: Caller, name: Any) -> None:
    document = problem(mia.call("POST", "queues/", {"name": name}), 400, "invalid-input")
    assert pointers(document) == ["/name"]
    assert not Queue.objects.exists()


def test_a_name_is_required(mia: Caller) -> None:
    assert pointers(problem(mia.call("POST", "queues/", {}), 400, "invalid-input")) == ["/name"]


def test_a_name_is_given_once(mia: Caller) -> None:
    mia.post("queues/", {"name": "pets"}, 201)
    problem(mia.call("POST", "queues/", {"name": "pets"}), 409, "queue-name-taken")
    assert Queue.objects.count() == 1


def test_the_name_of_a_deleted_queue_stays_taken(mia: Caller) -> None:
    mia.post("queues/", {"name": "pets"}, 201)
    mia.delete("queues/pets/")
    problem(mia.call("POST", "queues/", {"name": "pets"}), 409, "queue-name-taken")


WRONG: list[tuple[str, Any, str]] = [
    ("alias", 5, "/alias"),
    ("alias", "a" * 201, "/alias"),
    ("description", None, "/description"),
    ("instructions", "a" * 100_001, "/instructions"),
    ("reviewer_frontend_url", "javascript:alert(1)", "/reviewer_frontend_url"),
    ("reviewer_frontend_url", "nowhere", "/reviewer_frontend_url"),
    ("judgments_per_task", 0, "/judgments_per_task"),
    ("judgments_per_task", 101, "/judgments_per_task"),
    ("judgments_per_task", 1.0, "/judgments_per_task"),
    ("judgments_per_task", "1", "/judgments_per_task"),
    ("judgments_per_task", None, "/judgments_per_task"),
    ("max_lease_seconds", 9, "/max_lease_seconds"),
    ("max_lease_seconds", 2**40, "/max_lease_seconds"),
    ("max_multitask", 0, "/max_multitask"),
    ("max_multitask", 11, "/max_multitask"),
    ("requester_may_review", 1, "/requester_may_review"),
    ("is_paused", "yes", "/is_paused"),
    ("is_paused", None, "/is_paused"),
    ("input_schema", [], "/input_schema"),
    ("input_schema", True, "/input_schema"),
    ("input_schema", {"type": "objekt"}, "/input_schema/type"),
    ("output_schema", {"$ref": "https://example.org/schema"}, "/output_schema/$ref"),
    ("output_schema", {"properties": {"a": {"pattern": "(a)\\1"}}}, "/output_schema/properties/a/pattern"),
    ("output_schema", {"type": "array", "uniqueItems": True}, "/output_schema/uniqueItems"),
    ("output_schema", {"$ref": "#"}, "/output_schema"),
    ("output_schema", {"description": "a" * 65_536}, "/output_schema"),
    ("default_assignment_strategy", None, "/default_assignment_strategy"),
    ("default_assignment_strategy", [], "/default_assignment_strategy"),
    ("default_assignment_strategy", {"order": "random"}, "/default_assignment_strategy/order"),
    ("default_assignment_strategy", {"priority_order": True}, "/default_assignment_strategy/priority_order"),
    ("default_assignment_strategy", {"topic": 5}, "/default_assignment_strategy/topic"),
    ("default_assignment_strategy", {"multitask_index": 11}, "/default_assignment_strategy/multitask_index"),
    ("default_assignment_strategy", {"seconds_to_expire": 9}, "/default_assignment_strategy/seconds_to_expire"),
    ("default_assignment_strategy", {"seconds_to_expire": 3601}, "/default_assignment_strategy/seconds_to_expire"),
    (
        "default_assignment_strategy",
        {"expire_at": "2030-01-01T00:00:00Z"},
        "/default_assignment_strategy/expire_at",
    ),
    ("default_assignment_strategy", {"colour": "red"}, "/default_assignment_strategy/colour"),
    ("id", 5, "/id"),
    ("created_at", "2030-01-01T00:00:00Z", "/created_at"),
    ("archived_at", None, "/archived_at"),
    ("colour", "red", "/colour"),
]


@pytest.mark.parametrize(("field", "value", "pointer"), WRONG)
def test_values_that_are_refused(mia: Caller, field: str, value: Any, pointer: str) -> None:
    document = problem(mia.call("POST", "queues/", {"name": "pets", field: value}), 400, "invalid-input")
    assert pointers(document) == [pointer]
    assert not Queue.objects.exists()


def test_the_same_values_are_refused_in_a_change(mia: Caller) -> None:
    cast.queue("pets")
    before = mia.get("queues/pets/")
    for field, value, pointer in WRONG:
        document = problem(mia.call("PATCH", "queues/pets/", {field: value}), 400, "invalid-input")
        assert pointers(document) == [pointer], (field, value)
    assert mia.get("queues/pets/") == before


def test_all_that_is_wrong_is_told_at_once(mia: Caller) -> None:
    answer = mia.call("POST", "queues/", {"name": 5, "is_paused": 1, "colour": "red"})
    assert sorted(pointers(problem(answer, 400, "invalid-input"))) == ["/colour", "/is_paused", "/name"]
