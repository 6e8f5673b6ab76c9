"""The Idempotency-Key: the same request sent again gets the first one's answer, and its effect happens once."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from threading import Thread
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from assignments.models import Assignment
from queues import idempotency, lifecycle, signals
from queues.jobs import purge_idempotency
from queues.models import IdempotencyRecord, Queue, Task
from tests import cast
from tests.api.calling import Caller, problem
from tests.api.test_refuse import nested

pytestmark = pytest.mark.django_db

TASKS = "queues/digits/tasks/"
KEY: Any = {"idempotency_key": "a key of 1"}


def replayed(answer: Any) -> bool:
    return answer.headers.get("Idempotency-Replayed") == "true"


def test_the_same_request_gets_the_same_answer_and_is_done_once(rick: Caller, digits: Any) -> None:
    first = rick.call("POST", TASKS, {"input_data": {"b": 1, "a": 2.0}}, 201, **KEY)
    again = rick.call("POST", TASKS, {"input_data": {"b": 1, "a": 2.0}}, 201, **KEY)
    assert (replayed(first), replayed(again)) == (False, True)
    assert again.json() == first.json()
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert Task.objects.count() == 1


def test_a_body_is_the_same_whatever_the_order_of_its_keys(rick: Caller, digits: Any) -> None:
    first = rick.post(TASKS, b'{"input_data": 1, "topic": "a"}', 201, **KEY)
    assert rick.post(TASKS, b'{ "topic": "a", "input_data": 1.0 }', 201, **KEY) == first


def test_another_body_is_refused(rick: Caller, digits: Any) -> None:
    rick.post(TASKS, {"input_data": 1}, 201, **KEY)
    problem(rick.call("POST", TASKS, {"input_data": 2}, **KEY), 422, "idempotency-mismatch")
    assert Task.objects.count() == 1


def test_a_key_is_ones_own(rick: Caller, mia: Caller, digits: Any) -> None:
    rick.post(TASKS, {"input_data": 1}, 201, **KEY)
    assert not replayed(mia.call("POST", TASKS, {"input_data": 1}, 201, **KEY))
    assert not replayed(mia.call("POST", "queues/", {"name": "pets"}, 201, **KEY))
    assert not replayed(mia.call("PATCH", "queues/pets/", {"alias": "Pets"}, 200, **KEY))
    assert not replayed(mia.call("DELETE", "queues/pets/", None, 204, **KEY))


def test_every_changing_method_can_be_repeated(mia: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    for _ in range(2):
        assert mia.patch(f"tasks/{task.pk}/", {"priority": "+10"}, **KEY)["priority"] == 510
    for expected in (False, True):
        answer = mia.call("DELETE", "queues/digits/", None, 204, **KEY)
        assert (replayed(answer), answer.content) == (expected, b"")
    assert "Content-Type" not in answer.headers


def test_a_get_ignores_the_key(rick: Caller, digits: Any) -> None:
    rick.call("GET", "tasks/", None, 200, **KEY)
    cast.post(digits)
    assert len(rick.call("GET", "tasks/", None, 200, **KEY).json()["results"]) == 1
    assert not IdempotencyRecord.objects.exists()


def test_a_repeated_grab_hands_out_nothing_new(alice: Caller, digits: Any) -> None:
    cast.post(digits, 3)
    first = alice.post("queues/digits/grab/", {}, **KEY)
    alice.post(f"assignments/{first['assignments'][0]['id']}/finalize/", {"data": 1})
    assert alice.post("queues/digits/grab/", {}, **KEY) == first
    assert Assignment.objects.count() == 1


def test_a_repeated_finalize_gets_the_same_next_task(alice: Caller, digits: Any) -> None:
    cast.post(digits, 3)
    held = alice.post("queues/digits/grab/")["assignments"][0]
    body = {"data": 1, "assign_new_task": True}
    first = alice.post(f"assignments/{held['id']}/finalize/", body, **KEY)
    assert first["next"]["assignments"]
    assert alice.post(f"assignments/{held['id']}/finalize/", body, **KEY) == first


def test_the_deepest_task_can_be_grabbed_with_a_key(rick: Caller, alice: Caller, digits: Any) -> None:
    rick.post(TASKS, {"input_data": nested(31)}, 201)
    first = alice.post("queues/digits/grab/", {}, **KEY)
    assert first["assignments"][0]["task"]["input_data"] == nested(31)
    assert alice.post("queues/digits/grab/", {}, **KEY) == first


def test_a_conflict_is_kept(mia: Caller, digits: Any) -> None:
    first = mia.call("POST", "queues/", {"name": "digits"}, **KEY)
    again = mia.call("POST", "queues/", {"name": "digits"}, **KEY)
    problem(first, 409, "queue-name-taken")
    assert replayed(again)
    assert problem(again, 409, "queue-name-taken") == first.json()


def test_a_kept_conflict_is_the_same_to_the_microsecond(bob: Caller, digits: Any) -> None:
    cast.post(digits)
    past = timezone.now() - timedelta(hours=2)
    late = cast.grab(cast.join(digits, "bob"), now=past.replace(microsecond=123_456)).assignments[0]
    first = bob.call("POST", f"assignments/{late.pk}/finalize/", {"data": 1}, **KEY)
    again = bob.call("POST", f"assignments/{late.pk}/finalize/", {"data": 1}, **KEY)
    assert again.json() == problem(first, 409, "lease-expired")


def test_a_mismatch_does_not_replace_the_answer(rick: Caller, digits: Any) -> None:
    first = rick.post(TASKS, {"input_data": 1}, 201, **KEY)
    rick.call("POST", TASKS, {"input_data": 2}, 422, **KEY)
    assert rick.post(TASKS, {"input_data": 1}, 201, **KEY) == first


def test_a_bad_request_is_not_kept_and_may_be_mended(rick: Caller, digits: Any) -> None:
    rick.call("POST", TASKS, {"input_data": 1, "priority": 1}, 400, **KEY)
    assert not replayed(rick.call("POST", TASKS, {"input_data": 1, "priority": 5}, 201, **KEY))
    assert replayed(rick.call("POST", TASKS, {"input_data": 1, "priority": 5}, 201, **KEY))


def test_malformed_json_is_not_kept(rick: Caller, digits: Any) -> None:
    rick.call("POST", TASKS, b"{", 400, **KEY)
    rick.post(TASKS, {"input_data": 1}, 201, **KEY)


def test_a_refusal_of_the_anonymous_is_not_kept(as_: Any, digits: Any) -> None:
    as_(None).call("POST", TASKS, {"input_data": 1}, 401, **KEY)
    assert not IdempotencyRecord.objects.exists()


def test_a_missing_right_is_not_kept(alice: Caller, digits: Any) -> None:
    alice.call("POST", TASKS, {"input_data": 1}, 403, **KEY)
    cast.join(digits, "alice", "requester")
    alice.call("POST", TASKS, {"input_data": 1}, 201, **KEY)


def test_a_missing_object_is_not_kept(rick: Caller) -> None:
    cast.person("mia")
    rick.call("POST", TASKS, {"input_data": 1}, 404, **KEY)
    cast.join(cast.queue("digits"), "rick", "requester")
    rick.call("POST", TASKS, {"input_data": 1}, 201, **KEY)


@pytest.fixture
def on_creation() -> Any:
    """Return `on_creation(function)`: from now on it is called inside the transaction that creates tasks."""
    receivers: list[Callable[..., None]] = []

    def connect(function: Callable[[], None]) -> None:
        def receiver(**_: Any) -> None:
            function()

        receivers.append(receiver)
        signals.tasks_created.connect(receiver, weak=False)

    yield connect
    for receiver in receivers:
        signals.tasks_created.disconnect(receiver)


def test_a_fault_of_ours_is_not_kept(rick: Caller, digits: Any, on_creation: Any) -> None:
    faults = [RuntimeError("a fault")]

    def fail_once() -> None:
        if faults:
            raise faults.pop()

    on_creation(fail_once)
    rick.client.raise_request_exception = False
    rick.call("POST", TASKS, {"input_data": 1}, 500, **KEY)
    assert not Task.objects.exists()
    assert not replayed(rick.call("POST", TASKS, {"input_data": 1}, 201, **KEY))


def test_who_dawdles_past_the_lease_loses_and_does_nothing(rick: Caller, digits: Any, on_creation: Any) -> None:
    on_creation(lambda: IdempotencyRecord.objects.update(fence=F("fence") + 1))
    problem(rick.call("POST", TASKS, {"input_data": 1}, **KEY), 409, "idempotency-lost")
    assert not Task.objects.exists()


def turn(now: Any = None) -> idempotency.Turn:
    """The turn of a request of rick's for one task, as a server takes it."""
    return idempotency.begin(
        user=cast.person("rick"),
        method="POST",
        path=f"/api/v1/{TASKS}",
        key=KEY["idempotency_key"],
        fingerprint=sha256(b'{"input_data":1}').hexdigest(),
        now=now,
    )


def test_while_the_first_is_under_way_the_second_waits(rick: Caller, digits: Any) -> None:
    turn()
    answer = rick.call("POST", TASKS, {"input_data": 1}, **KEY)
    problem(answer, 409, "idempotency-busy")
    assert answer.headers["Retry-After"] == "1"
    assert not Task.objects.exists()


def test_a_marker_whose_lease_lapsed_is_taken_over(rick: Caller, digits: Any) -> None:
    died = turn(now=timezone.now() - timedelta(seconds=61))
    first = rick.call("POST", TASKS, {"input_data": 1}, 201, **KEY)
    assert not replayed(first)
    assert IdempotencyRecord.objects.get().fence == died.fence + 1
    with pytest.raises(idempotency.IdempotencyLost):
        idempotency.complete(turn=died, status=201, body={})
    assert rick.post(TASKS, {"input_data": 1}, 201, **KEY) == first.json()


def test_what_a_dawdler_gives_up_is_not_taken_from_the_next(rick: Caller, digits: Any) -> None:
    dawdler = turn(now=timezone.now() - timedelta(seconds=61))
    following = turn()
    idempotency.abandon(turn=dawdler)
    problem(rick.call("POST", TASKS, {"input_data": 1}, **KEY), 409, "idempotency-busy")
    idempotency.complete(turn=following, status=201, body={"done": 1})
    assert rick.post(TASKS, {"input_data": 1}, 201, **KEY) == {"done": 1}


@pytest.mark.parametrize("key", ["", "a" * 256, "ä", "a\tb", "\x7f"])
def test_a_key_that_is_none(rick: Caller, digits: Any, key: str) -> None:
    answer = rick.client.post(f"/api/v1/{TASKS}", {"input_data": 1}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    problem(answer, 400, "invalid-input")
    assert not Task.objects.exists()


def test_a_key_may_have_255_characters(rick: Caller, digits: Any) -> None:
    rick.post(TASKS, {"input_data": 1}, 201, idempotency_key="~" * 255)


def test_after_a_day_a_key_is_new(rick: Caller, digits: Any) -> None:
    rick.post(TASKS, {"input_data": 1}, 201, **KEY)
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    assert not replayed(rick.call("POST", TASKS, {"input_data": 2}, 201, **KEY))
    assert Task.objects.count() == 2


def test_after_a_day_the_records_are_deleted(rick: Caller, digits: Any) -> None:
    for key, age in (("old", 24), ("young", 23)):
        rick.post(TASKS, {"input_data": 1}, 201, idempotency_key=key)
        moment = timezone.now() - timedelta(hours=age)
        IdempotencyRecord.objects.filter(key=key).update(created_at=moment)
    purge_idempotency()
    assert [record.key for record in IdempotencyRecord.objects.all()] == ["young"]


def test_without_a_key_nothing_is_asked_of_the_records(alice: Caller, digits: Any) -> None:
    cast.post(digits, 2)
    with CaptureQueriesContext(connection) as asked:
        held = alice.post("queues/digits/grab/")["assignments"][0]
        alice.post(f"assignments/{held['id']}/finalize/", {"data": 1, "assign_new_task": True})
    assert asked.captured_queries
    assert not any(IdempotencyRecord._meta.db_table in query["sql"] for query in asked.captured_queries)


def test_a_key_of_somebody_who_is_deleted_goes_with_them(rick: Caller) -> None:
    rick.call("POST", "queues/", {"name": "a"}, 403, **KEY)
    cast.person("rick").delete()
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.threads
def test_the_same_request_at_once_is_done_once(together: Any) -> None:
    queue = cast.queue("digits")
    cast.join(queue, "rick", "requester")
    rick = Caller("rick")
    for number in range(5):
        headers: Any = {"idempotency_key": f"key {number}"}
        answers = together(*(lambda h=headers: rick.call("POST", TASKS, {"input_data": 1}, **h) for _ in range(4)))
        done = [answer for answer in answers if answer.status_code == 201]
        assert len({answer.json()["id"] for answer in done}) == 1
        for answer in answers:
            if answer not in done:
                problem(answer, 409, "idempotency-busy")
        assert Task.objects.count() == number + 1
        assert replayed(rick.call("POST", TASKS, {"input_data": 1}, 201, **headers))


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_a_dawdler_and_the_one_who_took_over_at_once(on_creation: Any) -> None:
    queue = cast.queue("digits")
    cast.join(queue, "rick", "requester")
    rick, second = Caller("rick"), Caller("rick")
    took_over: list[Any] = []

    def overtake() -> None:
        if not took_over:
            took_over.append(None)
            thread = Thread(target=request)
            thread.start()
            thread.join(timeout=30)

    def request() -> None:
        try:
            IdempotencyRecord.objects.update(leased_until=timezone.now())
            took_over.append(second.call("POST", TASKS, {"input_data": 1}, **KEY))
        finally:
            connections.close_all()

    on_creation(overtake)
    problem(rick.call("POST", TASKS, {"input_data": 1}, **KEY), 409, "idempotency-lost")
    assert took_over[1].status_code == 201
    assert Task.objects.get().pk == took_over[1].json()["id"]
    assert rick.post(TASKS, {"input_data": 1}, 201, **KEY) == took_over[1].json()


@pytest.mark.threads
def test_a_queue_that_is_deleted_twice_at_once_is_deleted_once(together: Any) -> None:
    cast.queue("digits")
    mia = Caller("mia")
    answers = together(*(lambda: mia.call("DELETE", "queues/digits/") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers)[0] == 204
    assert {answer.status_code for answer in answers} <= {204, 404, 409}
    assert [answer.status_code for answer in answers].count(204) == 1
    assert Queue.objects.get().archived_at is not None


@pytest.mark.threads
def test_a_task_that_is_canceled_twice_at_once_is_canceled_once(together: Any) -> None:
    (task,) = cast.post(cast.queue("digits"))
    rick = Caller("rick")
    answers = together(*(lambda: rick.call("POST", f"tasks/{task.pk}/cancel/") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    with pytest.raises(lifecycle.TaskClosed):
        lifecycle.cancel_task(task_id=task.pk)
