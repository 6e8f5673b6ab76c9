"""POST queues/{name}/grab/."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from assignments.models import Assignment
from queues import administration
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

GRAB = "queues/digits/grab/"


def tasks_of(answer: Any) -> list[int]:
    return [held["task"]["id"] for held in answer["assignments"]]


def test_the_shape_of_an_answer(alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits, topic="t", priority=7, global_keys=("k",), seconds_to_expire=600)
    answer = alice.post(GRAB, {"seconds_to_expire": 60})
    (held,) = answer["assignments"]
    lease = datetime.fromisoformat(held["expire_at"]) - datetime.fromisoformat(held["created_at"])
    assert answer == {"assignments": [held], "reason": None, "retry_at": None}
    assert held == {
        "id": Assignment.objects.get().pk,
        "status": "CREATED",
        "created_at": held["created_at"],
        "expire_at": held["expire_at"],
        "task": {
            "id": task.pk,
            "queue": "digits",
            "input_data": {"n": 0},
            "topic": "t",
            "priority": 7,
            "target_reviewer": "~ANYONE",
            "global_keys": ["k"],
            "created_at": task.created_at.isoformat().replace("+00:00", "Z"),
            "expire_at": task.expire_at.isoformat().replace("+00:00", "Z"),
        },
    }
    assert lease == timedelta(seconds=60)


def test_a_body_is_not_needed(alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    assert tasks_of(alice.post(GRAB)) == [task.pk]


def test_nothing_of_what_others_said_is_shown(alice: Caller, bob: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    cast.post(digits, judgments_required=3)
    held = bob.post(GRAB)["assignments"][0]
    bob.post(f"assignments/{held['id']}/finalize/", {"data": "a secret of bob's"})
    answer = alice.call("POST", GRAB)
    mine = answer.json()["assignments"][0]
    for response in (answer, alice.call("GET", f"assignments/{mine['id']}/"), alice.call("GET", "assignments/")):
        assert response.status_code == 200
        for word in (b"secret", b"output_data", b"bob", b"judgments", b"rick"):
            assert word not in response.content


def test_what_is_held_comes_back_first_and_new_ones_fill_up(alice: Caller, digits: Any) -> None:
    first, second, third, _fourth = cast.post(digits, 4)
    held = alice.post(GRAB)
    assert alice.post(GRAB) == held
    more = alice.post(GRAB, {"multitask_index": 3})
    assert more["assignments"][0] == held["assignments"][0]
    assert tasks_of(more) == [first.pk, second.pk, third.pk]


def test_what_is_held_comes_back_whatever_its_topic(alice: Caller, digits: Any) -> None:
    cast.post(digits, topic="a"), cast.post(digits, topic="b")
    held = alice.post(GRAB, {"topic": "a"})
    assert alice.post(GRAB, {"topic": "b"}) == held


@pytest.mark.parametrize(
    ("strategy", "order"),
    [
        ({}, [2, 0, 1]),
        ({"order": "lifo"}, [2, 1, 0]),
        ({"priority_order": "no"}, [0, 1, 2]),
        ({"priority_order": "no", "order": "lifo"}, [2, 1, 0]),
        ({"priority_order": "important_last"}, [0, 1, 2]),
        ({"topic": "even"}, [2, 0]),
        ({"topic": None}, [2, 0, 1]),
        ({"topic": ""}, [2, 0, 1]),
    ],
)
def test_the_strategy_of_the_call_is_followed(
    alice: Caller, digits: Any, strategy: dict[str, Any], order: list[int]
) -> None:
    made = [
        *cast.post(digits, topic="even"),
        *cast.post(digits, topic="odd"),
        *cast.post(digits, topic="even", priority=5),
    ]
    got = alice.post(GRAB, {**strategy, "multitask_index": 3})
    assert [[task.pk for task in made].index(pk) for pk in tasks_of(got)] == order


def test_the_queues_strategy_holds_where_the_call_is_silent(alice: Caller, digits: Any) -> None:
    administration.update_queue(queue_id=digits.pk, changes={"default_assignment_strategy": {"order": "lifo"}})
    first, last = cast.post(digits, 2)
    assert tasks_of(alice.post(GRAB, {"multitask_index": 2})) == [last.pk, first.pk]


@pytest.mark.parametrize(
    ("strategy", "pointer"),
    [
        ({"order": "random"}, "/order"),
        ({"order": None}, "/order"),
        ({"priority_order": "yes"}, "/priority_order"),
        ({"topic": 5}, "/topic"),
        ({"topic": "a" * 101}, "/topic"),
        ({"multitask_index": 0}, "/multitask_index"),
        ({"multitask_index": 11}, "/multitask_index"),
        ({"multitask_index": "2"}, "/multitask_index"),
        ({"seconds_to_expire": 9}, "/seconds_to_expire"),
        ({"seconds_to_expire": 3601}, "/seconds_to_expire"),
        ({"expire_at": "2020-01-01T00:00:00Z"}, "/expire_at"),
        ({"expire_at": "2100-01-01T00:00:00Z"}, "/expire_at"),
        ({"expire_at": "2100-01-01T00:00:00"}, "/expire_at"),
        ({"expire_at": "2100-01-01T00:00:00Z", "seconds_to_expire": 60}, "/expire_at"),
        ({"colour": "red"}, "/colour"),
        ([], ""),
    ],
)
def test_a_strategy_that_is_refused(alice: Caller, digits: Any, strategy: Any, pointer: str) -> None:
    cast.post(digits)
    document = problem(alice.call("POST", GRAB, strategy), 400, "invalid-input")
    assert pointers(document) == [pointer]
    assert not Assignment.objects.exists()


def test_a_lease_may_end_at_a_moment(alice: Caller, digits: Any) -> None:
    cast.post(digits)
    until = (timezone.now() + timedelta(minutes=5)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    assert alice.post(GRAB, {"expire_at": until})["assignments"][0]["expire_at"] == until


def test_a_lease_never_outlives_its_task(alice: Caller, digits: Any) -> None:
    cast.post(digits, seconds_to_expire=30)
    held = alice.post(GRAB, {"seconds_to_expire": 3600})["assignments"][0]
    assert held["expire_at"] == held["task"]["expire_at"]


def test_a_lease_has_no_end_only_where_a_manager_set_it_so(alice: Caller, digits: Any) -> None:
    cast.post(digits)
    administration.update_queue(queue_id=digits.pk, changes={"max_lease_seconds": None})
    assert alice.post(GRAB)["assignments"][0]["expire_at"] is None


def test_empty_without_tasks(alice: Caller, digits: Any) -> None:
    assert alice.post(GRAB) == {"assignments": [], "reason": "empty", "retry_at": None}


def test_empty_until_the_next_scheduled_task(alice: Caller, digits: Any) -> None:
    later = timezone.now() + timedelta(hours=2)
    cast.post(digits, schedule_to=later + timedelta(hours=1))
    cast.post(digits, schedule_to=later)
    answer = alice.post(GRAB)
    assert (answer["assignments"], answer["reason"]) == ([], "empty")
    assert datetime.fromisoformat(answer["retry_at"]) == later


def test_empty_of_a_topic(alice: Caller, digits: Any) -> None:
    cast.post(digits, topic="a")
    assert alice.post(GRAB, {"topic": "b"})["reason"] == "empty"


def test_leased_until_the_first_lease_ends(alice: Caller, digits: Any) -> None:
    cast.post(digits, 2)
    cast.grab(cast.join(digits, "bob"), seconds_to_expire=600)
    sooner = cast.grab(cast.join(digits, "carol"), seconds_to_expire=300).assignments[0]
    answer = alice.post(GRAB)
    assert (answer["assignments"], answer["reason"]) == ([], "leased")
    assert datetime.fromisoformat(answer["retry_at"]) == sooner.expire_at


def test_excluded_until_a_skipped_task_comes_back(alice: Caller, digits: Any) -> None:
    cast.post(digits)
    held = alice.post(GRAB)["assignments"][0]
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 600})
    answer = alice.post(GRAB)
    assert (answer["assignments"], answer["reason"]) == ([], "excluded")
    wait = datetime.fromisoformat(answer["retry_at"]) - timezone.now()
    assert timedelta(minutes=9) < wait <= timedelta(minutes=10)


def test_excluded_for_ever(alice: Caller, digits: Any) -> None:
    cast.post(digits)
    held = alice.post(GRAB)["assignments"][0]
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    assert alice.post(GRAB) == {"assignments": [], "reason": "excluded", "retry_at": None}


def test_excluded_from_what_is_meant_for_another(alice: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    cast.post(digits, target_reviewer="bob@example.org")
    assert alice.post(GRAB) == {"assignments": [], "reason": "excluded", "retry_at": None}


def test_excluded_from_what_one_has_judged(alice: Caller, digits: Any) -> None:
    cast.post(digits, judgments_required=2)
    held = alice.post(GRAB)["assignments"][0]
    alice.post(f"assignments/{held['id']}/finalize/", {"data": 1})
    assert alice.post(GRAB)["reason"] == "excluded"


def test_excluded_from_ones_own_where_the_queue_says_so(rick: Caller, digits: Any) -> None:
    cast.join(digits, "rick")
    cast.post(digits)
    administration.update_queue(queue_id=digits.pk, changes={"requester_may_review": False})
    assert rick.post(GRAB)["reason"] == "excluded"
    administration.update_queue(queue_id=digits.pk, changes={"requester_may_review": True})
    assert rick.post(GRAB)["reason"] is None


def test_paused(alice: Caller, digits: Any) -> None:
    cast.post(digits)
    administration.update_queue(queue_id=digits.pk, changes={"is_paused": True})
    assert alice.post(GRAB) == {"assignments": [], "reason": "paused", "retry_at": None}


def test_a_lapsed_lease_is_handed_to_the_next_before_any_sweep(alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    lapsed = cast.grab(cast.join(digits, "bob"), now=timezone.now() - timedelta(hours=2)).assignments[0]
    assert tasks_of(alice.post(GRAB)) == [task.pk]
    lapsed.refresh_from_db()
    assert lapsed.status == "EXPIRED"


def test_a_due_task_is_handed_out_before_any_sweep(alice: Caller, digits: Any) -> None:
    now = timezone.now()
    (task,) = cast.post(digits, now=now - timedelta(hours=2), schedule_to=now - timedelta(hours=1))
    assert task.status == "SCHEDULED"
    assert tasks_of(alice.post(GRAB)) == [task.pk]


def test_an_expired_task_is_not_handed_out_before_any_sweep(alice: Caller, digits: Any) -> None:
    cast.post(digits, now=timezone.now() - timedelta(hours=2), seconds_to_expire=60)
    assert alice.post(GRAB)["assignments"] == []


def test_a_targeted_task_comes_first_for_its_reviewer(alice: Caller, digits: Any) -> None:
    cast.post(digits, priority=5)
    (mine,) = cast.post(digits, target_reviewer="alice@example.org", priority=995)
    answer = alice.post(GRAB)
    assert tasks_of(answer) == [mine.pk]
    assert answer["assignments"][0]["task"]["target_reviewer"] == "alice@example.org"
