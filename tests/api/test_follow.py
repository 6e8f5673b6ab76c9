"""Following the feed over the API: what it shows, what it refuses, and waiting for what comes."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import pytest
from django.db import connection, connections
from django.urls import resolve
from django.utils import timezone

from queues import administration, bell, lifecycle
from queues.models import FeedEntry, FeedMark
from queues.sequencer import sequence
from tests import cast
from tests.api.calling import Caller, pointers, problem
from tests.site.serving import until

pytestmark = pytest.mark.django_db

LONG = 30
"""Seconds that a test waits at most for what takes a moment."""

SOON = 15
"""Seconds within which a waiting request must answer; where nothing else runs it takes 0.1."""


def types(page: Any) -> list[str]:
    return [event["type"] for event in page["results"]]


def test_an_event_is_shown_whole(mia: Caller, digits: Any) -> None:
    (task,) = cast.post(digits)
    page = mia.get("events/", type="TASK_AVAILABLE")
    assert page["results"] == [
        {
            "position": 5,
            "id": page["results"][0]["id"],
            "type": "TASK_AVAILABLE",
            "timestamp": task.created_at.isoformat().replace("+00:00", "Z"),
            "object_type": "task",
            "object_id": task.pk,
            "queue": "digits",
            "task": task.pk,
            "sequence": 2,
            "actor": str(cast.person("rick").pk),
            "delta": {"status": "AVAILABLE", "topic": ""},
        }
    ]
    assert {key: page[key] for key in ("position", "more", "previous")} == {
        "position": 5,
        "more": False,
        "previous": None,
    }


def test_next_goes_on_with_the_same_question(rick: Caller, digits: Any) -> None:
    cast.post(digits, 2)
    page = rick.get("events/", queue="digits", type="TASK_CREATED,TASK_CANCELED", limit=1)
    assert (types(page), page["more"]) == (["TASK_CREATED"], True)
    page = rick.get(page["next"])
    assert types(page) == ["TASK_CREATED"]
    page = rick.get(page["next"])
    assert (types(page), page["more"]) == ([], False)
    assert rick.get(page["next"])["position"] == page["position"]


def test_everybody_may_follow_and_sees_what_is_theirs(
    mia: Caller, rick: Caller, alice: Caller, digits: Any, as_: Any
) -> None:
    cast.post(digits)
    cast.post(digits, by="rosa")
    cast.person("olga", is_superuser=True)
    assert len(as_("olga").get("events/")["results"]) == 7
    assert len(mia.get("events/")["results"]) == 7
    assert types(rick.get("events/")) == ["TASK_CREATED", "TASK_AVAILABLE"]
    assert alice.get("events/")["results"] == []
    assert alice.get("events/", queue="digits")["position"] == 7
    assert as_("eve").get("events/")["results"] == []
    problem(as_("eve").call("GET", "events/?queue=digits"), 404, "not-found")
    problem(as_(None).call("GET", "events/"), 401, "not-authenticated")


def test_the_end_of_a_deleted_queue_can_be_followed(mia: Caller, digits: Any) -> None:
    administration.archive_queue(queue_id=digits.pk)
    assert types(mia.get("events/", queue="digits"))[-1] == "QUEUE_DELETED"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after=-1", "/after"),
        ("after=1.5", "/after"),
        ("after=", "/after"),
        ("after=soon", "/after"),
        ("after=%00", "/after"),
        ("after=%D9%A3", "/after"),
        ("after=9999999999999999999", "/after"),
        ("after=" + "9" * 5000, "/after"),
        ("after=1&after=2", "/after"),
        ("wait=-1", "/wait"),
        ("wait=30.1", "/wait"),
        ("wait=nan", "/wait"),
        ("wait=inf", "/wait"),
        ("wait=long", "/wait"),
        ("limit=0", "/limit"),
        ("limit=1001", "/limit"),
        ("limit=-5", "/limit"),
        ("limit=" + "9" * 5000, "/limit"),
        ("limit=%00", "/limit"),
        ("type=TASK_EATEN", "/type"),
        ("type=", "/type"),
        ("type=TASK_CREATED,", "/type"),
        ("type=%00", "/type"),
        ("queue=", "/queue"),
        ("queue=%00", "/queue"),
        ("since=1", "/since"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(mia: Caller, query: str, field: str) -> None:
    document = problem(mia.call("GET", f"events/?{query}"), 400, "invalid-input")
    assert pointers(document) == [field]


def test_a_queue_that_does_not_exist_is_not_found(mia: Caller) -> None:
    problem(mia.call("GET", "events/?queue=nothing"), 404, "not-found")


def test_a_position_beyond_the_feed_is_refused_and_says_how_far_it_goes(mia: Caller, digits: Any) -> None:
    for position in (4, 10**18 - 1):
        document = problem(mia.call("GET", f"events/?after={position}&wait=30"), 400, "feed-ahead")
        assert document["newest"] == 3
        assert "after" in document["detail"]
    assert mia.get("events/", after=3)["results"] == []


def test_a_position_before_the_oldest_is_gone_and_says_where_to_go_on(mia: Caller, digits: Any) -> None:
    sequence()
    FeedEntry.objects.filter(position__lte=2).delete()
    FeedMark.objects.update(purged_to=2, purged_until=timezone.now())
    document = problem(mia.call("GET", "events/?after=1"), 410, "feed-purged")
    assert document["oldest"] == 2
    assert types(mia.get("events/", after=document["oldest"])) == ["QUEUE_UPDATED"]


def test_the_feed_is_read_in_no_transaction_of_the_request() -> None:
    view = resolve("/api/v1/events/").func
    assert view._non_atomic_requests == {"default"}


def test_latest_is_behind_what_was_there(mia: Caller, digits: Any) -> None:
    page = mia.get("events/", after="latest")
    assert (page["results"], page["position"]) == ([], 3)
    cast.post(digits)
    assert types(mia.get(page["next"])) == ["TASK_CREATED", "TASK_AVAILABLE"]


def test_what_is_there_is_not_waited_for(mia: Caller, digits: Any) -> None:
    began = monotonic()
    assert len(mia.get("events/", wait=30)["results"]) == 3
    assert monotonic() - began < LONG


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[bell.Bell]:
    """A bell of the test's own with one seat, whose thread has ended when the test has."""
    ring = bell.Bell(seats=1)
    monkeypatch.setattr(bell, "bell", ring)
    monkeypatch.setattr(bell, "LINGER", 0)
    yield ring
    for thread in threading.enumerate():
        if thread.name == "bell":
            thread.join(LONG)


@contextmanager
def waiting(caller: Caller, ring: bell.Bell, **query: Any) -> Iterator[Callable[[], tuple[Any, float]]]:
    """A request that waits, on a thread. Call what is given for its page and the time at which it came."""
    came = list[tuple[Any, float]]()

    def ask() -> None:
        try:
            came.append((caller.get("events/", wait=LONG, **query), monotonic()))
        finally:
            connections.close_all()

    thread = threading.Thread(target=ask)
    thread.start()

    def answer() -> tuple[Any, float]:
        thread.join(LONG + SOON)
        return came[0]

    ends = monotonic() + LONG
    while not ring._waiting and monotonic() < ends:
        thread.join(0.01)
    yield answer
    thread.join(LONG + SOON)


@pytest.mark.threads
def test_who_waits_is_answered_soon_after_the_commit(mia: Caller, digits: Any, ring: bell.Bell) -> None:
    cast.person("rick")
    with waiting(mia, ring, after="latest", type="TASK_AVAILABLE") as answer:
        cast.post(digits)
        committed = monotonic()
        page, came = answer()
    assert types(page) == ["TASK_AVAILABLE"]
    assert came - committed < SOON


@pytest.mark.threads
def test_who_waits_is_not_answered_by_what_they_may_not_see(
    mia: Caller, rick: Caller, digits: Any, ring: bell.Bell
) -> None:
    (task,) = cast.post(digits)
    with waiting(rick, ring, after="latest") as answer:
        cast.post(digits, by="rosa")
        lifecycle.cancel_task(task_id=task.pk)
        page, _came = answer()
    assert types(page) == ["TASK_CANCELED"]


@pytest.mark.threads
def test_where_every_seat_is_taken_the_answer_comes_at_once(mia: Caller, digits: Any, ring: bell.Bell) -> None:
    cast.person("rick")
    with waiting(mia, ring, after="latest") as answer:
        began = monotonic()
        turned_away = mia.call("GET", "events/?after=latest&wait=30", expect=200)
        assert monotonic() - began < SOON
        assert turned_away.headers["Retry-After"] == "1"
        assert turned_away.json()["results"] == []
        cast.post(digits)
        assert answer()[0]["results"]
    assert "Retry-After" not in mia.call("GET", "events/?after=latest").headers


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_who_waits_holds_no_connection(mia: Caller, digits: Any, ring: bell.Bell) -> None:
    cast.person("rick")

    def others() -> int:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return cursor.fetchone()[0]

    before = others()
    ring.seats = 5
    with (
        waiting(mia, ring, after="latest") as first,
        waiting(mia, ring, after="latest") as second,
        waiting(mia, ring, after="latest") as third,
    ):
        until(lambda: ring._waiting == 3 and others() <= before + 1)
        cast.post(digits)
        assert first()[0]["results"]
        assert first()[0] == second()[0] == third()[0]


@pytest.mark.threads
def test_the_waiting_ends_with_its_time(mia: Caller, digits: Any, ring: bell.Bell) -> None:
    began = monotonic()
    page = mia.get("events/", after="latest", wait=0.2)
    assert (page["results"], page["position"]) == ([], 3)
    assert monotonic() - began >= 0.2
