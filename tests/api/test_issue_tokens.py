"""tokens/: making, showing and ending the tokens of the API."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.serializers import serialize
from django.utils import timezone
from rest_framework.test import APIClient

from queues.models import IdempotencyRecord, Token
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db


def with_text(secret: str) -> Caller:
    """Somebody who sends this text as their token."""
    caller = Caller(None)
    caller.client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return caller


def test_a_tokens_text_is_shown_once(alice: Caller) -> None:
    made = alice.post("tokens/", {"name": "robot"}, 201)
    assert made.keys() == {"id", "name", "prefix", "created_at", "expires_at", "last_used_at", "token"}
    assert (made["name"], made["expires_at"], made["last_used_at"]) == ("robot", None, None)
    assert made["token"].startswith(made["prefix"])
    assert made["prefix"].startswith("cs_")
    for answer in (alice.call("GET", "tokens/"), alice.call("GET", f"tokens/{made['id']}/")):
        assert answer.status_code == 200
        assert made["token"].encode() not in answer.content
        assert b'"token"' not in answer.content
        assert b"digest" not in answer.content


def test_a_tokens_text_is_never_stored(alice: Caller) -> None:
    secret = alice.post("tokens/", {"name": "robot"}, 201)["token"]
    assert len(secret) == 46
    assert secret[8:] not in serialize("json", Token.objects.all())


def test_a_token_opens_the_api_for_its_user(alice: Caller, digits: Any) -> None:
    secret = alice.post("tokens/", {"name": "robot"}, 201)["token"]
    assert with_text(secret).get("queues/digits/")["name"] == "digits"


def test_a_deleted_token_ends_at_once(alice: Caller) -> None:
    made = alice.post("tokens/", {"name": "robot"}, 201)
    robot = with_text(made["token"])
    robot.get("tokens/")
    alice.delete(f"tokens/{made['id']}/")
    problem(robot.call("GET", "tokens/"), 401, "not-authenticated")
    problem(alice.call("GET", f"tokens/{made['id']}/"), 404, "not-found")
    problem(alice.call("DELETE", f"tokens/{made['id']}/"), 404, "not-found")


def test_a_token_may_end_itself(alice: Caller) -> None:
    alice.delete(f"tokens/{alice.token}/")
    problem(alice.call("GET", "tokens/"), 401, "not-authenticated")


def test_an_expired_token_opens_nothing(alice: Caller) -> None:
    later = timezone.now() + timedelta(hours=1)
    made = alice.post("tokens/", {"name": "robot", "expires_at": later.isoformat()}, 201)
    robot = with_text(made["token"])
    robot.get("tokens/")
    Token.objects.filter(pk=made["id"]).update(expires_at=timezone.now())
    problem(robot.call("GET", "tokens/"), 401, "not-authenticated")


def test_the_tokens_of_a_user_who_is_not_active_open_nothing(alice: Caller) -> None:
    user = cast.person("alice")
    user.is_active = False
    user.save()
    answer = alice.call("GET", "tokens/")
    problem(answer, 401, "not-authenticated")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="crowdsite"'


@pytest.mark.parametrize("secret", ["", "cs_", "cs_" + "a" * 43, "nonsense", "cs_ä", "cs_\u0394", "a b c"])
def test_a_text_that_is_no_token_opens_nothing(db: None, secret: str) -> None:
    problem(with_text(secret).call("GET", "tokens/"), 401, "not-authenticated")


def test_a_refusal_is_the_same_for_every_kind_of_bad_token(alice: Caller) -> None:
    made = alice.post("tokens/", {"name": "robot"}, 201)
    alice.delete(f"tokens/{made['id']}/")
    revoked = with_text(made["token"]).call("GET", "tokens/")
    unknown = with_text("cs_" + "a" * 43).call("GET", "tokens/")
    assert (revoked.status_code, revoked.content, revoked.headers) == (401, unknown.content, unknown.headers)


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, ["/name"]),
        ({"name": ""}, ["/name"]),
        ({"name": "a" * 101}, ["/name"]),
        ({"name": 5}, ["/name"]),
        ({"name": "a", "expires_at": "soon"}, ["/expires_at"]),
        ({"name": "a", "token": "cs_mine"}, ["/token"]),
        ({"name": "a", "prefix": "cs_mine"}, ["/prefix"]),
        ({"name": "a", "user": "bob@example.org"}, ["/user"]),
    ],
)
def test_what_is_refused(alice: Caller, body: Any, places: list[str]) -> None:
    assert pointers(problem(alice.call("POST", "tokens/", body), 400, "invalid-input")) == places
    assert Token.objects.count() == 1


def test_the_answer_of_a_new_token_is_never_kept(alice: Caller) -> None:
    first = alice.post("tokens/", {"name": "robot"}, 201, idempotency_key="k")
    second = alice.post("tokens/", {"name": "robot"}, 201, idempotency_key="k")
    assert first["token"] != second["token"]
    assert not IdempotencyRecord.objects.exists()


def test_one_sees_ones_own_tokens_only(alice: Caller, bob: Caller) -> None:
    assert alice.ids("tokens/") == [alice.token]
    assert bob.ids("tokens/") == [bob.token]


def test_the_last_use_is_shown(alice: Caller) -> None:
    assert alice.get(f"tokens/{alice.token}/")["last_used_at"] is not None


def test_a_browsers_session_opens_the_api_too(digits: Any) -> None:
    browser = Caller(None)
    browser.client.force_login(cast.person("alice"))
    assert browser.get("queues/digits/")["name"] == "digits"


def test_a_browsers_session_changes_nothing_without_the_csrf_token(digits: Any) -> None:
    cast.post(digits)
    browser = Caller(None)
    browser.client = APIClient(enforce_csrf_checks=True)
    browser.client.force_login(cast.person("alice"))
    problem(browser.call("POST", "queues/digits/grab/"), 403, "permission-denied")
