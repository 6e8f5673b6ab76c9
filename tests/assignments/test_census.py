"""stats/ without counting every row: what was counted, and what events say since."""

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from assignments import census, invariants, jobs, lifecycle, statistics
from assignments.exceptions import AssignmentClosed, LeaseExpired
from assignments.models import Assignment, Census, CensusMark
from queues import administration, conf, feed, sequencer
from queues import lifecycle as tasks
from queues.exceptions import TaskClosed, TaskInHands
from queues.models import Event, EventPending, FeedEntry, Queue, Task
from queues.priority import Change
from tests import cast

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def at(minutes):
    return NOW + timedelta(minutes=minutes)


def counted(queue):
    """The numbers of the queue by all of its rows."""
    handed = Assignment.objects.filter(queue=queue)
    hands = {"ASSIGNMENT_CREATED": handed.count()} | {
        f"ASSIGNMENT_{status}": handed.filter(status=status).count()
        for status in ("FINISHED", "EXPIRED", "SKIPPED", "CANCELED")
    }
    tasks = Task.objects.filter(queue=queue).counts_by_topic()
    return census.Counts(tasks, {what: n for what, n in hands.items() if n})


def shown(queue):
    counts = census.of_queue(queue)
    return census.Counts(counts.tasks, {what: n for what, n in counts.hands.items() if n})


def sequence_all():
    while sequencer.sequence().count:
        pass


def roll_up_all():
    while census.roll_up():
        pass


@pytest.fixture
def digits(db):
    return cast.queue("digits")


@pytest.fixture
def alice(digits):
    return cast.join(digits, "alice")


class Walk:
    """Everything that changes tasks or ends assignments, in an order that the dice choose."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.queues = [cast.queue("digits"), cast.queue("letters")]
        self.members = [cast.join(queue, name) for queue in self.queues for name in ("alice", "bob", "carol")]
        self.minute = 0

    def step(self):
        self.minute += 1
        writer = self.dice.choice(
            [self.post, self.grab, self.grab, self.answer, self.answer, self.skip, self.release, self.update]
            + [self.cancel, self.reschedule, self.sweep, self.sequence, census.roll_up]
        )
        with suppress(AssignmentClosed, LeaseExpired, TaskClosed, TaskInHands):
            writer()

    @property
    def now(self):
        return at(self.minute)

    def post(self):
        draft = {
            "topic": self.dice.choice(["", "a", "é"]),
            "judgments_required": self.dice.choice([1, 1, 2]),
            "schedule_to": self.dice.choice([None, None, self.now + timedelta(minutes=5)]),
            "expire_at": self.dice.choice([None, None, self.now + timedelta(minutes=20)]),
            "output_data": self.dice.choice([None, None, None, 7]),
        }
        cast.post(self.dice.choice(self.queues), self.dice.choice([1, 2, 5]), now=self.now, **draft)

    def grab(self):
        lease = self.dice.choice([60, 600, 3600])
        cast.grab(self.dice.choice(self.members), now=self.now, seconds_to_expire=lease)

    def held(self):
        return self.dice.choice(list(Assignment.objects.filter(status="CREATED")) or [None])

    def answer(self):
        if held := self.held():
            lifecycle.finalize(assignment_id=held.pk, data=self.dice.choice([1, 2]), now=self.now)

    def skip(self):
        if held := self.held():
            lifecycle.skip(assignment_id=held.pk, seconds_to_expire=self.dice.choice([60, None]), now=self.now)

    def release(self):
        if held := self.held():
            lifecycle.release(assignment_id=held.pk, reason="away", now=self.now)

    def task(self):
        return self.dice.choice(list(Task.objects.open()) or [None])

    def update(self):
        if task := self.task():
            changes = {"topic": self.dice.choice(["", "b"]), "priority": Change(self.dice.choice([5, 900]))}
            tasks.update_task(task_id=task.pk, changes=changes, now=self.now)

    def reschedule(self):
        if task := self.task():
            changes = {"schedule_to": self.dice.choice([None, self.now + timedelta(minutes=3)]), "topic": "c"}
            tasks.update_task(task_id=task.pk, changes=changes, now=self.now)

    def cancel(self):
        if task := self.task():
            tasks.cancel_task(task_id=task.pk, now=self.now)

    def sweep(self):
        lifecycle.expire_assignments(now=self.now)
        tasks.expire_tasks(now=self.now)
        tasks.release_scheduled(now=self.now)

    def sequence(self):
        sequencer.sequence(limit=self.dice.choice([1, 3, 100]))


@pytest.mark.parametrize("seed", range(4))
def test_it_is_exact_after_every_step_of_every_writer(seed):
    walk = Walk(seed)
    for _step in range(80):
        walk.step()
        for queue in walk.queues:
            assert shown(queue) == counted(queue)
        assert not invariants.census.differing()[:1]
    sequence_all()
    roll_up_all()
    assert CensusMark.objects.get().position == FeedEntry.objects.count()
    assert [shown(queue) for queue in walk.queues] == [counted(queue) for queue in walk.queues]


def test_it_counts_what_is_pending_placed_and_rolled_up_once_each(digits):
    census.roll_up()
    for topic in ("rolled up", "placed", "pending"):
        cast.post(digits, 2, topic=topic)
        if topic != "pending":
            sequence_all()
        if topic == "rolled up":
            assert census.roll_up() > 0
    assert list(Census.objects.values_list("topic", "what", "n")) == [("rolled up", "AVAILABLE", 2)]
    assert FeedEntry.objects.filter(position__gt=CensusMark.objects.get().position).count() == 4
    assert EventPending.objects.count() == 4
    assert shown(digits).tasks == {topic: {"AVAILABLE": 2} for topic in ("pending", "placed", "rolled up")}


def test_it_reads_what_was_counted_and_not_the_tasks(digits):
    cast.post(digits, 3)
    sequence_all()
    census.roll_up()
    Census.objects.update(n=1000)
    assert statistics.of_queue(digits).by_status["AVAILABLE"] == 1000


def test_before_the_first_roll_up_every_row_is_counted(digits):
    cast.post(digits, 3, topic="a")
    assert shown(digits).tasks == {"a": {"AVAILABLE": 3}}


def test_the_first_count_leaves_to_events_what_they_will_add(digits, alice):
    cast.post(digits, 3)
    sequence_all()
    cast.grab(alice)
    assert EventPending.objects.exists()
    census.roll_up()
    assert {what: n for what, n in Census.objects.values_list("what", "n") if n} == {"AVAILABLE": 3}
    assert shown(digits).tasks == {"": {"AVAILABLE": 2, "ASSIGNED": 1}}


def test_events_of_older_versions_have_no_effect_before_or_after_the_first_count(digits):
    """Their changes are in the rows that are counted, so whenever they get their place, nothing is added."""
    cast.post(digits, 2)
    Event.objects.update(delta={"status": "AVAILABLE"})
    census.roll_up()
    sequence_all()
    assert shown(digits) == counted(digits)
    roll_up_all()
    assert shown(digits) == counted(digits)


def test_places_are_rolled_up_in_batches(digits):
    census.roll_up()
    cast.post(digits, 5)
    sequence_all()
    left = FeedEntry.objects.filter(position__gt=CensusMark.objects.get().position).count()
    assert [census.roll_up(limit=left - 1), census.roll_up(), census.roll_up()] == [left - 1, 1, 0]
    assert shown(digits) == counted(digits)


def test_the_job_gives_pending_events_their_places_and_rolls_them_up(digits):
    census.roll_up()
    cast.post(digits, 5)
    assert jobs.keep_census() > 0
    assert Census.objects.get().n == 5


def test_whoever_finds_much_that_is_not_rolled_up_rolls_some_up(digits, monkeypatch):
    census.roll_up()
    cast.post(digits, 5)
    monkeypatch.setattr(census, "LONG", 6)
    census.of_queue(digits)
    assert not Census.objects.exists()
    monkeypatch.setattr(census, "LONG", 5)
    assert census.of_queue(digits).tasks == {"": {"AVAILABLE": 5}}
    assert Census.objects.get().n == 5


def test_a_purge_waits_for_it_a_day(digits):
    sequence_all()
    census.roll_up()
    (task,) = cast.post(digits, 1)
    tasks.cancel_task(task_id=task.pk)
    sequence_all()
    kept = timedelta(days=conf.events_kept_days())
    soon, later = NOW + kept + timedelta(hours=1), NOW + kept + timedelta(days=1, hours=1)
    assert (feed.purge(now=soon), feed.purge(now=soon)) == (1, 0)
    assert feed.mark().purged_to == CensusMark.objects.get().position == 1
    assert shown(digits).tasks == {"": {"CANCELED": 1}}
    roll_up_all()
    assert feed.purge(now=soon) == 3
    (task,) = cast.post(digits, 1)
    sequence_all()
    assert feed.purge(now=soon) == 0
    assert feed.purge(now=later) == 2
    assert shown(digits) == counted(digits)


def test_where_the_feed_was_purged_beyond_it_all_is_counted_anew(digits):
    census.roll_up()
    (task, _other) = cast.post(digits, 2)
    tasks.cancel_task(task_id=task.pk)
    sequence_all()
    while feed.purge(now=NOW + timedelta(days=1000)):
        pass
    assert shown(digits).tasks == {"": {"AVAILABLE": 1, "CANCELED": 1}}
    roll_up_all()
    assert dict(Census.objects.values_list("what", "n")) == {"AVAILABLE": 1, "CANCELED": 1}
    cast.post(digits, 1)
    assert shown(digits) == counted(digits)


def test_a_deleted_queue_keeps_its_numbers(digits):
    cast.post(digits, 2)
    sequence_all()
    census.roll_up()
    administration.archive_queue(queue_id=digits.pk)
    tasks.cancel_archived()
    sequence_all()
    roll_up_all()
    assert dict(Census.objects.filter(n__gt=0).values_list("what", "n")) == {"CANCELED": 2}
    assert shown(Queue.objects.get(pk=digits.pk)) == counted(digits)


def test_what_is_wrong_is_right_once_everything_was_counted_anew(digits):
    cast.post(digits, 3)
    sequence_all()
    census.roll_up()
    Census.objects.update(n=7)
    assert invariants.census.differing()[:1]
    cast.post(digits)
    call_command("recount")
    assert shown(digits).tasks == {"": {"AVAILABLE": 4}}
    assert not invariants.census.differing()[:1]


def test_all_queues_are_read_as_the_roll_up_left_them(digits, alice):
    assert census.kept() is None
    census.roll_up()
    cast.post(digits, 3)
    (held,) = cast.grab(alice).assignments
    lifecycle.finalize(assignment_id=held.pk, data=1)
    sequence_all()
    late = census.kept()
    assert (late.counts, late.behind > 0) == ({}, True)
    roll_up_all()
    numbers = {"AVAILABLE": 2, "FINISHED": 1, "ASSIGNMENT_CREATED": 1, "ASSIGNMENT_FINISHED": 1}
    now = census.kept()
    assert {what: n for what, n in now.counts[digits.pk].items() if n} == numbers
    assert now.behind == 0


@pytest.mark.django_db(transaction=True)
def test_rolling_up_twice_at_once_counts_each_place_once(together):
    digits = cast.queue("digits")
    census.roll_up()
    cast.post(digits, 40)
    sequence_all()

    def roll_up():
        for _time in range(6):
            census.roll_up(limit=10)

    together(roll_up, roll_up, roll_up, roll_up)
    roll_up_all()
    assert Census.objects.get().n == 40


@pytest.mark.django_db(transaction=True)
def test_the_first_count_beside_writers_and_the_sequencer_misses_nothing(together):
    digits = cast.queue("digits")
    alice, bob = cast.join(digits, "alice"), cast.join(digits, "bob")
    cast.post(digits, 30)

    def work(member):
        for _time in range(10):
            (held,) = cast.grab(member).assignments
            lifecycle.finalize(assignment_id=held.pk, data=1)

    def count():
        for _time in range(10):
            census.catch_up()

    together(lambda: work(alice), lambda: work(bob), count, count)
    sequence_all()
    roll_up_all()
    assert shown(digits) == counted(digits)
    assert shown(digits).tasks[""] == {"AVAILABLE": 10, "FINISHED": 20}
