"""Who asks too often is told so, and when to come back; answers are taken as fast as they come."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pavilion import links, pool
from queues import throttles
from queues.models import IdempotencyRecord, Task
from tests import cast, pools
from tests.api.calling import Caller, problem

TASKS = "queues/digits/tasks/"
GRAB = "queues/digits/grab/"


pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def two_each(settings: Any) -> Iterator[None]:
    """Two of each kind an hour."""
    prefix = {"KEY_PREFIX": uuid4().hex}
    settings.CACHES = {alias: {**options, **prefix} for alias, options in settings.CACHES.items()}
    settings.CROWDSITE_THROTTLES = dict.fromkeys(settings.CROWDSITE_THROTTLES, "2/h")
    throttles.forget()
    yield
    throttles.forget()


def refused(answer: Any) -> None:
    document = problem(answer, 429, "throttled")
    assert 1 <= int(answer.headers["Retry-After"]) <= 3600
    assert document["retry_after"] == int(answer.headers["Retry-After"])


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [(GRAB, {}, 200), (TASKS, {"input_data": 1}, 201), ("tokens/", {"name": "one"}, 201)],
)
def test_the_third_is_refused(rick: Caller, digits: Any, path: str, body: Any, status: int) -> None:
    cast.join(digits, "rick")
    for _time in range(2):
        rick.call("POST", path, body, status)
    refused(rick.call("POST", path, body))


def test_a_browsers_session_counts_like_a_token(alice: Caller, digits: Any, client: Any) -> None:
    client.force_login(cast.person("alice"))
    alice.post(GRAB)
    assert client.post(f"/api/v1/{GRAB}", {}, "application/json").status_code == 200
    refused(client.post(f"/api/v1/{GRAB}", {}, "application/json"))


def test_all_tokens_of_a_user_count_together(alice: Caller, digits: Any) -> None:
    for caller in (alice, Caller("alice")):
        caller.post(GRAB)
    refused(Caller("alice").call("POST", GRAB))


def test_others_are_not_in_the_way(alice: Caller, bob: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    for _time in range(3):
        answer = alice.call("POST", GRAB)
    refused(answer)
    bob.post(GRAB)


def test_choosing_a_task_counts_as_a_grab(alice: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    alice.post(f"tasks/{task.pk}/assign/", {})
    alice.post(GRAB)
    refused(alice.call("POST", f"tasks/{task.pk}/assign/", {}))


def test_a_worker_of_a_pool_counts_too() -> None:
    session = pools.post(min_waiting=0, min_active=1, confirm_seconds=600)
    seat = pool.enter(seat_id=pools.join(session, "ann").pk)
    pool.confirm(seat_id=seat.pk, connection=seat.connection)
    ann = Caller(None)
    ann.client.credentials(HTTP_AUTHORIZATION=f"Seat {links.token(seat_id=seat.pk, connection=seat.connection)}")
    for _time in range(2):
        ann.post("seat/grab/", {})
    refused(ann.call("POST", "seat/grab/", {}))


def test_answers_are_taken_as_fast_as_they_come(alice: Caller, digits: Any) -> None:
    cast.post(digits, 5)
    held = alice.post(GRAB)["assignments"][0]
    for _time in range(4):
        answer = alice.post(f"assignments/{held['id']}/finalize/", {"data": 1, "assign_new_task": True})
        held = answer["next"]["assignments"][0]
    assert Task.objects.filter(status="FINISHED").count() == 4


def test_reading_is_not_counted(alice: Caller, digits: Any) -> None:
    for _time in range(5):
        alice.get("tokens/")


def test_a_refusal_is_not_kept_under_the_key(rick: Caller, digits: Any) -> None:
    for number in range(3):
        answer = rick.call("POST", TASKS, {"input_data": 1}, idempotency_key=f"key {number}")
    refused(answer)
    assert IdempotencyRecord.objects.count() == 2


def test_it_asks_the_database_nothing(alice: Caller, digits: Any, settings: Any) -> None:
    def statements() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            alice.post(GRAB)
        return len(asked)

    settings.CROWDSITE_THROTTLES = {"grab": "0"}
    alice.post(GRAB)
    without = statements()
    settings.CROWDSITE_THROTTLES = {"grab": "2/h"}
    assert statements() == without
