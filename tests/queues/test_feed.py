"""Reading the feed: who sees what, where a look begins and ends, and what it costs."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queues import administration, feed, lifecycle
from queues.exceptions import FeedAhead, FeedPurged
from queues.models import Event, EventPending, FeedEntry, FeedMark, Queue
from queues.sequencer import BATCH, sequence
from tests import cast, plans

pytestmark = pytest.mark.django_db


def told(look: feed.Look) -> list[str]:
    return [entry.event.type for entry in look.entries]


def operator() -> Any:
    return cast.person("olga", is_superuser=True)


def purged_to(position: int) -> None:
    FeedEntry.objects.filter(position__lte=position).delete()
    FeedMark.objects.update(purged_to=position, purged_until=timezone.now())


def test_a_look_sees_what_was_just_committed() -> None:
    cast.post(cast.queue())
    found = feed.look(operator())
    assert told(found) == ["QUEUE_CREATED", "TASK_CREATED", "TASK_AVAILABLE"]
    assert (found.position, found.more) == (3, False)
    assert feed.look(operator(), after=3) == feed.Look([], 3, False)


def test_everybody_sees_what_is_theirs() -> None:
    mine, other = cast.queue("digits"), cast.queue("others")
    for queue in (mine, other):
        cast.join(queue, "alice")
    managing = administration.create_queue(name="managed", actor=cast.person("max"))
    cast.post(mine, by="rick")
    cast.post(other, by="rosa")
    cast.post(managing, by="rick")

    def seen(name: str) -> list[tuple[str, int]]:
        entries = feed.look(cast.person(name)).entries
        tasks = [(entry.event.type, entry.queue_id) for entry in entries if entry.event.task_id]
        return [*tasks, ("queues", sum(entry.event.task_id is None for entry in entries))]

    def posted(*queues: Any) -> list[tuple[str, int]]:
        return [(type_, queue.pk) for queue in queues for type_ in ("TASK_CREATED", "TASK_AVAILABLE")]

    operator()
    assert seen("olga") == [*posted(mine, other, managing), ("queues", 5)]
    assert seen("mia") == [*posted(mine, other), ("queues", 4)]
    assert seen("max") == [*posted(managing), ("queues", 1)]
    assert seen("rick") == [*posted(mine, managing), ("queues", 0)]
    assert seen("alice") == seen("eve") == [("queues", 0)]


def test_a_requester_sees_their_tasks_and_not_who_holds_them() -> None:
    queue = cast.queue()
    alice = cast.join(queue, "alice")
    cast.post(queue, by="rick")
    cast.post(queue, by="rosa")
    cast.grab(alice, multitask_index=2)
    assert told(feed.look(cast.person("rick"))) == ["TASK_CREATED", "TASK_AVAILABLE"]


def test_of_one_queue_a_requester_sees_their_tasks() -> None:
    queue, other = cast.queue(), cast.queue("others")
    cast.post(queue, by="rick")
    cast.post(queue, by="rosa")
    cast.post(other, by="rick")
    assert len(feed.look(cast.person("rick"), queue=queue).entries) == 2
    assert len(feed.look(cast.person("mia"), queue=queue).entries) == 5


def test_types_are_chosen_and_the_position_goes_on_beyond_the_others() -> None:
    first, second = cast.post(cast.queue(), 2)
    lifecycle.cancel_task(task_id=first.pk)
    lifecycle.cancel_task(task_id=second.pk)
    found = feed.look(operator(), types=["TASK_CANCELED"], limit=1)
    assert (told(found), found.position, found.more) == (["TASK_CANCELED"], 6, True)
    found = feed.look(operator(), types=["QUEUE_DELETED"], after=found.position)
    assert found == feed.Look([], 7, False)


def test_a_full_page_tells_that_there_is_more() -> None:
    cast.post(cast.queue())
    found = feed.look(operator(), limit=2)
    assert (len(found.entries), found.position, found.more) == (2, 2, True)


def test_what_is_pending_beyond_a_batch_is_more() -> None:
    queue = cast.queue()
    cast.post(queue, BATCH // 2 + 10)
    found = feed.look(operator(), limit=BATCH + 1)
    assert (len(found.entries), found.more) == (BATCH, True)
    found = feed.look(operator(), after=found.position, limit=BATCH + 1)
    assert (len(found.entries), found.more) == (21, False)


def test_the_latest_position_is_behind_what_was_committed() -> None:
    queue = cast.queue()
    cast.post(queue)
    assert feed.look(operator(), after=feed.LATEST) == feed.Look([], 3, False)


def test_a_position_that_was_purged_is_refused_with_the_oldest() -> None:
    cast.post(cast.queue(), 2)
    sequence()
    purged_to(3)
    with pytest.raises(FeedPurged) as refused:
        feed.look(operator(), after=2)
    assert refused.value.extra == {"oldest": 3}
    assert [entry.position for entry in feed.look(operator(), after=3).entries] == [4, 5]
    assert [entry.position for entry in feed.look(operator()).entries] == [4, 5]


def test_a_position_that_the_feed_has_not_reached_is_refused_with_the_newest() -> None:
    cast.queue()
    with pytest.raises(FeedAhead) as refused:
        feed.look(operator(), after=2)
    assert refused.value.extra["newest"] == 1
    assert feed.look(operator(), after=1).entries == []


def test_what_is_purged_while_one_looks_is_not_passed_over_in_silence() -> None:
    cast.post(cast.queue(), 2)
    sequence()
    user, purges = operator(), [3]

    def purging(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if purges and "delta" in sql:
            purged_to(purges.pop())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(purging), pytest.raises(FeedPurged):
        feed.look(user, after=1)
    assert not purges


def test_the_end_of_a_deleted_queue_is_still_told() -> None:
    queue = cast.queue()
    cast.post(queue)
    administration.archive_queue(queue_id=queue.pk)
    found = feed.look(cast.person("mia"), queue=queue)
    assert told(found)[-2:] == ["QUEUE_DELETED", "TASK_CANCELED"]


def foreign_events(count: int) -> None:
    """So many events of somebody else's tasks at the end of the feed."""
    (task,) = cast.post(cast.queue("foreign"), by="rosa")
    while sequence().count:
        pass
    now, first = timezone.now(), feed.mark().position + 1
    made = Event.objects.bulk_create(
        Event(
            type="TASK_UPDATED",
            object_type="task",
            object_id=task.pk,
            queue_id=task.queue_id,
            task_id=task.pk,
            sequence=n,
            created_at=now,
        )
        for n in range(3, 3 + count)
    )
    FeedEntry.objects.bulk_create(
        FeedEntry(position=position, event=event, queue_id=task.queue_id, sequenced_at=now)
        for position, event in enumerate(made, first)
    )


def test_a_requester_among_foreign_events_comes_on_by_a_window_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WINDOW", 100)
    queue = cast.queue()
    foreign_events(250)
    cast.post(queue, by="rick")
    rick, position, looks = cast.person("rick"), 0, 0
    while not (found := feed.look(rick, after=position)).entries:
        assert found.more
        assert found.position == position + 100
        position, looks = found.position, looks + 1
    assert looks == 2
    assert told(found) == ["TASK_CREATED", "TASK_AVAILABLE"]


def test_a_window_of_a_queue_passes_by_all_others_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "WINDOW", 100)
    queue = cast.queue()
    foreign_events(250)
    cast.post(queue, by="rick")
    found = feed.look(cast.person("rick"), queue=queue)
    assert told(found) == ["TASK_CREATED", "TASK_AVAILABLE"]
    other = Queue.objects.get(name="foreign")
    assert feed.look(cast.person("mia"), queue=other, types=["TASK_CREATED"], limit=5).position == 101


@pytest.mark.only("postgresql")
def test_looks_go_along_the_feeds_own_order() -> None:
    queue = cast.queue()
    cast.post(queue, 2)
    foreign_events(400)
    for model in (FeedEntry, Event, EventPending):
        plans.prefer_indexes(model)
    for asked, index in (({}, "crowd_queues_feedentry_pkey"), ({"queue": queue}, "feedentry_by_queue")):
        with CaptureQueriesContext(connection) as queries:
            feed.look(cast.person("rick"), after=1, **asked)
        (query,) = [one["sql"] for one in queries if '"delta"' in one["sql"]]
        plan = plans.explain(query)
        assert index in plan, plan
        assert "Sort" not in plan
