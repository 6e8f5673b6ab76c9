"""Going on from a backup: numbers leap, and readers of the feed begin anew."""

import pytest
from django.core.management import CommandError, call_command

from assignments import census, lifecycle
from queues import feed, restoring
from queues.exceptions import FeedAhead, FeedPurged
from queues.models import Event, FeedEntry, Task
from queues.sequencer import sequence
from tests import cast, outbox

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice():
    return cast.join(cast.queue("digits"), "alice")


def sequence_all():
    while sequence().count:
        pass


def test_what_comes_next_has_a_number_that_was_never_given_out(alice):
    (task, _other) = cast.post(alice.queue, 2)
    (held,) = cast.grab(alice).assignments
    restoring.leap(by=500)
    (later,) = cast.post(alice.queue)
    lifecycle.finalize(assignment_id=held.pk, data=1)
    (next_,) = cast.grab(alice).assignments
    assert task.pk < later.pk - 499
    assert next_.pk == held.pk + 501
    assert Event.objects.order_by("-pk")[0].pk > 500
    (first,) = outbox.waiting(outbox.endpoint(), now=held.created_at)
    assert first.pk > 500


def test_readers_of_the_feed_are_told_to_begin_anew_and_nothing_is_lost_to_those_who_do(alice):
    cast.post(alice.queue, 3)
    sequence_all()
    before = feed.look(cast.person("olga", is_superuser=True))
    done = restoring.leap(by=500)
    assert (done.places, done.position) == (len(before.entries), before.position + 500)
    olga = cast.person("olga")
    for lost in (0, before.position, before.position + 300):
        with pytest.raises(FeedPurged):
            feed.look(olga, after=lost)
    with pytest.raises(FeedAhead):
        feed.look(olga, after=done.position + 1)
    again = feed.look(olga)
    assert [entry.event_id for entry in again.entries] == [entry.event_id for entry in before.entries]
    cast.post(alice.queue)
    new = feed.look(olga, after=again.position)
    assert [entry.position for entry in new.entries] == [done.position + 1, done.position + 2]


def test_a_feed_that_is_longer_than_the_leap_moves_as_far_as_it_is_long(alice):
    cast.post(alice.queue, 20)
    sequence_all()
    places = FeedEntry.objects.count()
    assert restoring.leap(by=3).position == 2 * places
    assert FeedEntry.objects.order_by("position")[0].position == places + 1


def test_an_empty_database_leaps_too():
    assert restoring.leap(by=10).places == 0
    cast.post(cast.queue("digits"))
    assert Task.objects.get().pk > 10
    sequence_all()
    assert FeedEntry.objects.order_by("position")[0].position == 11


def test_the_numbers_of_queues_stay_right_and_no_rule_is_broken(alice):
    cast.post(alice.queue, 5)
    sequence_all()
    census.roll_up()
    cast.grab(alice)
    restoring.leap()
    assert census.of_queue(alice.queue).by_status()["AVAILABLE"] == 4
    while census.catch_up():
        pass
    found = census.of_queue(alice.queue).by_status()
    assert (found["AVAILABLE"], found["ASSIGNED"]) == (4, 1)
    call_command("check_invariants")


def test_a_leap_of_nothing_is_refused():
    with pytest.raises(CommandError):
        call_command("after_restore", leap=0)
