"""Settings that new tasks bring along: one and many, refused whole, repeated under one key."""

from typing import Any

import pytest
from django.db import connection

from queues import intake, notifications
from queues.models import Delivery, Endpoint, IdempotencyRecord, Notification, Task
from queues.sequencer import sequence
from tests import cast
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

TASKS = "queues/digits/tasks/"
HOOK = "https://8.8.8.8/hook"
KEY = {"idempotency_key": "order-4711"}


def setting(**other: Any) -> dict[str, Any]:
    return {"endpoint": HOOK, "events_to_notify": ["TASK_FINISHED"], **other}


def task(*settings: dict[str, Any], **other: Any) -> dict[str, Any]:
    return {"input_data": 1, "notifications": list(settings), **other}


def test_a_task_brings_its_settings_along(rick: Caller, digits: Any) -> None:
    second = setting(endpoint=f"{HOOK}/2", headers={"A": "1"}, strategy="ONLY", events_to_notify=["TASK_CREATED"])
    made = rick.post(TASKS, task(setting(), second), 201)
    shown = made.pop("notifications")
    assert [each.pop("secret")[:6] for each in shown] == ["whsec_", "whsec_"]
    assert [each["header_names"] for each in shown] == [[], ["A"]]
    assert made == rick.get(f"tasks/{made['id']}/")
    listed = rick.get("notifications/", task=made["id"])["results"]
    assert [{name: row[name] for name in shown[0]} for row in reversed(listed)] == shown
    assert {(row["level"], row["task"], row["owner"]) for row in listed} == {("task", made["id"], "rick@example.org")}


def test_many_tasks_share_one_new_endpoint(rick: Caller, digits: Any) -> None:
    made = rick.post(TASKS, [task(setting()), {"input_data": 2}, task(setting())], 201)
    secrets = [each["notifications"][0]["secret"] for each in made if "notifications" in each]
    assert len(secrets) == 2
    assert len(set(secrets)) == 1
    assert "notifications" not in made[1]
    assert Endpoint.objects.count() == 1
    assert rick.post(TASKS, task(setting()), 201)["notifications"][0]["secret"] is None


@pytest.mark.parametrize("many", [False, True])
def test_a_repeated_request_gets_the_same_answer_but_for_the_secret(rick: Caller, digits: Any, many: bool) -> None:
    body: Any = [task(setting()), task(setting())] if many else task(setting())
    first = rick.post(TASKS, body, 201, **KEY)
    again = rick.call("POST", TASKS, body, 201, **KEY)
    assert again.headers["Idempotency-Replayed"] == "true"
    for made in first if many else [first]:
        (shown,) = made["notifications"]
        assert shown["secret"] in [secret for secret in [shown["secret"]] if secret.startswith("whsec_")]
        shown["secret"] = None
    assert again.json() == first == IdempotencyRecord.objects.get().body
    assert Task.objects.count() == Notification.objects.count() == (2 if many else 1)


def test_after_a_lost_answer_rotating_gives_a_secret(rick: Caller, digits: Any) -> None:
    rick.post(TASKS, task(setting()), 201, **KEY)
    (again,) = rick.post(TASKS, task(setting()), 201, **KEY)["notifications"]
    assert rick.post(f"notifications/{again['id']}/rotate/")["secret"].startswith("whsec_")


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ([setting(events_to_notify=["EATEN"])], ["/notifications/0/events_to_notify/0"]),
        ([setting(), setting(endpoint="https://10.0.0.1/")], ["/notifications/1/endpoint"]),
        ([setting(endpoint="ftp://8.8.8.8/")], ["/notifications/0/endpoint"]),
        ([setting(headers={"Host": "a"})], ["/notifications/0/headers/Host"]),
        ([setting(strategy="AND")], ["/notifications/0/strategy"]),
        ([setting(), setting(strategy="ONLY")], ["/notifications/1/endpoint"]),
        ([setting(level="task")], ["/notifications/0/level"]),
        ([setting(secret="whsec_mine")], ["/notifications/0/secret"]),
        ([{}], ["/notifications/0/endpoint", "/notifications/0/events_to_notify"]),
        (["https://8.8.8.8/"], ["/notifications/0"]),
        ([setting(endpoint=f"{HOOK}/{n}") for n in range(6)], ["/notifications"]),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(
    rick: Caller, digits: Any, settings: Any, places: list[str]
) -> None:
    one = rick.call("POST", TASKS, task(*settings))
    assert pointers(problem(one, 400, "invalid-input")) == places
    many = problem(rick.call("POST", TASKS, [task(), task(*settings)]), 400, "invalid-input")
    assert pointers(many) == [f"/1{place}" for place in places]
    assert {error["index"] for error in many["errors"]} == {1}
    assert not Task.objects.exists()
    assert not Endpoint.objects.exists()


def test_one_request_names_only_so_many_endpoints(rick: Caller, digits: Any) -> None:
    most = notifications.ENDPOINTS_MAX
    body = [task(setting(endpoint=f"{HOOK}/{n}")) for n in range(most + 1)]
    assert pointers(rick.post(TASKS, body, 400)) == ["/0/notifications/0/endpoint"]
    assert len(rick.post(TASKS, body[:most], 201)) == most


def test_a_refused_endpoint_is_not_kept_and_may_be_mended(rick: Caller, digits: Any) -> None:
    rick.call("POST", TASKS, task(setting(endpoint="https://10.0.0.1/")), 400, **KEY)
    answer = rick.call("POST", TASKS, task(setting()), 201, **KEY)
    assert "Idempotency-Replayed" not in answer.headers


def test_who_may_not_post_is_told_so_before_what_is_wrong(alice: Caller, digits: Any) -> None:
    problem(alice.call("POST", TASKS, task(setting(endpoint="ftp://"))), 403, "permission-denied")


def test_the_reviewer_sees_nothing_of_them(rick: Caller, alice: Caller, digits: Any) -> None:
    rick.post(TASKS, task(setting()), 201)
    assert HOOK not in repr(alice.post("queues/digits/grab/"))


def test_a_new_task_is_told_of_by_its_own_settings(rick: Caller, digits: Any) -> None:
    asked = setting(events_to_notify=["TASK_CREATED", "TASK_AVAILABLE"])
    made = rick.post(TASKS, task(asked), 201)
    sequence()
    told = Delivery.objects.order_by("id").values_list("type", "task_id", "notification_id")
    pk = made["notifications"][0]["id"]
    assert list(told) == [("TASK_CREATED", made["id"], pk), ("TASK_AVAILABLE", made["id"], pk)]


def test_a_task_that_is_finished_from_the_start_is_told_of(rick: Caller, digits: Any) -> None:
    rick.post(TASKS, task(setting(), output_data=7), 201)
    sequence()
    assert Delivery.objects.get().type == "TASK_FINISHED"


@pytest.mark.django_db(transaction=True)
def test_the_network_is_asked_outside_the_transaction(monkeypatch: Any) -> None:
    cast.join(cast.queue("digits"), "rick", "requester")
    rick, inside, ask = Caller("rick"), [], notifications.look_up

    def look_up(endpoints: Any) -> dict[str, str]:
        inside.append(connection.in_atomic_block)
        return ask(endpoints)

    monkeypatch.setattr(notifications, "look_up", look_up)
    rick.post(TASKS, task(setting()), 201)
    rick.post(TASKS, task(setting()), 201, **KEY)
    rick.post("notifications/", {"level": "task", "task": Task.objects.latest("id").pk, **setting()}, 409, **KEY)
    assert inside == [False, False, False]


def test_without_settings_no_network_is_asked(rick: Caller, digits: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(notifications, "look_up", lambda endpoints: {} if not endpoints else pytest.fail("asked"))
    rick.post(TASKS, {"input_data": 1}, 201)
    rick.post(TASKS, task(), 201)


def test_from_code_settings_come_along_too(digits: Any) -> None:
    draft = notifications.NotificationDraft(endpoint=HOOK, events_to_notify=("TASK_FINISHED",))
    (made,) = cast.post(digits, notifications=(draft,))
    assert Notification.objects.get().task_id == made.pk
    with pytest.raises(intake.InvalidInput) as refused:
        cast.post(digits, notifications=(draft, draft))
    assert pointers(refused.value.extra) == ["/0/notifications/1/endpoint"]
