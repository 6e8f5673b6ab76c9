"""Endpoints and what waits for them, and how tries of it went, for tests that are about deliveries alone."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from queues import deliveries, notifications
from queues.deliveries import Claimed, Outcome
from queues.models import Delivery, Endpoint
from queues.sequencer import GIVE_UP_AFTER
from tests import cast

URL = "https://hooks.example/in"
LEASE = timedelta(seconds=30)


def endpoint(url: str = URL, owner: str = "mia", **fields: Any) -> Endpoint:
    """An endpoint of `owner`, with `fields` as they are given."""
    made, _secret = notifications.endpoint_of(owner=cast.person(owner), url=url, now=timezone.now())
    for name, value in fields.items():
        setattr(made, name, value)
    made.save()
    return made


def waiting(endpoint: Endpoint, count: int = 1, *, now: datetime, **fields: Any) -> list[Delivery]:
    """Deliveries that are due now, as the sequencer leaves them."""
    rows = [
        Delivery(
            endpoint=endpoint,
            type="TASK_FINISHED",
            **{
                "body": f'{{"type":"TASK_FINISHED","data":{{"n":{n}}}}}',
                "next_try_at": now,
                "give_up_at": now + GIVE_UP_AFTER,
                "created_at": now,
                **fields,
            },
        )
        for n in range(count)
    ]
    made = Delivery.objects.bulk_create(rows)
    Endpoint.objects.filter(pk=endpoint.pk).update(due_at=now)
    return made


def take(endpoint: Endpoint, *, now: datetime, limit: int = 1, lease: timedelta = LEASE) -> list[Claimed]:
    """What a courier takes of it."""
    return deliveries.claim(endpoint_ids=[endpoint.pk], limit=limit, lease=lease, now=now)


def told(claimed: Claimed, status: int | None = 200, *, now: datetime, **fields: Any) -> None:
    """A courier tells that a try was answered with `status`, or, for None, not at all."""
    fields = {"milliseconds": 10, "error": "" if status else "No answer within 5 s.", **fields}
    outcome = Outcome(claimed, now, status_code=status, **fields)
    deliveries.record(outcomes=[outcome], now=now)


def attempt(endpoint: Endpoint, status: int | None = 200, *, now: datetime, **fields: Any) -> Delivery:
    """One delivery is taken and tried, with this answer; the delivery as it is then."""
    (claimed,) = take(endpoint, now=now)
    told(claimed, status, now=now, **fields)
    return Delivery.objects.get(pk=claimed.id)


def failed(endpoint: Endpoint, count: int = 1, *, at: datetime, **fields: Any) -> list[Delivery]:
    """Deliveries that were given up then, after one try each."""
    rows = waiting(endpoint, count, now=at, give_up_at=at + timedelta(seconds=1), **fields)
    for _time in range(count):
        attempt(endpoint, 400, now=at, excerpt="no")
    Endpoint.objects.update(rests_until=None)
    return rows
