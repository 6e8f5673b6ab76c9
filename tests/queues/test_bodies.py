"""What a message says: what the API shows, written once."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.dateparse import parse_datetime

from assignments import lifecycle as assignments
from queues import administration, bodies, lifecycle, notifications
from queues.models import Delivery, Event
from queues.notifications import NotificationDraft
from queues.sequencer import sequence
from queues.states import Level
from tests import cast
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

TYPES = ("QUEUE_UPDATED", "TASK_CREATED", "TASK_UPDATED", "TASK_FINISHED", "ASSIGNMENT_CREATED", "ASSIGNMENT_FINISHED")


@pytest.fixture
def digits(db: None) -> Any:
    """A queue that tells mia everything."""
    queue = cast.queue("digits")
    cast.join(queue, "alice")
    sequence()
    draft = NotificationDraft(endpoint="https://8.8.8.8/hook", events_to_notify=TYPES)
    notifications.create(level=Level.QUEUE, queue=queue, draft=draft, owner=cast.person("mia"))
    return queue


def said() -> dict[str, Any]:
    """What is newly said, by type."""
    before = set(Delivery.objects.values_list("pk", flat=True))
    sequence()
    fresh = Delivery.objects.exclude(pk__in=before).order_by("id")
    return {delivery.type: json.loads(delivery.body) for delivery in fresh}


def grabbed(queue: Any) -> int:
    return cast.grab(queue.memberships.get(user__username="alice", role="reviewer")).assignments[0].pk


def test_a_tasks_events_show_the_task_as_the_api_does(digits: Any) -> None:
    mia = Caller("mia")
    (task,) = cast.post(
        digits, input_data={"text": "Zoë \u2028 <b>", "n": 1.5}, global_keys=("order:1",), topic="fr", priority=7
    )
    shown = mia.get(f"tasks/{task.pk}/")
    message = said()["TASK_CREATED"]
    assert message["data"] == {**shown, "sequence": 1}
    event = Event.objects.get(type="TASK_CREATED")
    assert message.keys() == {"type", "timestamp", "data"}
    assert message["timestamp"].endswith("Z")
    assert parse_datetime(message["timestamp"]) == event.created_at
    assignments.finalize(assignment_id=grabbed(digits), data={"label": "ü"})
    told = said()
    assert told["TASK_FINISHED"]["data"] == {**mia.get(f"tasks/{task.pk}/"), "sequence": 3}
    assert told["TASK_FINISHED"]["data"]["output_data"] == {"label": "ü"}


def test_an_assignments_events_show_the_assignment_as_the_api_does(digits: Any) -> None:
    mia = Caller("mia")
    cast.post(digits, target_reviewer="alice@example.org")
    pk = grabbed(digits)
    assert said()["ASSIGNMENT_CREATED"]["data"] == {**mia.get(f"assignments/{pk}/"), "sequence": 1}
    assignments.finalize(assignment_id=pk, data=[1, None])
    assert said()["ASSIGNMENT_FINISHED"]["data"] == {**mia.get(f"assignments/{pk}/"), "sequence": 2}


def test_a_queues_events_show_the_queue_as_the_api_does(digits: Any) -> None:
    administration.update_queue(queue_id=digits.pk, changes={"alias": "Ziffern"}, actor=cast.person("mia"))
    message = said()["QUEUE_UPDATED"]
    shown = Caller("mia").get("queues/digits/")
    assert message["data"] == {**shown, "sequence": message["data"]["sequence"]}
    assert message["data"]["sequence"] == Event.objects.filter(object_type="queue").order_by("-id")[0].sequence


def test_a_message_is_written_once_and_shows_the_state_of_that_moment(digits: Any) -> None:
    (task,) = cast.post(digits)
    lifecycle.update_task(task_id=task.pk, changes={"topic": "late"})
    told = said()
    assert told["TASK_CREATED"]["data"]["topic"] == told["TASK_UPDATED"]["data"]["topic"] == "late"
    before = dict(Delivery.objects.values_list("pk", "body"))
    lifecycle.update_task(task_id=task.pk, changes={"topic": "later"})
    said()
    assert dict(Delivery.objects.filter(pk__in=before).values_list("pk", "body")) == before


def test_settings_that_a_task_brought_along_are_not_in_what_is_said(digits: Any) -> None:
    hidden = NotificationDraft(
        endpoint="https://8.8.8.8/hidden", events_to_notify=("TASK_CREATED",), headers={"A": "hidden"}
    )
    cast.post(digits, notifications=(hidden,))
    said()
    assert Delivery.objects.count() == 2
    assert not [body for body in Delivery.objects.values_list("body", flat=True) if "hidden" in body]


@pytest.mark.parametrize("object_type", ["queue", "task", "assignment"])
def test_many_are_rendered_with_one_question(digits: Any, object_type: str) -> None:
    cast.post(digits, 20)
    for number in range(10):
        cast.grab(cast.join(digits, f"judge{number}"), multitask_index=2)
    ids = list(Event.objects.filter(object_type=object_type).values_list("object_id", flat=True).distinct())
    with CaptureQueriesContext(connection) as asked:
        rendered = bodies.render(object_type, ids)
    assert set(rendered) == set(ids)
    assert len(ids) >= (20 if object_type != "queue" else 1)
    assert len(asked) == 1, "\n".join(query["sql"] for query in asked)


def test_what_is_gone_is_left_out(digits: Any) -> None:
    (task,) = cast.post(digits)
    assert set(bodies.render("task", [task.pk, 999_999])) == {task.pk}


def test_an_object_that_cannot_be_rendered_is_named_and_holds_nothing_up(
    digits: Any, monkeypatch: Any, caplog: Any
) -> None:
    monkeypatch.setitem(bodies._renderers, "task", "queues.api.bodies.missing")
    (task,) = cast.post(digits)
    assert said()["TASK_CREATED"]["data"] == {"id": task.pk, "sequence": 1}
    assert "could not be rendered" in caplog.text


def test_an_unknown_type_of_object_is_no_renderers() -> None:
    with pytest.raises(KeyError):
        bodies.render("planet", [1])
