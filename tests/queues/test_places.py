"""Where looks for an available task begin."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from queues.models import Task
from queues.places import HEAD, HEAD_EVERY, HEAD_PAUSE, HEAD_SHARE, LATE, LINES, Places, Start
from queues.strategy import Policy

pytestmark = pytest.mark.django_db

QUEUE, ALICE, BOB = 1, 11, 12
POLICY = Policy(
    lease=60, lease_until=None, order="fifo", priority_order="important_first", topic=None, multitask_index=1
)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def looked(places: Places, *, first: int, taken: int, reviewer: int = ALICE, seconds: float = 0.001) -> Start:
    """A look that found the first available task at one id of priority 500 and took another."""
    start = places.start(QUEUE, POLICY, reviewer)
    places.found(start, reviewer, first=(500, first), taken=(500, taken), seconds=seconds)
    return start


def begins(places: Places, reviewer: int = ALICE) -> int:
    """The id at which the reviewer's next look begins; 0 at the head."""
    start = places.start(QUEUE, POLICY, reviewer)
    return 0 if start.is_head else start.own[1]


def test_the_first_look_is_from_the_head_and_the_next_from_what_it_found() -> None:
    places = Places(Clock())
    assert looked(places, first=7, taken=7).is_head
    assert begins(places) == begins(places, BOB) == 7


def test_a_look_is_from_the_head_again_after_a_second_and_one_alone_takes_it() -> None:
    clock = Clock()
    places = Places(clock)
    looked(places, first=7, taken=7)
    clock.now += HEAD_EVERY
    assert begins(places) == 0
    assert begins(places, BOB) == 7


def test_slow_looks_from_the_head_take_a_small_share_of_the_time() -> None:
    clock = Clock()
    places = Places(clock)
    looked(places, first=7, taken=7, seconds=0.1)
    clock.now += 0.1 / HEAD_SHARE - 0.1
    assert begins(places) == 7
    clock.now += 0.2
    assert begins(places) == 0


def test_however_slow_looks_from_the_head_do_not_end() -> None:
    clock = Clock()
    places = Places(clock)
    looked(places, first=7, taken=7, seconds=60)
    clock.now += HEAD_PAUSE
    assert begins(places) == 0


def test_a_slow_look_is_not_begun_again_while_it_lasts() -> None:
    clock = Clock()
    places = Places(clock)
    looked(places, first=7, taken=7, seconds=60)
    clock.now += HEAD_PAUSE
    assert begins(places) == 0
    clock.now += HEAD_EVERY
    assert begins(places) == 7


def test_how_slow_a_look_was_is_learnt_whatever_came_meanwhile() -> None:
    clock = Clock()
    places = Places(clock)
    looked(places, first=7, taken=7)
    clock.now += HEAD_EVERY
    start = places.start(QUEUE, POLICY, ALICE)
    places.became_available([Task(pk=5, queue_id=QUEUE, priority=500)])
    places.found(start, ALICE, first=(500, 9), taken=(500, 9), seconds=0.1)
    clock.now += HEAD_EVERY
    assert begins(places) == 5


def test_who_passed_tasks_by_begins_behind_them_and_others_do_not() -> None:
    clock = Clock()
    places = Places(clock)
    looked(places, first=7, taken=5007)
    assert begins(places) == 5007
    assert begins(places, BOB) == 7
    clock.now += HEAD_EVERY - 0.01
    looked(places, first=8, taken=5008)
    assert begins(places) == 5008
    clock.now += 0.02
    assert begins(places, BOB) == 0
    assert begins(places) == 8


def test_something_better_lowers_the_places_behind_it() -> None:
    places = Places(Clock())
    looked(places, first=7, taken=5007)
    places.became_available([Task(pk=5, queue_id=QUEUE, priority=500)])
    assert begins(places) == begins(places, BOB) == 5
    looked(places, first=7, taken=5007)
    places.became_available([Task(pk=6000, queue_id=QUEUE, priority=500), Task(pk=1, queue_id=2, priority=5)])
    assert begins(places) == 5007


def test_a_look_that_began_before_something_better_came_says_nothing() -> None:
    places = Places(Clock())
    looked(places, first=7, taken=7)
    start = places.start(QUEUE, POLICY, ALICE)
    places.became_available([Task(pk=5, queue_id=QUEUE, priority=500)])
    places.found(start, ALICE, first=(500, 9), taken=(500, 9), seconds=0.001)
    assert begins(places) == 5


def test_a_topic_is_not_lowered_by_another() -> None:
    places = Places(Clock())
    policy = Policy(lease=60, lease_until=None, order="lifo", priority_order="no", topic="birds", multitask_index=1)
    start = places.start(QUEUE, policy, ALICE)
    places.found(start, ALICE, first=(0, -7), taken=(0, -7), seconds=0.001)
    places.became_available([Task(pk=9, queue_id=QUEUE, priority=5, topic="fish")])
    assert places.start(QUEUE, policy, ALICE).own == (0, -7)
    places.became_available([Task(pk=8, queue_id=QUEUE, priority=5, topic="birds")])
    assert places.start(QUEUE, policy, ALICE).own == (0, -8)


def test_what_was_swept_is_remembered_for_a_second_but_for_what_may_come_late() -> None:
    clock = Clock()
    places = Places(clock)
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert places.swept_to(QUEUE) is None
    places.was_swept(QUEUE, moment, seconds=0.001)
    assert places.swept_to(QUEUE) == moment - LATE
    clock.now += HEAD_EVERY
    assert places.swept_to(QUEUE) is None


def test_nothing_is_remembered_of_too_many_reviewers() -> None:
    places = Places(Clock())
    for reviewer in range(20_001):
        looked(places, first=7, taken=9, reviewer=reviewer)
    assert begins(places, 20_000) == 9
    assert begins(places, 5) == 7
    assert HEAD < (0, 0)


def test_nothing_is_remembered_of_too_many_topics() -> None:
    places = Places(Clock())
    looked(places, first=7, taken=7)
    for number in range(LINES - 1):
        places.start(QUEUE, replace(POLICY, topic=str(number)), ALICE)
    assert begins(places) == 7
    places.start(QUEUE, replace(POLICY, topic="one more"), ALICE)
    assert begins(places) == 0
