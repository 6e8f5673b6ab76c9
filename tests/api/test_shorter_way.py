"""The usual request takes a shorter way, and gets what it would get by the framework's."""

from typing import Any

import pytest
from rest_framework.throttling import UserRateThrottle

from assignments import holding
from assignments.api.views import GrabView
from queues import tokens
from queues.models import Membership, Token
from tests import cast
from tests.api.calling import Caller, problem

pytestmark = pytest.mark.django_db

# What it accepts is the same, but not said in one of the usual ways.
LONGER = {"accept": "application/json; q=0.9, */*; q=0.1"}


@pytest.fixture
def held(alice: Caller, digits: Any) -> int:
    """What alice holds; there is one more task in the queue, and one of bob's."""
    cast.join(digits, "bob")
    cast.post(digits, 3)
    Caller("bob").post("queues/digits/grab/")
    return alice.post("queues/digits/grab/")["assignments"][0]["id"]


CALLS = (
    ("queues/digits/grab/", None, 200),
    ("queues/digits/grab/", b"", 200),
    ("queues/digits/grab/", {"multitask_index": 0}, 400),
    ("queues/digits/grab/", b"{", 400),
    ("queues/digits/grab/", b'{"topic": "a", "topic": "b"}', 400),
    ("queues/missing/grab/", None, 404),
    ("queues/foreign/grab/", None, 404),
    ("queues/digits/stats/", None, 405),
    ("assignments/", None, 405),
    ("assignments/{held}/", None, 405),
    ("assignments/{held}/finalize/", None, 400),
    ("assignments/{held}/finalize/", {"data": None}, 400),
    ("assignments/{held}/extend/", {"seconds_to_expire": 10}, 200),
    ("assignments/{other}/skip/", {"seconds_to_expire": None}, 404),
    ("assignments/999999999999999999/finalize/", {"data": 1}, 404),
    ("tasks/99999999999999999999/assign/", None, 404),
    ("tasks/0/assign/", None, 404),
)


@pytest.mark.parametrize(("path", "body", "status"), CALLS)
@pytest.mark.parametrize("name", ["alice", "mia", "stranger", None])
def test_both_ways_lead_to_the_same_answer(held: int, name: str | None, path: str, body: Any, status: int) -> None:
    cast.queue("foreign")
    caller = Caller(name)
    path = path.format(held=held, other=held - 1)
    ways = [caller.call("POST", path, body, **headers) for headers in ({}, LONGER)]
    shown = [(answer.status_code, sorted(answer.headers.items()), answer.content) for answer in ways]
    assert shown[0] == shown[1]
    assert name != "alice" or ways[0].status_code == status


def test_another_type_of_body_is_refused(held: int, alice: Caller) -> None:
    answer = alice.client.post("/api/v1/queues/digits/grab/", "a=b", content_type="text/plain")
    problem(answer, 415, "unsupported-media-type")


def test_what_cannot_be_accepted_is_refused(held: int, alice: Caller) -> None:
    problem(alice.call("POST", "queues/digits/grab/", accept="text/html"), 406, "not-acceptable")


def test_a_revoked_token_ends_at_once(held: int, alice: Caller) -> None:
    alice.post("queues/digits/grab/")
    tokens.revoke(token=Token.objects.get(pk=alice.token))
    answer = alice.call("POST", "queues/digits/grab/")
    problem(answer, 401, "not-authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crowdsite"'


def test_a_user_who_is_switched_off_is_refused(held: int, alice: Caller) -> None:
    user = cast.person("alice")
    user.is_active = False
    user.save()
    problem(alice.call("POST", "queues/digits/grab/"), 401, "not-authenticated")


def test_the_use_of_a_token_is_noted(held: int, digits: Any) -> None:
    bob = Caller("bob")
    bob.post("queues/digits/grab/")
    assert Token.objects.get(pk=bob.token).last_used_at


def test_a_session_needs_its_csrf_token(held: int, alice: Caller) -> None:
    browser = Caller(None)
    browser.client.handler = type(browser.client.handler)(enforce_csrf_checks=True)
    browser.client.force_login(cast.person("alice"))
    problem(browser.call("POST", "queues/digits/grab/"), 403, "permission-denied")


class Once(UserRateThrottle):
    """One call a day."""

    scope, rate = "hot", "1/day"


def test_the_throttles_of_a_host_hold(held: int, alice: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GrabView, "throttle_classes", [Once])
    alice.post("queues/digits/grab/")
    problem(alice.call("POST", "queues/digits/grab/"), 429, "throttled")


def loaded(instance: Any) -> dict[str, Any]:
    """The fields of an instance that were read."""
    return {name: value for name, value in vars(instance).items() if not name.startswith("_")}


def test_a_look_finds_what_the_orm_finds(held: int, digits: Any) -> None:
    alice, mia = cast.person("alice"), cast.person("mia")
    task = digits.tasks.first()
    for look, values in (
        (holding.ACCESS_TO_QUEUE, {"queue": "digits"}),
        (holding.ACCESS_TO_TASK, {"task": task.pk}),
    ):
        membership = look.of(alice, **values)
        assert membership == Membership.objects.get(user=alice)
        assert (membership.queue, membership.user) == (digits, alice)
        same_as_the_orm(membership)
        same_as_the_orm(membership.queue)
        assert look.of(mia, **values) is None
    found = holding.HELD.of(alice, assignment=held)
    assert found is not None
    assert found.membership is not None
    assert holding.HELD.of(mia, assignment=held) is None
    for instance in (found.assignment, found.assignment.task, found.assignment.reviewer, found.membership):
        same_as_the_orm(instance)
    assert found.assignment.queue.output_schema == digits.output_schema


def same_as_the_orm(instance: Any) -> None:
    read, fresh = loaded(instance), loaded(type(instance)._default_manager.get(pk=instance.pk))
    assert read == {name: fresh[name] for name in read}


def test_a_look_that_finds_no_access_finds_the_assignment(held: int, digits: Any) -> None:
    alice = cast.person("alice")
    Membership.objects.filter(user=alice).delete()
    found = holding.HELD.of(alice, assignment=held)
    assert found is not None
    assert found.membership is None


def test_a_look_sees_no_deleted_queue(held: int, digits: Any) -> None:
    alice = cast.person("alice")
    digits.archived_at = digits.created_at
    digits.save()
    assert holding.ACCESS_TO_QUEUE.of(alice, queue="digits") is None
    assert holding.ACCESS_TO_TASK.of(alice, task=digits.tasks.first().pk) is None
    found = holding.HELD.of(alice, assignment=held)
    assert found is not None
    assert found.membership is None
