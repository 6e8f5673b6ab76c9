"""Which events the rule `every_event_was_told` can speak of: none that a setting of its time did not ask for."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from queues import deliveries, invariants, notifications
from queues.models import Delivery, Endpoint, Event, FeedEntry, Membership, Notification, Queue
from queues.notifications import NotificationDraft
from queues.sequencer import sequence
from queues.states import Level, Merging
from tests import cast, outbox

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def untold() -> list[Event]:
    return list(invariants.rules()["every_event_was_told"].broken())


def tell(level: Level, owner: Any, strategy: str = Merging.UNION, **of: Any) -> Notification:
    draft = NotificationDraft(
        endpoint=f"https://93.184.216.34/{level}", events_to_notify=("TASK_AVAILABLE",), strategy=strategy
    )
    return notifications.create(level=level, draft=draft, owner=owner, now=NOW, **of).notification


def happen(queue: Queue, minutes: float) -> None:
    """A task becomes available, and what is to be told of it is written down, so many minutes from now."""
    cast.post(queue, now=at(minutes))
    while sequence(now=at(minutes)).count:
        continue


def lose() -> None:
    """Let all deliveries get lost."""
    Delivery.objects.all().delete()


@pytest.fixture
def queue(db: None) -> Queue:
    """One that mia has managed for long."""
    made = cast.queue()
    Membership.objects.update(created_at=at(-60))
    return made


@pytest.fixture
def setting(queue: Queue) -> Notification:
    return tell(Level.QUEUE, cast.person("mia"), queue=queue)


def test_a_delivery_that_got_lost_is_found_whatever_its_end(queue: Queue, setting: Notification) -> None:
    happen(queue, 5)
    assert untold() == []
    lose()
    assert [event.type for event in untold()] == ["TASK_AVAILABLE"]


def test_nothing_is_said_of_what_happened_before_the_setting_or_as_it_was_changed(
    queue: Queue, setting: Notification
) -> None:
    happen(queue, -5)
    happen(queue, 0.5)
    lose()
    assert untold() == []
    happen(queue, 5)
    lose()
    notifications.change(notification_id=setting.pk, changes={"events_to_notify": ["TASK_AVAILABLE"]}, now=at(6))
    assert untold() == []


def test_nothing_is_said_of_an_endpoint_that_was_off(queue: Queue, setting: Notification) -> None:
    notifications.disable(endpoint_id=setting.endpoint_id, now=at(2))
    happen(queue, 5)
    assert untold() == []
    notifications.enable(endpoint_id=setting.endpoint_id, now=at(6))
    assert not Delivery.objects.exists()
    assert untold() == []
    happen(queue, 10)
    lose()
    assert len(untold()) == 1


def test_nothing_is_said_of_who_may_not_see_it_or_may_only_since(queue: Queue, setting: Notification) -> None:
    (membership,) = Membership.objects.filter(role="manager")
    membership.delete()
    happen(queue, 5)
    assert untold() == []
    membership.pk, membership.created_at = None, at(6)
    membership.save()
    assert untold() == []


def test_nothing_is_said_of_who_was_silenced_by_a_setting_that_is_there_or_gone(queue: Queue) -> None:
    tell(Level.SITE, cast.person("root", is_superuser=True))
    only = tell(Level.QUEUE, cast.person("mia"), Merging.ONLY, queue=queue)
    happen(queue, 5)
    assert [delivery.notification_id for delivery in Delivery.objects.all()] == [only.pk]
    assert untold() == []
    notifications.remove(notification_id=only.pk, now=at(6))
    assert untold() == []
    happen(queue, 10)
    lose()
    assert len(untold()) == 1


def test_nothing_is_said_of_deliveries_that_were_purged(queue: Queue, setting: Notification) -> None:
    happen(queue, 5)
    endpoint = Endpoint.objects.get()
    outbox.attempt(endpoint, 200, now=at(5))
    happen(queue, 50)
    outbox.attempt(endpoint, 200, now=at(50))
    FeedEntry.objects.filter(sequenced_at=at(5)).update(sequenced_at=at(5) - timedelta(days=31))
    Delivery.objects.filter(ended_at=at(5)).update(ended_at=at(5) - timedelta(days=31))
    assert deliveries.purge() == 1
    assert untold() == []


def test_nothing_is_said_of_what_may_have_been_purged_before_more_was_kept(
    queue: Queue, setting: Notification, settings: Any
) -> None:
    settings.CROWDSITE_DELIVERIES_KEPT_DAYS = 1
    Notification.objects.update(updated_at=at(0) - timedelta(days=9))
    for days in (5, 0.5):
        happen(queue, -days * 24 * 60)
        outbox.attempt(Endpoint.objects.get(), 200, now=at(-days * 24 * 60))
    Membership.objects.update(created_at=at(0) - timedelta(days=9))
    assert deliveries.purge() == 1
    settings.CROWDSITE_DELIVERIES_KEPT_DAYS = 30
    assert untold() == []
