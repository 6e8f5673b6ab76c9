"""Giving committed events their places: each once, without gaps, in the order of its task, whatever commits late."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event as Flag
from threading import Thread
from time import monotonic
from typing import Any

import psycopg
import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queues import administration, events, feed, lifecycle, sequencer
from queues.models import Delivery, Event, EventPending, FeedEntry, Notification
from queues.sequencer import Outlook, sequence
from tests import cast, outbox, plans

pytestmark = pytest.mark.django_db

LONG = 30
"""Seconds that a test waits at most for what takes a moment."""


def places() -> list[tuple[int, int]]:
    """(position, event id) of the whole feed."""
    return list(FeedEntry.objects.order_by("position").values_list("position", "event_id"))


def all_of_it() -> None:
    while sequence().count:
        pass


def events_of(task: Any) -> list[int]:
    return list(Event.objects.of_task(task.pk).values_list("pk", flat=True))


@contextmanager
def late(*ids: int) -> Iterator[None]:
    """As if the transaction of these events committed at the end of the block only."""
    EventPending.objects.filter(pk__in=ids).delete()
    yield
    EventPending.objects.bulk_create(EventPending(event_id=pk) for pk in ids)


def test_every_event_gets_a_place_and_is_pending_no_more() -> None:
    cast.post(cast.queue(), 3)
    assert sequence().count == 7
    ids = list(Event.objects.order_by("pk").values_list("pk", flat=True))
    assert places() == list(enumerate(ids, 1))
    assert not EventPending.objects.exists()


def test_a_place_is_given_once() -> None:
    cast.post(cast.queue())
    sequence()
    before = places()
    assert sequence().count == 0
    assert places() == before


def test_more_than_a_batch_is_told_of_and_left_for_the_next() -> None:
    cast.post(cast.queue(), 2)
    done = sequence(limit=3)
    assert (done.count, done.full) == (3, True)
    assert done.highest == places()[-1][1]
    done = sequence(limit=3)
    assert (done.count, done.full) == (2, False)


def test_what_commits_late_under_a_low_id_gets_a_later_place() -> None:
    first, second = cast.post(cast.queue(), 2)
    with late(*events_of(first)):
        sequence()
    all_of_it()
    positions, ids = zip(*places(), strict=True)
    assert positions == tuple(range(1, 6))
    assert list(ids[1:]) == events_of(second) + events_of(first)


def test_an_event_comes_after_those_of_its_task_that_were_late() -> None:
    task, other = cast.post(cast.queue(), 2)
    with late(*events_of(task)):
        highest = sequence().highest
    lifecycle.cancel_task(task_id=task.pk)
    assert highest == events_of(other)[-1]
    sequence(above=highest)
    assert [pk for _position, pk in places()][-3:] == events_of(task)


def test_an_event_comes_after_those_of_its_queue_that_were_late() -> None:
    queue = cast.queue()
    (made,) = Event.objects.values_list("pk", flat=True)
    cast.post(queue)
    with late(made):
        highest = sequence().highest
    administration.update_queue(queue_id=queue.pk, changes={"is_paused": True})
    sequence(above=highest)
    assert [pk for _position, pk in places()][-2:] == [made, Event.objects.latest("pk").pk]


def test_only_what_comes_before_is_waited_for() -> None:
    task, other = cast.post(cast.queue(), 2)
    with late(*events_of(task)):
        highest = sequence().highest
    lifecycle.cancel_task(task_id=other.pk)
    assert sequence(above=highest).count == 1
    assert EventPending.objects.count() == 2


@pytest.mark.only("postgresql")
def test_what_comes_before_is_looked_up_along_indexes() -> None:
    queue = cast.queue()
    tasks = cast.post(queue, 300)
    all_of_it()
    highest = Event.objects.latest("pk").pk
    for task in tasks[:20]:
        lifecycle.cancel_task(task_id=task.pk)
    administration.update_queue(queue_id=queue.pk, changes={"is_paused": True})
    plans.prefer_indexes(Event)
    plans.prefer_indexes(EventPending)
    with CaptureQueriesContext(connection) as asked:
        assert sequence(above=highest).count == 21
    for mark, index in {
        'U0."task_id" =': "event_by_task",
        'U0."object_type" =': "event_sequence",
        '"crowd_queues_eventpending"."event_id" IN': "crowd_queues_eventpending_pkey",
    }.items():
        query = next(one["sql"] for one in asked if mark in one["sql"] and one["sql"].startswith("SELECT"))
        assert index in plan(query)


def plan(query: str) -> str:
    """How PostgreSQL goes about a query that was seen; no table is read from its beginning."""
    found = plans.explain(query)
    assert "Seq Scan" not in found
    return found


@pytest.mark.only("postgresql")
def test_a_process_whose_looks_are_slow_passes_by_what_it_had_until_the_next_look_from_the_head(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequencer, "LATE", 0)
    monkeypatch.setattr(sequencer, "HEAD_SHARE", 1e-9)
    first, second = cast.post(cast.queue(), 2)
    outlook = Outlook()
    with late(*events_of(first)):
        outlook.keep_up()
        outlook.keep_up()
        outlook.keep_up()
    assert outlook.keep_up().count == 0
    lifecycle.cancel_task(task_id=second.pk)
    assert outlook.keep_up().count == 1
    lifecycle.cancel_task(task_id=first.pk)
    assert outlook.keep_up().count == 3
    assert [pk for _position, pk in places()][-3:] == events_of(first)


@pytest.mark.threads
def test_several_sequencers_give_no_place_twice_and_leave_no_gap(together: Callable[..., list[Any]]) -> None:
    cast.post(cast.queue(), 100)

    def work() -> int:
        count = 0
        while EventPending.objects.exists():
            count += sequence(limit=7).count
        return count

    counts = together(*[work] * 6)
    assert sum(counts) == 201
    assert places() == list(enumerate(Event.objects.order_by("pk").values_list("pk", flat=True), 1))


class Reader:
    """Follows the feed as an operator, from the beginning, a few events at a time."""

    def __init__(self) -> None:
        self.user = cast.person("olga", is_superuser=True)
        self.position = 0
        self.seen: list[int] = []

    def look(self) -> bool:
        """Whether there was anything."""
        found = feed.look(self.user, after=self.position, limit=9)
        positions = [entry.position for entry in found.entries]
        assert positions == list(range(self.position + 1, found.position + 1))
        self.position = found.position
        self.seen += [entry.event_id for entry in found.entries]
        return bool(found.entries)


@pytest.mark.threads
def test_a_reader_sees_every_event_once_while_eight_write(together: Callable[..., list[Any]]) -> None:
    queue, reader, written = cast.queue(), Reader(), Flag()
    cast.person("rick")
    left = iter(range(7, -1, -1))

    def write() -> None:
        try:
            for _ in range(4):
                (task,) = cast.post(queue)
                lifecycle.cancel_task(task_id=task.pk)
        finally:
            if next(left) == 0:
                written.set()

    def read() -> None:
        ends = monotonic() + LONG
        while (reader.look() or not written.is_set() or EventPending.objects.exists()) and monotonic() < ends:
            pass

    def keep_sequencing() -> None:
        while not written.wait(0.001):
            sequence(limit=5)

    failed = [one for one in together(*[write] * 8, read, keep_sequencing, keep_sequencing) if one is not None]
    assert failed == []
    ids = set(Event.objects.values_list("pk", flat=True))
    assert len(ids) == 1 + 32 * 3
    assert len(reader.seen) == len(set(reader.seen))
    assert set(reader.seen) == ids
    for task, history in histories().items():
        assert history == sorted(history), task


def histories() -> dict[int, list[int]]:
    """Task → its event ids in the order of the feed."""
    found: dict[int, list[int]] = {}
    rows = FeedEntry.objects.filter(event__task_id__isnull=False).order_by("position")
    for task, pk in rows.values_list("event__task_id", "event_id"):
        found.setdefault(task, []).append(pk)
    return found


@contextmanager
def holding(write: Callable[[], Any]) -> Iterator[None]:
    """`write`, on a thread, in a transaction that commits at the end of the block."""
    done, end, failed = Flag(), Flag(), list[BaseException]()

    def work() -> None:
        try:
            with transaction.atomic():
                write()
                done.set()
                end.wait(LONG)
        except BaseException as raised:
            failed.append(raised)
        finally:
            done.set()
            connections.close_all()

    thread = Thread(target=work)
    thread.start()
    try:
        assert done.wait(LONG)
        yield
    finally:
        end.set()
        thread.join(LONG)
    assert failed == []


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_a_transaction_with_a_low_id_that_commits_last_is_seen_once_and_delays_nobody() -> None:
    queue, reader = cast.queue(), Reader()
    cast.person("rick")
    while reader.look():
        pass
    with holding(lambda: cast.post(queue)):
        cast.post(queue)
        assert reader.look()
        early = reader.seen[-2:]
        assert not reader.look()
    assert reader.look()
    assert not reader.look()
    assert max(reader.seen[-2:]) < min(early)
    assert sorted(reader.seen) == sorted(Event.objects.values_list("pk", flat=True))


@pytest.mark.threads
@pytest.mark.only("sqlite")
def test_writers_come_one_after_the_other_so_ids_rise_as_they_commit(together: Callable[..., list[Any]]) -> None:
    queue = cast.queue()
    cast.person("rick")
    together(*[lambda: [cast.post(queue) and sequence() for _ in range(3)]] * 6)
    ids = [pk for _position, pk in places()]
    assert ids == sorted(ids)
    assert len(ids) == 1 + 18 * 2


@pytest.mark.threads
@pytest.mark.only("postgresql")
def test_no_transaction_that_is_open_elsewhere_delays_the_feed() -> None:
    queue, reader = cast.queue(), Reader()
    given = {**connection.get_connection_params(), "cursor_factory": psycopg.Cursor}
    with psycopg.connect(**given) as snapshot, psycopg.connect(**given | {"dbname": "template1"}) as elsewhere:
        snapshot.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        snapshot.execute("SELECT count(*) FROM crowd_queues_eventpending")
        snapshot.execute("CREATE TEMPORARY TABLE mine (n int) ON COMMIT DROP")
        elsewhere.execute("CREATE TEMPORARY TABLE mine (n int) ON COMMIT DROP")
        while reader.look():
            pass
        cast.post(queue)
        assert reader.look()
        assert len(reader.seen) == 3
        snapshot.rollback()
        elsewhere.rollback()


@pytest.mark.threads
@pytest.mark.only("sqlite")
def test_a_reader_with_an_old_snapshot_delays_nothing() -> None:
    queue, reader = cast.queue(), Reader()
    held = connection.copy()
    try:
        held.ensure_connection()
        held.connection.execute("BEGIN DEFERRED")
        held.connection.execute("SELECT count(*) FROM crowd_queues_eventpending").fetchall()
        cast.post(queue)
        assert reader.look()
        assert len(reader.seen) == 3
        held.connection.execute("ROLLBACK")
    finally:
        held.close()


def test_an_object_that_cannot_be_shown_is_told_of_by_its_id_and_stops_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = outbox.endpoint(owner="olga")
    get_user_model()._default_manager.filter(username="olga").update(is_superuser=True)
    now = timezone.now()
    Notification.objects.create(
        level="site", endpoint=endpoint, events_to_notify=["QUEUE_UPDATED"], created_at=now, updated_at=now
    )
    odd = Event(type="QUEUE_UPDATED", object_type="oddity", object_id=7, sequence=1, created_at=now)
    with transaction.atomic():
        events.record([odd])
    cast.post(cast.queue())
    assert sequence().count == 4
    assert json.loads(Delivery.objects.get().body)["data"] == {"id": 7, "sequence": 1}
    assert "oddity could not be rendered" in caplog.text
