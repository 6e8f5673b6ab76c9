"""queues/{name}/members/: giving, changing and taking roles."""

from typing import Any

import pytest
from django.contrib.auth import get_user_model

from assignments.models import Assignment
from queues.models import Membership, Task
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

MEMBERS = "queues/digits/members/"


@pytest.mark.parametrize("role", ["manager", "requester", "reviewer"])
def test_a_role_is_given_by_e_mail_whatever_its_case(mia: Caller, digits: Any, role: str) -> None:
    cast.person("carol")
    granted = mia.post(MEMBERS, {"user": "CAROL@example.org", "role": role}, 201)
    assert (granted["user"], granted["role"]) == ("carol@example.org", role)
    assert (granted["strategy"], granted["max_live"]) == (None, None)
    assert mia.get(f"{MEMBERS}{granted['id']}/") == granted


def test_one_person_may_have_several_roles(mia: Caller, digits: Any) -> None:
    mia.post(MEMBERS, {"user": "alice@example.org", "role": "requester"}, 201)
    assert [row["user"] for row in mia.get(MEMBERS)["results"]].count("alice@example.org") == 2


def test_the_same_role_twice_is_refused(mia: Caller, digits: Any) -> None:
    problem(mia.call("POST", MEMBERS, {"user": "alice@example.org", "role": "reviewer"}), 409, "membership-exists")


def test_a_reviewer_may_be_given_a_strategy_and_a_limit(mia: Caller, digits: Any) -> None:
    cast.person("carol")
    given = {"user": "carol@example.org", "role": "reviewer", "strategy": {"topic": "a"}, "max_live": 3}
    granted = mia.post(MEMBERS, given, 201)
    assert {field: granted[field] for field in given} == given


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"user": "nobody@example.org"}, "/user"),
        ({"user": "gone@example.org"}, "/user"),
        ({"user": "twice@example.org"}, "/user"),
        ({"user": ""}, "/user"),
        ({"user": 5}, "/user"),
        ({"role": "owner"}, "/role"),
        ({"role": None}, "/role"),
        ({"role": "manager", "strategy": {}}, "/strategy"),
        ({"role": "requester", "max_live": 1}, "/max_live"),
        ({"strategy": {"order": "any"}}, "/strategy/order"),
        ({"strategy": {"expire_at": "2030-01-01T00:00:00Z"}}, "/strategy/expire_at"),
        ({"strategy": {"seconds_to_expire": 3601}}, "/strategy/seconds_to_expire"),
        ({"strategy": "fast"}, "/strategy"),
        ({"max_live": 0}, "/max_live"),
        ({"max_live": 11}, "/max_live"),
        ({"id": 5}, "/id"),
        ({"queue": "digits"}, "/queue"),
    ],
)
def test_what_is_refused(mia: Caller, digits: Any, fields: dict[str, Any], pointer: str) -> None:
    cast.person("carol"), cast.person("gone", is_active=False)
    for name in ("one", "two"):
        get_user_model().objects.create_user(name, "twice@example.org")
    body = {"user": "carol@example.org", "role": "reviewer", **fields}
    assert pointers(problem(mia.call("POST", MEMBERS, body), 400, "invalid-input")) == [pointer]
    assert Membership.objects.count() == 3


def test_user_and_role_are_required(mia: Caller, digits: Any) -> None:
    assert sorted(pointers(problem(mia.call("POST", MEMBERS, {}), 400, "invalid-input"))) == ["/role", "/user"]


def test_members_can_be_listed_by_role(mia: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    listed = mia.get(MEMBERS, role="reviewer")["results"]
    assert [row["user"] for row in listed] == ["bob@example.org", "alice@example.org"]


def test_a_strategy_and_a_limit_can_be_changed_and_taken_away(mia: Caller, digits: Any) -> None:
    bob = f"{MEMBERS}{cast.join(digits, 'bob').pk}/"
    changed = mia.patch(bob, {"strategy": {"order": "lifo"}, "max_live": 2})
    assert (changed["strategy"], changed["max_live"]) == ({"order": "lifo"}, 2)
    changed = mia.patch(bob, {"strategy": None, "max_live": None})
    assert (changed["strategy"], changed["max_live"]) == (None, None)


@pytest.mark.parametrize("change", [{"user": "carol@example.org"}, {"role": "manager"}, {"max_live": 0}, {"new": 1}])
def test_user_and_role_are_for_ever(mia: Caller, digits: Any, change: dict[str, Any]) -> None:
    bob = cast.join(digits, "bob")
    document = problem(mia.call("PATCH", f"{MEMBERS}{bob.pk}/", change), 400, "invalid-input")
    assert pointers(document) == [f"/{next(iter(change))}"]


def test_only_reviewers_have_a_strategy(mia: Caller, digits: Any) -> None:
    rosa = cast.join(digits, "rosa", "requester")
    mia.patch(f"{MEMBERS}{rosa.pk}/", {"strategy": {}}, 400)
    mia.patch(f"{MEMBERS}{rosa.pk}/", {"max_live": 1}, 400)


def test_a_members_strategy_beats_the_call(mia: Caller, bob: Caller, digits: Any) -> None:
    _first, last = cast.post(digits, 2)
    membership = cast.join(digits, "bob")
    mia.patch(f"{MEMBERS}{membership.pk}/", {"strategy": {"order": "lifo", "multitask_index": 1}})
    got = bob.post("queues/digits/grab/", {"order": "fifo", "multitask_index": 2})
    assert [held["task"]["id"] for held in got["assignments"]] == [last.pk]


def test_a_members_limit_bounds_what_they_hold(bob: Caller, digits: Any) -> None:
    cast.post(digits, 5)
    cast.join(digits, "bob", max_live=2)
    assert len(bob.post("queues/digits/grab/", {"multitask_index": 5})["assignments"]) == 2


def test_taking_a_role_away(mia: Caller, bob: Caller, digits: Any) -> None:
    membership = cast.join(digits, "bob")
    mia.delete(f"{MEMBERS}{membership.pk}/")
    problem(mia.call("GET", f"{MEMBERS}{membership.pk}/"), 404, "not-found")
    problem(bob.call("POST", "queues/digits/grab/"), 404, "not-found")


def test_a_role_can_be_given_again(mia: Caller, digits: Any) -> None:
    mia.delete(f"{MEMBERS}{cast.join(digits, 'bob').pk}/")
    mia.post(MEMBERS, {"user": "bob@example.org", "role": "reviewer"}, 201)


def test_a_revoked_reviewer_loses_their_leases(mia: Caller, bob: Caller, alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    membership = cast.join(digits, "bob")
    held = bob.post("queues/digits/grab/")["assignments"][0]
    mia.delete(f"{MEMBERS}{membership.pk}/")
    lost = Assignment.objects.get(pk=held["id"])
    assert (lost.status, lost.reason) == ("CANCELED", "review access revoked")
    problem(bob.call("POST", f"assignments/{held['id']}/finalize/", {"data": 1}), 409, "assignment-closed")
    assert alice.post("queues/digits/grab/")["assignments"][0]["task"]["id"] == task.pk


def test_the_targets_of_a_revoked_reviewer_are_opened_to_anyone(mia: Caller, alice: Caller, digits: Any) -> None:
    membership = cast.join(digits, "bob")
    (task,) = cast.post(digits, target_reviewer="bob@example.org")
    mia.delete(f"{MEMBERS}{membership.pk}/")
    assert Task.objects.get().target_reviewer is None
    assert alice.post("queues/digits/grab/")["assignments"][0]["task"]["id"] == task.pk


def test_the_loss_of_another_role_releases_nothing(mia: Caller, bob: Caller, digits: Any) -> None:
    cast.post(digits)
    cast.join(digits, "bob")
    also = cast.join(digits, "bob", "requester")
    held = bob.post("queues/digits/grab/")["assignments"]
    mia.delete(f"{MEMBERS}{also.pk}/")
    assert bob.post("queues/digits/grab/")["assignments"] == held


def test_a_member_of_another_queue_is_not_here(mia: Caller, digits: Any) -> None:
    other = cast.join(cast.queue("pets"), "bob")
    problem(mia.call("DELETE", f"{MEMBERS}{other.pk}/"), 404, "not-found")
    assert Membership.objects.filter(pk=other.pk).exists()


@pytest.mark.threads
def test_a_role_is_taken_once_by_two_who_take_it_at_once(together: Any) -> None:
    queue = cast.queue("digits")
    mia = Caller("mia")
    for _round in range(5):
        path = f"{MEMBERS}{cast.join(queue, 'bob').pk}/"
        answers = together(*(lambda path=path: mia.call("DELETE", path) for _ in range(2)))
        assert sorted(answer.status_code for answer in answers) == [204, 404]
