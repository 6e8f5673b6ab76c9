"""Forgetting: old places leave the feed, and with the event that closed a task its history goes. Nothing else does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queues import conf, feed, invariants, jobs, lifecycle
from queues.models import Delivery, Event, EventPending, FeedEntry, FeedMark, Task
from queues.sequencer import sequence
from tests import cast, outbox

pytestmark = pytest.mark.django_db

NOW = timezone.now()
KEPT = timedelta(days=conf.events_kept_days())
LATER = NOW + KEPT + timedelta(hours=1)


def history(task: Task) -> list[str]:
    return list(Event.objects.of_task(task.pk).values_list("type", flat=True))


def canceled(task: Task, now: Any = None) -> Task:
    return lifecycle.cancel_task(task_id=task.pk, now=now)


def purge_all() -> None:
    while feed.purge(now=LATER):
        pass


def test_the_history_of_a_closed_task_goes_with_its_closing_event() -> None:
    done, open_ = cast.post(cast.queue(), 2)
    canceled(done)
    sequence()
    assert feed.purge(now=LATER) == 6
    assert history(done) == []
    assert history(open_) == ["TASK_CREATED", "TASK_AVAILABLE"]
    assert Event.objects.filter(object_type="queue").exists()
    assert feed.mark() == feed.Mark(6, 6)
    assert feed.purge(now=LATER) == 0


def test_a_task_that_closed_lately_keeps_its_whole_history() -> None:
    (task,) = cast.post(cast.queue())
    sequence()
    canceled(task, now=LATER)
    sequence(now=LATER)
    purge_all()
    assert history(task) == ["TASK_CREATED", "TASK_AVAILABLE", "TASK_CANCELED"]
    assert list(FeedEntry.objects.values_list("position", "event__type")) == [(4, "TASK_CANCELED")]
    feed.purge(now=LATER + KEPT + timedelta(hours=1))
    assert history(task) == []


def test_what_is_not_old_enough_stays() -> None:
    cast.post(cast.queue())
    sequence(now=LATER - KEPT + timedelta(minutes=1))
    assert feed.purge(now=LATER) == 0
    assert feed.mark() == feed.Mark(3, 0)


def test_positions_go_on_where_everything_was_purged() -> None:
    queue = cast.queue()
    sequence()
    purge_all()
    assert not FeedEntry.objects.exists()
    cast.post(queue)
    sequence()
    assert list(FeedEntry.objects.values_list("position", flat=True)) == [2, 3]


def test_one_purge_is_a_batch_that_does_not_read_what_is_gone() -> None:
    for task in cast.post(cast.queue(), 4):
        canceled(task)
    sequence()
    assert [feed.purge(limit=5, now=LATER) for _ in range(4)] == [5, 5, 3, 0]
    with CaptureQueriesContext(connection) as asked:
        feed.purge(now=LATER)
    assert any('"position" > 13' in query["sql"] for query in asked)


def test_a_history_that_is_more_than_a_batch_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "HISTORY_BATCH", 3)
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    (long,) = cast.post(queue, judgments_required=3)
    cast.grab(alice)
    cast.grab(cast.join(queue, "bob"))
    canceled(long)
    (short,) = cast.post(queue)
    canceled(short)
    sequence()
    while (before := Event.objects.count()) and feed.purge(now=LATER):
        assert before - Event.objects.count() <= 3 + 1
        assert invariants.broken() == {}
    assert history(long) == history(short) == []
    assert feed.mark().purged_to == feed.mark().position


def test_what_has_no_place_yet_is_never_purged() -> None:
    (task,) = cast.post(cast.queue())
    canceled(task)
    late = Event.objects.get(type="TASK_AVAILABLE")
    EventPending.objects.filter(event=late).delete()
    sequence()
    EventPending.objects.create(event=late)
    purge_all()
    assert history(task) == ["TASK_AVAILABLE"]
    sequence(now=NOW)
    assert FeedEntry.objects.get().event == late


def test_a_delivery_that_waits_keeps_what_it_says() -> None:
    (task,) = cast.post(cast.queue())
    canceled(task)
    sequence()
    closing = Event.objects.get(type="TASK_CANCELED")
    (waiting,) = outbox.waiting(outbox.endpoint(), now=NOW, event_id=closing.pk)
    purge_all()
    assert Delivery.objects.get().body == waiting.body
    assert outbox.take(waiting.endpoint, now=NOW)[0].body == waiting.body


def test_the_invariants_hold_where_histories_were_purged() -> None:
    from assignments import lifecycle as assignments

    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue, 2)
    held = cast.grab(alice).assignments[0]
    assignments.finalize(assignment_id=held.pk, data=1)
    sequence()
    purge_all()
    assert history(held.task) == []
    assert invariants.broken() == {}
    Task.objects.filter(pk=held.task_id).update(updated_at=LATER)
    assert set(invariants.broken()) >= {"history_tells_the_status", "history_is_complete"}


def test_the_job_purges_what_is_old() -> None:
    cast.queue()
    old = NOW - KEPT - timedelta(hours=1)
    sequence(now=old)
    assert jobs.purge_feed() == 1
    assert FeedMark.objects.get().purged_until == old


@pytest.mark.threads
def test_a_purge_beside_sequencers_loses_nothing_and_leaves_no_gap(together: Callable[..., list[Any]]) -> None:
    for task in cast.post(cast.queue(), 30):
        canceled(task)
    sequence(limit=20)

    def sequence_all() -> int:
        count = 0
        while EventPending.objects.exists():
            count += sequence(limit=5).count
        return count

    def purge() -> int:
        count = 0
        while EventPending.objects.exists() or FeedEntry.objects.exists():
            count += feed.purge(limit=7, now=LATER)
        return count

    first, second, third, fourth = together(sequence_all, sequence_all, purge, purge)
    assert first + second == 71
    assert third + fourth == 91
    assert feed.mark() == feed.Mark(91, 91)
    assert not Event.objects.filter(object_type="task").exists()
