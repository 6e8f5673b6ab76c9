"""Sending deliveries once more, by the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queues import deliveries, notifications
from queues.models import Delivery, Endpoint
from queues.states import DeliveryStatus, Level
from tests import cast, outbox
from tests.api.calling import Caller, pointers, problem

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SINCE = {"since": "2026-03-01T09:00:00Z"}


@pytest.fixture
def mias(db: None) -> Endpoint:
    return outbox.endpoint()


def test_one_is_sent_once_more_and_shows_its_tries(mia: Caller, mias: Endpoint) -> None:
    row = outbox.failed(mias, at=NOW)[0]
    shown = mia.post(f"deliveries/{row.pk}/replay/")
    assert (shown["id"], shown["status"], shown["tries"]) == (row.pk, "RETRY", 1)
    outbox.attempt(mias, 200, now=datetime.now(UTC) + timedelta(seconds=1))
    whole = mia.get(f"deliveries/{row.pk}/")
    assert whole["status"] == "FINISHED"
    assert [(one["number"], one["status_code"], one["excerpt"]) for one in whole["attempts"]] == [
        (1, 400, "no"),
        (2, 200, ""),
    ]


def test_one_on_its_way_is_a_409(mia: Caller, mias: Endpoint) -> None:
    (row,) = outbox.waiting(mias, now=NOW)
    problem(mia.call("POST", f"deliveries/{row.pk}/replay/"), 409, "delivery-open")


def test_one_to_a_disabled_endpoint_is_a_409(mia: Caller, mias: Endpoint) -> None:
    row = outbox.failed(mias, at=NOW)[0]
    notifications.disable(endpoint_id=mias.pk)
    problem(mia.call("POST", f"deliveries/{row.pk}/replay/"), 409, "endpoint-disabled")


def test_one_that_was_purged_is_a_404(mia: Caller, mias: Endpoint) -> None:
    row = outbox.failed(mias, at=NOW)[0]
    assert deliveries.purge(now=NOW + timedelta(days=40)) == 1
    problem(mia.call("POST", f"deliveries/{row.pk}/replay/"), 404, "not-found")


def test_all_since_a_time_are_ones_own_and_an_operators_are_all(mia: Caller, olga: Caller, mias: Endpoint) -> None:
    rick = outbox.endpoint(outbox.URL, "rick")
    (early,) = outbox.failed(mias, at=NOW - timedelta(seconds=1))
    (mine,), (his,) = outbox.failed(mias, at=NOW), outbox.failed(rick, at=NOW)
    assert mia.post("deliveries/replay/", SINCE) == {"replayed": 1}
    assert mia.post("deliveries/replay/", SINCE) == {"replayed": 0}
    assert olga.post("deliveries/replay/", SINCE) == {"replayed": 1}
    rows = Delivery.objects.in_bulk([early.pk, mine.pk, his.pk])
    assert [rows[row.pk].status for row in (early, mine, his)] == ["FAILED", "RETRY", "RETRY"]


def test_those_of_one_setting_are_its_endpoints(mia: Caller, mias: Endpoint, digits: Any) -> None:
    other = outbox.endpoint("https://8.8.8.8/other")
    draft = notifications.NotificationDraft(endpoint=other.url, events_to_notify=("TASK_FINISHED",))
    made = notifications.create(level=Level.QUEUE, queue=digits, draft=draft, owner=cast.person("mia"))
    mine, others = outbox.failed(mias, at=NOW)[0], outbox.failed(other, at=NOW)[0]
    asked = {**SINCE, "notification": made.notification.pk}
    assert mia.post("deliveries/replay/", asked) == {"replayed": 1}
    assert Delivery.objects.get(pk=others.pk).status == DeliveryStatus.RETRY
    assert Delivery.objects.get(pk=mine.pk).status == DeliveryStatus.FAILED


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({}, "/since"),
        ({"since": "yesterday"}, "/since"),
        ({"since": "2026-03-01T09:00:00"}, "/since"),
        ({**SINCE, "notification": "1"}, "/notification"),
        ({**SINCE, "endpoint": 1}, "/endpoint"),
    ],
)
def test_what_cannot_be_asked_is_a_400_that_says_where(mia: Caller, asked: Any, where: str) -> None:
    document = problem(mia.call("POST", "deliveries/replay/", asked), 400, "invalid-input")
    assert pointers(document) == [where]


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://8.8.8.8/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://localhost/",
        "https://8.8.8.8.:443/",
        "https://user:secret@8.8.8.8/",
        "https://8.8.8.8\\@127.0.0.1/",
        "https://8.8.8.8:22/",
        "https://8.8.8.8/#x",
        "https://8.8.8.8/\r\nx",
        "https://①②⑦.0.0.1/",
        "https://nowhere.invalid/",
        "https://",
        "ftp://8.8.8.8/",
    ],
)
def test_an_address_that_webhooks_must_not_go_to_is_a_400(
    mia: Caller, digits: Any, settings: Any, endpoint: str
) -> None:
    settings.CROWDSITE_WEBHOOKS_LOOPBACK = False
    asked = {"level": "queue", "queue": "digits", "endpoint": endpoint, "events_to_notify": ["TASK_FINISHED"]}
    document = problem(mia.call("POST", "notifications/", asked), 400, "invalid-input")
    assert pointers(document) == ["/endpoint"]
    assert not Endpoint.objects.exists()
