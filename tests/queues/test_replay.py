"""Sending once more what was given up, or delivered: one, or all since a time, and the command for both."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from queues import deliveries, notifications
from queues.deliveries import RETRIES
from queues.exceptions import DeliveryOpen, EndpointDisabled
from queues.models import Delivery, Endpoint
from queues.sequencer import GIVE_UP_AFTER
from queues.states import DeliveryStatus
from tests import outbox

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOW + HOUR


@pytest.fixture
def endpoint(db: None) -> Endpoint:
    return outbox.endpoint()


def statuses(*rows: Delivery) -> list[str]:
    return [Delivery.objects.get(pk=row.pk).status for row in rows]


def test_one_that_failed_is_due_again_with_its_id_and_body_and_all_its_retries(endpoint: Endpoint) -> None:
    (row,) = outbox.failed(endpoint, at=NOW)
    replayed = deliveries.replay(delivery_id=row.pk, now=LATER)
    assert (replayed.status, replayed.next_try_at, replayed.ended_at) == (DeliveryStatus.RETRY, LATER, None)
    assert replayed.give_up_at == LATER + GIVE_UP_AFTER
    (claimed,) = outbox.take(endpoint, now=LATER)
    assert (claimed.id, claimed.body, claimed.fence) == (row.pk, row.body, 2)
    outbox.told(claimed, 500, now=LATER)
    row.refresh_from_db()
    assert row.next_try_at is not None
    assert RETRIES[0] <= row.next_try_at - LATER <= 1.1 * RETRIES[0]


def test_one_that_was_delivered_can_be_sent_once_more(endpoint: Endpoint) -> None:
    outbox.waiting(endpoint, now=NOW)
    row = outbox.attempt(endpoint, 200, now=NOW)
    deliveries.replay(delivery_id=row.pk, now=LATER)
    assert outbox.attempt(endpoint, 200, now=LATER).status == DeliveryStatus.FINISHED


def test_one_on_its_way_is_not_replayed(endpoint: Endpoint) -> None:
    (row,) = outbox.waiting(endpoint, now=NOW)
    with pytest.raises(DeliveryOpen):
        deliveries.replay(delivery_id=row.pk)
    outbox.take(endpoint, now=NOW)
    with pytest.raises(DeliveryOpen):
        deliveries.replay(delivery_id=row.pk)


def test_nothing_is_replayed_to_an_endpoint_that_is_disabled(endpoint: Endpoint) -> None:
    (row,) = outbox.failed(endpoint, at=NOW)
    notifications.disable(endpoint_id=endpoint.pk)
    with pytest.raises(EndpointDisabled, match=endpoint.url):
        deliveries.replay(delivery_id=row.pk)
    assert deliveries.replay_failed(since=NOW - HOUR) == 0
    notifications.enable(endpoint_id=endpoint.pk)
    assert deliveries.replay_failed(since=NOW - HOUR) == 1


def test_all_that_failed_since_a_time_are_replayed_and_no_others(endpoint: Endpoint) -> None:
    other = outbox.endpoint(outbox.URL + "/other")
    (before,) = outbox.failed(endpoint, at=NOW - timedelta(seconds=1))
    since = outbox.failed(endpoint, at=NOW) + outbox.failed(other, at=LATER)
    outbox.waiting(other, 2, now=LATER)
    delivered = outbox.attempt(other, 200, now=LATER)
    assert deliveries.replay_failed(since=NOW, now=LATER) == 2
    assert statuses(*since) == [DeliveryStatus.RETRY] * 2
    assert statuses(before, delivered) == [DeliveryStatus.FAILED, DeliveryStatus.FINISHED]
    assert deliveries.replay_failed(since=NOW, now=LATER) == 0


def test_they_go_in_batches_the_first_first(endpoint: Endpoint) -> None:
    rows = [row for hour in range(5) for row in outbox.failed(endpoint, at=NOW + hour * HOUR)]
    assert [deliveries.replay_failed(since=NOW, limit=2) for _batch in range(4)] == [2, 2, 1, 0]
    due = Delivery.objects.order_by("next_try_at").values_list("pk", flat=True)
    assert list(due) == [row.pk for row in rows]


def test_a_batch_may_span_endpoints_and_keeps_to_those_asked_for() -> None:
    made = [outbox.endpoint(f"{outbox.URL}/{number}") for number in range(4)]
    rows = [outbox.failed(one, 2, at=NOW) for one in made]
    among = Delivery.objects.filter(endpoint__in=made[1:])
    assert [deliveries.replay_failed(since=NOW, among=among, limit=3) for _batch in range(3)] == [3, 3, 0]
    assert statuses(*rows[0]) == [DeliveryStatus.FAILED] * 2
    assert [one.due_at is not None for one in Endpoint.objects.order_by("pk")] == [False, True, True, True]


@pytest.mark.threads
def test_two_replays_at_once_replay_each_once(together: Any) -> None:
    endpoints = [outbox.endpoint(f"{outbox.URL}/{number}") for number in range(2)]
    for one in endpoints:
        outbox.failed(one, 10, at=NOW)

    def replay() -> int:
        return sum(deliveries.replay_failed(since=NOW, limit=3) for _batch in range(20))

    assert sum(together(*[replay] * 3)) == 20
    assert set(Delivery.objects.values_list("tries_before", flat=True)) == {1}


@pytest.mark.threads
def test_one_replay_of_many_at_once_is_the_one(together: Any) -> None:
    (row,) = outbox.failed(outbox.endpoint(), at=NOW)
    done = together(*[lambda: deliveries.replay(delivery_id=row.pk)] * 4)
    assert sorted(type(one).__name__ for one in done) == ["Delivery", *["DeliveryOpen"] * 3]


def command(*arguments: object) -> str:
    """What `manage.py replay_deliveries` says."""
    said = StringIO()
    call_command("replay_deliveries", *map(str, arguments), stdout=said, stderr=said)
    return said.getvalue()


SINCE = "--since=2026-03-01T09:00:00Z"


def test_the_command_replays_all_since_a_time_in_batches(endpoint: Endpoint, monkeypatch: Any) -> None:
    monkeypatch.setitem(deliveries.replay_failed.__wrapped__.__kwdefaults__, "limit", 2)
    rows = outbox.failed(endpoint, 3, at=NOW)
    assert command(SINCE, "--dry-run") == "Would replay 3 deliveries.\n"
    assert statuses(*rows) == [DeliveryStatus.FAILED] * 3
    assert command(SINCE) == "Replayed 3 deliveries.\n"
    assert statuses(*rows) == [DeliveryStatus.RETRY] * 3
    assert command(SINCE) == "Replayed 0 deliveries.\n"


def test_the_command_keeps_to_an_endpoint(endpoint: Endpoint) -> None:
    (row,), (other,) = outbox.failed(endpoint, at=NOW), outbox.failed(outbox.endpoint(outbox.URL + "/other"), at=NOW)
    assert command(SINCE, f"--endpoint={endpoint.url}") == "Replayed 1 delivery.\n"
    assert statuses(row, other) == [DeliveryStatus.RETRY, DeliveryStatus.FAILED]


def test_the_command_replays_those_that_are_named(endpoint: Endpoint) -> None:
    rows = outbox.failed(endpoint, 3, at=NOW)
    assert command(rows[0].pk, rows[2].pk, "--dry-run") == "Would replay 2 deliveries.\n"
    assert command(rows[0].pk, rows[2].pk) == "Replayed 2 deliveries.\n"
    assert statuses(*rows) == [DeliveryStatus.RETRY, DeliveryStatus.FAILED, DeliveryStatus.RETRY]


def test_the_command_names_those_that_it_could_not_replay(endpoint: Endpoint) -> None:
    (row,) = outbox.failed(endpoint, at=NOW)
    (open_,) = outbox.waiting(endpoint, now=timezone.now())
    said = StringIO()
    with pytest.raises(CommandError, match=r"2 of 3 were not replayed\."):
        call_command("replay_deliveries", row.pk, open_.pk, 987654321, stdout=said, stderr=said)
    assert said.getvalue().splitlines() == [
        f"Delivery {open_.pk}: Delivery {open_.pk} is still on its way.",
        "There is no delivery 987654321.",
        "Replayed 1 delivery.",
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "one of the two"),
        ([1, SINCE], "one of the two"),
        ([1, "--endpoint=https://hooks.example/in"], "--endpoint goes with --since"),
        (["--since=yesterday"], "--since yesterday: Must be a time with its offset"),
        (["--since=2026-03-01"], "Must be a time with its offset"),
        (["--since=2026-03-01T09:00:00"], "Must be a time with its offset"),
        (["--since=2026-02-30T09:00:00Z"], "Must be a time with its offset"),
        (["--since=1066-10-14T09:00:00Z"], "Must be a time from 1970"),
        (["--since=8999-03-01T09:00:00Z"], "is in the future"),
        ([SINCE, "--endpoint=https://elsewhere.example/"], r"Nothing is sent to https://elsewhere\.example/"),
        (["one"], "invalid int value"),
    ],
)
def test_the_command_says_what_it_cannot_do(endpoint: Endpoint, arguments: list[object], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        command(*arguments)


def test_the_command_says_that_an_endpoint_is_disabled(endpoint: Endpoint) -> None:
    outbox.failed(endpoint, at=NOW)
    notifications.disable(endpoint_id=endpoint.pk)
    with pytest.raises(CommandError, match=f"{endpoint.url} is disabled; switch it on first"):
        command(SINCE, f"--endpoint={endpoint.url}")
