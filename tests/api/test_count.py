"""GET queues/{name}/stats/: a queue in numbers."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from assignments import lifecycle
from queues import administration, members
from tests import cast
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db

STATS = "queues/digits/stats/"


def test_an_empty_queue(mia: Caller, digits: Any) -> None:
    stats = mia.get(STATS)
    assert abs(datetime.fromisoformat(stats.pop("as_of")) - timezone.now()) < timedelta(minutes=1)
    assert stats == {
        "queue": "digits",
        "by_status": dict.fromkeys(("SCHEDULED", "AVAILABLE", "ASSIGNED", "FINISHED", "CANCELED", "EXPIRED"), 0),
        "by_topic": {},
        "oldest_available": None,
        "live_by_reviewer": [],
        "expired": 0,
        "skipped": 0,
        "starved": 0,
        "starved_tasks": [],
    }


def test_tasks_are_counted_by_status_and_by_topic(mia: Caller, alice: Caller, digits: Any) -> None:
    cast.post(cast.queue("other"), 5)
    cast.post(digits, 2, topic="a"), cast.post(digits, output_data=1, topic="b")
    cast.post(digits, schedule_to=timezone.now() + timedelta(hours=1))
    alice.post("queues/digits/grab/", {"topic": "a"})
    stats = mia.get(STATS)
    assert {status: n for status, n in stats["by_status"].items() if n} == {
        "AVAILABLE": 1,
        "ASSIGNED": 1,
        "FINISHED": 1,
        "SCHEDULED": 1,
    }
    assert stats["by_topic"] == {"": {"SCHEDULED": 1}, "a": {"AVAILABLE": 1, "ASSIGNED": 1}, "b": {"FINISHED": 1}}


def test_the_oldest_available_task(mia: Caller, digits: Any) -> None:
    old = timezone.now() - timedelta(days=1)
    cast.post(digits, now=old, output_data=1)
    cast.post(digits, now=old + timedelta(hours=1))
    cast.post(digits)
    assert datetime.fromisoformat(mia.get(STATS)["oldest_available"]) == old + timedelta(hours=1)


def test_who_holds_how_many(mia: Caller, alice: Caller, digits: Any) -> None:
    cast.post(digits, 5)
    alice.post("queues/digits/grab/", {"multitask_index": 2})
    cast.grab(cast.join(digits, "bob"))
    cast.grab(cast.join(digits, "carol"), now=timezone.now() - timedelta(hours=2))
    assert mia.get(STATS)["live_by_reviewer"] == [
        {"reviewer": "alice@example.org", "live": 2},
        {"reviewer": "bob@example.org", "live": 1},
    ]


def test_leases_that_ended_and_tasks_that_were_skipped(mia: Caller, alice: Caller, digits: Any) -> None:
    cast.post(digits, 3)
    for _ in range(2):
        held = alice.post("queues/digits/grab/")["assignments"][0]
        alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": 60})
    cast.grab(cast.join(digits, "bob"), now=timezone.now() - timedelta(hours=2))
    lifecycle.expire_assignments()
    stats = mia.get(STATS)
    assert (stats["expired"], stats["skipped"]) == (1, 2)


def test_a_task_that_nobody_may_be_handed_is_starved(mia: Caller, alice: Caller, digits: Any) -> None:
    skipped, judged, _fine = (
        *cast.post(digits),
        *cast.post(digits, judgments_required=2),
        *cast.post(digits),
    )
    held = alice.post("queues/digits/grab/", {"multitask_index": 2})["assignments"]
    alice.post(f"assignments/{held[0]['id']}/skip/", {"seconds_to_expire": None})
    alice.post(f"assignments/{held[1]['id']}/finalize/", {"data": 1})
    stats = mia.get(STATS)
    assert (stats["starved"], stats["starved_tasks"]) == (2, [skipped.pk, judged.pk])
    cast.join(digits, "bob")
    assert mia.get(STATS)["starved"] == 0


def test_without_reviewers_every_available_task_is_starved(mia: Caller) -> None:
    cast.post(cast.queue("digits"), 2)
    assert mia.get(STATS)["starved"] == 2


def test_the_one_reviewer_who_asked_starves_where_requesters_may_not_review(mia: Caller, digits: Any) -> None:
    cast.post(digits, by="alice")
    assert mia.get(STATS)["starved"] == 0
    administration.update_queue(queue_id=digits.pk, changes={"requester_may_review": False})
    assert mia.get(STATS)["starved"] == 1


def test_a_task_whose_target_skipped_it_is_starved(mia: Caller, alice: Caller, digits: Any) -> None:
    cast.join(digits, "bob")
    cast.post(digits, target_reviewer="alice@example.org")
    held = alice.post("queues/digits/grab/")["assignments"][0]
    alice.post(f"assignments/{held['id']}/skip/", {"seconds_to_expire": None})
    assert mia.get(STATS)["starved"] == 1


def test_a_topic_may_be_named_as_anything(mia: Caller, digits: Any) -> None:
    cast.post(digits, topic='"); DROP TABLE <b>')
    assert mia.get(STATS)["by_topic"] == {'"); DROP TABLE <b>': {"AVAILABLE": 1}}


def test_whoever_left_is_not_counted_as_holding(mia: Caller, digits: Any) -> None:
    cast.post(digits)
    bob = cast.join(digits, "bob")
    cast.grab(bob)
    members.revoke(membership=bob)
    assert mia.get(STATS)["live_by_reviewer"] == []
