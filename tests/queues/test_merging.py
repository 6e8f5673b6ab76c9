"""Who is told: the table of docs/webhooks.md, every combination of it, and owners who may not see it any more."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from assignments import lifecycle
from queues import lifecycle as tasks
from queues import members, notifications
from queues.merging import Settings, wanting
from queues.models import Delivery, Endpoint, Event, Notification
from queues.notifications import NotificationDraft
from queues.sequencer import sequence
from queues.states import Level
from tests import cast
from tests.plans import prefer_indexes

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
COLUMNS = ("task", "queue", "site", "told")


def table() -> Iterator[list[str]]:
    """The rows of the table whose head is COLUMNS."""
    lines = DOCS.read_text().split(f"| {' | '.join(COLUMNS)} |\n")[1].split("\n\n")[0].splitlines()
    for line in lines[1:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def setting(level: Level, text: str, **where: Any) -> Notification:
    """A setting as the table has it: an address, then what is remarkable of it."""
    address, *marks = text.split()
    owner = cast.person("lena" if "left" in marks else "root", is_superuser="left" not in marks)
    draft = NotificationDraft(
        endpoint=f"https://8.8.8.8/{address}",
        events_to_notify=("TASK_EXPIRED",) if "other" in marks else ("TASK_FINISHED", "TASK_CREATED"),
        strategy="ONLY" if "ONLY" in marks else "UNION",
    )
    made = notifications.create(level=level, draft=draft, owner=owner, **where).notification
    if "off" in marks and made.endpoint.disabled_at is None:
        Endpoint.objects.filter(pk=made.endpoint_id).update(
            disabled_at=datetime(2030, 1, 1, tzinfo=UTC), disabled_reason="operator"
        )
    assert set(marks) <= {"ONLY", "other", "off", "left"}
    return made


@pytest.mark.parametrize("row", list(table()), ids=lambda row: " | ".join(row))
def test_as_the_table_in_the_docs_says(row: list[str]) -> None:
    queue = cast.queue()
    alice, (task,) = cast.join(queue, "alice"), cast.post(queue)
    places: tuple[dict[str, Any], ...] = ({"task": task}, {"queue": queue}, {})
    for level, cell, where in zip((Level.TASK, Level.QUEUE, Level.SITE), row, places, strict=False):
        for text in filter(None, map(str.strip, cell.split(","))):
            setting(level, text, **where)
    sequence()
    Delivery.objects.all().delete()
    lifecycle.finalize(assignment_id=cast.grab(alice).assignments[0].pk, data=1)
    sequence()
    told = []
    for delivery in Delivery.objects.order_by("id").select_related("endpoint"):
        assert delivery.type == "TASK_FINISHED"
        by = Notification.objects.get(pk=delivery.notification_id)
        address = delivery.endpoint.url.rpartition("/")[2]
        told.append(f"x of the {by.level}" if "of the" in row[3] and address == "x" else address)
    assert sorted(told) == sorted(re.split(", ", row[3])) or (told, row[3]) == ([], "nobody")


KINDS = ("none", "UNION", "UNION other", "UNION off", "ONLY", "ONLY other", "ONLY off")


def test_every_combination_of_three_levels() -> None:
    def at(place: int, kind: str, address: int) -> list[Notification]:
        if kind == "none":
            return []
        strategy, *mark = kind.split()
        off = datetime(2030, 1, 1, tzinfo=UTC) if mark == ["off"] else None
        types = ["TASK_EXPIRED"] if mark == ["other"] else ["TASK_FINISHED"]
        endpoint = Endpoint(pk=address, disabled_at=off)
        return [Notification(pk=place, endpoint=endpoint, events_to_notify=types, strategy=strategy)]

    for shared, *kinds in product((False, True), KINDS, KINDS, KINDS):
        levels = [at(place, kind, 0 if shared else place) for place, kind in enumerate(kinds)]
        told = [each.pk for each in wanting("TASK_FINISHED", *levels)]
        only = next((place for place, kind in enumerate(kinds) if kind.startswith("ONLY")), 2)
        expected = [place for place, kind in enumerate(kinds) if kind in ("UNION", "ONLY") and place <= only]
        assert told == (expected[:1] if shared else expected), (shared, kinds)


def told_of_one_more(queue: Any) -> int:
    """How many are told of another task."""
    before = Delivery.objects.count()
    cast.post(queue)
    sequence()
    return Delivery.objects.count() - before


def asks(level: Level, who: str, **where: Any) -> Notification:
    draft = NotificationDraft(endpoint=f"https://8.8.8.8/{who}", events_to_notify=("TASK_CREATED", "TASK_CANCELED"))
    return notifications.create(level=level, draft=draft, owner=cast.person(who), **where).notification


def test_a_manager_who_left_is_told_no_more() -> None:
    queue = cast.queue()
    moritz = cast.join(queue, "moritz", "manager")
    asks(Level.QUEUE, "moritz", queue=queue)
    assert told_of_one_more(queue) == 1
    members.revoke(membership=moritz, actor=cast.person("mia"))
    assert told_of_one_more(queue) == 0


def test_an_operator_who_is_none_any_more_is_told_no_more() -> None:
    queue, olga, operate = cast.queue(), cast.person("olga"), Permission.objects.get(codename="operate")
    olga.user_permissions.add(operate)
    asks(Level.SITE, "olga"), asks(Level.QUEUE, "olga", queue=queue)
    assert told_of_one_more(queue) == 1
    olga.user_permissions.remove(operate)
    assert told_of_one_more(queue) == 0


def test_who_is_deactivated_is_told_no_more() -> None:
    queue = cast.queue()
    asks(Level.QUEUE, "mia", queue=queue)
    get_user_model()._default_manager.filter(username="mia").update(is_active=False)
    assert told_of_one_more(queue) == 0


def test_a_manager_of_another_queue_is_told_nothing() -> None:
    queue = cast.queue()
    asks(Level.QUEUE, "moritz", queue=queue)
    cast.join(cast.queue("pets"), "moritz", "manager")
    assert told_of_one_more(queue) == 0


def test_a_requester_is_told_of_their_own_task_alone() -> None:
    queue = cast.queue()
    cast.join(queue, "rick", "requester")
    (own,), (other,) = cast.post(queue), cast.post(queue, by="rosa")
    for task in (own, other):
        asks(Level.TASK, "rick", task=task)
    sequence()
    Delivery.objects.all().delete()
    for task in (own, other):
        tasks.cancel_task(task_id=task.pk)
    sequence()
    assert [delivery.task_id for delivery in Delivery.objects.all()] == [own.pk]


def test_a_requester_is_not_told_who_holds_their_task() -> None:
    queue = cast.queue()
    cast.join(queue, "rick", "requester")
    (task,) = cast.post(queue, by="rick")
    sequence()
    types = ("ASSIGNMENT_CREATED", "TASK_CANCELED")
    for who in ("rick", "mia"):
        draft = NotificationDraft(endpoint=f"https://8.8.8.8/{who}", events_to_notify=types)
        notifications.create(level=Level.TASK, draft=draft, owner=cast.person(who), task=task)
    cast.grab(cast.join(queue, "alice"))
    tasks.cancel_task(task_id=task.pk)
    sequence()
    told = Delivery.objects.order_by("id").values_list("endpoint__owner__username", "type")
    assert sorted(told) == [("mia", "ASSIGNMENT_CREATED"), ("mia", "TASK_CANCELED"), ("rick", "TASK_CANCELED")]


def test_each_event_goes_to_the_settings_of_its_own_queue_and_task() -> None:
    digits, pets = cast.queue("digits"), cast.queue("pets")
    first, second = (asks(Level.QUEUE, "mia", queue=queue) for queue in (digits, pets))
    sequence()
    (task,), (other,) = cast.post(digits), cast.post(pets)
    sequence()
    told = Delivery.objects.order_by("id").values_list("task_id", "notification_id")
    assert list(told) == [(task.pk, first.pk), (other.pk, second.pk)]


def test_settings_are_read_at_once_however_many_events_there_are() -> None:
    queue = cast.queue()
    operate = Permission.objects.get(codename="operate")
    cast.person("olga").user_permissions.add(operate)
    asks(Level.QUEUE, "mia", queue=queue), asks(Level.SITE, "olga")
    drafts = (NotificationDraft(endpoint="https://8.8.8.8/rick", events_to_notify=("TASK_CREATED",)),)
    cast.post(queue, 50, notifications=drafts)
    events = list(Event.objects.all())
    with CaptureQueriesContext(connection) as asked:
        settings = Settings(events)
        told = [setting for event in events for setting in settings.wanting(event)]
    assert len(told) == 3 * 50
    # Site, queues, tasks; who manages; and olga's permissions, her own and those of her groups.
    assert len(asked) == 3 + 1 + 2, "\n".join(query["sql"] for query in asked)


@pytest.mark.only("postgresql")
def test_settings_are_found_along_indexes() -> None:
    queue = cast.queue()
    drafts = (NotificationDraft(endpoint="https://8.8.8.8/rick", events_to_notify=("TASK_CREATED",)),)
    cast.post(queue, 300, notifications=drafts)
    asks(Level.QUEUE, "mia", queue=queue)
    prefer_indexes(Notification)
    all_ = Notification.objects.order_by()
    for found, index in (
        (all_.filter(level=Level.SITE), "notification_once_for_site"),
        (all_.filter(queue__in=[queue.pk]), "notification_once_for_queue"),
        (all_.filter(task__in=[1, 2]), "notification_once_for_task"),
        (all_.filter(task__isnull=True).order_by("-id")[:50], "notification_listed"),
    ):
        assert index in found.explain(), found.explain()
