"""POST assignments/{id}/skip/ and assignments/{id}/extend/."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from assignments.models import Exclusion
from queues import administration
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(alice: Caller, digits: Any) -> dict[str, Any]:
    """What alice holds, for five minutes."""
    cast.post(digits)
    return alice.post("queues/digits/grab/", {"seconds_to_expire": 300})["assignments"][0]


def test_a_skipped_task_goes_to_the_next(alice: Caller, bob: Caller, digits: Any, held: Any) -> None:
    cast.join(digits, "bob")
    skipped = alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})["assignment"]
    assert (skipped["status"], skipped["data"]) == ("SKIPPED", None)
    assert skipped["ended_at"] is not None
    assert bob.post("queues/digits/grab/")["assignments"][0]["task"]["id"] == held["task"]["id"]


def test_a_skip_is_for_so_long(alice: Caller, held: Any) -> None:
    skipped = alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})["assignment"]
    assert Exclusion.objects.get().until == datetime.fromisoformat(skipped["ended_at"]) + timedelta(seconds=60)


def test_a_skip_of_null_is_for_ever(alice: Caller, held: Any) -> None:
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    assert Exclusion.objects.get().until is None


def test_a_task_comes_back_when_its_skip_is_over(alice: Caller, held: Any) -> None:
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})
    Exclusion.objects.update(until=timezone.now() - timedelta(seconds=1))
    again = alice.post("queues/digits/grab/")["assignments"][0]
    assert again["task"] == held["task"]
    assert again["id"] != held["id"]
    alice.post(f"assignments/{again['id']}/skip/", {"seconds_to_expire": None})
    assert Exclusion.objects.get().until is None


@pytest.mark.parametrize("body", [{}, {"seconds_to_expire": 0}, {"seconds_to_expire": -5}, {"seconds_to_expire": "60"}])
def test_for_how_long_must_be_said(alice: Caller, held: Any, body: Any) -> None:
    document = problem(alice.call("POST", f"assignments/{held['id']}/skip/", body), 400, "invalid-input")
    assert pointers(document) == ["/seconds_to_expire"]
    assert alice.get(f"assignments/{held['id']}/")["status"] == "CREATED"


def test_skipping_twice_is_refused(alice: Caller, held: Any) -> None:
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})
    answer = alice.call("POST", f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})
    problem(answer, 409, "assignment-closed")


@pytest.mark.parametrize(("path", "body"), [("skip", {"seconds_to_expire": 60}), ("extend", {"seconds_to_expire": 60})])
def test_after_the_lease_it_is_too_late(bob: Caller, digits: Any, path: str, body: Any) -> None:
    cast.post(digits)
    late = cast.grab(cast.join(digits, "bob"), now=timezone.now() - timedelta(hours=2)).assignments[0]
    problem(bob.call("POST", f"assignments/{late.pk}/{path}/", body), 409, "lease-expired")
    assert not Exclusion.objects.exists()


def seconds(assignment: Any) -> float:
    """From now to the end of the lease."""
    return (datetime.fromisoformat(assignment["expire_at"]) - timezone.now()).total_seconds()


def test_a_lease_is_extended_from_now(alice: Caller, held: Any) -> None:
    extended = alice.post(f"assignments/{held['id']}/extend/", {"seconds_to_expire": 900})["assignment"]
    assert 890 < seconds(extended) <= 900
    assert alice.get(f"assignments/{held['id']}/") == extended


def test_a_lease_is_extended_to_a_moment(alice: Caller, held: Any) -> None:
    until = (timezone.now() + timedelta(minutes=30)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    extended = alice.post(f"assignments/{held['id']}/extend/", {"expire_at": until})["assignment"]
    assert extended["expire_at"] == until


def test_a_lease_never_gets_shorter(alice: Caller, held: Any) -> None:
    extended = alice.post(f"assignments/{held['id']}/extend/", {"seconds_to_expire": 10})["assignment"]
    assert extended["expire_at"] == held["expire_at"]


def test_a_lease_ends_with_its_task(alice: Caller, digits: Any) -> None:
    cast.post(digits, seconds_to_expire=600)
    held = alice.post("queues/digits/grab/", {"seconds_to_expire": 60})["assignments"][0]
    extended = alice.post(f"assignments/{held['id']}/extend/", {"seconds_to_expire": 3600})["assignment"]
    assert extended["expire_at"] == held["task"]["expire_at"]


def test_a_lease_without_an_end_stays_so(alice: Caller, digits: Any) -> None:
    administration.update_queue(queue_id=digits.pk, changes={"max_lease_seconds": None})
    cast.post(digits)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    extended = alice.post(f"assignments/{held['id']}/extend/", {"seconds_to_expire": 60})["assignment"]
    assert extended["expire_at"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/seconds_to_expire"),
        ({"seconds_to_expire": None}, "/seconds_to_expire"),
        ({"seconds_to_expire": 9}, "/seconds_to_expire"),
        ({"seconds_to_expire": 3601}, "/seconds_to_expire"),
        ({"expire_at": "2020-01-01T00:00:00Z"}, "/expire_at"),
        ({"expire_at": "2100-01-01T00:00:00Z"}, "/expire_at"),
        ({"expire_at": "2100-01-01T00:00:00Z", "seconds_to_expire": 60}, "/expire_at"),
        ({"colour": "red", "seconds_to_expire": 60}, "/colour"),
    ],
)
def test_an_extension_that_is_refused(alice: Caller, held: Any, body: Any, pointer: str) -> None:
    document = problem(alice.call("POST", f"assignments/{held['id']}/extend/", body), 400, "invalid-input")
    assert pointers(document) == [pointer]
    assert alice.get(f"assignments/{held['id']}/")["expire_at"] == held["expire_at"]


def test_a_finished_assignment_is_not_extended(alice: Caller, held: Any) -> None:
    alice.post(f"assignments/{held['id']}/finalize/", {"data": 1})
    answer = alice.call("POST", f"assignments/{held['id']}/extend/", {"seconds_to_expire": 60})
    problem(answer, 409, "assignment-closed")
