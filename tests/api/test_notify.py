"""Settings of who is told of what: made, read, changed and removed by the API; secrets, tests, switching off and on."""

import json
import logging
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from queues import addresses, administration, feed, lifecycle, notifications
from queues.exceptions import InvalidInput, QueueArchived
from queues.models import Delivery, Endpoint, Event, IdempotencyRecord, Notification
from queues.notifications import NotificationDraft
from queues.sequencer import sequence
from queues.states import Disabled, Level
from tests import cast
from tests.api.calling import Caller, pointers, problem
from tests.plans import prefer_indexes

pytestmark = pytest.mark.django_db

HOOK = "https://8.8.8.8/hook"
"""A public address, so it is found good without a name server; nothing is ever sent there."""


def body(**other: Any) -> dict[str, Any]:
    """What rick asks for his task, or whoever for whatever `other` says."""
    return {"endpoint": HOOK, "events_to_notify": ["TASK_FINISHED"], **other}


def of_queue(**other: Any) -> dict[str, Any]:
    return body(level="queue", queue="digits", **other)


def everything_kept() -> str:
    """All rows of all tables as text."""
    rows: list[Any] = []
    with connection.cursor() as cursor:
        for model in apps.get_models():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(model._meta.db_table)}")
            rows += cursor.fetchall()
    return repr(rows)


def test_a_new_setting_is_shown_with_its_secret(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(headers={"Authorization": "Bearer hidden"}), 201)
    assert made.pop("secret").startswith("whsec_")
    assert made.pop("created_at") == made.pop("updated_at")
    assert made == {
        "id": Notification.objects.get().pk,
        "level": "queue",
        "queue": "digits",
        "task": None,
        "endpoint": HOOK,
        "header_names": ["Authorization"],
        "events_to_notify": ["TASK_FINISHED"],
        "strategy": "UNION",
        "owner": "mia@example.org",
        "disabled_at": None,
        "disabled_reason": "",
        "failing_since": None,
    }


def test_one_reads_the_same_without_the_secret(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(), 201)
    del made["secret"]
    assert mia.get(f"notifications/{made['id']}/") == made
    assert mia.get("notifications/")["results"] == [made]


def test_the_secret_is_kept_nowhere_in_clear_and_in_no_later_answer(
    mia: Caller, rick: Caller, digits: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = {"idempotency_key": "k"}
    shown = [mia.post("notifications/", of_queue(headers={"X-Key": "hidden value"}), 201, **key)["secret"]]
    pk = Notification.objects.get().pk
    shown.append(mia.post(f"notifications/{pk}/rotate/", **key)["secret"])
    task = {"input_data": 1, "notifications": [body(headers={"X-Key": "hidden value"})]}
    shown.append(rick.post("queues/digits/tasks/", task, 201, **key)["notifications"][0]["secret"])
    assert len(set(shown)) == 3
    mia.post(f"notifications/{pk}/test/", None, 202, **key)
    mia.patch(f"notifications/{pk}/", {"strategy": "ONLY"}, **key)
    sequence()
    told = [mia.get("notifications/"), mia.get("events/"), mia.get(f"notifications/{pk}/deliveries/")]
    told += [mia.get(f"deliveries/{delivery.pk}/") for delivery in Delivery.objects.all()]
    everything = everything_kept() + json.dumps(told) + caplog.text
    assert Delivery.objects.exists()
    assert IdempotencyRecord.objects.exists()
    for hidden in [*shown, *(one.removeprefix("whsec_") for one in shown), "hidden value"]:
        assert hidden not in everything


def test_an_endpoint_used_before_keeps_its_secret(mia: Caller, digits: Any) -> None:
    cast.queue("pets")
    assert mia.post("notifications/", of_queue(), 201)["secret"]
    assert mia.post("notifications/", body(level="queue", queue="pets"), 201)["secret"] is None
    assert Endpoint.objects.count() == 1


def test_another_owners_endpoint_at_the_same_address_has_a_secret_of_its_own(mia: Caller, olga: Caller) -> None:
    cast.queue("digits")
    secrets = {caller.post("notifications/", of_queue(), 201)["secret"] for caller in (mia, olga)}
    assert len(secrets - {None}) == 2


def test_the_same_endpoint_at_the_same_place_is_refused(mia: Caller, olga: Caller, rick: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    for caller, place in (
        (mia, {"level": "queue", "queue": "digits"}),
        (olga, {"level": "site"}),
        (rick, {"level": "task", "task": task.pk}),
    ):
        made = caller.post("notifications/", body(**place), 201)
        refused = caller.call("POST", "notifications/", body(**place, events_to_notify=["TASK_CREATED"]))
        assert problem(refused, 409, "notification-exists")["notification"] == made["id"]


def test_after_a_lost_answer_a_repeat_finds_the_setting_and_rotating_gives_a_secret(mia: Caller, digits: Any) -> None:
    mia.post("notifications/", of_queue(), 201, idempotency_key="k")
    refused = mia.call("POST", "notifications/", of_queue(), 409, idempotency_key="k")
    assert "Idempotency-Replayed" not in refused.headers
    assert mia.post(f"notifications/{refused.json()['notification']}/rotate/")["secret"].startswith("whsec_")


@pytest.mark.parametrize(
    ("wrong", "places"),
    [
        ({"level": "planet"}, ["/level"]),
        ({"level": None}, ["/level"]),
        ({"level": "site"}, ["/queue"]),
        ({"level": "task"}, ["/queue", "/task"]),
        ({"queue": None}, ["/queue"]),
        ({"task": 1}, ["/task"]),
        ({"task": True}, ["/task"]),
        ({"task": 0}, ["/task"]),
        ({"queue": 7}, ["/queue"]),
        ({"queue": "a\u0000"}, [""]),
        ({"events_to_notify": []}, ["/events_to_notify"]),
        ({"events_to_notify": "TASK_FINISHED"}, ["/events_to_notify"]),
        ({"events_to_notify": ["TASK_FINISHED", "TASK_EATEN"]}, ["/events_to_notify/1"]),
        ({"events_to_notify": ["task_finished"]}, ["/events_to_notify/0"]),
        ({"events_to_notify": ["TASK_FINISHED"] * 2}, ["/events_to_notify"]),
        ({"events_to_notify": ["TASK_FINISHED"] * 101}, ["/events_to_notify"]),
        ({"events_to_notify": [1]}, ["/events_to_notify/0"]),
        ({"strategy": "BOTH"}, ["/strategy"]),
        ({"strategy": "only"}, ["/strategy"]),
        ({"strategy": None}, ["/strategy"]),
        ({"endpoint": "http://8.8.8.8/hook"}, ["/endpoint"]),
        ({"endpoint": "https://user:word@8.8.8.8/hook"}, ["/endpoint"]),
        ({"endpoint": "https://10.0.0.1/hook"}, ["/endpoint"]),
        ({"endpoint": "https://8.8.8.8:22/hook"}, ["/endpoint"]),
        ({"endpoint": "https://nowhere.invalid/hook"}, ["/endpoint"]),
        ({"endpoint": "https://8.8.8.8/" + "a" * 2000}, ["/endpoint"]),
        ({"endpoint": ""}, ["/endpoint"]),
        ({"endpoint": 1}, ["/endpoint"]),
        ({"headers": []}, ["/headers"]),
        ({"headers": {"Host": "example.org"}}, ["/headers/Host"]),
        ({"headers": {"content-LENGTH": "1"}}, ["/headers/content-LENGTH"]),
        ({"headers": {"Transfer-Encoding": "chunked"}}, ["/headers/Transfer-Encoding"]),
        ({"headers": {"Webhook-Id": "1"}}, ["/headers/Webhook-Id"]),
        ({"headers": {"webhook-signature": "v1,x"}}, ["/headers/webhook-signature"]),
        ({"headers": {"a b": "1"}}, ["/headers/a b"]),
        ({"headers": {"a/b": "1"}}, ["/headers/a~1b"]),
        ({"headers": {"": "1"}}, ["/headers/"]),
        ({"headers": {"a" * 101: "1"}}, ["/headers/" + "a" * 101]),
        ({"headers": {"A": "1\r\nB: 2"}}, ["/headers/A"]),
        ({"headers": {"A": "1\n"}}, ["/headers/A"]),
        ({"headers": {"A": " 1"}}, ["/headers/A"]),
        ({"headers": {"A": ""}}, ["/headers/A"]),
        ({"headers": {"A": "é"}}, ["/headers/A"]),
        ({"headers": {"A": 1}}, ["/headers/A"]),
        ({"headers": {"A": "1" * 2001}}, ["/headers/A"]),
        ({"headers": {"A": "1", "a": "2"}}, ["/headers"]),
        ({"headers": {f"A{n}": "1" for n in range(21)}}, ["/headers"]),
        ({"secret": "whsec_mine"}, ["/secret"]),
        ({"owner": "rick@example.org"}, ["/owner"]),
    ],
)
def test_what_breaks_a_rule_is_refused_with_its_place(
    mia: Caller, digits: Any, settings: Any, wrong: dict[str, Any], places: list[str]
) -> None:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = False
    answer = mia.call("POST", "notifications/", {**of_queue(), **wrong})
    if places == [""]:
        problem(answer, 400, "malformed-json")
    else:
        assert pointers(problem(answer, 400, "invalid-input")) == places
    assert not Notification.objects.exists()
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("missing", ["level", "endpoint", "events_to_notify"])
def test_what_is_needed(mia: Caller, digits: Any, missing: str) -> None:
    given = {name: value for name, value in of_queue().items() if name != missing}
    assert pointers(mia.post("notifications/", given, 400)) == [f"/{missing}"]


def test_without_a_key_to_keep_secrets_with_nothing_can_be_set(mia: Caller, digits: Any, settings: Any) -> None:
    settings.CROWDSITE_ENCRYPTION_KEYS = ()
    refused = problem(mia.call("POST", "notifications/", of_queue()), 400, "invalid-input")
    assert pointers(refused) == ["/endpoint"]
    assert "CROWDSITE_ENCRYPTION_KEYS" in refused["errors"][0]["detail"]
    assert not Endpoint.objects.exists()


def test_headers_of_every_allowed_kind_are_kept_as_they_are(mia: Caller, digits: Any) -> None:
    given = {"Authorization": "Bearer a.b-c", "X-Tab": "a\tb", "!#$%&'*+.^_`|~9": "~", "Cookie": "a=1; b=2"}
    made = mia.post("notifications/", of_queue(headers=given), 201)
    assert made["header_names"] == list(given)
    assert notifications.headers_of(Notification.objects.get().headers) == given


def test_a_queue_or_task_that_one_does_not_see_is_missing(mia: Caller, rick: Caller) -> None:
    foreign = administration.create_queue(name="foreign", actor=cast.person("fay"))
    (task,) = cast.post(foreign, by="fay")
    for caller in (mia, rick):
        for place in (
            {"level": "queue", "queue": "foreign"},
            {"level": "queue", "queue": "missing"},
            {"level": "task", "task": task.pk},
            {"level": "task", "task": 999_999},
        ):
            problem(caller.call("POST", "notifications/", body(**place)), 404, "not-found")


def test_what_one_sees_and_may_not_set(mia: Caller, rick: Caller, alice: Caller, digits: Any) -> None:
    for caller in (rick, alice):
        problem(caller.call("POST", "notifications/", of_queue()), 403, "permission-denied")
    problem(mia.call("POST", "notifications/", body(level="site")), 403, "permission-denied")


def test_nobody_is_looked_up_for_who_may_not_set_it(rick: Caller, digits: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(addresses, "resolve", lambda *_: pytest.fail("the network was asked"))
    rick.call("POST", "notifications/", of_queue(), 403)
    Caller("stan").post("queues/digits/tasks/", {"input_data": 1, "notifications": [body()]}, 404)


def test_a_queue_that_is_deleted_is_told_of_no_more(mia: Caller, digits: Any) -> None:
    mia.post("notifications/", of_queue(), 201)
    mia.delete("queues/digits/")
    mia.call("POST", "notifications/", of_queue(endpoint=f"{HOOK}/2"), 404)
    draft = NotificationDraft(endpoint=f"{HOOK}/2", events_to_notify=("TASK_FINISHED",))
    with pytest.raises(QueueArchived):
        notifications.create(level=Level.QUEUE, queue=digits, owner=cast.person("mia"), draft=draft)


def test_the_settings_of_a_deleted_queue_still_tell_how_it_ended(mia: Caller, digits: Any) -> None:
    mia.post("notifications/", of_queue(events_to_notify=["QUEUE_DELETED", "TASK_CANCELED"]), 201)
    cast.post(digits)
    mia.delete("queues/digits/")
    lifecycle.cancel_archived()
    sequence()
    assert [delivery.type for delivery in Delivery.objects.order_by("id")] == ["QUEUE_DELETED", "TASK_CANCELED"]
    assert [each["queue"] for each in mia.get("notifications/")["results"]] == ["digits"]


def test_a_closed_task_gets_no_settings(rick: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    lifecycle.cancel_task(task_id=task.pk)
    problem(rick.call("POST", "notifications/", body(level="task", task=task.pk)), 409, "task-closed")


def test_the_settings_of_a_closed_task_go_with_its_history(rick: Caller, digits: Any, settings: Any) -> None:
    closed, open_ = cast.post(digits, 2)
    for task in (closed, open_):
        rick.post("notifications/", body(level="task", task=task.pk), 201)
    lifecycle.cancel_task(task_id=closed.pk)
    sequence()
    kept = timedelta(days=settings.CROWDSITE_EVENTS_KEPT_DAYS)
    feed.purge(now=timezone.now() + kept - timedelta(hours=1))
    assert Notification.objects.filter(task=closed).exists()
    feed.purge(now=timezone.now() + kept + timedelta(hours=1))
    assert [each.task_id for each in Notification.objects.all()] == [open_.pk]


@pytest.mark.parametrize("level", ["site", "queue", "task"])
def test_there_are_only_so_many(mia: Caller, olga: Caller, digits: Any, level: str) -> None:
    (task,) = cast.post(digits)
    place = {"level": level, **{"queue": {"queue": "digits"}, "task": {"task": task.pk}}.get(level, {})}
    most = notifications.SETTINGS_MAX[level]  # type: ignore[index]
    for number in range(most):
        olga.post("notifications/", body(**place, endpoint=f"{HOOK}/{number}"), 201)
    refused = olga.call("POST", "notifications/", body(**place, endpoint=f"{HOOK}/more"))
    problem(refused, 409, "notification-limit")
    again = olga.call("POST", "notifications/", body(**place, endpoint=f"{HOOK}/0"))
    problem(again, 409, "notification-exists")
    assert Notification.objects.count() == Endpoint.objects.count() == most


def test_a_setting_is_changed(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(headers={"A": "1", "B": "2"}), 201)
    changes = {"headers": {"C": "3"}, "events_to_notify": ["TASK_CREATED", "ASSIGNMENT_FINISHED"], "strategy": "ONLY"}
    changed = mia.patch(f"notifications/{made['id']}/", changes)
    assert changed["updated_at"] > made["updated_at"]
    del made["secret"]
    same = {**made, "header_names": ["C"], "updated_at": changed["updated_at"]}
    assert changed == {**same, "events_to_notify": changes["events_to_notify"], "strategy": "ONLY"}


@pytest.mark.parametrize(
    ("changes", "places"),
    [
        ({"endpoint": "https://8.8.4.4/"}, ["/endpoint"]),
        ({"level": "site"}, ["/level"]),
        ({"events_to_notify": ["NONE"]}, ["/events_to_notify/0"]),
        ({"headers": {"Host": "a"}}, ["/headers/Host"]),
        ({"strategy": "AND"}, ["/strategy"]),
        ({"header_names": []}, ["/header_names"]),
    ],
)
def test_a_change_that_breaks_a_rule_changes_nothing(
    mia: Caller, digits: Any, changes: dict[str, Any], places: list[str]
) -> None:
    made = mia.post("notifications/", of_queue(), 201)
    assert pointers(mia.patch(f"notifications/{made['id']}/", {"strategy": "ONLY", **changes}, 400)) == places
    assert mia.get(f"notifications/{made['id']}/")["updated_at"] == made["updated_at"]


def test_a_change_of_nothing_is_none(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(), 201)
    assert mia.patch(f"notifications/{made['id']}/", {})["updated_at"] == made["updated_at"]


def test_a_setting_is_removed_and_what_was_written_down_stays(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(events_to_notify=["TASK_CREATED"]), 201)
    cast.post(digits)
    sequence()
    mia.delete(f"notifications/{made['id']}/")
    mia.call("GET", f"notifications/{made['id']}/", None, 404)
    cast.post(digits)
    sequence()
    assert Delivery.objects.count() == 1
    assert mia.get(f"deliveries/{Delivery.objects.get().pk}/")["notification"] == made["id"]


def test_a_test_event_is_written_whatever_the_setting_asks_for(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(headers={"A": "1"}), 201)
    sent = mia.post(f"notifications/{made['id']}/test/", None, 202)
    assert (sent["type"], sent["event"], sent["status"], sent["endpoint"]) == ("TEST", None, "WAITING", HOOK)
    delivery = Delivery.objects.get(pk=sent["id"])
    message = json.loads(delivery.body)
    assert message["type"] == "TEST"
    assert message["data"] == {"notification": made["id"], "level": "queue", "sequence": 0}
    assert notifications.headers_of(delivery.headers) == {"A": "1"}
    assert Endpoint.objects.get().due_at is not None
    assert not Event.objects.filter(type="TEST").exists()


def test_an_endpoint_is_switched_off_and_on(mia: Caller, digits: Any) -> None:
    address = f"notifications/{mia.post('notifications/', of_queue(events_to_notify=['TASK_CREATED']), 201)['id']}/"
    problem(mia.call("POST", f"{address}enable/"), 409, "endpoint-enabled")
    off = mia.post(f"{address}disable/")
    assert (off["disabled_reason"], off["disabled_at"] is None) == (Disabled.OPERATOR, False)
    problem(mia.call("POST", f"{address}disable/"), 409, "endpoint-disabled")
    problem(mia.call("POST", f"{address}test/"), 409, "endpoint-disabled")
    cast.post(digits)
    sequence()
    assert not Delivery.objects.exists()
    on = mia.post(f"{address}enable/")
    assert (on["disabled_reason"], on["disabled_at"]) == ("", None)
    cast.post(digits)
    sequence()
    assert Delivery.objects.count() == 1


@pytest.mark.parametrize("action", ["rotate", "disable", "enable"])
def test_an_endpoint_is_its_owners_whoever_sees_the_setting(
    mia: Caller, olga: Caller, rick: Caller, action: str
) -> None:
    digits = cast.queue("digits")
    cast.join(digits, "moritz", "manager")
    made = mia.post("notifications/", of_queue(), 201)
    address = f"notifications/{made['id']}/{action}/"
    problem(Caller("moritz").call("POST", address), 403, "permission-denied")
    problem(rick.call("POST", address), 404, "not-found")
    if action == "enable":
        mia.post(f"notifications/{made['id']}/disable/")
    olga.post(address)


def test_a_manager_and_the_requester_see_a_tasks_settings_and_nobody_else_does(
    mia: Caller, rick: Caller, alice: Caller, olga: Caller, digits: Any
) -> None:
    cast.join(digits, "rosa", "requester")
    (task,) = cast.post(digits)
    made = rick.post("notifications/", body(level="task", task=task.pk), 201)
    for caller in (rick, mia, olga):
        assert caller.ids("notifications/", task=task.pk) == [made["id"]]
        caller.get(f"notifications/{made['id']}/")
    for caller in (alice, Caller("rosa"), Caller("stan")):
        assert caller.ids("notifications/", task=task.pk) == []
        caller.get(f"notifications/{made['id']}/", 404)


def test_the_sites_settings_are_seen_by_operators_alone(mia: Caller, olga: Caller, digits: Any) -> None:
    made = olga.post("notifications/", body(level="site", events_to_notify=["TASK_CREATED"]), 201)
    cast.post(digits)
    sequence()
    sent = Delivery.objects.get()
    assert olga.ids("notifications/") == [made["id"]]
    assert mia.ids("notifications/") == []
    mia.get(f"notifications/{made['id']}/", 404)
    mia.get(f"deliveries/{sent.pk}/", 404)
    assert olga.get(f"deliveries/{sent.pk}/")["endpoint"] == HOOK


def test_a_manager_sees_what_the_queues_settings_sent_and_of_an_endpoint_nothing_else(
    mia: Caller, olga: Caller, digits: Any
) -> None:
    cast.post(cast.queue("pets"))
    made = olga.post("notifications/", of_queue(events_to_notify=["TASK_CREATED"]), 201)
    olga.post("notifications/", body(level="queue", queue="pets", events_to_notify=["TASK_CREATED"]), 201)
    olga.post("notifications/", body(level="site", events_to_notify=["QUEUE_CREATED"]), 201)
    cast.post(digits)
    sequence()
    moritz = cast.person("moritz")
    cast.join(digits, moritz.username, "manager")
    assert Delivery.objects.count() == 4
    assert len(olga.get(f"notifications/{made['id']}/deliveries/")["results"]) == 4
    (seen,) = Caller("moritz").get(f"notifications/{made['id']}/deliveries/")["results"]
    assert (seen["type"], seen["notification"]) == ("TASK_CREATED", made["id"])


@pytest.mark.parametrize(
    "path", ["notifications/{}/", "notifications/{}/deliveries/", "deliveries/{}/", "notifications/?task={}"]
)
def test_a_number_too_large_for_an_id_is_no_fault_of_ours(mia: Caller, path: str) -> None:
    assert mia.call("GET", path.format("9" * 40)).status_code in (400, 404)


def test_deleted_and_unknown_settings_look_alike(mia: Caller, digits: Any) -> None:
    made = mia.post("notifications/", of_queue(), 201)
    mia.delete(f"notifications/{made['id']}/")
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "test/"), ("POST", "rotate/"), ("GET", "deliveries/")):
        gone = mia.call(method, f"notifications/{made['id']}/{path}", {} if method == "PATCH" else None)
        missing = mia.call(method, f"notifications/999999/{path}", {} if method == "PATCH" else None)
        assert gone.content == missing.content
        problem(gone, 404, "not-found")


def test_a_host_that_is_not_found_in_time_is_refused(mia: Caller, digits: Any, monkeypatch: Any) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(*_: Any) -> list[str]:
        asked.set()
        answer.wait(30)
        return ["8.8.8.8"]

    monkeypatch.setattr(addresses, "resolve", hang)
    monkeypatch.setattr(notifications, "LOOKUP_SECONDS", 0.05)
    try:
        refused = mia.post("notifications/", of_queue(endpoint="https://slow.example/hook"), 400)
    finally:
        answer.set()
    assert asked.is_set()
    assert refused["errors"] == [
        {"pointer": "/endpoint", "detail": "The host could not be looked up in time; try again."}
    ]


def test_from_code_what_breaks_a_rule_is_refused_too(digits: Any) -> None:
    mia = cast.person("mia")
    draft = NotificationDraft(endpoint=HOOK, events_to_notify=("TASK_FINISHED",))
    for wrong, place in (
        ({"strategy": "AND"}, "/strategy"),
        ({"endpoint": "https://10.0.0.1/"}, "/endpoint"),
        ({"headers": {"Host": "a"}}, "/headers/Host"),
    ):
        with pytest.raises(InvalidInput) as refused:
            notifications.create(level=Level.QUEUE, queue=digits, owner=mia, draft=replace(draft, **wrong))  # type: ignore[arg-type]
        assert pointers(refused.value.extra) == [place]
    made = notifications.create(level=Level.QUEUE, queue=digits, owner=mia, draft=draft).notification
    with pytest.raises(InvalidInput):
        notifications.change(notification_id=made.pk, changes={"strategy": "AND"})


@pytest.mark.only("postgresql")
def test_what_was_sent_is_listed_along_an_index(digits: Any) -> None:
    olaf = cast.person("olaf", is_superuser=True)
    for queue, count in ((digits, 240), (cast.queue("pets"), 5)):
        draft = NotificationDraft(endpoint=f"{HOOK}/{queue.name}", events_to_notify=("TASK_CREATED",))
        made = notifications.create(level=Level.QUEUE, queue=queue, owner=olaf, draft=draft)
        cast.post(queue, count)
    sequence()
    prefer_indexes(Delivery)
    sent: Any = Delivery.objects.filter(endpoint=made.notification.endpoint)
    assert sent.visible_to(cast.person("mia")).count() == 5
    for user in (olaf, cast.person("mia")):
        plan = sent.visible_to(user).order_by("-id")[:50].explain()
        assert "delivery_newest" in plan, plan
        assert "Sort" not in plan, plan
