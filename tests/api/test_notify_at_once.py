"""Settings, secrets and switches that several people touch at once."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from standardwebhooks import Webhook, WebhookVerificationError

from queues import deliveries, lifecycle, notifications
from queues.models import Delivery, Endpoint, EventPending, Notification
from queues.notifications import NotificationDraft
from queues.posting import signed
from queues.sequencer import sequence
from queues.states import Level
from tests import cast
from tests.api.calling import Caller, problem

pytestmark = pytest.mark.threads

TASKS = "queues/digits/tasks/"
HOOK = "https://8.8.8.8/hook"


def setting(**other: Any) -> dict[str, Any]:
    return {"endpoint": HOOK, "events_to_notify": ["TASK_FINISHED"], **other}


def made(queue: Any, *types: str, endpoint: str = HOOK) -> notifications.Made:
    """A setting of mia's for a queue."""
    draft = NotificationDraft(endpoint=endpoint, events_to_notify=types or ("TASK_CREATED",))
    return notifications.create(level=Level.QUEUE, queue=queue, owner=cast.person("mia"), draft=draft)


@pytest.fixture
def digits(transactional_db: None) -> Any:
    queue = cast.queue("digits")
    cast.join(queue, "rick", "requester")
    return queue


def test_one_new_endpoint_made_at_once_has_one_secret(digits: Any, together: Any) -> None:
    (task,), (other,) = cast.post(digits), cast.post(digits)
    rick = Caller("rick")
    for number in range(4):
        where = f"{HOOK}/{number}"
        bodies = [{"level": "task", "task": each.pk, **setting(endpoint=where)} for each in (task, other)]
        answers = together(
            *(lambda b=body: rick.post("notifications/", b, 201)["secret"] for body in bodies),
            lambda w=where: rick.post(TASKS, {"input_data": 1, "notifications": [setting(endpoint=w)]}, 201)[
                "notifications"
            ][0]["secret"],
        )
        assert sorted(secret is None for secret in answers) == [False, True, True], answers
    assert Endpoint.objects.count() == 4


def test_one_setting_made_at_once_is_made_once(digits: Any, together: Any) -> None:
    mia = Caller("mia")
    for number in range(4):
        body = {"level": "queue", "queue": "digits", **setting(endpoint=f"{HOOK}/{number}")}
        answers = together(*(lambda b=body: mia.call("POST", "notifications/", b) for _ in range(4)))
        (first,) = [answer for answer in answers if answer.status_code == 201]
        for answer in answers:
            if answer is not first:
                assert problem(answer, 409, "notification-exists")["notification"] == first.json()["id"]
        assert Notification.objects.count() == number + 1


def test_one_setting_of_the_site_made_at_once_is_made_once(digits: Any, together: Any) -> None:
    user = cast.person("olga", is_superuser=True)
    olga = Caller("olga")
    for number in range(6):
        body = {"level": "site", **setting(endpoint=f"{HOOK}/{number}")}
        # It is there: who makes it would let the others wait.
        notifications.endpoint_of(owner=user, url=body["endpoint"], now=datetime.now(UTC))
        answers = together(*(lambda b=body: olga.call("POST", "notifications/", b) for _ in range(4)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_no_more_than_there_may_be_however_many_are_made_at_once(digits: Any, together: Any) -> None:
    (task,) = cast.post(digits)
    rick = Caller("rick")
    most = notifications.SETTINGS_MAX[Level.TASK]
    bodies = [{"level": "task", "task": task.pk, **setting(endpoint=f"{HOOK}/{n}")} for n in range(most + 3)]
    answers = together(*(lambda b=body: rick.call("POST", "notifications/", b).status_code for body in bodies))
    assert sorted(answers) == [201] * most + [409] * 3


def test_lists_that_name_new_endpoints_in_opposite_orders_are_both_created(digits: Any, together: Any) -> None:
    rick = Caller("rick")
    for number in range(4):
        settings = [setting(endpoint=f"{HOOK}/{number}/{n}") for n in range(5)]
        bodies = [[{"input_data": n, "notifications": [each]} for each in settings] for n in range(2)]
        bodies[1].reverse()
        answers = together(*(lambda b=body: rick.post(TASKS, b, 201) for body in bodies))
        secrets = [each["notifications"][0]["secret"] for answer in answers for each in answer]
        assert len([secret for secret in secrets if secret]) == 5


def test_a_setting_that_was_made_is_told_how_its_task_ended(digits: Any, monkeypatch: Any) -> None:
    (task,) = cast.post(digits)
    rick, ended, make = Caller("rick"), threading.Event(), notifications.endpoint_of

    def end() -> None:
        try:
            lifecycle.cancel_task(task_id=task.pk)
            sequence()
        finally:
            connections.close_all()
            ended.set()

    other = threading.Thread(target=end)

    def endpoint_of(**given: Any) -> Any:
        # The task was found open. Whoever closes it now must wait for the setting, however long that takes.
        other.start()
        ended.wait(1)
        return make(**given)

    monkeypatch.setattr(notifications, "endpoint_of", endpoint_of)
    body = {"level": "task", "task": task.pk, **setting(events_to_notify=["TASK_CANCELED"])}
    rick.post("notifications/", body, 201)
    other.join(timeout=30)
    sequence()
    assert Delivery.objects.get().type == "TASK_CANCELED"


def test_a_setting_removed_while_events_are_sequenced(digits: Any, together: Any) -> None:
    for _ in range(4):
        setting_ = made(digits).notification
        before = Delivery.objects.count()
        cast.post(digits, 3)
        done, removed = together(sequence, lambda pk=setting_.pk: notifications.remove(notification_id=pk))
        assert (done.count > 0, removed) == (True, None)
        assert not EventPending.objects.exists()
        assert Delivery.objects.count() - before in (0, 3)


def test_an_endpoint_switched_off_while_events_are_sequenced_is_sent_nothing(digits: Any, together: Any) -> None:
    endpoint_id = made(digits).notification.endpoint_id
    for _ in range(4):
        before = Delivery.objects.count()
        cast.post(digits, 3)
        done, off = together(sequence, lambda: notifications.disable(endpoint_id=endpoint_id))
        assert done.count > 0
        assert off.disabled_at
        assert Delivery.objects.count() - before in (0, 3)
        assert deliveries.claim(endpoint_ids=[endpoint_id], limit=9, lease=timedelta(seconds=9)) == []
        notifications.enable(endpoint_id=endpoint_id)


def opens(secret: str, claimed: deliveries.Claimed, now: datetime) -> bool:
    """Whether a receiver who has this secret believes what is sent."""
    try:
        Webhook(secret).verify(claimed.body, signed(claimed, now))
    except WebhookVerificationError:
        return False
    return True


def test_whatever_is_sent_while_a_secret_is_rotated_can_be_verified_with_the_old_one(
    digits: Any, together: Any
) -> None:
    first = made(digits)
    assert first.secret
    endpoint_id, now = first.notification.endpoint_id, datetime.now(UTC)
    cast.post(digits, 8)
    sequence()

    def claim() -> list[deliveries.Claimed]:
        return deliveries.claim(endpoint_ids=[endpoint_id], limit=4, lease=timedelta(seconds=60))

    before, second, after = together(claim, lambda: notifications.rotate(endpoint_id=endpoint_id), claim)
    claimed = [*before, *after]
    assert len(claimed) == 8
    assert all(opens(first.secret, each, now) for each in claimed)
    sent = notifications.send_test(notification_id=first.notification.pk)
    (last,) = claim()
    assert last.id == sent.pk
    assert opens(second, last, now)


def test_two_rotations_at_once_leave_every_secret_signing(digits: Any, together: Any) -> None:
    first = made(digits)
    assert first.secret
    endpoint_id, now = first.notification.endpoint_id, datetime.now(UTC)
    rotated = together(*(lambda: notifications.rotate(endpoint_id=endpoint_id) for _ in range(2)))
    notifications.send_test(notification_id=first.notification.pk)
    (claimed,) = deliveries.claim(endpoint_ids=[endpoint_id], limit=9, lease=timedelta(seconds=60))
    assert len({first.secret, *rotated}) == 3
    assert all(opens(secret, claimed, now) for secret in (first.secret, *rotated))
