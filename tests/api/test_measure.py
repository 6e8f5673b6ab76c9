"""GET /api/v1/reviewers/{id}/metrics/."""

from datetime import UTC, datetime

import pytest

from assignments import lifecycle, rollup
from queues import administration, members
from tests import cast
from tests.api.calling import Caller, pointers, problem


@pytest.fixture
def two_queues(digits):
    """alice answered one task in digits, which mia manages, and two in letters, which fay manages."""
    letters = administration.create_queue(name="letters", actor=cast.person("fay"))
    for queue, count in ((digits, 1), (letters, 2)):
        member = members.grant(queue=queue, user=cast.person("alice"), role="reviewer", actor=cast.person("fay"))
        for _ in range(count):
            cast.post(queue)
            (held,) = cast.grab(member).assignments
            lifecycle.finalize(assignment_id=held.pk, data=1)
    while rollup.roll_up():
        pass
    return held.reviewer_id


@pytest.fixture
def digits(db):
    return cast.queue("digits")


def test_days_of_oneself(two_queues, alice):
    found = alice.get(f"reviewers/{two_queues}/metrics/")
    assert (len(found["results"]), found["total"]["completed"]) == (14, 3)
    today = found["results"][0]
    assert today["start"] == f"{datetime.now(UTC):%Y-%m-%d}T00:00:00Z"
    assert (today["completed"], today["skip_rate"]) == (3, 0.0)
    assert today["handling_median"] > 0
    assert found["as_of"] is not None


def test_before_the_first_roll_up_there_is_no_as_of(digits, alice):
    cast.post(digits)
    (held,) = cast.grab(cast.join(digits, "alice")).assignments
    found = alice.get(f"reviewers/{held.reviewer_id}/metrics/", period="week", count=2)
    assert (found["as_of"], found["total"]["completed"], len(found["results"])) == (None, 0, 2)


def test_one_queue(two_queues, alice):
    assert alice.get(f"reviewers/{two_queues}/metrics/", queue="letters")["total"]["completed"] == 2


def test_a_queue_that_one_has_left_is_still_ones_own(two_queues, alice, digits):
    members.revoke(membership=digits.memberships.get(user=cast.person("alice"), role="reviewer"))
    assert alice.get(f"reviewers/{two_queues}/metrics/", queue="digits")["total"]["completed"] == 1


def test_a_manager_sees_what_was_done_in_their_queues(two_queues, mia):
    assert mia.get(f"reviewers/{two_queues}/metrics/")["total"]["completed"] == 1
    assert Caller("fay").get(f"reviewers/{two_queues}/metrics/")["total"]["completed"] == 2


def test_a_queue_that_one_does_not_manage_is_none(two_queues, mia):
    there = mia.call("GET", f"reviewers/{two_queues}/metrics/?queue=letters")
    missing = mia.call("GET", f"reviewers/{two_queues}/metrics/?queue=missing")
    assert pointers(problem(there, 400, "invalid-input")) == ["/queue"]
    assert there.content == missing.content


def test_a_queue_in_which_the_reviewer_did_nothing_is_empty(two_queues, mia):
    cast.queue("pets")
    assert mia.get(f"reviewers/{two_queues}/metrics/", queue="pets")["total"]["completed"] == 0


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("period=year", "/period"),
        ("period=", "/period"),
        ("queue=", "/queue"),
        ("count=0", "/count"),
        ("count=93", "/count"),
        ("count=many", "/count"),
        ("reviewer=1", "/reviewer"),
    ],
)
def test_a_wrong_parameter_is_refused(two_queues, alice, query, pointer):
    refused = problem(alice.call("GET", f"reviewers/{two_queues}/metrics/?{query}"), 400, "invalid-input")
    assert pointers(refused) == [pointer]
