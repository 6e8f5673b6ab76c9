"""Batches: planned once, done part by part, whatever stops them."""

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone

from queues import batches
from queues.batches import Outcome
from queues.exceptions import BatchClosed, InvalidInput, TaskClosed
from queues.models import Batch, BatchPart, Queue
from queues.states import BatchStatus
from tests import cast

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """What a killed process is to the code that it was running."""


@pytest.fixture
def kind(monkeypatch):
    """Make a kind of batch known for this test: `kind(function)` returns its name."""

    def make(apply):
        monkeypatch.setitem(batches._kinds, "test", apply)
        return "test"

    return make


@pytest.fixture
def seen(kind):
    """A kind that notes the parts it is given."""
    parts = []

    def apply(batch, items, now):
        parts.append(items)
        return Outcome(len(items))

    kind(apply)
    return parts


def plan(items=range(5), **given):
    return batches.plan(**{"kind": "test", "items": items, "actor": cast.person("mia"), "part": 2, **given})


def work_off(batch):
    """Work until nothing is left."""
    while batches.work(batch_id=batch.pk):
        pass
    batch.refresh_from_db()
    return batch


def test_a_plan_is_cut_into_parts_in_order(seen):
    batch = plan(iter(range(5)))
    assert (batch.items, batch.status) == (5, BatchStatus.RUNNING)
    assert list(batch.parts.values_list("ordinal", "payload", "items")) == [(0, [0, 1], 2), (1, [2, 3], 2), (2, [4], 1)]
    assert seen == []


def test_many_parts_are_numbered_on(seen):
    batch = plan(range(2 * batches.PARTS_AT_ONCE + 1), part=1)
    assert list(batch.parts.values_list("payload", flat=True)) == [[n] for n in range(2 * batches.PARTS_AT_ONCE + 1)]


def test_an_unknown_kind_is_refused():
    with pytest.raises(KeyError):
        plan(kind="unheard of")
    assert not Batch.objects.exists()


def test_items_that_break_off_leave_no_batch(seen):
    def items():
        yield from range(50)
        raise ValueError("the file ends here")

    with pytest.raises(ValueError, match="ends here"):
        plan(items())
    assert not Batch.objects.exists()


def test_each_call_does_one_part_and_the_last_one_ends_it(seen):
    batch = plan()
    assert [batches.work(batch_id=batch.pk) for _ in range(4)] == [True] * 4
    assert seen == [[0, 1], [2, 3], [4]]
    assert not batches.work(batch_id=batch.pk)
    batch.refresh_from_db()
    assert batch.status == BatchStatus.FINISHED
    assert batch.ended_at is not None


def test_the_tick_takes_the_oldest_first(seen):
    plan([1])
    plan([2])
    batches.work()
    assert seen == [[1]]


def test_a_batch_of_nothing_ends_at_once(seen):
    assert work_off(plan([])).status == BatchStatus.FINISHED


def test_a_draft_waits_until_it_is_started(seen):
    batch = plan(draft=True)
    assert not batches.work()
    batches.start(batch_id=batch.pk)
    assert work_off(batch).status == BatchStatus.FINISHED


def test_a_stopped_batch_waits_and_goes_on_where_it_was(seen):
    batch = plan()
    batches.work()
    batches.stop(batch_id=batch.pk)
    assert not batches.work()
    batches.start(batch_id=batch.pk)
    work_off(batch)
    assert seen == [[0, 1], [2, 3], [4]]


def test_what_is_given_up_stays_as_far_as_it_is(seen):
    batch = plan()
    batches.work()
    batches.stop(batch_id=batch.pk)
    ended = batches.cancel(batch_id=batch.pk)
    assert ended.status == BatchStatus.CANCELED
    assert ended.ended_at is not None
    assert not batches.work()
    assert batches.progress(batch).done == 2


@pytest.mark.parametrize(
    ("status", "move"),
    [
        (BatchStatus.RUNNING, batches.start),
        (BatchStatus.RUNNING, batches.cancel),
        (BatchStatus.DRAFT, batches.stop),
        (BatchStatus.STOPPED, batches.stop),
        (BatchStatus.FINISHED, batches.start),
        (BatchStatus.FINISHED, batches.stop),
        (BatchStatus.FINISHED, batches.cancel),
    ],
)
def test_a_move_that_makes_no_sense_is_refused(seen, status, move):
    batch = plan(draft=status == BatchStatus.DRAFT)
    if status == BatchStatus.STOPPED:
        batches.stop(batch_id=batch.pk)
    if status == BatchStatus.FINISHED:
        work_off(batch)
    with pytest.raises(BatchClosed, match=str(BatchStatus(status).label)):
        move(batch_id=batch.pk)


def test_faults_are_kept_in_order_beside_what_was_changed(kind):
    def refuse_odd(item):
        if item % 2:
            raise TaskClosed(f"{item} is odd.")

    kind(lambda batch, items, now: batches.each(items, refuse_odd))
    found = batches.progress(work_off(plan(range(5))))
    assert (found.done, found.changed) == (5, 3)
    assert found.faults == [{"item": 1, "detail": "1 is odd."}, {"item": 3, "detail": "3 is odd."}]


def test_a_fault_of_input_is_told_without_its_pointer():
    def refuse(item):
        raise InvalidInput([{"pointer": "/a", "detail": "Too long."}, {"pointer": "/b", "detail": "Too short."}])

    assert batches.each([7], refuse) == Outcome(0, [{"item": 7, "detail": "Too long. Too short."}])


def test_a_function_that_raises_fails_its_batch_and_no_other(kind, caplog):
    kind(lambda batch, items, now: Outcome(len(items)) if items == [1] else {}["missing"])
    broken, sound = plan([0]), plan([1])
    assert work_off(broken).status == BatchStatus.FAILED
    assert "log" in broken.faults[0]["detail"]
    assert "missing" in caplog.text
    assert work_off(sound).status == BatchStatus.FINISHED


def test_what_a_failed_part_had_written_is_undone(kind, caplog):
    queue = cast.queue()

    def rename(batch, items, now):
        Queue.objects.filter(pk=queue.pk).update(alias="half done")
        raise ValueError

    kind(rename)
    assert work_off(plan([1])).status == BatchStatus.FAILED
    queue.refresh_from_db()
    assert queue.alias == ""


def test_a_part_that_met_a_passing_fault_of_the_database_is_done_later(kind, caplog):
    faults = iter([OperationalError("database is locked")])

    def apply(batch, items, now):
        for fault in faults:
            raise fault
        return Outcome(1)

    kind(apply)
    batch = plan([1])
    assert not batches.work()
    batch.refresh_from_db()
    assert batch.status == BatchStatus.RUNNING
    assert work_off(batch).status == BatchStatus.FINISHED


class TestWhole:
    """All or nothing."""

    def test_it_is_done_in_one_go(self, seen):
        batch = plan(whole=True)
        assert batches.work(batch_id=batch.pk)
        batch.refresh_from_db()
        assert (batch.status, seen) == (BatchStatus.FINISHED, [[0, 1], [2, 3], [4]])

    def test_one_fault_undoes_everything_and_is_told(self, kind):
        queue = cast.queue()

        def apply(batch, items, now):
            Queue.objects.filter(pk=queue.pk).update(alias="half done")
            return Outcome(len(items)) if 4 not in items else Outcome(0, [{"item": 4, "detail": "No."}])

        kind(apply)
        batch = work_off(plan(whole=True))
        assert (batch.status, batch.faults) == (BatchStatus.FAILED, [{"item": 4, "detail": "No."}])
        assert batches.progress(batch).done == 0
        queue.refresh_from_db()
        assert queue.alias == ""

    def test_it_may_be_chosen_when_the_draft_is_started(self, seen):
        batch = plan(draft=True)
        assert batches.start(batch_id=batch.pk, whole=True).whole


@pytest.mark.threads
class TestAtOnce:
    """Real transactions."""

    def test_a_killed_worker_leaves_its_part_undone_for_the_next(self, kind, together):
        queue = cast.queue()
        kills = iter([Killed()])

        def apply(batch, items, now):
            Queue.objects.filter(pk=queue.pk).update(judgments_per_task=F("judgments_per_task") + len(items))
            if items == [2, 3]:
                for kill in kills:
                    raise kill
            return Outcome(len(items))

        kind(apply)
        batch = plan()
        assert batches.work(batch_id=batch.pk)
        with pytest.raises(Killed):
            batches.work(batch_id=batch.pk)
        assert batches.progress(batch).done == 2
        work_off(batch)
        queue.refresh_from_db()
        assert queue.judgments_per_task == 1 + 5

    def test_workers_at_once_do_each_part_once(self, kind, together):
        queue = cast.queue()

        def apply(batch, items, now):
            Queue.objects.filter(pk=queue.pk).update(judgments_per_task=F("judgments_per_task") + len(items))
            return Outcome(len(items))

        kind(apply)
        batch = plan(range(30))

        def worker():
            while batches.work(batch_id=batch.pk):
                pass

        assert together(worker, worker, worker) == [None] * 3
        work_off(batch)
        queue.refresh_from_db()
        assert batch.status == BatchStatus.FINISHED
        assert queue.judgments_per_task == 1 + 30
        assert not BatchPart.objects.filter(done_at__isnull=True).exists()

    def test_of_two_that_stop_it_one_is_refused(self, seen, together):
        batch = plan()
        stop = lambda: batches.stop(batch_id=batch.pk)  # noqa: E731
        outcomes = together(stop, stop)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Batch", "BatchClosed"]


def test_what_ended_a_month_ago_is_purged_and_a_plan_that_nobody_started_after_a_week(seen):
    now = timezone.now()
    ended = work_off(plan(now=now - timedelta(days=40)))
    Batch.objects.filter(pk=ended.pk).update(ended_at=now - timedelta(days=30))
    plan(draft=True, now=now - timedelta(days=7))
    recent = work_off(plan())
    drafted = plan(draft=True, now=now - timedelta(days=6))
    running = plan(now=now - timedelta(days=90))
    assert batches.purge(now=now) == 2
    assert set(Batch.objects.values_list("pk", flat=True)) == {recent.pk, drafted.pk, running.pk}
    assert set(BatchPart.objects.values_list("batch", flat=True)) == {recent.pk, drafted.pk, running.pk}
    assert batches.purge(now=now) == 0
